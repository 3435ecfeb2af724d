//! Housekeeping: events that are older than anybody may ask for.

use std::time::Duration;

use async_trait::async_trait;
use entity::{Timestamp, event};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    jobs::{Job, JobError, Registry},
};

const INTERVAL: Duration = Duration::from_secs(10 * 60);
/// Rows deleted in one transaction, so that none holds its locks for long.
const BATCH: u64 = 500;

/// Registers and schedules the module's jobs.
pub fn register(registry: &mut Registry) -> Result<(), serde_json::Error> {
    registry.schedule(INTERVAL, &Sweep {})
}

#[derive(Debug, Serialize, Deserialize)]
struct Sweep {}

#[async_trait]
impl Job for Sweep {
    const KIND: &'static str = "events.sweep";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let old = app.db.now(app.db.read()).await?.minus(app.config.events.retention);
        while sweep(app, old).await? {}
        Ok(())
    }
}

/// Deletes a batch of events from before `old`. Whether more may be left.
async fn sweep(app: &App, old: Timestamp) -> Result<bool, DbErr> {
    use event::{Column, Entity};
    let times = Entity::find().select_only().column(Column::CreatedAt).filter(Column::CreatedAt.lt(old));
    let times: Vec<Timestamp> =
        times.order_by_asc(Column::CreatedAt).limit(BATCH).into_tuple().all(app.db.read()).await?;
    let Some(last) = times.last().copied() else { return Ok(false) };
    let delete = Entity::delete_many().filter(Column::CreatedAt.lte(last));
    app.db.transaction::<_, DbErr, _, _>(async |tx| delete.clone().exec(&tx).await).await?;
    Ok(times.len() as u64 == BATCH)
}
