//! The embedded S3 server, spoken to as its clients do.

mod support;

pub use support::{FIRST, REGION, SECOND, TestS3};
