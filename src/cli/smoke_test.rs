//! `smoke-test`: the whole life of three files against a running server, from sign-up to the proof that they are gone.

mod api;
mod buckets;
mod report;
mod samples;
mod walk;

use std::time::Instant;

use super::{Failure, args::SmokeTestArgs, print};
use crate::config::Loaded;
use buckets::Buckets;
use walk::Walk;

/// Walks through it. Whatever it uploaded is purged also where it fails or is interrupted.
pub async fn run(settings: &Loaded, args: SmokeTestArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let buckets = Buckets::of(settings).await?;
    let mut walk = Walk::new(&args.url, settings)?;
    print(&format!("Smoke test of {}\n\n", args.url))?;
    let outcome = tokio::select! {
        outcome = walk.through(args.file.as_deref(), buckets.as_ref()) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::fault("interrupted")),
    };
    if outcome.is_err() {
        walk.clean_up().await;
    }
    let summary = outcome?;
    print(&format!("\nPassed in {:.1} s: {summary}.\n", started.elapsed().as_secs_f64()))
}
