//! The queue: retries, the dead letter, leases between workers, schedules and their leader.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use entity::{Timestamp, job, lease};
use sea_orm::{DbErr, EntityTrait, sea_query::Expr};
use serde::{Deserialize, Serialize};
use snaphaven::{
    app::App,
    db::Tx,
    jobs::{self, Job, JobError, Lane, Registry},
};
use uuid::Uuid;

use crate::support::TestServer;

/// What the probes of all tests did: which one, what, and when by the test's clock.
static SEEN: Mutex<Vec<(Uuid, &'static str, Timestamp)>> = Mutex::new(Vec::new());

fn note(probe: Uuid, what: &'static str, when: Timestamp) {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).push((probe, what, when));
}

/// When this probe did this.
fn seen(probe: Uuid, what: &str) -> Vec<Timestamp> {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.iter().filter(|entry| entry.0 == probe && entry.1 == what).map(|entry| entry.2).collect()
}

/// Waits until this probe did this so often.
async fn until(probe: Uuid, what: &str, times: usize) {
    let start = Instant::now();
    while seen(probe, what).len() < times {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} did not happen {times} times");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Plan {
    Succeed,
    Retry {
        times: usize,
    },
    Later {
        times: usize,
    },
    Fail,
    Panic {
        times: usize,
    },
    /// The first run never ends.
    Hang,
}

#[derive(Clone, Serialize, Deserialize)]
struct Probe {
    id: Uuid,
    plan: Plan,
}

/// Notes that a run was cut off.
struct Cut(Uuid);

impl Drop for Cut {
    fn drop(&mut self) {
        note(self.0, "cut", Timestamp(0));
    }
}

#[async_trait]
impl Job for Probe {
    const KIND: &'static str = "tests.probe";
    const MAX_ATTEMPTS: i32 = 5;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        note(self.id, "run", app.now());
        let runs = seen(self.id, "run").len();
        match self.plan {
            Plan::Retry { times } if runs <= times => Err(JobError::Retry(format!("run {runs} failed"))),
            Plan::Later { times } if runs <= times => Err(JobError::Later(Duration::from_secs(1))),
            Plan::Fail => Err(JobError::Fail("never".to_owned())),
            Plan::Panic { times } if runs <= times => panic!("as the test asked"),
            Plan::Hang if runs == 1 => {
                let _cut = Cut(self.id);
                std::future::pending().await
            }
            _ => Ok(()),
        }
    }

    async fn on_dead(&self, _app: &App, _tx: &Tx, error: &str) -> Result<(), DbErr> {
        note(self.id, if error.is_empty() { "dead without reason" } else { "dead" }, Timestamp(0));
        Ok(())
    }
}

/// A copy to a site that never answers.
#[derive(Clone, Serialize, Deserialize)]
struct Stuck(Uuid);

#[async_trait]
impl Job for Stuck {
    const KIND: &'static str = "tests.stuck";
    const LANE: Lane = Lane::Copies;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        note(self.0, "run", app.now());
        std::future::pending().await
    }
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.register::<Probe>();
    registry.register::<Stuck>();
    registry
}

/// An enqueued probe's id.
async fn probe(server: &TestServer, plan: Plan) -> Uuid {
    let (app, probe) = (&server.app, Probe { id: Uuid::new_v4(), plan });
    app.transaction::<_, DbErr, _, _>(async |tx| jobs::enqueue(app, &tx, &probe).await).await.unwrap();
    probe.id
}

