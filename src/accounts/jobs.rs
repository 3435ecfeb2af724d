//! Housekeeping: rows of sessions, tokens and counters that mean nothing any more.

use std::time::Duration;

use async_trait::async_trait;
use entity::{Timestamp, session, throttle};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::find;
use crate::{
    app::App,
    jobs::{Job, JobError, Registry},
};

const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Rows deleted in one transaction, so that none holds its locks for long.
const BATCH: u64 = 500;

/// Registers and schedules the module's jobs.
pub fn register(registry: &mut Registry) -> Result<(), serde_json::Error> {
    registry.register::<find::Reindex>();
    registry.schedule(INTERVAL, &Housekeeping {})
}

#[derive(Debug, Serialize, Deserialize)]
struct Housekeeping {}

#[async_trait]
impl Job for Housekeeping {
    const KIND: &'static str = "accounts.housekeeping";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let now = app.db.now(app.db.read()).await?;
        let sessions = delete_expired_sessions(app, now).await?;
        let counters = delete_old_counters(app, now.minus(app.config.accounts.log_in_window)).await?;
        if sessions + counters > 0 {
            tracing::debug!(sessions, counters, "expired rows deleted");
        }
        Ok(())
    }
}

async fn delete_expired_sessions(app: &App, now: Timestamp) -> Result<u64, DbErr> {
    use session::{Column, Entity};
    let expired = Column::ExpiresAt.lte(now);
    let mut deleted = 0;
    loop {
        let select = Entity::find().select_only().column(Column::Id).filter(expired.clone()).limit(BATCH);
        let ids: Vec<Uuid> = select.into_tuple().all(app.db.read()).await?;
        let delete = Entity::delete_many().filter(Column::Id.is_in(ids.iter().copied())).filter(expired.clone());
        deleted += app.db.transaction::<_, DbErr, _, _>(async |tx| delete.clone().exec(&tx).await).await?.rows_affected;
        if (ids.len() as u64) < BATCH {
            return Ok(deleted);
        }
    }
}

async fn delete_old_counters(app: &App, oldest: Timestamp) -> Result<u64, DbErr> {
    use throttle::{Column, Entity};
    let old = Column::WindowStart.lte(oldest);
    let mut deleted = 0;
    loop {
        let select = Entity::find().select_only().column(Column::Key).filter(old.clone()).limit(BATCH);
        let keys: Vec<String> = select.into_tuple().all(app.db.read()).await?;
        let delete = Entity::delete_many().filter(Column::Key.is_in(&keys)).filter(old.clone());
        deleted += app.db.transaction::<_, DbErr, _, _>(async |tx| delete.clone().exec(&tx).await).await?.rows_affected;
        if (keys.len() as u64) < BATCH {
            return Ok(deleted);
        }
    }
}
