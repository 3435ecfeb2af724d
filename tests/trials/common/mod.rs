//! What the trials share: server processes, clients that keep apart what they know, and the judges of stores and files.

pub mod audit;
pub mod client;
pub mod content;
pub mod leaving;
pub mod plant;
pub mod process;
pub mod rows;
pub mod snaps;
pub mod verdict;
pub mod work;

use std::error::Error;

pub type Failure = Box<dyn Error + Send + Sync>;
