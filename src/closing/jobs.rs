//! The job that erases what a closed account had: files and uploads, then the account itself, and then it waits until
//! every object is proven gone. Each step is a transaction that may be done again, so that it goes on where a crash
//! ended it.

use std::time::Duration;

use async_trait::async_trait;
use entity::account_closure;
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store;
use crate::{
    accounts,
    app::App,
    db::idempotency,
    events,
    files::{self, FilesError, Left},
    friends,
    jobs::{Job, JobError, Lane},
    ledger, reports, snaps,
};

/// Transactions between two counts of what is proven gone; then the next job has its turn.
const STEPS: usize = 20;
/// Between two looks whether a legal hold has ended.
const HELD: Duration = Duration::from_secs(60);
/// Between two looks whether the last objects are proven gone.
const UNPROVEN: Duration = Duration::from_secs(1);

#[derive(Serialize, Deserialize)]
pub(super) struct Erase {
    pub closure: Uuid,
}

#[async_trait]
impl Job for Erase {
    const KIND: &'static str = "closing.erase";
    const LANE: Lane = Lane::Upkeep;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let mut left = Left::More;
        while part_from_some(app, self.closure).await? {}
        for _ in 0..STEPS {
            left = erase_some(app, self.closure).await.map_err(retry)?;
            if left != Left::More {
                break;
            }
        }
        let forgotten = left == Left::Nothing && forget(app, self.closure).await.map_err(retry)?;
        let closure = count(app, self.closure, forgotten).await?;
        match left {
            _ if closure.erased_at.is_some() => {
                tracing::info!(user.id = %closure.user_id, objects = closure.objects, "account erased");
                Ok(())
            }
            Left::Held(_) => Err(JobError::Later(HELD)),
            Left::Nothing if forgotten => Err(JobError::Later(UNPROVEN)),
            Left::More | Left::Nothing => Err(JobError::Later(Duration::ZERO)),
        }
    }
}

fn retry(error: FilesError) -> JobError {
    JobError::Retry(error.to_string())
}

/// Some of the files, with the progress that it is.
async fn erase_some(app: &App, closure: Uuid) -> Result<Left, FilesError> {
    app.transaction(async |tx| {
        let closure = store::lock(&tx, closure).await?;
        if snaps::leave(app, &tx, closure.user_id).await? {
            return Ok(Left::More);
        }
        let (files, left) = files::erase_some(app, &tx, closure.user_id).await?;
        let row = account_closure::Model {
            files_left: (closure.files_left - number(files)).max(0),
            held: if let Left::Held(held) = left { number(held) } else { 0 },
            ..closure
        };
        store::update(&tx, row).await?;
        Ok(left)
    })
    .await
}

/// Some of what was between this person and others. Whether some is left.
async fn part_from_some(app: &App, closure: Uuid) -> Result<bool, DbErr> {
    app.transaction(async |tx| {
        let user_id = store::lock(&tx, closure).await?.user_id;
        friends::erase_some(app, &tx, user_id).await
    })
    .await
}

/// Deletes what is kept by person, and the account. `false`: a request that was under way has added something meanwhile.
async fn forget(app: &App, closure: Uuid) -> Result<bool, FilesError> {
    app.transaction(async |tx| {
        let user_id = store::lock(&tx, closure).await?.user_id;
        // From here on nothing is added: rows that refer to the account, and `ledger::write`, wait for its lock.
        let Some(account) = accounts::lock(&tx, user_id).await? else { return Ok(true) };
        if snaps::leave(app, &tx, user_id).await? || files::erase_some(app, &tx, user_id).await? != (0, Left::Nothing) {
            return Ok(false);
        }
        reports::forget(&tx, user_id).await?;
        snaps::forget(&tx, user_id).await?;
        if !friends::forget(&tx, user_id).await? {
            return Ok(false);
        }
        files::forget(&tx, user_id).await?;
        events::forget(&tx, user_id).await?;
        idempotency::forget(&tx, user_id).await?;
        accounts::erase(app, &tx, &account).await?;
        Ok(true)
    })
    .await
}

/// Counts what is proven gone. Once the account is, and nothing else is left, the closure is at its end.
async fn count(app: &App, closure: Uuid, forgotten: bool) -> Result<account_closure::Model, DbErr> {
    app.transaction(async |tx| {
        let closure = store::lock(&tx, closure).await?;
        let toll = ledger::toll(&tx, closure.user_id, closure.requested_at).await?;
        let done = forgotten && toll.left == 0;
        // Requests that were under way may have added some.
        let objects = number(toll.left + toll.erased).max(closure.objects);
        let row = account_closure::Model {
            objects,
            objects_erased: (objects - number(toll.left)).max(closure.objects_erased),
            erased_at: closure.erased_at.or(done.then_some(app.db.now(&tx).await?)),
            ..closure
        };
        store::update(&tx, row.clone()).await?;
        Ok(row)
    })
    .await
}

fn number(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
