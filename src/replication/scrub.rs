//! Reading copies back: both of an object are read and hashed, the oldest proof first. Only this finds bytes that rotted in place.

use std::collections::HashSet;

use entity::object;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use super::{
    Counters, RunError, jobs,
    judge::{Depth, Verdict, judge},
    on_any_core,
    store::{self, Claimed},
};
use crate::{app::App, ledger};

/// Objects between two checkpoints, and read at once.
const BATCH: usize = 32;
const AT_ONCE: usize = 4;

/// Scrubs what was last proven before the run began, within its budget.
pub(super) async fn run(app: &App, claimed: &Claimed) -> Result<(), RunError> {
    let budget = claimed.run.budget.and_then(|budget| u64::try_from(budget).ok()).unwrap_or(u64::MAX);
    let mut counters = Counters::read(&claimed.run.counters);
    // Of those that keep their old proof because they are faulty or still on their way, each has its turn once.
    let mut done: HashSet<Uuid> = HashSet::new();
    while counters.bytes_read < budget {
        let lines = 2 * (BATCH + done.len()) as u64;
        let oldest = ledger::oldest_proofs(app.db.read(), claimed.run.created_at, lines).await?;
        let batch: Vec<object::Model> =
            oldest.into_iter().filter(|object| done.insert(object.id)).take(BATCH).collect();
        if batch.is_empty() {
            return jobs::end(app, claimed, counters, None).await;
        }
        let verdicts = stream::iter(batch.into_iter().map(|object| {
            let app = app.clone();
            on_any_core(async move {
                let verdict = judge(&app, &object.key, Depth::Bytes).await;
                Ok::<_, RunError>((object, verdict.map_err(|fault| RunError::Unreadable(fault.to_string()))?))
            })
        }))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await;
        let verdicts = match verdicts {
            Ok(verdicts) => verdicts,
            Err(RunError::Unreadable(error)) => return jobs::end(app, claimed, counters, Some(error)).await,
            Err(error) => return Err(error),
        };
        for (object, verdict) in &verdicts {
            counters.objects += 1;
            counters.bytes_read += 2 * u64::try_from(object.bytes).unwrap_or(0);
            match verdict {
                Verdict::Agreed { proof, .. } => counters.agree(*proof),
                Verdict::Fault(_) => counters.faults += 1,
                Verdict::Lagging => counters.lagging += 1,
                _ => counters.in_flight += 1,
            }
        }
        app.transaction::<_, RunError, _, _>(async |tx| {
            let run = store::hold(&tx, claimed).await?;
            for (object, verdict) in &verdicts {
                match verdict {
                    Verdict::Agreed { seen, .. } => {
                        ledger::note(app, &tx, object.id, seen).await?;
                    }
                    Verdict::Fault(found) => store::open(app, &tx, &run, std::slice::from_ref(found)).await?,
                    _ => {}
                }
            }
            let updated_at = app.db.now(&tx).await?;
            let done = i64::try_from(counters.objects).unwrap_or(i64::MAX);
            store::update(&tx, entity::replica_run::Model { counters: counters.write(), done, updated_at, ..run })
                .await?;
            Ok(())
        })
        .await?;
        for (object, verdict) in &verdicts {
            if matches!(verdict, Verdict::Agreed { .. }) {
                done.remove(&object.id);
            }
        }
    }
    jobs::end(app, claimed, counters, None).await
}

/// What one scheduled scrub may read.
pub(super) fn share(app: &App) -> i64 {
    let settings = &app.config.replication;
    let day = 24.0 * 3600.0;
    (settings.scrub_per_day.as_u64() as f64 * settings.scrub_interval.as_secs_f64() / day) as i64
}
