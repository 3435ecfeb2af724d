//! A server paused in mid-write past its deadline, and writes that the store carries out after their erasure was proven,
//! while another server goes on.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{
    Options,
    storm::Storm,
    world::{Database, World},
};
use crate::{
    common::{Failure, process::Launcher},
    proxy::{HttpFault, Op},
    servers::{KIND, Kind},
};

/// Longer than a write's deadline, the grace and the margin together, and shorter than late writes are looked for.
const PAUSE: Duration = Duration::from_millis(4_000);
const LATE_WRITES: &str = "8s";
/// The longest a failed write may wait for its erasure, on a busy machine.
const PROOF: Duration = Duration::from_secs(20);

const LANDED: &str = "bytes landed after their erasure was proven";

pub async fn run(options: Options<'_>) -> Result<(), Failure> {
    let late = |launcher: Launcher| launcher.with("ledger.late_writes", LATE_WRITES);
    // One process alone has SQLite's file; its writes are late too.
    let shared: &[&(dyn Fn(Launcher) -> Launcher + Sync)] =
        if *KIND == Kind::Sqlite { &[&late] } else { &[&late, &late] };
    let mut world = World::new(options, Database::shared().await?, shared).await?;
    for _ in 0..options.rounds {
        if world.servers.len() > 1 && !options.short {
            let storm = Storm {
                hold: PAUSE,
                // The paused one answers late, and is not asked to do otherwise.
                answer: PAUSE + Duration::from_secs(5),
                ..Storm::new("one server stopped (SIGSTOP), then continued")
            };
            let strike = async |world: &World<'_>| Ok(world.servers[1].process.signal("STOP").await?);
            let clear = async |world: &World<'_>| Ok(world.servers[1].process.signal("CONT").await?);
            world.storm(&storm, strike, |world| u32::from(is_stopped(world)), clear).await?;
        }
        let seen = landed(&world);
        let storm = Storm {
            hold: PAUSE,
            answer: PAUSE + PROOF,
            least: 3,
            ..Storm::new("PUTs carried out after their erasure")
        };
        let strike = async |world: &World<'_>| {
            world.sites[0].set(HttpFault::Slow(Duration::from_secs(600)), &[Op::Put]);
            if let Some(other) = world.servers.get(1) {
                // Its PUTs are on their way by now.
                world.until(Duration::from_secs(5), |world| world.sites[0].struck() >= 2).await;
                other.process.signal("STOP").await?;
            }
            Ok(())
        };
        let auditor = world.auditor().await?;
        // Ids are in the order of time: writes of the storm before this one may be erased yet.
        let began = Uuid::now_v7();
        let clear = async |world: &World<'_>| {
            // Only then are they late.
            let proven = async {
                while auditor.failed_and_erased(began).await? == 0 {
                    sleep(Duration::from_millis(50)).await;
                }
                Ok::<_, Failure>(())
            };
            timeout(PROOF, proven).await.map_err(|_| "no failed write was erased")??;
            world.sites[0].clear();
            if let Some(other) = world.servers.get(1) {
                other.process.signal("CONT").await?;
            }
            Ok(())
        };
        world.storm(&storm, strike, |world| world.sites[0].struck(), clear).await?;
        world.judge(0).await?;
        let came = landed(&world) - seen;
        world.say(&format!("{:<44} {came} objects came back after their erasure, and were erased again", "  late"));
        if came == 0 {
            return Err("no write was carried out after its erasure".into());
        }
    }
    world.finish().await
}

fn landed(world: &World<'_>) -> usize {
    let log = std::fs::read_to_string(world.options.folder.join("server.log")).unwrap_or_default();
    log.matches(LANDED).count()
}

fn is_stopped(world: &World<'_>) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.servers[1].process.pid()));
    status.is_ok_and(|status| status.lines().any(|line| line.starts_with("State:\tT")))
}
