//! What becomes of snaps with time.

use async_trait::async_trait;
use entity::snap_recipient::State;
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    ends::{self, tell_sender},
    model::{Phase, phase},
    store,
};
use crate::{
    app::App,
    jobs::{Job, JobError},
};

/// Snaps forgotten in one transaction.
const BATCH: u64 = 500;

/// Ends a snap for those who did not open it in its time.
#[derive(Serialize, Deserialize)]
pub(super) struct Expire {
    pub snap: Uuid,
}

#[async_trait]
impl Job for Expire {
    const KIND: &'static str = "snaps.expire";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let early = app
            .transaction::<_, DbErr, _, _>(async |tx| {
                let rows = store::lock_open(&tx, self.snap).await?;
                let Some(snap) = store::find(&tx, self.snap).await? else { return Ok(None) };
                let now = app.db.now(&tx).await?;
                if now < snap.expires_at {
                    return Ok(Some(snap.expires_at.since(now)));
                }
                let mut expired = Vec::new();
                for row in rows {
                    if phase(&row, &snap, &app.config.snaps, now) == Phase::Over(State::Expired) {
                        expired.push(row.recipient_id);
                        ends::end(app, &tx, &snap, row, State::Expired, now).await?;
                    }
                }
                for recipient in expired {
                    tell_sender(&tx, &snap, recipient, now).await?;
                }
                Ok(None)
            })
            .await?;
        early.map_or(Ok(()), |early| Err(JobError::Later(early)))
    }
}

/// Looks after a recipient whose view or replay may be over.
#[derive(Serialize, Deserialize)]
pub(super) struct Settle {
    pub recipient: Uuid,
}

#[async_trait]
impl Job for Settle {
    const KIND: &'static str = "snaps.settle";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let again = app
            .transaction::<_, DbErr, _, _>(async |tx| {
                let Some(again) = ends::settle(app, &tx, self.recipient).await? else { return Ok(None) };
                Ok(Some(again.since(app.db.now(&tx).await?)))
            })
            .await?;
        again.map_or(Ok(()), |again| Err(JobError::Later(again)))
    }
}

/// Forgets that snaps were sent, once they have been gone for long enough.
#[derive(Serialize, Deserialize)]
pub(super) struct Forget {}

#[async_trait]
impl Job for Forget {
    const KIND: &'static str = "snaps.forget";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        app.transaction::<_, DbErr, _, _>(async |tx| {
            let before = app.db.now(&tx).await?.minus(app.config.snaps.retention);
            let gone = store::gone_before(&tx, before, BATCH).await?;
            store::delete(&tx, &gone).await
        })
        .await?;
        Ok(())
    }
}
