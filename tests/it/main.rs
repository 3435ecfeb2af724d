//! The integration suite: one binary, the real server on free ports.

mod adapters;
mod embedded_s3;
