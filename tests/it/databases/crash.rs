//! A short crash trial; `make trials SUITE=crash` runs the long one.

use crate::servers::TestDatabase;

#[path = "../../trials/crash/mod.rs"]
mod trial;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_every_kill_and_nothing_else_stays() {
    let folder = tempfile::tempdir().unwrap();
    let say = |line: &str| println!("{line}");
    let database = TestDatabase::empty().await;
    let options = trial::Options { seed: 1, rounds: 6, database: &database.url, folder: folder.path(), say: &say };
    trial::run(options).await.unwrap_or_else(|error| panic!("{error}"));
}
