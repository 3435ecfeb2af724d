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

/// An object that was read, and what came of it.
type Read = (object::Model, Verdict);

/// Scrubs what was last proven before the run began, within its budget. While a batch is read, the one before is written down and
/// the one after it looked up.
pub(super) async fn run(app: &App, claimed: &Claimed) -> Result<(), RunError> {
    let budget = claimed.run.budget.and_then(|budget| u64::try_from(budget).ok()).unwrap_or(u64::MAX);
    let counters = Counters::read(&claimed.run.counters);
    let left = budget.saturating_sub(counters.bytes_read);
    let mut scrub = Scrub { app, claimed, counters, left, done: HashSet::new(), read: Vec::new() };
    let mut batch = scrub.next_batch().await?;
    loop {
        let is_over = batch.is_empty();
        let (read, next) = tokio::join!(read(app, batch), async {
            scrub.write_down().await?;
            scrub.next_batch().await
        });
        batch = next?;
        let error = match read {
            Ok(read) => {
                scrub.count(read);
                None
            }
            Err(RunError::Unreadable(error)) => Some(error),
            Err(error) => return Err(error),
        };
        if is_over || error.is_some() {
            return jobs::end(app, claimed, scrub.counters, error).await;
        }
    }
}

/// Reads both copies of each.
async fn read(app: &App, batch: Vec<object::Model>) -> Result<Vec<Read>, RunError> {
    stream::iter(batch.into_iter().map(|object| {
        let app = app.clone();
        on_any_core(async move {
            let verdict = judge(&app, &object.key, Depth::Bytes).await;
            Ok::<_, RunError>((object, verdict.map_err(|fault| RunError::Unreadable(fault.to_string()))?))
        })
    }))
    .buffer_unordered(AT_ONCE)
    .try_collect()
    .await
}

/// Bytes that are read of an object.
fn read_of(object: &object::Model) -> u64 {
    2 * u64::try_from(object.bytes).unwrap_or(0)
}

struct Scrub<'a> {
    app: &'a App,
    claimed: &'a Claimed,
    /// Of all that was read.
    counters: Counters,
    /// Bytes that are left of the budget.
    left: u64,
    /// What has no new proof: what is not written down yet, and those that keep their old one because they are faulty or still on
    /// their way. Each has its turn once.
    done: HashSet<Uuid>,
    /// What is counted and not written down.
    read: Vec<Read>,
}

impl Scrub<'_> {
    /// Empty where the budget is spent.
    async fn next_batch(&mut self) -> Result<Vec<object::Model>, RunError> {
        if self.left == 0 {
            return Ok(Vec::new());
        }
        let lines = 2 * (BATCH + self.done.len()) as u64;
        let oldest = ledger::oldest_proofs(self.app.db.read(), self.claimed.run.created_at, lines).await?;
        let batch: Vec<_> = oldest.into_iter().filter(|object| self.done.insert(object.id)).take(BATCH).collect();
        self.left = self.left.saturating_sub(batch.iter().map(read_of).sum());
        Ok(batch)
    }

    /// What was written down meanwhile has its new proof.
    fn count(&mut self, read: Vec<Read>) {
        for (object, verdict) in std::mem::replace(&mut self.read, read) {
            if matches!(verdict, Verdict::Agreed { .. }) {
                self.done.remove(&object.id);
            }
        }
        for (object, verdict) in &self.read {
            self.counters.objects += 1;
            self.counters.bytes_read += read_of(object);
            match verdict {
                Verdict::Agreed { proof, .. } => self.counters.agree(*proof),
                Verdict::Fault(_) => self.counters.faults += 1,
                Verdict::Lagging => self.counters.lagging += 1,
                _ => self.counters.in_flight += 1,
            }
        }
    }

    async fn write_down(&self) -> Result<(), RunError> {
        if self.read.is_empty() {
            return Ok(());
        }
        let (app, counters) = (self.app, self.counters);
        app.transaction::<_, RunError, _, _>(async |tx| {
            let run = store::hold(&tx, self.claimed).await?;
            for (object, verdict) in &self.read {
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
        .await
    }
}

/// What one scheduled scrub may read.
pub(super) fn share(app: &App) -> i64 {
    let settings = &app.config.replication;
    let day = 24.0 * 3600.0;
    (settings.scrub_per_day.as_u64() as f64 * settings.scrub_interval.as_secs_f64() / day) as i64
}
