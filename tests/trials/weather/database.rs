//! The database killed, stopped and cut off, and the reply to COMMIT lost.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{
    Options,
    storm::Storm,
    world::{Database, World},
};
use crate::{
    common::Failure,
    proxy::{TcpFault, TcpProxy},
    servers::{DatabaseServer, KIND, Kind},
};

const LIMIT: Duration = Duration::from_secs(10);

fn proxy<'w>(world: &'w World<'_>) -> Result<&'w TcpProxy, Failure> {
    world.database.proxy.as_ref().ok_or_else(|| "there is no proxy".into())
}

fn server<'w>(world: &'w World<'_>) -> Result<&'w DatabaseServer, Failure> {
    world.database.own.as_ref().ok_or_else(|| "there is no server of its own".into())
}

fn struck(world: &World<'_>) -> u32 {
    world.database.proxy.as_ref().map_or(0, TcpProxy::struck)
}

/// Of a server that was stopped itself: what its clients felt of it.
fn felt(world: &World<'_>) -> u32 {
    let log = std::fs::read_to_string(world.options.folder.join("server.log")).unwrap_or_default();
    u32::try_from(log.matches("the database is away").count()).unwrap_or(u32::MAX)
}

/// Whether `/readyz` says what is so: 200 or 503. `/healthz` says that the process lives, whatever its database does.
async fn readiness(world: &World<'_>, ready: bool) -> Result<(), Failure> {
    let began = Instant::now();
    let base = world.servers[0].url.trim_end_matches("/graphql");
    loop {
        let asked = Instant::now();
        let answer = reqwest::get(format!("{base}/readyz")).await?.status();
        if asked.elapsed() > Duration::from_secs(5) {
            return Err(format!("/readyz took {:?}", asked.elapsed()).into());
        }
        if answer.is_success() == ready {
            break;
        }
        if began.elapsed() > LIMIT {
            return Err(format!(
                "/readyz says {answer} although the database is {}there",
                if ready { "" } else { "not " }
            )
            .into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    let alive = reqwest::get(format!("{base}/healthz")).await?.status();
    if alive.is_success() { Ok(()) } else { Err(format!("/healthz says {alive}").into()) }
}

pub async fn run(options: Options<'_>) -> Result<(), Failure> {
    if *KIND == Kind::Sqlite {
        (options.say)("not on SQLite, which has no server to lose");
        return Ok(());
    }
    let mut world = World::new(options, Database::own().await?, &[&|launcher| launcher]).await?;
    // Longer than any limit of a server.
    let stopped = Duration::from_millis(if options.short { 2_500 } else { 12_000 });
    let storm = |what: &str, hold| Storm { hold, ..Storm::new(what) };
    for _ in 0..options.rounds {
        let seen = felt(&world);
        let killed = storm("database killed (SIGKILL), started again", Duration::from_secs(1));
        world
            .storm(
                &killed,
                async |world| {
                    server(world)?.kill();
                    readiness(world, false).await
                },
                |world| felt(world) - seen,
                async |world| {
                    server(world)?.launch().await?;
                    readiness(world, true).await
                },
            )
            .await?;

        let seen = felt(&world);
        world
            .storm(
                &storm("database stopped (SIGSTOP), continued", stopped),
                async |world| {
                    server(world)?.freeze();
                    readiness(world, false).await
                },
                |world| felt(world) - seen,
                async |world| {
                    server(world)?.thaw();
                    readiness(world, true).await
                },
            )
            .await?;

        let cases = [
            ("database 30 ms further away", TcpFault::Delay(Duration::from_millis(30)), Duration::from_millis(500)),
            ("connections to the database frozen", TcpFault::Freeze, stopped),
            ("connections to the database reset", TcpFault::Reset, Duration::from_millis(500)),
            ("database refuses connections", TcpFault::Down, Duration::from_secs(1)),
        ];
        // In short, the connections that are reset stand for all.
        let cases = cases.into_iter().filter(|(_, fault, _)| !options.short || *fault == TcpFault::Reset);
        for (what, fault, hold) in cases {
            let mild = matches!(fault, TcpFault::Delay(_));
            let strike = async |world: &World<'_>| {
                proxy(world)?.set(fault.clone());
                readiness(world, mild).await
            };
            let clear = async |world: &World<'_>| {
                proxy(world)?.clear();
                readiness(world, true).await
            };
            world.storm(&storm(what, hold), strike, struck, clear).await?;
        }

        // Those that hang are never let go: what is stuck has to be given up, or the pool runs dry.
        let wedged = storm("connections wedged for good, new ones fine", Duration::from_secs(1));
        let strike = async |world: &World<'_>| {
            proxy(world)?.set(TcpFault::Wedge);
            Ok(())
        };
        world.storm(&wedged, strike, struck, async |_| Ok(())).await?;
        proxy(&world)?.clear();
    }
    world.finish().await
}

pub async fn run_commit(options: Options<'_>) -> Result<(), Failure> {
    if *KIND == Kind::Sqlite {
        (options.say)("not on SQLite, whose COMMIT has no reply to lose");
        return Ok(());
    }
    let mut world = World::new(options, Database::shared().await?, &[&|launcher| launcher]).await?;
    for _ in 0..options.rounds {
        let cases = [
            ("every third reply to COMMIT lost", TcpFault::LoseCommit(3), 9),
            ("every reply to COMMIT lost", TcpFault::LoseCommit(1), 9),
            ("a reply to COMMIT lost, then 1 s nothing", TcpFault::LoseCommitAndAll(Duration::from_secs(1)), 1),
            ("the same again", TcpFault::LoseCommitAndAll(Duration::from_secs(1)), 1),
        ];
        let cases = cases.into_iter().step_by(if options.short { 2 } else { 1 });
        for (what, fault, least) in cases {
            let storm = Storm { least, hold: Duration::from_millis(1_500), ..Storm::new(what) };
            let strike = async |world: &World<'_>| {
                proxy(world)?.set(fault.clone());
                Ok(())
            };
            let clear = async |world: &World<'_>| {
                proxy(world)?.clear();
                Ok(())
            };
            world.storm(&storm, strike, struck, clear).await?;
        }
        world.alerts_are_single().await?;
    }
    world.finish_and_plant().await
}
