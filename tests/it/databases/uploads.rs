//! A short upload trial; `make trials SUITE=uploads` runs the long one.

use crate::servers::TestDatabase;

#[path = "../../trials/uploads/mod.rs"]
mod trial;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_uploader_killed_at_random_parts_resumes_and_completes() {
    let folder = tempfile::tempdir().unwrap();
    let say = |line: &str| println!("{line}");
    let database = TestDatabase::empty().await;
    let (database, folder) = (&database.url, folder.path());
    // On a busy machine all parts may wait for one thread at once: the long trial holds the server to 32 MB.
    let options =
        trial::Options { seed: 1, rounds: 3, bytes: 112 << 20, growth: 64_000_000, database, folder, say: &say };
    trial::run(options).await.unwrap_or_else(|error| panic!("{error}"));
}
