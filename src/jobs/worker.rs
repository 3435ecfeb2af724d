//! The worker: claims due jobs, runs them under a lease, and keeps the schedules where it leads.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use entity::job::{Lane, Model};
use futures::FutureExt;
use rand::RngExt as _;
use sea_orm::Iterable as _;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Handler, JobError, Registry, lead, store};
use crate::app::App;

const SCHEDULER: &str = "scheduler";

/// Works until `shutdown`, then lets running jobs finish within the shutdown deadline.
pub async fn run(app: App, registry: Arc<Registry>, shutdown: CancellationToken) {
    let scheduler = tokio::spawn(keep_schedules(app.clone(), registry.clone(), shutdown.clone()));
    let lanes: Vec<_> =
        Lane::iter().map(|lane| (lane, Arc::new(Semaphore::new(app.config.jobs.concurrency)))).collect();
    let mut running: JoinSet<()> = JoinSet::new();
    while !shutdown.is_cancelled() {
        let pause = match claim(&app, &registry, &lanes, &mut running).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(%error, "cannot read the job queue");
                app.config.jobs.poll_interval
            }
        };
        let wake_at = Instant::now() + pause;
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = app.wake.notified() => {}
            () = sleep_until(wake_at) => {}
            Some(_) = running.join_next(), if !running.is_empty() => {}
        }
        while running.try_join_next().is_some() {}
    }
    let finished = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(app.config.server.shutdown_deadline, finished).await.is_err() {
        tracing::warn!(jobs = running.len(), "jobs cut off by the shutdown deadline run again later");
        running.shutdown().await;
    }
    if let Err(error) = scheduler.await {
        tracing::warn!(%error, "the scheduler ended badly");
    }
}

/// Starts what is due in lanes with somebody free, and says how long the queue may be left alone.
async fn claim(
    app: &App,
    registry: &Arc<Registry>,
    lanes: &[(Lane, Arc<Semaphore>)],
    running: &mut JoinSet<()>,
) -> Result<Duration, sea_orm::DbErr> {
    let mut pause = app.config.jobs.poll_interval;
    let free = || lanes.iter().filter(|(_, workers)| workers.available_permits() > 0);
    if free().next().is_none() {
        return Ok(pause);
    }
    let now = app.db.now(app.db.read()).await?;
    // One more than can be run tells when to look again.
    let limits = free().map(|(lane, workers)| (*lane, workers.available_permits() as u64 + 1));
    let mut waiting = store::waiting(&app.db, now, limits).await?;
    for (lane, workers) in lanes {
        let mut due: Vec<Model> = waiting.extract_if(.., |job| job.lane == *lane).collect();
        let most = workers.available_permits();
        let later = due.split_off(due.iter().take(most).take_while(|job| job.run_at <= now).count());
        for job in store::claim(&app.db, due, app.config.jobs.lease).await? {
            let (app, registry, worker) = (app.clone(), registry.clone(), workers.clone().try_acquire_owned().ok());
            running.spawn(async move {
                attempt(app, registry, job).await;
                drop(worker);
            });
        }
        if workers.available_permits() > 0
            && let Some(next) = later.first()
        {
            pause = pause.min(next.run_at.since(now));
        }
    }
    Ok(pause)
}

/// Runs the job of this unique key here, where it is due and nobody else has it. For commands: a server takes it up where
/// this process ends before it.
pub async fn take_up(app: &App, registry: &Arc<Registry>, key: &str) -> Result<(), sea_orm::DbErr> {
    let now = app.db.now(app.db.read()).await?;
    let due = store::due_by_key(&app.db, key, now).await?;
    for job in store::claim(&app.db, due.into_iter().collect(), app.config.jobs.lease).await? {
        attempt(app.clone(), registry.clone(), job).await;
    }
    Ok(())
}

async fn attempt(app: App, registry: Arc<Registry>, job: Model) {
    let Some(handler) = registry.handlers.get(job.kind.as_str()).cloned() else {
        // Another release's job during a deploy: leave it to a process that knows it.
        let again = Duration::from_secs(30);
        settle(
            store::release(&app.db, &job, again, Some("this release does not know the kind".to_owned()), false).await,
        );
        return;
    };
    if job.attempts > job.max_attempts {
        // Its last attempts ended with their process or their lease, so none could say that it was the last.
        let error = job.last_error.clone().unwrap_or_else(|| "every attempt ended without an outcome".to_owned());
        return finish(&app, &handler, &job, Err(JobError::Fail(error))).await;
    }
    let started = Instant::now();
    let work = AssertUnwindSafe((handler.run)(app.clone(), job.payload.clone())).catch_unwind();
    let outcome = tokio::select! {
        outcome = work => outcome.unwrap_or_else(|_| Err(JobError::Retry("the job panicked".to_owned()))),
        () = lease_lost(&app, &job) => {
            tracing::warn!(job.kind = %job.kind, job.id = %job.id, "lost its lease; another worker has it");
            return;
        }
    };
    metrics::histogram!("snaphaven_job_seconds", "kind" => job.kind.clone()).record(started.elapsed().as_secs_f64());
    finish(&app, &handler, &job, outcome).await;
}

