//! The job that works an action off. Each batch is a transaction with the counts that it makes, so that it goes on where a
//! crash ended it.

use std::time::Duration;

use async_trait::async_trait;
use entity::{
    action::{Model, State},
    alert,
};
use sea_orm::{ActiveEnum as _, DbErr};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::store;
use crate::{
    accounts,
    alerts::{self, NewAlert},
    app::App,
    db::Tx,
    files::{FilesError, Scope, store as files, trash},
    id::NodeKind,
    jobs::{Job, JobError, Lane},
    viewer::{Identity, Viewer},
};

/// Files of one transaction.
const BATCH: u64 = 50;
/// Transactions until the next job has its turn.
const STEPS: usize = 20;

#[derive(Serialize, Deserialize)]
pub(super) struct Work {
    pub action: Uuid,
}

#[async_trait]
impl Job for Work {
    const KIND: &'static str = "files.bulk";
    const LANE: Lane = Lane::Files;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        for _ in 0..STEPS {
            let more = batch(app, self.action).await.map_err(|error| JobError::Retry(error.to_string()))?;
            if !more {
                return Ok(());
            }
        }
        Err(JobError::Later(Duration::ZERO))
    }

    async fn on_dead(&self, app: &App, tx: &Tx, error: &str) -> Result<(), DbErr> {
        match store::lock_running(tx, self.action).await? {
            Some(action) => end(app, tx, action, State::Failed, Some(error)).await,
            None => Ok(()),
        }
    }
}

/// Removes some files, or ends the action. Whether some may be left.
async fn batch(app: &App, action: Uuid) -> Result<bool, FilesError> {
    app.transaction(async |tx| {
        let Some(action) = store::lock_running(&tx, action).await? else { return Ok(false) };
        let admin = match accounts::hold_admin(&tx, action.actor_id).await? {
            Ok(admin) => admin,
            Err(why) => {
                end(app, &tx, action, State::Stopped, Some(why)).await?;
                return Ok(false);
            }
        };
        // Of no session: what was ordered does not end with the log-in that ordered it.
        let viewer = Viewer::User(Identity::new(admin, Uuid::nil()));
        let items = store::next(&tx, action.id, BATCH).await?;
        let found = files::lock(&tx, Scope::Everyone, &items).await?;
        let now = app.db.now(&tx).await?;
        let mut done = 0;
        for file in &found {
            match trash::put_away_one(app, &tx, &viewer, file, action.reason.as_deref(), now).await {
                Ok(removed) => done += usize::from(removed.is_some()),
                Err(FilesError::WrongState(_)) => {}
                Err(error) => return Err(error),
            }
        }
        store::strike(&tx, action.id, &items).await?;
        let action =
            Model { done: action.done + number(done), skipped: action.skipped + number(items.len() - done), ..action };
        let more = !items.is_empty() && action.done + action.skipped < action.total;
        if more {
            store::update(&tx, action).await?;
        } else {
            end(app, &tx, action, State::Completed, None).await?;
        }
        Ok(more)
    })
    .await
}

/// Writes how a running action ended, and the one alert of it, with what was done until then.
async fn end(app: &App, tx: &Tx, action: Model, state: State, error: Option<&str>) -> Result<(), DbErr> {
    store::clear(tx, action.id).await?;
    let Model { total, done, skipped, .. } = action;
    let rest = match state {
        State::Running | State::Completed => String::new(),
        State::Stopped => format!("; stopped: {}", error.unwrap_or_default()),
        State::Failed => "; given up, the server could not go on".to_owned(),
    };
    let reason = action.reason.as_deref().unwrap_or_default();
    let alert = NewAlert {
        kind: alert::Kind::FilesRemoved,
        actor_id: Some(action.actor_id),
        count: usize::try_from(done).unwrap_or(usize::MAX),
        message: format!("{done} of {total} files removed by an admin, {skipped} skipped{rest}. Reason: {reason}"),
        details: json!({
            "action": NodeKind::BulkAction.id(action.id).to_string(), "state": state.to_value(), "total": total,
            "done": done, "skipped": skipped, "reason": action.reason, "error": error,
        }),
    };
    let alert = alerts::raise(app, tx, alert).await?;
    let row = Model {
        state,
        error: error.map(str::to_owned),
        alert_id: Some(alert.id),
        finished_at: Some(app.db.now(tx).await?),
        ..action
    };
    tracing::info!(action.id = %row.id, state = %row.state.to_value(), row.done, row.skipped, "bulk action ended");
    store::update(tx, row).await
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
