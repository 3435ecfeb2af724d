//! A short weather trial, each promise once; `make trials SUITE=weather` runs the long one, every promise on any database. Here
//! what the database has no part in is held on one of them.

use crate::servers::{KIND, Kind};

#[path = "../../trials/weather/mod.rs"]
mod trial;

use trial::Promise;

/// Where a promise is held: what is about the database on each, the disk where the database is on it too.
fn is_held_here(promise: Promise) -> bool {
    match promise {
        Promise::Database | Promise::Commit | Promise::Clock => true,
        Promise::Disk => *KIND == Kind::Sqlite,
        Promise::Stores | Promise::Terminate | Promise::Writer | Promise::Alerts | Promise::Failover => {
            *KIND == Kind::Postgres
        }
    }
}

async fn kept(promise: Promise) {
    if !is_held_here(promise) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let say = |line: &str| println!("{line}");
    let options = trial::Options { seed: 1, rounds: 1, short: true, folder: folder.path(), say: &say };
    trial::run(promise, options).await.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_fail_lose_nothing_and_hold_up_no_query() {
    kept(Promise::Stores).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_away_is_said_within_five_seconds_and_its_return_is_noticed() {
    kept(Promise::Database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_to_commit_doubles_nothing() {
    kept(Promise::Commit).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_cleanly_and_recovers_with_room() {
    kept(Promise::Disk).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_lets_requests_finish_and_keeps_its_deadline() {
    kept(Promise::Terminate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_write_brings_nothing_back() {
    kept(Promise::Writer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_outlast_an_absent_topic() {
    kept(Promise::Alerts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_databases_time_decides_beside_a_wrong_clock() {
    kept(Promise::Clock).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_primary_stops_no_read_and_its_return_leaves_nothing_behind() {
    kept(Promise::Failover).await;
}
