//! The object store in memory, for tests. It can keep versions, fail on demand, be slow to join parts, and hold unfinished
//! uploads.

use std::{
    collections::BTreeMap,
    ops::{Bound, RangeInclusive},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{
    Body, Condition, CopyObject, Listed, NewPart, Object, ObjectMeta, ObjectStore, Part, Presence, PutObject,
    SignedPart, StoreError, StoreErrorKind, Stored, Surveyed, sha256,
};

/// One bucket in memory.
#[derive(Debug)]
pub struct MemoryStore {
    bucket: String,
    region: String,
    versioned: bool,
    state: Mutex<State>,
    /// A join takes a turn.
    joins: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first; without versioning at most one each.
    keys: BTreeMap<String, Vec<Version>>,
    /// By key and id.
    uploads: BTreeMap<(String, String), BTreeMap<u32, (Part, Bytes)>>,
    failure: Option<StoreErrorKind>,
    cut: Option<String>,
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
        let (bucket, region) = (bucket.to_owned(), region.to_owned());
        Self {
            bucket,
            region,
            versioned: false,
            state: Mutex::default(),
            joins: Semaphore::new(Semaphore::MAX_PERMITS),
        }
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

    /// Lets joins of parts begin and not end, until [`MemoryStore::release_joins`].
    pub fn hold_joins(&self) {
        self.joins.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub fn release_joins(&self) {
        self.joins.add_permits(Semaphore::MAX_PERMITS);
    }

    /// As a client that began a multipart upload and went away.
    pub fn begin_upload(&self, key: &str) {
        self.state().uploads.insert((key.to_owned(), Uuid::now_v7().simple().to_string()), BTreeMap::new());
    }

    /// As a client that sends a part to the URL that was signed for it. `false`: no such upload.
    pub fn send(&self, url: &str, bytes: impl Into<Bytes>) -> bool {
        let mut words = url.split(' ');
        let (Some(key), Some(upload), Some(number)) = (words.next(), words.next(), words.next()) else { return false };
        let (Ok(number), bytes) = (number.parse(), bytes.into()) else { return false };
        let sha256 = sha256(&bytes);
        let part = Part { number, bytes: bytes.len() as u64, etag: etag(&sha256), sha256: Some(sha256) };
        let mut state = self.state();
        let Some(parts) = state.uploads.get_mut(&(key.to_owned(), upload.to_owned())) else { return false };
        parts.insert(number, (part, bytes));
        true
    }

    /// As a disk that flips a bit: the same length, and every word about it as before.
    pub fn rot(&self, key: &str) {
        if let Some(bytes) = self.state().keys.get_mut(key).and_then(|versions| versions.last_mut()?.bytes.as_mut()) {
            let mut rotten = bytes.to_vec();
            if let Some(byte) = rotten.last_mut() {
                *byte ^= 1;
            }
            *bytes = rotten.into();
        }
    }

    /// What a listing leaves out from now on, though a HEAD finds it: keys behind this one, all where it is empty.
    pub fn cut_listings(&self, behind: Option<&str>) {
        self.state().cut = behind.map(str::to_owned);
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

    fn keep(&self, state: &mut State, key: String, bytes: Bytes, content_type: Option<String>) -> Stored {
        let sha256 = sha256(&bytes);
        let version_id = self.versioned.then(|| Uuid::now_v7().simple().to_string());
        let stored = Stored { etag: etag(&sha256), version_id: version_id.clone() };
        let etag = stored.etag.clone();
        let meta = ObjectMeta { etag, version_id, sha256: Some(sha256), ..meta(bytes.len() as u64, content_type) };
        let versions = state.keys.entry(key).or_default();
        if !self.versioned {
            versions.clear();
        }
        versions.push(Version { meta, bytes: Some(bytes) });
        stored
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

fn etag(sha256: &super::Sha256) -> String {
    format!("\"{}\"", hex::encode(&sha256[..16]))
}

fn meta(bytes: u64, content_type: Option<String>) -> ObjectMeta {
    ObjectMeta {
        bytes,
        etag: String::new(),
        version_id: None,
        content_type,
        sha256: None,
        crc64nvme: None,
        sealed: false,
        claim: None,
    }
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
        if bytes.len() as u64 != put.bytes || sha256(&bytes) != put.sha256 {
            return Err(self.error(StoreErrorKind::BadDigest, "PutObject", &put.key, "not the announced bytes"));
        }
        let mut state = self.enter("PutObject", &put.key)?;
        let there = state.latest(&put.key).map(|(meta, _)| meta.etag.clone());
        let holds = match &put.condition {
            Condition::None => true,
            Condition::Absent => there.is_none(),
            Condition::Is(etag) => there.as_ref() == Some(etag),
        };
        if !holds {
            return Err(self.error(StoreErrorKind::Precondition, "PutObject", &put.key, "something else is there"));
        }
        Ok(self.keep(&mut state, put.key, bytes, Some(put.content_type)))
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
        state.uploads.retain(|(of, _), _| of != key);
        Ok(())
    }

    async fn look(&self, key: &str) -> Result<Presence, StoreError> {
        let state = self.enter("ListObjectVersions", key)?;
        let all = state.keys.get(key).map(Vec::as_slice).unwrap_or_default();
        let markers = all.iter().filter(|version| version.bytes.is_none()).count();
        let versions = all.len() - markers;
        let uploads = state.uploads.keys().filter(|(of, _)| of == key).count();
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

    async fn survey(&self, start_after: Option<&str>, limit: u16) -> Result<Vec<Surveyed>, StoreError> {
        let state = self.enter("ListObjectVersions", "")?;
        let keys = (Bound::Excluded(start_after.unwrap_or_default()), Bound::Unbounded);
        let keys = state.keys.range::<str, _>(keys);
        let cut = state.cut.as_deref();
        let keys = keys.filter(|(key, _)| cut.is_none_or(|behind| key.as_str() <= behind));
        let surveyed = keys.filter(|(_, versions)| !versions.is_empty()).map(|(key, _)| Surveyed {
            key: key.clone(),
            current: state.latest(key).map(|(meta, _)| (meta.bytes, meta.etag.clone())),
        });
        Ok(surveyed.take(usize::from(limit.min(1000))).collect())
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.enter("HeadBucket", "").map(|_| ())
    }

    async fn create_upload(&self, key: &str, _: Option<&str>) -> Result<String, StoreError> {
        let id = Uuid::now_v7().simple().to_string();
        self.enter("CreateMultipartUpload", key)?.uploads.insert((key.to_owned(), id.clone()), BTreeMap::new());
        Ok(id)
    }

    async fn put_part(
        &self,
        key: &str,
        upload: &str,
        part: &NewPart,
        bytes: Bytes,
        _: Duration,
    ) -> Result<Part, StoreError> {
        if sha256(&bytes) != part.sha256 || bytes.len() as u64 != part.bytes {
            return Err(self.error(StoreErrorKind::BadDigest, "UploadPart", key, "not the announced bytes"));
        }
        let mut state = self.enter("UploadPart", key)?;
        let Some(parts) = state.uploads.get_mut(&(key.to_owned(), upload.to_owned())) else {
            return Err(self.error(StoreErrorKind::Refused, "UploadPart", key, "no such upload"));
        };
        let arrived =
            Part { number: part.number, bytes: part.bytes, etag: etag(&part.sha256), sha256: Some(part.sha256) };
        parts.insert(part.number, (arrived.clone(), bytes));
        Ok(arrived)
    }

    async fn abort_uploads(&self, key: &str) -> Result<(), StoreError> {
        self.enter("AbortMultipartUpload", key)?.uploads.retain(|(of, _), _| of != key);
        Ok(())
    }

    /// For [`MemoryStore::send`]; no web client could follow it.
    async fn sign_part(&self, key: &str, upload: &str, part: &NewPart, _: Duration) -> Result<SignedPart, StoreError> {
        let headers = vec![("x-amz-checksum-sha256".to_owned(), STANDARD.encode(part.sha256))];
        Ok(SignedPart { url: format!("{key} {upload} {}", part.number), headers })
    }

    async fn parts(&self, key: &str, upload: &str, after: u32, limit: u16) -> Result<Option<Vec<Part>>, StoreError> {
        let state = self.enter("ListParts", key)?;
        let Some(parts) = state.uploads.get(&(key.to_owned(), upload.to_owned())) else { return Ok(None) };
        let later = parts.values().filter(|(part, _)| part.number > after).map(|(part, _)| part.clone());
        Ok(Some(later.take(usize::from(limit.min(1000))).collect()))
    }

    async fn complete_upload(&self, key: &str, upload: &str, parts: &[Part]) -> Result<Option<Stored>, StoreError> {
        let parts: Vec<Bytes> = {
            let mut state = self.enter("CompleteMultipartUpload", key)?;
            let id = (key.to_owned(), upload.to_owned());
            let Some(arrived) = state.uploads.get(&id) else { return Ok(None) };
            if !arrived.values().map(|(part, _)| part).eq(parts) {
                return Err(self.error(
                    StoreErrorKind::Refused,
                    "CompleteMultipartUpload",
                    key,
                    "not the parts it has",
                ));
            }
            state.uploads.remove(&id).into_iter().flatten().map(|(_, (_, bytes))| bytes).collect()
        };
        // No upload any more, and no object yet.
        let _turn = self.joins.acquire().await;
        Ok(Some(self.keep(&mut self.state(), key.to_owned(), parts.concat().into(), None)))
    }

    async fn copy(&self, copy: CopyObject, _timeout: Duration) -> Result<Stored, StoreError> {
        let mut state = self.enter("CopyObject", &copy.to)?;
        let Some((_, bytes)) = state.latest(&copy.from) else {
            return Err(self.error(StoreErrorKind::Refused, "CopyObject", &copy.from, "no such key"));
        };
        let bytes = bytes.clone();
        Ok(self.keep(&mut state, copy.to, bytes, Some(copy.content_type)))
    }
}
