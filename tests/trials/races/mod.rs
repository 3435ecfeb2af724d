//! The race trial: two server processes on one database, asked for what excludes each other at the same moment, over and
//! over, and held to their invariants through both doors and in the tables.

mod admins;
mod arena;
mod blocks;
mod bulk;
mod crowd;
mod deletions;
mod door;
mod ends;
mod friends;
mod guesses;
mod holds;
mod leader;
mod live;
mod names;
mod queue;
mod repeats;
mod revisions;
mod shares;
mod snaps;
mod starts;
mod tally;
mod uploads;

use std::{path::Path, time::Duration};

use bytes::Bytes;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

use self::{arena::Arena, door::Person, tally::Tally};
use crate::common::Failure;

pub struct Options<'a> {
    pub seed: u64,
    /// Of each race.
    pub rounds: u32,
    /// `database.url` of an empty database; empty for SQLite in the folder.
    pub database: &'a str,
    /// Where data and logs go.
    pub folder: &'a Path,
    /// The races by name; none: all.
    pub only: &'a [String],
    /// Takes a line of progress.
    pub say: &'a (dyn Fn(&str) + Send + Sync),
}

const RACES: [&str; 17] = [
    "names",
    "revisions",
    "deletions",
    "repeats",
    "queue",
    "guesses",
    "admins",
    "ends",
    "crowd",
    "shares",
    "uploads",
    "friends",
    "snaps",
    "holds",
    "blocks",
    "live",
    "bulk",
];
/// It needs a database of each round's own.
const STARTS: &str = "starts";
/// Rounds of a race that takes seconds a round, of so many of the others.
const SLOW: u32 = 5;
const SETTLE: Duration = Duration::from_secs(60);

/// Runs every race, then the controls: planted faults that the races must find.
///
/// # Errors
/// Every violation found, each on a line; or what kept the trial from running.
pub async fn run(options: Options<'_>) -> Result<(), Failure> {
    if let Some(name) = options.only.iter().find(|name| !RACES.contains(&name.as_str()) && *name != STARTS) {
        return Err(format!("no race is called {name}; there are {} and {STARTS}", RACES.join(", ")).into());
    }
    let mut arena = Arena::open(options.folder, options.database).await?;
    leader::watch(&arena).await?;
    let people = [arena.person("owner").await?, arena.person("admin").await?, arena.person("admin").await?];
    for admin in &people[1..] {
        arena.promote(admin).await?;
    }
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let mut violations = Vec::new();
    for (number, name) in RACES.into_iter().chain([STARTS]).enumerate().filter(|(_, name)| wanted(name)) {
        let mut rng = StdRng::seed_from_u64(options.seed ^ ((number as u64) << 32));
        let retries = arena.retries();
        let mut tally = race(&mut arena, name, &people, options.rounds, &mut rng).await?;
        tally.note("transactions run again", arena.retries() - retries);
        // The last race leaves objects of other databases in the buckets.
        if name != STARTS {
            tally.violations.extend(judge(&arena).await?);
        }
        (options.say)(&format!("{name:<9} {tally}"));
        violations.extend(tally.violations.into_iter().map(|violation| format!("{name}: {violation}")));
    }
    if !violations.is_empty() {
        let more = violations.len().saturating_sub(30);
        violations.truncate(30);
        return Err(format!("{}\nand {more} more", violations.join("\n")).into());
    }
    if options.only.is_empty() {
        controls(&arena, &people, &options).await?;
    }
    Ok(())
}

