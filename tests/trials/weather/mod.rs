//! The weather trial: what a server promises while its stores, its database, its disk or its clock misbehave, one fault
//! after the other under load, and after each the judges of the crash trial.

mod alerts;
mod clock;
mod database;
mod disk;
mod failover;
mod snaps;
mod stores;
mod storm;
mod terminate;
mod world;
mod writer;

use std::path::Path;

use clap::ValueEnum;

use crate::{common::Failure, servers::KIND};

/// A promise and the faults under which it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Promise {
    /// S3 down, 503, cut, slow, truncated, altered.
    Stores,
    /// The database killed, stopped, its connections reset.
    Database,
    /// The reply to COMMIT lost.
    Commit,
    /// No room on the disk.
    Disk,
    /// SIGTERM under load.
    Terminate,
    /// A writer paused past its deadline, a write carried out after its erasure.
    Writer,
    /// SNS down.
    Alerts,
    /// One server's clock two hours off.
    Clock,
    /// The primary lost, a promotion, a fail-back.
    Failover,
}

#[derive(Clone, Copy)]
pub struct Options<'a> {
    pub seed: u64,
    /// How often every fault comes.
    pub rounds: u32,
    /// Short, as in `make test`: shorter limits, milder bounds on speed, one judgement at the end.
    pub short: bool,
    /// Where data and logs go.
    pub folder: &'a Path,
    /// Takes a line of progress.
    pub say: &'a (dyn Fn(&str) + Send + Sync),
}

/// Holds one promise, in a folder of its own.
///
/// # Errors
/// Every violation found, each on a line; or what kept the trial from running.
pub async fn run(promise: Promise, options: Options<'_>) -> Result<(), Failure> {
    let name = promise.to_possible_value().expect("none is skipped");
    let folder = options.folder.join(name.get_name());
    std::fs::create_dir_all(&folder)?;
    (options.say)(&format!("{} on {}", name.get_name(), KIND.name()));
    let options = Options { folder: &folder, ..options };
    match promise {
        Promise::Stores => Box::pin(stores::run(options)).await,
        Promise::Database => Box::pin(database::run(options)).await,
        Promise::Commit => Box::pin(database::run_commit(options)).await,
        Promise::Disk => Box::pin(disk::run(options)).await,
        Promise::Terminate => Box::pin(terminate::run(options)).await,
        Promise::Writer => Box::pin(writer::run(options)).await,
        Promise::Alerts => Box::pin(alerts::run(options)).await,
        Promise::Clock => Box::pin(clock::run(options)).await,
        Promise::Failover => Box::pin(failover::run(options)).await,
    }
}