/// Renews the lease while the job runs; returns when it is lost.
async fn lease_lost(app: &App, job: &Model) {
    loop {
        tokio::time::sleep(app.config.jobs.lease / 3).await;
        match store::renew(&app.db, job, app.config.jobs.lease).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, job.id = %job.id, "cannot renew a lease"),
        }
    }
}

async fn finish(app: &App, handler: &Handler, job: &Model, outcome: Result<(), JobError>) {
    let label = match &outcome {
        Ok(()) => "done",
        Err(JobError::Later(_)) => "later",
        Err(JobError::Retry(_)) => "retry",
        Err(JobError::Fail(_)) => "fail",
    };
    metrics::counter!("snaphaven_jobs_total", "kind" => job.kind.clone(), "outcome" => label).increment(1);
    match outcome {
        Ok(()) => settle(store::complete(&app.db, job).await),
        Err(JobError::Later(pause)) => {
            settle(store::release(&app.db, job, pause, None, false).await);
        }
        Err(JobError::Retry(error)) if job.attempts < job.max_attempts => {
            let pause = backoff(app, job.attempts);
            tracing::info!(job.kind = %job.kind, job.id = %job.id, attempt = job.attempts, %error, ?pause, "job runs again");
            settle(store::release(&app.db, job, pause, Some(error), true).await);
        }
        Err(JobError::Retry(error) | JobError::Fail(error)) => {
            tracing::error!(job.kind = %job.kind, job.id = %job.id, attempts = job.attempts, %error, "job is dead");
            let now = app.now();
            settle(
                app.db
                    .transaction::<_, sea_orm::DbErr, _, _>(async |tx| {
                        let held = store::bury(&tx, job, &error, now).await?;
                        if held {
                            (handler.on_dead)(app, &tx, &job.payload, &error).await?;
                        }
                        Ok(held)
                    })
                    .await,
            );
        }
    }
}

/// A lost lease or an unreachable database leaves the job to the next claim.
fn settle(outcome: Result<bool, sea_orm::DbErr>) {
    match outcome {
        Ok(true) => {}
        Ok(false) => tracing::info!("a job's outcome came after its lease"),
        Err(error) => tracing::warn!(%error, "cannot write a job's outcome; it runs again"),
    }
}

/// Doubles from `backoff_min` to `backoff_max`, less up to a fifth.
fn backoff(app: &App, attempts: i32) -> Duration {
    let exponent = u32::try_from(attempts - 1).unwrap_or(0).min(20);
    let full = app.config.jobs.backoff_min.saturating_mul(1 << exponent).min(app.config.jobs.backoff_max);
    full.mul_f64(rand::rng().random_range(0.8..=1.0))
}

/// Enqueues scheduled jobs while this process leads; resigns at the end.
async fn keep_schedules(app: App, registry: Arc<Registry>, shutdown: CancellationToken) {
    let holder = Uuid::new_v4();
    let start = Instant::now();
    let mut due: Vec<Instant> = registry.schedules.iter().map(|_| start).collect();
    while !shutdown.is_cancelled() {
        let now = Instant::now();
        let renewal = now + app.config.jobs.lease / 3;
        let mut next = renewal;
        let wanted = registry.schedules.iter().zip(&due).filter(|(_, due)| **due <= now).map(|(schedule, _)| schedule);
        match keep(&app, &wanted.collect::<Vec<_>>(), holder).await {
            Ok(true) => {
                for (schedule, due) in registry.schedules.iter().zip(&mut due).filter(|(_, due)| **due <= now) {
                    *due = now + schedule.every;
                }
                // What others lead is not due here: followers only look whether the leader is gone.
                next = due.iter().copied().min().unwrap_or(renewal);
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "cannot keep the schedules; they are tried again"),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            // After a slow database the renewal may be due already.
            () = sleep_until(next.min(renewal).max(Instant::now() + Duration::from_millis(50))) => {}
        }
    }
    if let Err(error) = lead::resign(&app.db, SCHEDULER, holder).await {
        tracing::debug!(%error, "the scheduler's lease runs out by itself");
    }
}

/// Takes or renews the lease, and enqueues what is due, all or nothing. Whether this process leads.
async fn keep(app: &App, due: &[&super::Schedule], holder: Uuid) -> Result<bool, sea_orm::DbErr> {
    let work = async |tx| {
        let leads = lead::lead(&app.db, &tx, SCHEDULER, holder, app.config.jobs.lease).await?;
        if leads && !due.is_empty() {
            let now = app.db.now(&tx).await?;
            for schedule in due {
                let key = format!("schedule:{}", schedule.job.kind);
                store::insert_unique(&tx, schedule.job.clone(), now, key).await?;
            }
        }
        Ok::<_, sea_orm::DbErr>(leads)
    };
    // A renewal alone is no work for anybody here.
    if due.is_empty() { app.db.transaction(work).await } else { app.transaction(work).await }
}
