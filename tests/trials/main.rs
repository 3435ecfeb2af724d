//! Long fault and race trials over real processes: `make trials SUITE=crash SEED=1 ROUNDS=50`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a trial that cannot go on has failed")]

mod common;
mod crash;
#[path = "../judges/mod.rs"]
mod judges;
mod lag;
#[expect(dead_code, reason = "the integration suite uses all of it")]
mod proxy;
mod races;
#[expect(dead_code, reason = "the integration suite uses all of it")]
#[path = "../servers/mod.rs"]
mod servers;
mod uploads;
mod watch;
mod weather;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use self::servers::TestDatabase;

#[derive(Clone, Copy, ValueEnum)]
enum Suite {
    /// SIGKILL of the server at seeded random moments.
    Crash,
    /// Stores, database, disk and clock misbehave.
    Weather,
    /// Two processes on one database, asked at once.
    Races,
    /// The uploader killed in the middle of a large file.
    Uploads,
    /// The watchdog killed or stopped in the middle of a sweep, of a repair or of copying.
    Watch,
    /// What is told of copies that are late, against what is known of them; a round is a second.
    Lag,
}

/// Long fault and race trials, seeded: the same seed gives the same work and the same moments, as far as the machine's
/// own timing allows.
#[derive(Parser)]
struct Args {
    #[arg(value_enum)]
    suite: Suite,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 50)]
    rounds: u32,
    /// Of the promises of the weather, or of the races, these alone
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Of the uploaded file
    #[arg(long, default_value_t = 2048)]
    mib: u64,
    /// Keep data and logs, also of a trial without violations
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let folder = tempfile::Builder::new().prefix("snaphaven-trial-").tempdir().unwrap().keep();
    let (suite, kind) = (args.suite.to_possible_value().unwrap(), *servers::KIND);
    let suite = suite.get_name();
    println!("{suite} trial on {kind:?}, seed {}, {} rounds, in {}", args.seed, args.rounds, folder.display());
    let began = Instant::now();
    let mut terminated = signal(SignalKind::terminate()).unwrap();
    let say = |line: &str| println!("{:>6.1} s  {line}", began.elapsed().as_secs_f64());
    let (seed, rounds) = (args.seed, args.rounds);
    let trial = async {
        match args.suite {
            Suite::Crash => {
                let database = TestDatabase::empty().await;
                let (database, folder) = (&database.url, &folder);
                crash::run(crash::Options { seed, rounds, database, folder, say: &say }).await
            }
            Suite::Weather => {
                let options = weather::Options { seed, rounds, short: false, folder: &folder, say: &say };
                let wanted: Vec<_> =
                    args.only.iter().map(|name| weather::Promise::from_str(name, false)).collect::<Result<_, _>>()?;
                for promise in weather::Promise::value_variants() {
                    if wanted.is_empty() || wanted.contains(promise) {
                        weather::run(*promise, options).await?;
                    }
                }
                Ok(())
            }
            Suite::Races => {
                let database = TestDatabase::empty().await;
                let options = races::Options {
                    seed,
                    rounds,
                    database: &database.url,
                    folder: &folder,
                    only: &args.only,
                    say: &say,
                };
                races::run(options).await
            }
            Suite::Watch => {
                let database = TestDatabase::empty().await;
                let (database, folder) = (&database.url, &folder);
                // The trials' `jobs.lease`, and what a busy machine may need beyond it to look and to begin.
                let (objects, within) = (25_000, Duration::from_secs(2 + 1));
                watch::run(watch::Options { seed, rounds, objects, within, database, folder, say: &say }).await
            }
            Suite::Lag => {
                let (database, other) = (TestDatabase::empty().await, TestDatabase::empty().await);
                let (database, other, folder) = (&database.url, &other.url, &folder);
                lag::run(lag::Options { seed, rounds, database, other, folder, say: &say }).await
            }
            Suite::Uploads => {
                let database = TestDatabase::empty().await;
                let (bytes, database, folder) = (args.mib << 20, &database.url, &folder);
                uploads::run(uploads::Options { seed, rounds, bytes, growth: 32_000_000, database, folder, say: &say })
                    .await
            }
        }
    };
    // Dropping the trial kills its processes.
    let outcome = tokio::select! {
        outcome = trial => outcome,
        _ = terminated.recv() => Err("ended by SIGTERM".into()),
        _ = tokio::signal::ctrl_c() => Err("ended by Ctrl-C".into()),
    };
    match outcome {
        Ok(()) => {
            if !args.keep {
                std::fs::remove_dir_all(&folder).unwrap();
            }
            println!("no violation in {:.0} s", began.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("violations:\n{error}\n\ndata and logs: {}", folder.display());
            eprintln!(
                "repeat with: make trials SUITE={suite} DATABASE={} SEED={} ROUNDS={}",
                kind.name(),
                args.seed,
                args.rounds
            );
            ExitCode::FAILURE
        }
    }
}
