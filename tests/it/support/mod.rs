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

/// Waits until `done` says so.
pub async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let start = std::time::Instant::now();
    while !done().await {
        assert!(start.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
