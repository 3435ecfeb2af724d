//! A few rounds of every race; `make trials SUITE=races` runs many.

use crate::servers::TestDatabase;

#[path = "../../trials/races/mod.rs"]
mod trial;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_excludes_each_other_one_takes_place() {
    let folder = tempfile::tempdir().unwrap();
    let say = |line: &str| println!("{line}");
    let database = TestDatabase::empty().await;
    let options =
        trial::Options { seed: 1, rounds: 1, database: &database.url, folder: folder.path(), only: &[], say: &say };
    trial::run(options).await.unwrap_or_else(|error| panic!("{error}"));
}
