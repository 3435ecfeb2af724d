//! Runs that are not the verifier's own: a server that was rebuilt from a manifest, and the drill of that.

use entity::replica_run::{Mode, Model, State};
use sea_orm::{ActiveEnum as _, DbErr};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{Counters, ended, new_run, store};
use crate::{
    app::App,
    audit,
    db::Tx,
    error::Fault,
    jobs::{Job, enqueue_unique},
    viewer::Viewer,
};

/// What a drill measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DrillFigures {
    /// When the manifest was taken, in UTC microseconds, and how old it was: what would be lost of the ledger (RPO), in seconds.
    pub manifest_at: i64,
    pub rpo: f64,
    /// Seconds until the ledger was rebuilt, and until the sample was copied and read back.
    pub ledger: f64,
    pub copying: f64,
    /// Seconds that it would take with all objects, by the pace of the sample (RTO).
    pub rto: f64,
    /// Live objects of the manifest, and their bytes.
    pub objects: u64,
    pub bytes: u64,
    /// Objects of the sample, their bytes, and those whose bytes were as the ledger says.
    pub sample: u64,
    pub sample_bytes: u64,
    pub right: u64,
}

/// A run that stands for a rebuilt server, in the transaction that fills its database.
pub async fn begin_restore(tx: &Tx, viewer: &Viewer, now: entity::Timestamp) -> Result<Model, Fault> {
    viewer.admin()?;
    let run = new_run(Mode::Restore, viewer.user_id(), 0, now);
    store::insert(tx, run.clone(), Vec::new()).await?;
    let details = json!({ "mode": run.mode.to_value() });
    audit::record(tx, viewer, "run.ordered", run.id, details, now).await?;
    Ok(run)
}

/// The restoration that is not over, where there is one.
pub async fn unfinished_restore(app: &App) -> Result<Option<Model>, DbErr> {
    Ok(store::running(app.db.read(), Mode::Restore).await?.into_iter().next())
}

/// Orders a drill over `sample` objects, which `job` of the run does; or names the one that is under way. Admins.
pub async fn begin_drill<J: Job>(
    app: &App,
    viewer: &Viewer,
    sample: u64,
    job: impl Fn(Uuid) -> J + Sync,
) -> Result<Model, Fault> {
    viewer.admin()?;
    app.transaction::<_, Fault, _, _>(async |tx| {
        store::serialise(&tx).await?;
        if let Some(run) = store::running(&tx, Mode::Drill).await?.into_iter().next() {
            return Ok(run);
        }
        let now = app.db.now(&tx).await?;
        let run = new_run(Mode::Drill, viewer.user_id(), sample, now);
        store::insert(&tx, run.clone(), Vec::new()).await?;
        if viewer.user_id().is_some() {
            let details = json!({ "mode": run.mode.to_value(), "sample": sample });
            audit::record(&tx, viewer, "run.ordered", run.id, details, now).await?;
        }
        enqueue_unique(app, &tx, &job(run.id), &super::job_key(run.id)).await?;
        Ok(run)
    })
    .await
}

/// Writes how far such a run is; nothing where it is over.
pub async fn proceed(app: &App, run: Uuid, done: u64, total: u64) -> Result<(), DbErr> {
    change(app, run, |run, now| Model {
        done: i64::try_from(done).unwrap_or(i64::MAX),
        total: i64::try_from(total).unwrap_or(i64::MAX),
        updated_at: now,
        ..run
    })
    .await
}

/// Writes how it ended; nothing where it is over.
pub async fn end(app: &App, run: Uuid, counters: Counters, error: Option<String>) -> Result<(), DbErr> {
    change(app, run, |run, now| ended(run, counters, error.clone(), now)).await
}

async fn change(app: &App, run: Uuid, to: impl Fn(Model, entity::Timestamp) -> Model + Sync) -> Result<(), DbErr> {
    app.transaction::<_, DbErr, _, _>(async |tx| {
        let Some(run) = store::lock(&tx, run).await?.filter(|run| run.state == State::Running) else { return Ok(()) };
        let now = app.db.now(&tx).await?;
        store::update(&tx, to(run, now)).await
    })
    .await
}
