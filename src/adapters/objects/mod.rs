//! Object storage as the rest of the server sees it: one trait, its S3 implementation, and one in memory for tests.

pub mod breaker;
mod facts;
pub mod keys;
pub mod memory;
pub mod s3;

use std::{fmt, ops::RangeInclusive, path::PathBuf, time::Duration};

use async_trait::async_trait;
use aws_lc_rs::digest;
use bytes::Bytes;
use futures::stream::BoxStream;

pub use self::facts::{CorsRule, Facts, ReplicationRule, Told};

/// SHA-256 of an object's bytes.
pub type Sha256 = [u8; 32];

/// What a SHA-256 comes to.
#[must_use]
pub fn finish_sha256(context: digest::Context) -> Sha256 {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    sha256
}

#[must_use]
pub fn sha256(bytes: &[u8]) -> Sha256 {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(bytes);
    finish_sha256(context)
}

/// One bucket in one region.
///
/// Every call ends within the time it is given or the implementation's own limit; errors say whether a retry can help.
#[async_trait]
pub trait ObjectStore: Send + Sync + fmt::Debug {
    fn bucket(&self) -> &str;

    fn region(&self) -> &str;

    /// Whether it is known not to answer, so that it is asked last.
    fn is_away(&self) -> bool {
        false
    }

    /// Writes one object. The store checks length and SHA-256 and refuses a difference with [`StoreErrorKind::BadDigest`];
    /// nothing of a refused write becomes visible. Ends, retries included, within `timeout`.
    async fn put(&self, put: PutObject, timeout: Duration) -> Result<Stored, StoreError>;

    /// Reads one object or an inclusive byte range of it. `None`: no such key. A range that starts past the end is
    /// [`StoreErrorKind::InvalidRange`].
    async fn get(&self, key: &str, range: Option<RangeInclusive<u64>>) -> Result<Option<Object>, StoreError>;

    /// What a HEAD shows, checksum included. `None`: no such key (which proves little, see [`ObjectStore::look`]).
    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError>;

    /// Deletes every version and marker of exactly this key and aborts its unfinished multipart uploads. Idempotent.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Whether anything of exactly this key is left: versions, markers (ListObjectVersions) or unfinished uploads
    /// (ListMultipartUploads). A refusal (403) is an error, never [`Presence::Gone`].
    async fn look(&self, key: &str) -> Result<Presence, StoreError>;

    /// Up to `limit` (≤ 1,000) keys under `prefix` after `start_after`, in byte order.
    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: u16) -> Result<Vec<Listed>, StoreError>;

    /// Up to `limit` (≤ 1,000) keys after `start_after`, in byte order, with those of which only old versions or markers are
    /// left. Stores without versions have what [`ObjectStore::list`] shows.
    async fn survey(&self, start_after: Option<&str>, limit: u16) -> Result<Vec<Surveyed>, StoreError> {
        let listed = self.list("", start_after, limit).await?;
        Ok(listed.into_iter().map(Surveyed::from).collect())
    }

    /// Whether the bucket answers (HeadBucket).
    async fn check(&self) -> Result<(), StoreError>;

    /// What the bucket says of its own settings.
    async fn facts(&self) -> Facts {
        Facts { region: Ok(None), clock: None, versioned: Ok(None), cors: Ok(None), replication: Ok(None) }
    }

    /// Begins a multipart upload of `key`, whose parts carry their SHA-256, and returns its id.
    async fn create_upload(&self, key: &str, content_type: Option<&str>) -> Result<String, StoreError>;

    /// Sends a part, which the store holds to its length and SHA-256. Ends within `timeout`.
    async fn put_part(
        &self,
        key: &str,
        upload: &str,
        part: &NewPart,
        bytes: Bytes,
        timeout: Duration,
    ) -> Result<Part, StoreError>;

    /// Aborts every unfinished upload of exactly this key.
    async fn abort_uploads(&self, key: &str) -> Result<(), StoreError>;

    /// A URL with which anyone may send exactly this part for `life`: its length and SHA-256 are signed. Calls nobody.
    async fn sign_part(
        &self,
        key: &str,
        upload: &str,
        part: &NewPart,
        life: Duration,
    ) -> Result<SignedPart, StoreError>;

    /// The parts that arrived, those after number `after`, in order, at most `limit` (≤ 1,000) of them. `None`: no such
    /// upload, it was completed or aborted.
    async fn parts(&self, key: &str, upload: &str, after: u32, limit: u16) -> Result<Option<Vec<Part>>, StoreError>;

    /// Joins the parts, all of them and in order. `None`: no such upload.
    async fn complete_upload(&self, key: &str, upload: &str, parts: &[Part]) -> Result<Option<Stored>, StoreError>;

    /// Copies an object within the bucket, with nothing of its metadata but what is given here. Ends within `timeout`.
    async fn copy(&self, copy: CopyObject, timeout: Duration) -> Result<Stored, StoreError>;
}

