//! Jobs: every effect outside the database, written in the transaction that wants it, run at least once.

mod lead;
mod measure;
mod store;
mod worker;

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use entity::Timestamp;
use sea_orm::{ConnectionTrait, DbErr};
use serde::{Serialize, de::DeserializeOwned};

pub use entity::job::Lane;
pub use measure::measure;
pub use worker::{run, take_up};

use crate::{app::App, db::Tx, error::Fault};

/// A job is its own payload; enqueued on a transaction it is part of that transaction.
///
/// It may run more than once, also at the same time as a copy of itself whose lease ran out: `run` must be idempotent.
#[async_trait]
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stable: rows of an older release name it.
    const KIND: &'static str;
    /// Whom it may keep waiting.
    const LANE: Lane = Lane::Prompt;
    /// Attempts before the dead letter; with the back-off, 25 last some three hours.
    const MAX_ATTEMPTS: i32 = 25;

    async fn run(&self, app: &App) -> Result<(), JobError>;

    /// Runs in the transaction that moves the job to the dead letter.
    async fn on_dead(&self, _app: &App, _tx: &Tx, _error: &str) -> Result<(), DbErr> {
        Ok(())
    }
}

/// How an attempt ended where it did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Again after the back-off.
    #[error("{0}")]
    Retry(String),
    /// Nothing is wrong, it is too early: again after this time, and the attempt does not count.
    #[error("waits {0:?}")]
    Later(Duration),
    /// No attempt can succeed: to the dead letter.
    #[error("{0}")]
    Fail(String),
}

impl From<DbErr> for JobError {
    fn from(error: DbErr) -> Self {
        Self::Retry(format!("database: {error}"))
    }
}

impl From<Fault> for JobError {
    fn from(fault: Fault) -> Self {
        Self::Retry(fault.to_string())
    }
}

impl From<crate::adapters::objects::StoreError> for JobError {
    fn from(error: crate::adapters::objects::StoreError) -> Self {
        Self::Retry(error.to_string())
    }
}

impl crate::db::AsDbErr for JobError {
    fn as_db_err(&self) -> Option<&DbErr> {
        None
    }
}

/// Writes `job` on the caller's connection, due at `run_at`.
pub async fn enqueue_at<J: Job>(connection: &impl ConnectionTrait, job: &J, run_at: Timestamp) -> Result<(), DbErr> {
    store::insert(connection, new(job)?, run_at).await
}

/// Writes `job` on the caller's connection, due now.
pub async fn enqueue<J: Job>(app: &App, connection: &impl ConnectionTrait, job: &J) -> Result<(), DbErr> {
    store::insert(connection, new(job)?, app.db.now(connection).await?).await
}

/// Writes `job` on the caller's connection, due now, unless one of this key is waiting or at work.
pub async fn enqueue_unique<J: Job>(
    app: &App,
    connection: &impl ConnectionTrait,
    job: &J,
    key: &str,
) -> Result<(), DbErr> {
    store::insert_unique(connection, new(job)?, app.db.now(connection).await?, key.to_owned()).await
}

fn new<J: Job>(job: &J) -> Result<store::New, DbErr> {
    store::New::of(job).map_err(|error| DbErr::Json(error.to_string()))
}

/// Whoever had a job does so no longer: its processes are of another time.
pub async fn forget_leases(tx: &Tx) -> Result<(), DbErr> {
    store::forget_leases(tx).await
}

/// Deletes this job from the dead letter, where it is there.
pub async fn discard_dead<J: Job>(tx: &Tx, job: &J) -> Result<(), DbErr> {
    store::delete_dead(tx, J::KIND, new(job)?.payload).await
}

type Run = Arc<dyn Fn(App, String) -> Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>> + Send + Sync>;
type OnDead = Arc<
    dyn for<'c> Fn(&'c App, &'c Tx, &'c str, &'c str) -> Pin<Box<dyn Future<Output = Result<(), DbErr>> + Send + 'c>>
        + Send
        + Sync,
>;

#[derive(Clone)]
struct Handler {
    run: Run,
    on_dead: OnDead,
}

struct Schedule {
    every: Duration,
    job: store::New,
}

/// The job kinds this server can run, and the schedules its leader keeps.
#[derive(Default)]
pub struct Registry {
    handlers: HashMap<&'static str, Handler>,
    schedules: Vec<Schedule>,
}

impl Registry {
    pub fn register<J: Job>(&mut self) {
        let run: Run = Arc::new(|app, payload| {
            Box::pin(async move {
                let job: J = serde_json::from_str(&payload)
                    .map_err(|error| JobError::Fail(format!("the payload does not fit this release: {error}")))?;
                job.run(&app).await
            })
        });
        let on_dead: OnDead = Arc::new(|app, tx, payload, error| {
            Box::pin(async move {
                match serde_json::from_str::<J>(payload) {
                    Ok(job) => job.on_dead(app, tx, error).await,
                    Err(_) => Ok(()),
                }
            })
        });
        self.handlers.insert(J::KIND, Handler { run, on_dead });
    }

    /// Registers `job`, and runs it every so often on one of the processes.
    pub fn schedule<J: Job>(&mut self, every: Duration, job: &J) -> Result<(), serde_json::Error> {
        self.register::<J>();
        self.schedules.push(Schedule { every, job: store::New::of(job)? });
        Ok(())
    }
}
