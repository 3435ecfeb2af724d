//! What tests stand on: an app over a database of its own, a clock to set, and clients that speak GraphQL to it.

mod accounts;
pub mod process;
mod stores;

pub use accounts::{Client, Cookie, PASSWORD, TestApp, problems};
