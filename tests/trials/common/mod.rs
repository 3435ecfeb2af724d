//! What the trials share: server processes, and the judge of the stores.

pub mod audit;
pub mod process;

use std::error::Error;

pub type Failure = Box<dyn Error + Send + Sync>;
