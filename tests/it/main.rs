//! The integration suite: one binary, the real server on free ports.
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod adapters;
mod embedded_s3;
