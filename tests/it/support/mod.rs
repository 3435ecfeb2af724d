//! What tests stand on: an app over a database of its own, a clock to set, and clients that speak GraphQL to it.

mod accounts;
mod person;
pub mod process;
mod queue;
mod server;
mod socket;
mod stores;

pub use accounts::{Client, Cookie, PASSWORD, TestApp, problems};
pub use person::{FILE, Person, code};
pub use queue::MemoryQueue;
pub use server::{PATIENCE, TestServer};
pub use socket::{Heard, Socket};

/// How much of something a test does, where the environment says so.
#[expect(clippy::disallowed_methods, reason = "how much a test does is no setting of the server")]
pub fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Waits until `done` says so.
pub async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let start = std::time::Instant::now();
    while !done().await {
        assert!(start.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
