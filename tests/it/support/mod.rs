//! What tests stand on: an app over a database of its own, a clock to set, and clients that speak GraphQL to it.

mod accounts;
mod person;
pub mod process;
mod server;
mod stores;

pub use accounts::{Client, Cookie, PASSWORD, TestApp, problems};
pub use person::{FILE, Person, code};
pub use server::TestServer;
