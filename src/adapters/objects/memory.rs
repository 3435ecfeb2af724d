//! The object store in memory, for tests. It can keep versions, fail on demand, and hold unfinished uploads.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use aws_lc_rs::digest;
use bytes::Bytes;
use futures::{StreamExt, stream};
use uuid::Uuid;

use super::{Body, Listed, Object, ObjectMeta, ObjectStore, Presence, PutObject, StoreError, StoreErrorKind, Stored};

/// One bucket in memory.
#[derive(Debug)]
pub struct MemoryStore {
    bucket: String,
    region: String,
    versioned: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first; without versioning at most one each.
    keys: BTreeMap<String, Vec<Version>>,
    uploads: BTreeMap<String, usize>,
    failure: Option<StoreErrorKind>,
}

#[derive(Debug, Clone)]
struct Version {
    meta: ObjectMeta,
    /// `None`: a delete marker.
    bytes: Option<Bytes>,
}

impl MemoryStore {
    #[must_use]
    pub fn new(bucket: &str, region: &str) -> Self {
        Self { bucket: bucket.to_owned(), region: region.to_owned(), versioned: false, state: Mutex::default() }
    }

    /// A bucket that keeps every version of a key.
    #[must_use]
    pub fn versioned(bucket: &str, region: &str) -> Self {
        Self { versioned: true, ..Self::new(bucket, region) }
    }

    /// Makes every call fail in this way, until it is set to `None`.
    pub fn set_failure(&self, failure: Option<StoreErrorKind>) {
        self.state().failure = failure;
    }

    /// As a client that began a multipart upload and went away.
    pub fn begin_upload(&self, key: &str) {
        *self.state().uploads.entry(key.to_owned()).or_default() += 1;
    }

    /// As a plain DeleteObject: with versions it only adds a marker.
    pub fn delete_latest(&self, key: &str) {
        let mut state = self.state();
        if self.versioned {
            let meta = meta(0, None);
            state.keys.entry(key.to_owned()).or_default().push(Version { meta, bytes: None });
        } else {
            state.keys.remove(key);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, kind: StoreErrorKind, operation: &'static str, key: &str, message: &str) -> StoreError {
        let bucket = self.bucket.clone();
        StoreError { kind, operation, bucket, key: key.to_owned(), message: message.to_owned() }
    }

    /// The state, unless calls are to fail.
    fn enter(&self, operation: &'static str, key: &str) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state();
        match state.failure {
            Some(kind) => Err(self.error(kind, operation, key, "as the test asked")),
            None => Ok(state),
        }
    }
}

fn meta(bytes: u64, content_type: Option<String>) -> ObjectMeta {
    ObjectMeta { bytes, etag: String::new(), version_id: None, content_type, sha256: None }
}

impl State {
    fn latest(&self, key: &str) -> Option<(&ObjectMeta, &Bytes)> {
        let version = self.keys.get(key)?.last()?;
        Some((&version.meta, version.bytes.as_ref()?))
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    fn bucket(&self) -> &str {
        &self.bucket
    }

    fn region(&self) -> &str {
        &self.region
    }

    async fn put(&self, put: PutObject, _timeout: Duration) -> Result<Stored, StoreError> {
        let bytes = match &put.body {
            Body::Memory(bytes) => bytes.clone(),
            Body::File(path) => tokio::fs::read(path)
                .await
                .map(Bytes::from)
                .map_err(|error| self.error(StoreErrorKind::Refused, "PutObject", &put.key, &error.to_string()))?,
        };
        let hash = digest::digest(&digest::SHA256, &bytes);
        if bytes.len() as u64 != put.bytes || hash.as_ref() != put.sha256 {
            return Err(self.error(StoreErrorKind::BadDigest, "PutObject", &put.key, "not the announced bytes"));
        }
        let etag = format!("\"{}\"", hex::encode(&hash.as_ref()[..16]));
        let version_id = self.versioned.then(|| Uuid::now_v7().simple().to_string());
        let stored = Stored { etag: etag.clone(), version_id: version_id.clone() };
        let meta = ObjectMeta { etag, version_id, sha256: Some(put.sha256), ..meta(put.bytes, Some(put.content_type)) };
        let mut state = self.enter("PutObject", &put.key)?;
        let versions = state.keys.entry(put.key).or_default();
        if !self.versioned {
            versions.clear();
        }
        versions.push(Version { meta, bytes: Some(bytes) });
        Ok(stored)
    }

    async fn get(&self, key: &str, range: Option<RangeInclusive<u64>>) -> Result<Option<Object>, StoreError> {
        let state = self.enter("GetObject", key)?;
        let Some((meta, bytes)) = state.latest(key) else { return Ok(None) };
        let (meta, mut bytes) = (meta.clone(), bytes.clone());
        drop(state);
        let range = match range {
            None => None,
            Some(range) if *range.start() >= meta.bytes || range.is_empty() => {
                return Err(self.error(
                    StoreErrorKind::InvalidRange,
                    "GetObject",
                    key,
                    "the range starts past the end",
                ));
            }
            Some(range) => {
                let range = *range.start()..=(*range.end()).min(meta.bytes - 1);
                let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                bytes = bytes.slice(index(*range.start())..=index(*range.end()));
                Some(range)
            }
        };
        let body = if bytes.is_empty() { stream::empty().boxed() } else { stream::iter([Ok(bytes)]).boxed() };
        Ok(Some(Object { meta, range, body }))
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError> {
        Ok(self.enter("HeadObject", key)?.latest(key).map(|(meta, _)| meta.clone()))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let mut state = self.enter("DeleteObject", key)?;
        state.keys.remove(key);
        state.uploads.remove(key);
        Ok(())
    }

    async fn look(&self, key: &str) -> Result<Presence, StoreError> {
        let state = self.enter("ListObjectVersions", key)?;
        let all = state.keys.get(key).map(Vec::as_slice).unwrap_or_default();
        let markers = all.iter().filter(|version| version.bytes.is_none()).count();
        let versions = all.len() - markers;
        let uploads = state.uploads.get(key).copied().unwrap_or_default();
        if versions + markers + uploads == 0 {
            Ok(Presence::Gone)
        } else {
            Ok(Presence::Present { versions, markers, uploads })
        }
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: u16) -> Result<Vec<Listed>, StoreError> {
        let state = self.enter("ListObjectsV2", prefix)?;
        let listed = state
            .keys
            .keys()
            .filter(|key| key.starts_with(prefix) && start_after.is_none_or(|after| key.as_str() > after))
            .filter_map(|key| {
                let (meta, _) = state.latest(key)?;
                Some(Listed { key: key.clone(), bytes: meta.bytes, etag: meta.etag.clone() })
            })
            .take(usize::from(limit.min(1000)))
            .collect();
        Ok(listed)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.enter("HeadBucket", "").map(|_| ())
    }
}
