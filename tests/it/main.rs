//! The integration suite: one binary, the real server on free ports.

mod accounts;
mod support;
