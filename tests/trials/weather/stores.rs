//! S3 down, refusing, cut off, slow, truncating, altering: at the primary, at the replica, at both.

use std::time::Duration;

use super::{
    Options,
    storm::{Looks, Storm},
    world::{Database, World},
};
use crate::{
    common::{Failure, process::Launcher},
    proxy::{
        HttpFault::{self, Down, DropReply, Flip, ResetRequest, ResetResponse, Shorten, Slow, Truncate, Unavailable},
        Op,
    },
};

const FIRST: &[usize] = &[0];
const SECOND: &[usize] = &[1];
const BOTH: &[usize] = &[0, 1];

/// The most memory a server may ever need here: uploads of 3 MB by four clients, and pictures.
const MEMORY: u64 = 400;

/// How often a storm is held whose pages were slow: of the some seventy looks of a single one the 99th percentile is
/// the slowest, which a pause of the machine makes slow in any weather.
const HELD: usize = 3;

struct Case {
    name: &'static str,
    fault: HttpFault,
    on: &'static [Op],
    sites: &'static [usize],
    /// Part of the short trial too.
    short: bool,
}

const fn case(name: &'static str, fault: HttpFault, on: &'static [Op], sites: &'static [usize]) -> Case {
    Case { name, fault, on, sites, short: false }
}

const fn short(case: Case) -> Case {
    Case { short: true, ..case }
}

const CASES: [Case; 15] = [
    short(case("primary down", Down, &[], FIRST)),
    case("replica down", Down, &[], SECOND),
    case("both sites down", Down, &[], BOTH),
    case("503 at the primary", Unavailable(None), &[], FIRST),
    short(case("503 with Retry-After at both", Unavailable(Some(1)), &[], BOTH)),
    short(case("reset in mid-body of PUTs to the primary", ResetRequest, &[Op::Put], FIRST)),
    short(case("reset in mid-body of answers, primary", ResetResponse, &[Op::Get], FIRST)),
    short(case("30 s slow at the primary", Slow(Duration::from_secs(30)), &[], FIRST)),
    case("30 s slow PUTs at the replica", Slow(Duration::from_secs(30)), &[Op::Put], SECOND),
    short(case("replies to PUTs lost at the primary", DropReply, &[Op::Put], FIRST)),
    case("replies to all but objects lost at both", DropReply, &[Op::List, Op::Other], BOTH),
    short(case("objects truncated at the primary", Truncate, &[Op::Get], FIRST)),
    case("objects shortened at the primary", Shorten, &[Op::Get], FIRST),
    short(case("objects altered at the primary", Flip, &[Op::Get], FIRST)),
    case("objects altered at both", Flip, &[Op::Get], BOTH),
];

pub async fn run(options: Options<'_>) -> Result<(), Failure> {
    let mut world = World::new(options, Database::shared().await?, &[&uncached]).await?;
    let mut calm = Vec::new();
    for _ in 0..options.rounds {
        for case in CASES.iter().filter(|case| !options.short || case.short) {
            let mut looks = Looks { calm: std::mem::take(&mut calm), stormy: Vec::new() };
            for _ in 0..HELD {
                let seen = one(&mut world, case).await?;
                looks.calm.extend(seen.calm);
                looks.stormy.extend(seen.stormy);
                if options.short || !looks.slow() {
                    break;
                }
            }
            if looks.slow() && !options.short {
                let p99 = looks.p99();
                return Err(
                    format!("{}: pages took more than twice as long, calm and stormy {p99:?}", case.name).into()
                );
            }
            calm = looks.calm;
        }
    }
    let memory = world.servers[0].process.peak_memory()?;
    world.say(&format!("the server's memory never exceeded {memory} MiB"));
    if memory > MEMORY {
        return Err(format!("the server took {memory} MiB, more than {MEMORY}").into());
    }
    world.finish_and_plant().await
}

/// Every download asks the stores.
fn uncached(launcher: Launcher) -> Launcher {
    launcher.with("embedded.edge_cache", "1 KiB").with("embedded.edge_cache_object", "1 KiB")
}

async fn one(world: &mut World<'_>, case: &Case) -> Result<Looks, Failure> {
    let brief = world.options.short;
    let storm = Storm {
        least: 3,
        hold: Duration::from_millis(if brief { 200 } else { 3_000 }),
        page: Some(Duration::from_secs(2)),
        ..Storm::new(case.name)
    };
    let down = case.fault == Down;
    let strike = async |world: &World<'_>| {
        for site in case.sites {
            world.sites[*site].set(case.fault.clone(), case.on);
        }
        Ok(())
    };
    let clear = async |world: &World<'_>| {
        for site in case.sites {
            world.sites[*site].clear();
        }
        Ok(())
    };
    let log = world.options.folder.join("server.log");
    let seen = lines_of_outage(&log);
    let struck = move |world: &World<'_>| {
        if down {
            // A closed port counts nothing; the server's own word for it does.
            return lines_of_outage(&log) - seen;
        }
        case.sites.iter().map(|site| world.sites[*site].struck()).min().unwrap_or_default()
    };
    Ok(world.storm(&storm, strike, struck, clear).await?.looks())
}

fn lines_of_outage(log: &std::path::Path) -> u32 {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines = text.lines().filter(|line| line.contains("in bucket") && line.contains("unavailable"));
    u32::try_from(lines.count()).unwrap_or(u32::MAX)
}
