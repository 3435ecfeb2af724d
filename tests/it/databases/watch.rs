//! A short trial of the watchdog's processes: one killed in a sweep, one in a repair, one while it copies; `make trials SUITE=watch` runs
//! the long one, over more objects than lie between two checkpoints, and holds it to the lease's time.

use crate::servers::TestDatabase;

#[path = "../../trials/watch/mod.rs"]
mod trial;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_had_begun_another_ends() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::empty().await;
    let options = trial::Options {
        seed: 1,
        rounds: 3,
        objects: 2_000,
        within: trial::LIMIT,
        database: &database.url,
        folder: folder.path(),
        say: &|line| println!("{line}"),
    };
    trial::run(options).await.unwrap_or_else(|error| panic!("{error}"));
}
