//! What holds a database against itself, for tests and trials alike.

pub mod chain;
pub mod holds;
pub mod usage;
