//! The job that carries a run on, from its checkpoints, and ends it.

use async_trait::async_trait;
use entity::{
    replica_finding::Outcome,
    replica_range,
    replica_run::{self, Mode, State},
};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Counters, RunError, canary, ended,
    judge::{Depth, Verdict, judge},
    repair, scrub,
    store::{self, Claimed},
    sweep, watch,
};
use crate::{
    app::App,
    db::Tx,
    jobs::{Job, JobError, Lane, enqueue_unique},
};

/// Open findings that are judged again at once, at the end of a sweep.
const FINDINGS: u64 = 500;

#[derive(Serialize, Deserialize)]
pub(super) struct Run {
    pub run: Uuid,
}

#[async_trait]
impl Job for Run {
    const KIND: &'static str = "replication.run";
    const LANE: Lane = Lane::Upkeep;
    /// Attempts count at the claim, and a run outlives any number of its processes.
    const MAX_ATTEMPTS: i32 = i32::MAX;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        match work(app, self.run).await {
            // Whoever has it goes on.
            Ok(()) | Err(RunError::Superseded) => Ok(()),
            Err(RunError::Unreadable(error)) => Err(JobError::Retry(error)),
            Err(RunError::Database(error)) => Err(error.into()),
        }
    }

    async fn on_dead(&self, app: &App, tx: &Tx, error: &str) -> Result<(), DbErr> {
        let Some(run) = store::find(tx, self.run).await?.filter(|run| run.state == State::Running) else {
            return Ok(());
        };
        let now = app.db.now(tx).await?;
        let (error, finished_at) = (Some(error.to_owned()), Some(now));
        store::update(tx, replica_run::Model { state: State::Inconclusive, error, finished_at, ..run }).await?;
        store::forget_ranges(tx, self.run).await
    }
}

/// Takes the run up, and works on it to its end. Of one that is over nothing happens.
pub(super) async fn work(app: &App, run: Uuid) -> Result<(), RunError> {
    let Some(claimed) = store::claim(app, run).await? else { return Ok(()) };
    match claimed.run.mode {
        Mode::Sweep => sweep(app, &claimed).await,
        Mode::Scrub => scrub::run(app, &claimed).await,
        Mode::Repair => repair::run(app, &claimed).await,
        Mode::Canary => canary::run(app, &claimed).await,
        // Not the verifier's: over when it is written, or in the hands of its own process.
        Mode::Promotion | Mode::Restore | Mode::Drill => Ok(()),
    }
}

/// Has the run worked on, unless a job already is.
pub(super) async fn carry_on(app: &App, tx: &Tx, run: Uuid) -> Result<(), DbErr> {
    enqueue_unique(app, tx, &Run { run }, &super::job_key(run)).await
}

async fn sweep(app: &App, claimed: &Claimed) -> Result<(), RunError> {
    sweep::run(app, claimed).await?;
    let ranges = store::ranges(app.db.read(), claimed.run.id).await?;
    let mut counters = store::sum(&ranges);
    let unreadable: Vec<&replica_range::Model> =
        ranges.iter().filter(|range| range.state == replica_range::State::Unreadable).collect();
    let mut error = unreadable.first().map(|range| {
        let why = range.error.as_deref().unwrap_or("no reason was kept");
        format!("{} of {} ranges could not be read; {why}", unreadable.len(), ranges.len())
    });
    if error.is_none()
        && !claimed.run.trusting
        && let Some((site, told)) = counters.disbelief()
    {
        error = Some(format!("{}: {told}", app.stores.at(site).bucket()));
    }
    if let Err(again) = look_again(app, claimed, &unreadable, &mut counters).await {
        match again {
            RunError::Unreadable(why) => error = error.or(Some(why)),
            other => return Err(other),
        }
    }
    end(app, claimed, counters, error).await
}

/// Judges the open findings that the sweep did not come by: what is well is resolved, but for what lies in a range that could
/// not be read.
async fn look_again(
    app: &App,
    claimed: &Claimed,
    unreadable: &[&replica_range::Model],
    counters: &mut Counters,
) -> Result<(), RunError> {
    let mut after = Uuid::nil();
    loop {
        let some = store::unseen(app.db.read(), claimed.run.id, after, FINDINGS).await?;
        let Some(last) = some.last() else { return Ok(()) };
        after = last.id;
        for finding in some {
            let key = finding.key.as_str();
            if unreadable
                .iter()
                .any(|range| range.after.as_str() < key && range.upto.as_deref().is_none_or(|upto| key <= upto))
            {
                continue;
            }
            // A fault that only the bytes show is gone only where they do not show it.
            let verdict =
                judge(app, key, Depth::Bytes).await.map_err(|fault| RunError::Unreadable(fault.to_string()))?;
            let again = matches!(&verdict, Verdict::Fault(found) if found.kind == finding.kind);
            app.transaction::<_, RunError, _, _>(async |tx| {
                let run = store::hold(&tx, claimed).await?;
                match &verdict {
                    Verdict::Unsettled => {}
                    Verdict::Fault(found) => {
                        store::open(app, &tx, &run, std::slice::from_ref(found)).await?;
                        if !again {
                            store::resolve(&tx, finding.id, Outcome::Changed, app.db.now(&tx).await?).await?;
                        }
                    }
                    Verdict::Agreed { object, seen, .. } => {
                        crate::ledger::note(app, &tx, *object, seen).await?;
                        store::resolve(&tx, finding.id, Outcome::Changed, app.db.now(&tx).await?).await?;
                    }
                    Verdict::Lagging | Verdict::InFlight | Verdict::Nothing => {
                        store::resolve(&tx, finding.id, Outcome::Changed, app.db.now(&tx).await?).await?;
                    }
                }
                Ok(())
            })
            .await?;
            counters.judged += 1;
            counters.faults += u64::from(matches!(verdict, Verdict::Fault(_)));
        }
    }
}

/// Writes how a run ended, and has it told of.
pub(super) async fn end(
    app: &App,
    claimed: &Claimed,
    counters: Counters,
    error: Option<String>,
) -> Result<(), RunError> {
    app.transaction::<_, RunError, _, _>(async |tx| {
        let run = store::hold(&tx, claimed).await?;
        let now = app.db.now(&tx).await?;
        store::update(&tx, ended(run, counters, error.clone(), now)).await?;
        store::forget_ranges(&tx, claimed.run.id).await?;
        watch::soon(app, &tx).await?;
        Ok(())
    })
    .await?;
    tracing::info!(run.id = %claimed.run.id, ?counters, error, "a verification or repair ended");
    Ok(())
}
