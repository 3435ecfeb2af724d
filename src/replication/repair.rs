//! Repair: each finding is judged once more, mended under a write intent and on the condition of what was seen, and judged after.

use std::time::Duration;

use entity::{
    object,
    object_copy::Site,
    replica_finding::{self, Kind, Outcome},
};
use futures::{StreamExt as _, stream};
use uuid::Uuid;

use super::{
    Counters, RunError, jobs,
    judge::{Depth, Found, Terms, Verdict, judge},
    quarantine,
    store::{self, Claimed},
};
use crate::{
    adapters::objects::Condition,
    app::App,
    jobs::JobError,
    ledger::{self, Sight},
    text::count,
};

/// Findings between two checkpoints, and at work at once.
const BATCH: u64 = 50;
const AT_ONCE: usize = 4;
/// How often all that is left is tried, with a pause between: what does not answer, or is held by somebody, may be free soon.
const PASSES: u32 = 3;

/// Whether there is anything that a repair can do.
pub(super) fn is_possible(kind: Kind) -> bool {
    !matches!(kind, Kind::Lost)
}

/// How one finding came out of it.
pub(super) enum Turn {
    Over(Outcome),
    /// It stays open, for this reason.
    Left(String),
    /// The same, unless another attempt helps.
    Again(String),
}

pub(super) async fn run(app: &App, claimed: &Claimed) -> Result<(), RunError> {
    for passes in 1..=PASSES {
        if pass(app, claimed, passes == PASSES).await? {
            break;
        }
        tokio::time::sleep(app.config.jobs.backoff_min * passes).await;
    }
    let (repaired, skipped) = store::repaired(app.db.read(), claimed.run.id).await?;
    let counters = Counters { repaired, skipped, ..Counters::default() };
    let error = (skipped > 0).then(|| format!("{} could not be mended; each says why", count(skipped, "finding")));
    jobs::end(app, claimed, counters, error).await
}

/// Tries each finding that is left. Whether none is, which after the last pass is so.
async fn pass(app: &App, claimed: &Claimed, is_last: bool) -> Result<bool, RunError> {
    let (mut after, mut all) = (Uuid::nil(), true);
    loop {
        let findings = store::in_repair(app.db.read(), claimed.run.id, after, BATCH).await?;
        let Some(last) = findings.last() else { return Ok(all) };
        after = last.id;
        // So that the work of users goes on beside it.
        let pause =
            Duration::from_secs_f64(findings.len() as f64 / f64::from(app.config.replication.repairs_per_second));
        let (turns, ()) = tokio::join!(
            stream::iter(findings.into_iter().map(|finding| async move { (finding.id, one(app, &finding).await) }))
                .buffer_unordered(AT_ONCE)
                .collect::<Vec<_>>(),
            tokio::time::sleep(pause),
        );
        let (again, turns): (Vec<_>, Vec<_>) =
            turns.into_iter().partition(|(_, turn)| matches!(turn, Turn::Again(_)) && !is_last);
        all &= again.is_empty();
        app.transaction::<_, RunError, _, _>(async |tx| {
            let run = store::hold(&tx, claimed).await?;
            let now = app.db.now(&tx).await?;
            for (finding, turn) in &turns {
                match turn {
                    Turn::Over(outcome) => drop(store::resolve(&tx, *finding, *outcome, now).await?),
                    Turn::Left(why) | Turn::Again(why) => store::reopen(&tx, *finding, why).await?,
                }
            }
            let done = run.done + i64::try_from(turns.len()).unwrap_or(0);
            store::update(&tx, entity::replica_run::Model { done, updated_at: now, ..run }).await?;
            Ok(())
        })
        .await?;
    }
}

async fn one(app: &App, finding: &replica_finding::Model) -> Turn {
    let turn = match mend(app, finding).await {
        Ok(Turn::Over(outcome)) => return Turn::Over(outcome),
        Ok(turn) => turn,
        Err(JobError::Retry(why)) => Turn::Again(why),
        Err(JobError::Later(_)) => Turn::Left("the erasure waits for a write that may still land".to_owned()),
        Err(JobError::Fail(why)) => Turn::Left(why),
    };
    // Another process may have mended it meanwhile: the one that this one took the run from, until it notices.
    match still_so(app, finding).await {
        Ok(false) => Turn::Over(Outcome::Changed),
        Ok(true) | Err(_) => turn,
    }
}

