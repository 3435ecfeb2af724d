//! One server's clock two hours off, forward and back, beside one that is right, on one database: its time decides.

use std::{path::Path, time::Duration};

use serde_json::json;

use super::{
    Options,
    snaps::{self, Friends},
    storm::Storm,
    world::{Database, World},
};
use crate::{
    common::{Failure, client::Client, process::Launcher},
    servers::{KIND, Kind},
};

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
const LIBRARY_ARM: &str = "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1";
/// Shorter than the clocks are apart.
const LIFE: Duration = Duration::from_secs(3600);
const FAILURES: u32 = 3;

fn library() -> Result<&'static str, Failure> {
    let found = [LIBRARY, LIBRARY_ARM].into_iter().find(|path| Path::new(path).exists());
    found.ok_or_else(|| "libfaketime is missing; on Debian: sudo apt-get install libfaketime".into())
}

pub async fn run(options: Options<'_>) -> Result<(), Failure> {
    if *KIND == Kind::Sqlite {
        (options.say)("not on SQLite, whose clock is the host's");
        return Ok(());
    }
    let library = library()?;
    let lives = |launcher: Launcher| {
        launcher
            .with("accounts.session_ttl", "1h")
            .with("files.trash_retention", "1h")
            .with("accounts.log_in_failures_per_account", FAILURES.to_string())
            .with("snaps.fetch_within", format!("{}s", snaps::FETCH.as_secs()))
    };
    let off = |launcher: Launcher, offset: &str| {
        lives(launcher)
            .with_variable("LD_PRELOAD", library)
            .with_variable("FAKETIME", offset)
            .with_variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .with_variable("DONT_FAKE_MONOTONIC", "1")
    };
    let (forward, back) = (|launcher| off(launcher, "+2h"), |launcher| off(launcher, "-2h"));
    let mut world = World::new(options, Database::shared().await?, &[&lives, &forward, &back]).await?;
    for round in 0..options.rounds {
        one(&mut world, round).await?;
    }
    world.finish().await
}

async fn one(world: &mut World<'_>, round: u32) -> Result<(), Failure> {
    let storm = Storm {
        hold: Duration::from_secs(if world.options.short { 1 } else { 10 }),
        least: 2,
        ..Storm::new("one clock 2 h ahead, another 2 h behind")
    };
    // A fault where the server really shows another time.
    let mut wrong = 0;
    for server in &world.servers {
        wrong += u32::from(clock_of(&server.url).await?.abs_diff(now()) > 3600);
    }
    world.storm(&storm, async |_| Ok(()), |_| wrong, async |_| Ok(())).await?;
    let urls: Vec<String> = world.servers.iter().map(|server| server.url.clone()).collect();
    for (at, (here, there)) in urls.iter().zip(urls.iter().cycle().skip(1)).enumerate() {
        session(&format!("session-{round}-{at}"), here, &urls).await?;
        throttle(&format!("throttle-{round}-{at}"), here, there).await?;
    }
    let auditor = world.auditor().await?;
    for (at, here) in urls.iter().enumerate() {
        let friends = Friends::meet(&format!("snaps-{round}-{at}"), here).await?;
        let wrong = friends.hold("right", here, &urls, None).await?;
        if !wrong.is_empty() {
            return Err(wrong.join("\n").into());
        }
    }
    let skewed = auditor.times_off(LIFE).await?;
    if !skewed.is_empty() {
        return Err(format!("by the server's clock, not the database's: {skewed:?}").into());
    }
    // As it would be were one server's clock what decides; at the end, since these times are off.
    let mut caught = Vec::new();
    if round + 1 == world.options.rounds {
        for hours in [-2, 2] {
            let friends = Friends::meet(&format!("shifted-by{hours}"), &urls[0]).await?;
            let wrong = friends.hold("shifted", &urls[0], &urls, Some((&auditor, hours))).await?;
            caught.push(wrong.into_iter().next().ok_or("snaps whose times were shifted look right")?);
        }
    }
    let log = std::fs::read_to_string(world.options.folder.join("server.log"))?;
    let stolen = log.matches("lost its lease").count();
    if stolen > 0 {
        return Err(format!("{stolen} leases were stolen").into());
    }
    world.say(&format!(
        "{:<44} sessions, limits, retention, schedules, leases and snaps by the database's time; caught: {}",
        "  time",
        caught.join("; ")
    ));
    Ok(())
}

/// A session opened at one server is good at all.
async fn session(username: &str, here: &str, everywhere: &[String]) -> Result<(), Failure> {
    let opened = Client::sign_up(here, username).await?;
    for url in everywhere {
        opened.at(url)?.page().await?;
    }
    Ok(())
}

/// Wrong guesses at one server count at the next.
async fn throttle(username: &str, here: &str, there: &str) -> Result<(), Failure> {
    let person = Client::sign_up(here, username).await?;
    for _ in 0..FAILURES {
        _ = person.log_in(username, "not the password").await;
    }
    for url in [there, here] {
        match person.at(url)?.log_in(username, "a fox jumps 7 times").await {
            Err(error) if error.to_string().contains("TOO_MANY_ATTEMPTS") => {}
            other => return Err(format!("{username} at {url}: {other:?}, although there were too many guesses").into()),
        }
    }
    Ok(())
}

/// What time a server says it is, by its answers' Date, or by a signed URL's end.
async fn clock_of(url: &str) -> Result<i64, Failure> {
    let answer = reqwest::Client::new().post(url).json(&json!({ "query": "{ __typename }" })).send().await?;
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok()).ok_or("no Date")?;
    Ok(chrono::DateTime::parse_from_rfc2822(date)?.timestamp())
}

fn now() -> i64 {
    snaphaven::clock::Clock::system().now().unix_seconds()
}
