//! The notary: signs how far the audit log's chain goes, keeps what it signed in both buckets, and checks it all.
//!
//! A chain alone can be written anew by whoever can write to the database. What was signed cannot, without the key.

mod buckets;
mod checkpoint;
mod export;
mod key;
mod verify;
mod walk;

pub use export::{Exported, Span, export};
pub use key::{NotaryKeyError, PublicKey, SigningKey, known_keys, load_or_create as signing_key};
pub use verify::{Report, verify};

use crate::{config::Config, error::Fault, jobs::Registry};

/// Registers and schedules the module's jobs.
///
/// # Errors
/// The configured key cannot be used: better now than at the first checkpoint.
pub fn register(registry: &mut Registry, config: &Config) -> Result<(), Fault> {
    if !config.audit.signing_key_file.is_empty() {
        key::load_or_create(config).map_err(Fault::internal)?;
    }
    registry.schedule(config.audit.checkpoint_interval, &checkpoint::Sign {}).map_err(Fault::internal)
}