async fn still_so(app: &App, finding: &replica_finding::Model) -> Result<bool, JobError> {
    match judge(app, &finding.key, Depth::Bytes).await? {
        Verdict::Fault(found) => Ok(found.kind == finding.kind),
        Verdict::Unsettled => Ok(true),
        Verdict::Agreed { object, seen, .. } => {
            note(app, object, &seen).await?;
            Ok(false)
        }
        Verdict::Lagging | Verdict::InFlight | Verdict::Nothing => Ok(false),
    }
}

/// A fault that scrubbing found is told by the bytes alone, so they decide.
async fn mend(app: &App, finding: &replica_finding::Model) -> Result<Turn, JobError> {
    let found = match judge(app, &finding.key, Depth::Bytes).await? {
        Verdict::Fault(found) if found.kind == finding.kind => found,
        Verdict::Agreed { object, seen, .. } => {
            note(app, object, &seen).await?;
            return Ok(Turn::Over(Outcome::Changed));
        }
        Verdict::Unsettled => return Ok(Turn::Again("it changed while it was looked at".to_owned())),
        Verdict::Fault(_) | Verdict::Lagging | Verdict::InFlight | Verdict::Nothing => {
            return Ok(Turn::Over(Outcome::Changed));
        }
    };
    let roles = Terms::now(app).await?.roles;
    match found.kind {
        Kind::MissingInReplica | Kind::StaleInReplica | Kind::FalseCompleted => {
            copy(app, &found, roles.primary, roles.replica()).await?;
        }
        Kind::MissingInPrimary | Kind::CorruptInPrimary => copy(app, &found, roles.replica(), roles.primary).await?,
        Kind::NotErased | Kind::InFlight => {
            let Some(object) = &found.object else { return Ok(Turn::Left("the ledger has no such object".to_owned())) };
            ledger::erase_again(app, object.id).await?;
        }
        Kind::OrphanInPrimary | Kind::OrphanInReplica => return quarantine::put_away(app, finding, &found).await,
        Kind::Lost if found.object.is_some_and(|object| object.kind == object::Kind::Rendition) => {
            return Ok(Turn::Left("the server makes it again from its original, where that is there".to_owned()));
        }
        Kind::Lost => return Ok(Turn::Left("no site has the bytes: a person has to look for them".to_owned())),
    }
    match judge(app, &finding.key, Depth::Bytes).await? {
        Verdict::Agreed { object, seen, .. } => {
            note(app, object, &seen).await?;
            Ok(Turn::Over(Outcome::Repaired))
        }
        Verdict::Nothing | Verdict::InFlight => Ok(Turn::Over(Outcome::Repaired)),
        Verdict::Fault(found) => Ok(Turn::Left(format!("after the repair: {}", found.detail))),
        Verdict::Lagging | Verdict::Unsettled => Ok(Turn::Again("it changed while it was mended".to_owned())),
    }
}

async fn note(app: &App, object: Uuid, seen: &[(Site, Sight)]) -> Result<(), JobError> {
    app.db.transaction::<_, sea_orm::DbErr, _, _>(async |tx| ledger::note(app, &tx, object, seen).await).await?;
    Ok(())
}

/// Writes over what was seen, and over nothing else.
async fn copy(app: &App, found: &Found, from: Site, to: Site) -> Result<(), JobError> {
    let Some(object) = &found.object else { return Ok(()) };
    let condition = match &found.metas[usize::from(to == Site::Second)] {
        None => Condition::Absent,
        Some(meta) if meta.etag.is_empty() => Condition::None,
        Some(meta) => Condition::Is(meta.etag.clone()),
    };
    let outcome = ledger::copy_again(app, object, from, to, condition.clone()).await;
    // Some stores refuse If-Match though it holds. What is written is what the ledger says, and the key never means anything else.
    if let (Err(_), Condition::Is(seen)) = (&outcome, &condition)
        && app.stores.at(to).head(&found.key).await?.is_some_and(|meta| meta.etag == *seen)
    {
        return ledger::copy_again(app, object, from, to, Condition::None).await;
    }
    outcome
}
