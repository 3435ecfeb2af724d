//! Small objects in memory, bounded by weight and checked against the ledger again and again.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use entity::Timestamp;
use moka::sync::Cache;

use super::CatalogEntry;
use crate::adapters::cdn::{CachePurger, PurgeError};

/// How long an object may be served without asking the ledger.
const FRESH: Duration = Duration::from_secs(5);
/// What an entry takes beside its bytes and its key, roughly.
const OVERHEAD: usize = 256;

/// The edge's memory. Clones share it.
#[derive(Clone)]
pub struct EdgeCache {
    objects: Cache<Arc<str>, Arc<Cached>>,
    max_object: u64,
}

/// Whole, verified bytes and what the ledger said of them.
pub(super) struct Cached {
    pub entry: CatalogEntry,
    pub bytes: Bytes,
    checked_at: AtomicI64,
}

impl Cached {
    /// `checked_at`: a time before the ledger was asked.
    pub fn new(entry: CatalogEntry, bytes: Bytes, checked_at: Timestamp) -> Self {
        Self { entry, bytes, checked_at: AtomicI64::new(checked_at.0) }
    }

    /// Whether the ledger was asked within the last five seconds; a clock that went back does not count.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        let checked_at = Timestamp(self.checked_at.load(Ordering::Relaxed));
        now >= checked_at && now.since(checked_at) < FRESH
    }

    /// Records that the ledger was asked, at or after `now`.
    pub fn checked(&self, now: Timestamp) {
        self.checked_at.store(now.0, Ordering::Relaxed);
    }
}

impl EdgeCache {
    /// Keeps at most `capacity` bytes, and objects of at most `max_object` bytes.
    #[must_use]
    pub fn new(capacity: u64, max_object: u64) -> Self {
        let objects = Cache::builder()
            .max_capacity(capacity)
            .weigher(|key: &Arc<str>, cached: &Arc<Cached>| {
                u32::try_from(cached.bytes.len() + key.len() + OVERHEAD).unwrap_or(u32::MAX)
            })
            .build();
        Self { objects, max_object }
    }

    /// The largest object that is read into memory, in bytes.
    pub(super) fn max_object(&self) -> u64 {
        self.max_object
    }

    pub(super) fn get(&self, key: &str) -> Option<Arc<Cached>> {
        self.objects.get(key)
    }

    pub(super) fn insert(&self, key: &str, cached: Cached) {
        self.objects.insert(key.into(), Arc::new(cached));
    }

    pub(super) fn forget(&self, key: &str) {
        self.objects.invalidate(key);
    }
}

impl fmt::Debug for EdgeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeCache").field("objects", &self.objects.entry_count()).finish_non_exhaustive()
    }
}

#[async_trait]
impl CachePurger for EdgeCache {
    async fn purge(&self, paths: &[String], _reference: &str) -> Result<(), PurgeError> {
        paths.iter().for_each(|key| self.forget(key));
        Ok(())
    }
}