/// Bytes of each part of an object of `bytes` bytes, but the last: small enough to be sent again after a broken
/// connection, large enough that requests do not matter, and no more parts than S3 takes (10,000; S3 user guide,
/// "Multipart upload limits"). Whole MiB.
#[must_use]
pub fn part_size(bytes: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    (16 * MIB).max(bytes.div_ceil(10_000).div_ceil(MIB) * MIB)
}

/// A part that a client wants to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewPart {
    /// From 1.
    pub number: u32,
    pub bytes: u64,
    pub sha256: Sha256,
}

/// Where and how a client sends a part, by PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPart {
    pub url: String,
    /// Signed too: the request must carry them as they are.
    pub headers: Vec<(String, String)>,
}

/// A part that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub number: u32,
    pub bytes: u64,
    pub etag: String,
    pub sha256: Option<Sha256>,
}

/// What to copy, of `bytes` bytes.
#[derive(Debug, Clone)]
pub struct CopyObject {
    pub from: String,
    pub to: String,
    pub bytes: u64,
    pub content_type: String,
}

/// What to write. `bytes` and `sha256` are what the ledger says, and the store holds the body to them.
#[derive(Debug, Clone)]
pub struct PutObject {
    pub key: String,
    pub body: Body,
    pub bytes: u64,
    pub sha256: Sha256,
    pub content_type: String,
    pub condition: Condition,
}

/// What has to be under the key for a write to take place; else it is [`StoreErrorKind::Precondition`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    #[default]
    None,
    /// Nothing (`If-None-Match: *`).
    Absent,
    /// What has this ETag (`If-Match`).
    Is(String),
}

/// A body that can be sent again on a retry.
#[derive(Debug, Clone)]
pub enum Body {
    Memory(Bytes),
    File(PathBuf),
}

/// What the store said of a finished write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub etag: String,
    pub version_id: Option<String>,
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Length of the whole object, also when a range was asked for.
    pub bytes: u64,
    pub etag: String,
    pub version_id: Option<String>,
    pub content_type: Option<String>,
    /// The store's own full-object SHA-256 (`x-amz-checksum-sha256`, type FULL_OBJECT), where it keeps one.
    pub sha256: Option<Sha256>,
    /// Its CRC-64/NVME over the whole object, as the store writes it (base64), where it keeps one.
    pub crc64nvme: Option<String>,
    /// Under a KMS key or the customer's own: then the ETag is no digest of the bytes (S3 API reference, "Object").
    pub sealed: bool,
    /// What the store says of its own replication (`x-amz-replication-status`).
    pub claim: Option<Claim>,
}

/// S3's own word on the replication of an object: a flag, not a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    Pending,
    Completed,
    Failed,
    /// It is itself a replica.
    Replica,
}

/// An object being read. The stream ends with an error when the store sends fewer bytes than it announced.
pub struct Object {
    pub meta: ObjectMeta,
    /// Inclusive, as sent by the store; `None` for the whole object.
    pub range: Option<RangeInclusive<u64>>,
    pub body: BoxStream<'static, Result<Bytes, StoreError>>,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub bytes: u64,
    pub etag: String,
}

/// One key of a survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surveyed {
    pub key: String,
    /// What a GET answers with; `None` where a marker hides what is left.
    pub current: Option<(u64, String)>,
}

impl From<Listed> for Surveyed {
    fn from(listed: Listed) -> Self {
        Self { key: listed.key, current: Some((listed.bytes, listed.etag)) }
    }
}

/// What [`ObjectStore::look`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Gone,
    Present { versions: usize, markers: usize, uploads: usize },
}

/// A failed call, with what it tried. The display text is for logs, not for clients.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {key:?} in bucket {bucket}: {kind}: {message}")]
pub struct StoreError {
    pub kind: StoreErrorKind,
    pub operation: &'static str,
    pub bucket: String,
    pub key: String,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreErrorKind {
    /// Connection, timeout, 5xx, throttling: a retry can help. The outcome of a write is unknown.
    #[error("unavailable")]
    Unavailable,
    #[error("access denied")]
    Denied,
    #[error("no such bucket")]
    NoSuchBucket,
    /// The bytes do not match their announced length or digest.
    #[error("bad digest")]
    BadDigest,
    #[error("invalid range")]
    InvalidRange,
    /// Another object is under the key than the write was meant for.
    #[error("precondition failed")]
    Precondition,
    /// Any other refusal of the request itself: a retry does not help.
    #[error("refused")]
    Refused,
}

impl StoreError {
    /// Whether the store gave a definite answer: a refused write left nothing behind.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        self.kind != StoreErrorKind::Unavailable
    }
}
