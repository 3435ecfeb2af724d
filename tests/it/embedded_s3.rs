//! The embedded S3 server, spoken to as its clients do.

mod clients;
mod crashes;
mod guard;
mod listings;
mod multipart;
mod objects;
mod support;

pub use support::{FIRST, REGION, TestS3, noise};
