//! The bytes of a rebuilt server: every live object brought to the primary, held to the ledger's SHA-256.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt as _, stream};
use uuid::Uuid;

use crate::{
    app::App,
    error::Fault,
    ledger::{self, Homecoming, Roles},
};

/// Objects that are read at once, and that are copied at once.
const PAGE: u64 = 500;
const AT_ONCE: usize = 8;

/// What became of the live objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// At the primary already.
    pub there: u64,
    pub copied: u64,
    /// Bytes that were copied.
    pub bytes: u64,
    /// The ledger has them, and no bucket does: most often they were deleted after the manifest was taken.
    pub missing: Vec<String>,
}

/// Brings every live object to the primary that lacks it, from the replica's store or the one that stands in for it; `progress` is told
/// how many of how many are done.
///
/// # Errors
/// A store does not answer. What was brought is there; run again, it goes on.
pub async fn bring_home(
    app: &App,
    roles: Roles,
    is_replica: bool,
    progress: impl Fn(u64, u64) + Sync,
) -> Result<Restored, Fault> {
    let (total, _) = ledger::count_live(app.db.read()).await?;
    let (mut restored, mut after, done) = (Restored::default(), Uuid::nil(), AtomicU64::new(0));
    loop {
        let objects = ledger::live_after(app.db.read(), after, PAGE).await?;
        let Some(last) = objects.last() else { return Ok(restored) };
        after = last.id;
        let outcomes = stream::iter(objects).map(async |object| {
            let outcome = ledger::bring_home(app, &object, roles, is_replica).await;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            (object, outcome)
        });
        let outcomes: Vec<_> = outcomes.buffer_unordered(AT_ONCE).collect().await;
        for (object, outcome) in outcomes {
            match outcome {
                Ok(Homecoming::There) => restored.there += 1,
                Ok(Homecoming::Copied) => {
                    restored.copied += 1;
                    restored.bytes += u64::try_from(object.bytes).unwrap_or(0);
                }
                Ok(Homecoming::Missing) => restored.missing.push(object.key),
                Err(error) => return Err(Fault::Busy(format!("{} cannot be restored yet: {error}", object.key))),
            }
        }
    }
}
