//! The integration suite: one binary, the real server on free ports.

mod config;
mod http;
