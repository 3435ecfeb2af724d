//! The ledger survives its database: all of it is written to both buckets on a schedule, as a manifest, and a server is rebuilt from
//! one manifest and one bucket, on any of the databases.

mod drill;
mod find;
mod format;
pub mod graphql;
mod load;
mod restore;
mod tables;
mod write;

use std::path::Path;

pub use drill::{MAX_SAMPLE, order as order_drill};
pub use find::{Brought, Found, bring, list};
pub use format::{Head, Verified, Written};
pub use load::load;
pub use restore::{Restored, bring_home};
pub use write::{write, write_to};

use crate::{config::Config, error::Fault, jobs::Registry, notary::PublicKey};

const CONTENT_TYPE: &str = "application/gzip";

/// Registers the module's jobs, and schedules the next manifest.
pub fn register(registry: &mut Registry, config: &Config) -> Result<(), serde_json::Error> {
    registry.register::<drill::Work>();
    let every = config.manifest.interval;
    if every.is_zero() {
        registry.register::<write::Write>();
        return Ok(());
    }
    // Looked at more often than it is done: a server that is started anew every hour has its manifest too.
    registry.schedule((every / 4).max(write::LOOK), &write::Write {})
}

/// Why there is no manifest, or nothing can be rebuilt from it.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("the manifest cannot be read: {0}")]
    Unreadable(String),
    #[error("the manifest is damaged: {0}")]
    Damaged(String),
    #[error("the manifest is of a newer release: {0}")]
    Newer(String),
    #[error("bucket {0} has no manifest")]
    None(String),
    #[error("the database has people or objects already; only an empty one is filled")]
    NotEmpty,
    #[error("the database is of a newer release than the manifest, which goes up to {0}; give an empty one")]
    NewerDatabase(String),
    #[error(transparent)]
    Fault(#[from] Fault),
}

crate::module_error!(ManifestError);

/// Reads all of a manifest's file, and holds it to its hash and, where its key is among these, to its signature.
pub async fn verify(path: &Path, keys: Vec<PublicKey>) -> Result<Verified, ManifestError> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || format::verify(&path, &keys)).await.map_err(Fault::internal)?
}
