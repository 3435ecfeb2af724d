//! What a bucket says of itself: read by `snaphaven doctor` alone, never in the way of a request.

use chrono::{DateTime, Utc};

use super::StoreError;

/// `None` where the store does not know of such a thing.
pub type Told<T> = Result<Option<T>, StoreError>;

/// Each was asked for on its own: a refusal of one says nothing of the others.
#[derive(Debug)]
pub struct Facts {
    pub region: Told<String>,
    /// The store's clock, to the second.
    pub clock: Option<DateTime<Utc>>,
    /// Whether versions are kept.
    pub versioned: Told<bool>,
    pub cors: Told<Vec<CorsRule>>,
    pub replication: Told<Vec<ReplicationRule>>,
}

/// What pages of these origins may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsRule {
    pub origins: Vec<String>,
    pub methods: Vec<String>,
    pub headers: Vec<String>,
}

/// S3's own replication of what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationRule {
    pub is_enabled: bool,
    /// The other bucket's name.
    pub destination: String,
    /// Whether it is for every key: none of its filters excludes one.
    pub is_for_all: bool,
    pub copies_markers: bool,
}