async fn race(
    arena: &mut Arena,
    name: &str,
    people: &[Person; 3],
    rounds: u32,
    rng: &mut StdRng,
) -> Result<Tally, Failure> {
    let owner = &people[0];
    let mut tally = Tally::default();
    let files = if name == "queue" { queue::files(arena, owner, rng).await } else { Vec::new() };
    let crowd = if name == "crowd" { crowd::Crowd::gather(arena).await? } else { None };
    let live = if name == "live" { Some(live::Live::gather(arena).await?) } else { None };
    for round in 1..=rounds {
        tally.rounds = round;
        let slow = round % SLOW == 1;
        match name {
            "names" => names::full(arena, rng, &mut tally).await?,
            "revisions" => revisions::round(arena, owner, rng, &mut tally).await?,
            "deletions" => deletions::round(arena, owner, rng, &mut tally).await?,
            "repeats" => repeats::round(arena, owner, rng, &mut tally).await?,
            "uploads" => uploads::round(arena, &people[1], rng, &mut tally).await?,
            "shares" => shares::round(arena, owner, rng, &mut tally).await?,
            "friends" => friends::round(arena, rng, &mut tally).await?,
            "snaps" => snaps::round(arena, rng, &mut tally).await?,
            "holds" => holds::round(arena, people, rng, &mut tally).await?,
            "blocks" => blocks::round(arena, people, rng, &mut tally).await?,
            "queue" => {
                queue::round(arena, owner, &files, rng, &mut tally).await?;
                if slow {
                    leader::stopped_in_transaction(arena, owner, &mut tally).await?;
                }
            }
            "guesses" => {
                guesses::round(arena, owner, rng, &mut tally).await?;
                if slow {
                    guesses::crowd(arena, owner, &mut tally).await?;
                }
            }
            "bulk" => bulk::round(arena, people, rng, &mut tally).await?,
            "admins" => admins::round(arena, people, rng, &mut tally).await?,
            "ends" => {
                ends::round(arena, &mut tally).await?;
                if slow {
                    ends::edge(arena, owner, rng, &mut tally).await?;
                }
            }
            "crowd" => {
                if let Some(crowd) = &crowd {
                    crowd.round(arena, rng, &mut tally).await?;
                }
            }
            "live" => {
                if let Some(live) = &live {
                    live.round(arena, rng, &mut tally).await?;
                    if round == rounds {
                        let caught = live.planted(arena, rng).await?;
                        tally.expect(caught.is_some(), || "apps that forget where they were look right".to_owned());
                    }
                }
            }
            _ => starts::round(arena, rng, &mut tally).await?,
        }
        if tally.violations.len() > 20 {
            break;
        }
    }
    Ok(tally)
}

/// The ledger against both buckets, every live object read back in both.
async fn judge(arena: &Arena) -> Result<Vec<String>, Failure> {
    let auditor = arena.auditor().await?;
    let (_, mut findings) = auditor.quiet(SETTLE).await?;
    findings.extend(auditor.audit(usize::MAX).await?.findings);
    Ok(findings.iter().map(ToString::to_string).collect())
}

/// Takes away what decides a race, and wants the race to show it.
async fn controls(arena: &Arena, people: &[Person; 3], options: &Options<'_>) -> Result<(), Failure> {
    let (mut rng, owner) = (StdRng::seed_from_u64(options.seed), &people[0]);
    let caught = [
        ("a schedule by who does not lead", leader::planted(arena).await?),
        ("downloads of share links that are not counted", shares::planted(arena, owner, &mut rng).await?),
        ("a counter of usage that stands still", uploads::planted(arena, &people[1], &mut rng).await?),
        ("snaps that forget who opened them", snaps::planted(arena).await?),
        ("a block list that changes unnoticed", blocks::planted(arena, people, &mut rng).await?),
        ("a file that forgets that it is held", holds::planted(arena, people, &mut rng).await?),
        ("requests that cannot be taken back", friends::planted(arena, &mut rng).await?),
        ("no unique key of idempotency keys", repeats::planted(arena, owner, &mut rng).await?),
        ("no unique key of user names", names::planted(arena, &mut rng).await?),
    ];
    for (fault, violation) in caught {
        match violation {
            Some(violation) => (options.say)(&format!("planted: {fault}; caught: {violation}")),
            None if arena.size() == 1 && fault.starts_with("a schedule") => {}
            None => return Err(format!("planted and not caught: {fault}").into()),
        }
    }
    Ok(())
}

/// Some bytes that no other file has.
fn content(rng: &mut StdRng) -> Bytes {
    let mut bytes = vec![0; rng.random_range(1..4_000) + 16];
    rng.fill_bytes(&mut bytes);
    bytes.into()
}