#[tokio::test]
async fn a_failed_attempt_runs_again_after_a_doubling_pause() {
    let server = TestServer::idle(|config| config.jobs.backoff_max = Duration::from_secs(4)).await;
    let id = probe(&server, Plan::Retry { times: 4 }).await;
    server.run_jobs(registry());
    server.settle().await;
    let runs = seen(id, "run");
    let pauses: Vec<f64> = runs.windows(2).map(|pair| pair[1].since(pair[0]).as_secs_f64()).collect();
    assert_eq!(pauses.len(), 4);
    for (pause, full) in pauses.iter().zip([1.0, 2.0, 4.0, 4.0]) {
        assert!((full * 0.79..=full).contains(pause), "{pauses:?}");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_job_that_is_early_does_not_use_up_its_attempts() {
    let server = TestServer::idle(|_| {}).await;
    let id = probe(&server, Plan::Later { times: 20 }).await;
    server.run_jobs(registry());
    server.settle().await;
    assert_eq!(seen(id, "run").len(), 21);
    server.finish().await;
}

#[tokio::test]
async fn out_of_attempts_or_hopeless_a_job_goes_to_the_dead_letter() {
    let server = TestServer::idle(|_| {}).await;
    server.run_jobs(registry());
    for (plan, runs, error) in [(Plan::Retry { times: 99 }, 5, "run 5 failed"), (Plan::Fail, 1, "never")] {
        let id = probe(&server, plan).await;
        server.settle().await;
        assert_eq!((seen(id, "run").len(), seen(id, "dead").len()), (runs, 1));
        let dead = server.take_dead().await;
        assert_eq!((dead.len(), dead[0].last_error.as_deref()), (1, Some(error)));
        assert!(dead[0].finished_at.is_some() && dead[0].lease_token.is_none());
    }
    server.finish().await;
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt_and_harms_no_other_job() {
    let server = TestServer::idle(|_| {}).await;
    server.run_jobs(registry());
    let [mended, hopeless] =
        [probe(&server, Plan::Panic { times: 2 }).await, probe(&server, Plan::Panic { times: 9 }).await];
    let other = probe(&server, Plan::Succeed).await;
    server.settle().await;
    assert_eq!((seen(mended, "run").len(), seen(hopeless, "run").len(), seen(other, "run").len()), (3, 5, 1));
    assert_eq!(server.take_dead().await.len(), 1);
    server.finish().await;
}

#[tokio::test]
async fn a_job_that_ends_its_process_each_time_reaches_the_dead_letter() {
    let server = TestServer::idle(|_| {}).await;
    let id = probe(&server, Plan::Succeed).await;
    // As five workers leave it that were killed at it: attempts counted, leases run out.
    let crashed = job::Entity::update_many()
        .col_expr(job::Column::Attempts, Expr::value(Probe::MAX_ATTEMPTS))
        .col_expr(job::Column::LeaseToken, Expr::value(Uuid::new_v4()))
        .col_expr(job::Column::LeaseUntil, Expr::value(Timestamp(1)));
    crashed.exec(server.app.db.read()).await.unwrap();
    server.run_jobs(registry());
    server.settle().await;
    assert_eq!((seen(id, "run").len(), seen(id, "dead").len()), (0, 1), "the sixth process is spared");
    assert_eq!(server.take_dead().await.len(), 1);
    server.finish().await;
}

#[tokio::test]
async fn two_workers_share_the_queue_and_run_each_job_once() {
    let server = TestServer::idle(|_| {}).await;
    let other = server.another().await;
    let mut ids = HashSet::new();
    for _ in 0..60 {
        ids.insert(probe(&server, Plan::Succeed).await);
    }
    server.run_jobs(registry());
    other.run_jobs(registry());
    server.settle().await;
    assert!(ids.iter().all(|id| seen(*id, "run").len() == 1));
    server.finish().await;
}

#[tokio::test]
async fn a_job_whose_lease_ran_out_is_taken_over_and_its_first_run_is_cut() {
    let server = TestServer::idle(|config| config.jobs.lease = Duration::from_millis(300)).await;
    let id = probe(&server, Plan::Hang).await;
    server.run_jobs(registry());
    until(id, "run", 1).await;
    // As a process that was paused: its lease is over before it renews it.
    server.advance(Duration::from_secs(1));
    until(id, "run", 2).await;
    until(id, "cut", 1).await;
    server.settle().await;
    assert_eq!(seen(id, "run").len(), 2);
    server.finish().await;
}

#[tokio::test]
async fn a_long_job_keeps_its_lease() {
    let server = TestServer::idle(|config| config.jobs.lease = Duration::from_millis(90)).await;
    let id = probe(&server, Plan::Hang).await;
    let stop = server.run_jobs(registry());
    until(id, "run", 1).await;
    let lease = async || server.jobs(job::State::Waiting).await[0].lease_until.unwrap();
    let first = lease().await;
    // Less than a lease each: only renewals can keep it.
    for _ in 0..4 {
        let before = lease().await;
        server.advance(Duration::from_millis(60));
        server.until("the lease is renewed", |jobs| jobs[0].lease_until.unwrap() > before).await;
    }
    assert!(lease().await > first);
    assert_eq!(seen(id, "run").len(), 1);
    stop.cancel();
    job::Entity::delete_many().exec(server.app.db.read()).await.unwrap();
    server.finish().await;
}

#[tokio::test]
async fn an_unknown_kind_is_left_to_a_process_that_knows_it() {
    let server = TestServer::idle(|_| {}).await;
    let id = probe(&server, Plan::Succeed).await;
    let older = server.run_jobs(Registry::default());
    server.quiet().await;
    let left = server.jobs(job::State::Waiting).await.pop().unwrap();
    assert_eq!((left.attempts, left.lease_until), (0, None));
    assert!(left.last_error.unwrap().contains("does not know"));
    older.cancel();
    server.run_jobs(registry());
    server.settle().await;
    assert_eq!(seen(id, "run").len(), 1);
    server.finish().await;
}

#[tokio::test]
async fn of_one_key_only_one_job_waits() {
    let server = TestServer::idle(|_| {}).await;
    let app = &server.app;
    let job = Probe { id: Uuid::new_v4(), plan: Plan::Succeed };
    let enqueue = async || {
        app.transaction::<_, DbErr, _, _>(async |tx| jobs::enqueue_unique(app, &tx, &job, "k").await).await.unwrap();
    };
    enqueue().await;
    enqueue().await;
    assert_eq!(server.jobs(job::State::Waiting).await.len(), 1);
    server.run_jobs(registry());
    server.settle().await;
    enqueue().await;
    server.settle().await;
    assert_eq!(seen(job.id, "run").len(), 2, "again once it is done");
    server.finish().await;
}

#[tokio::test]
async fn a_rolled_back_transaction_enqueues_nothing() {
    let server = TestServer::idle(|_| {}).await;
    let app = &server.app;
    let job = Probe { id: Uuid::new_v4(), plan: Plan::Succeed };
    let outcome = app
        .transaction::<(), DbErr, _, _>(async |tx| {
            jobs::enqueue(app, &tx, &job).await?;
            Err(DbErr::Custom("no".to_owned()))
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(server.jobs(job::State::Waiting).await.len(), 0);
    server.finish().await;
}

/// Schedules a probe; its id tells the tests apart.
fn scheduled(id: Uuid) -> Registry {
    let mut registry = Registry::default();
    registry.schedule(Duration::from_secs(3600), &Probe { id, plan: Plan::Succeed }).unwrap();
    registry
}

#[tokio::test]
async fn of_two_processes_one_keeps_the_schedules_until_it_stops() {
    let lease = |config: &mut snaphaven::config::Config| config.jobs.lease = Duration::from_millis(300);
    let server = TestServer::idle(lease).await;
    let other = server.another().await;
    let id = Uuid::new_v4();
    let leader = server.run_jobs(scheduled(id));
    until(id, "run", 1).await;
    // While the first run is not written off, the next leader's would be the same one.
    server.quiet().await;
    other.run_jobs(scheduled(id));
    let row = || lease::Entity::find().one(server.app.db.read());
    let first = row().await.unwrap().unwrap();
    leader.cancel();
    until(id, "run", 2).await;
    let second = row().await.unwrap().unwrap();
    assert_ne!(first.holder, second.holder);
    assert_eq!(second.epoch, first.epoch + 1);
    server.settle().await;
    assert_eq!(seen(id, "run").len(), 2, "each leader once within the hour");
    server.finish().await;
}

#[tokio::test]
async fn a_leader_that_vanished_is_replaced_when_its_lease_is_over() {
    let server = TestServer::idle(|config| config.jobs.lease = Duration::from_millis(300)).await;
    let gone = Uuid::new_v4();
    let row = lease::ActiveModel {
        name: sea_orm::Set("scheduler".to_owned()),
        holder: sea_orm::Set(Some(gone)),
        epoch: sea_orm::Set(4),
        until: sea_orm::Set(server.app.now().plus(Duration::from_secs(60))),
    };
    lease::Entity::insert(row).exec_without_returning(server.app.db.read()).await.unwrap();
    let id = Uuid::new_v4();
    server.run_jobs(scheduled(id));
    let marker = probe(&server, Plan::Succeed).await;
    until(marker, "run", 1).await;
    assert_eq!(seen(id, "run").len(), 0, "the lease holds");
    server.advance(Duration::from_secs(61));
    until(id, "run", 1).await;
    server.finish().await;
}

/// A schedule that is due must not make a process that does not lead ask for the lease over and over.
#[tokio::test]
async fn a_follower_looks_for_the_lease_now_and_then() {
    let server = TestServer::idle(|config| {
        config.jobs.lease = Duration::from_secs(3);
        config.jobs.poll_interval = Duration::from_secs(60);
    })
    .await;
    let leader = server.another().await;
    let id = Uuid::new_v4();
    leader.run_jobs(scheduled(id));
    until(id, "run", 1).await;
    server.run_jobs(scheduled(id));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = server.clock_reads();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(server.clock_reads() - before <= 2, "each look reads the clock");
    server.finish().await;
}

#[tokio::test]
async fn a_lane_that_is_stuck_holds_up_no_other() {
    let server = TestServer::idle(|config| config.jobs.concurrency = 2).await;
    let (app, stuck) = (&server.app, Stuck(Uuid::new_v4()));
    for _ in 0..5 {
        app.transaction::<_, DbErr, _, _>(async |tx| jobs::enqueue(app, &tx, &stuck).await).await.unwrap();
    }
    let stop = server.run_jobs(registry());
    until(stuck.0, "run", 2).await;
    for plan in [Plan::Succeed, Plan::Retry { times: 1 }, Plan::Panic { times: 1 }] {
        let id = probe(&server, plan).await;
        until(id, "run", 1).await;
        let probes = |jobs: &[job::Model]| jobs.iter().find(|job| job.kind == "tests.probe").cloned();
        // The pause before its next attempt begins when the failed one is written down, not when it ran.
        server.until("the attempt ends", |jobs| probes(jobs).is_none_or(|job| job.lease_until.is_none())).await;
        server.advance(Duration::from_secs(2));
        server.until("the probe comes to its end", |jobs| probes(jobs).is_none()).await;
    }
    assert_eq!(seen(stuck.0, "run").len(), 2, "no more at work than the lane has workers");
    stop.cancel();
    job::Entity::delete_many().exec(server.app.db.read()).await.unwrap();
    server.finish().await;
}
