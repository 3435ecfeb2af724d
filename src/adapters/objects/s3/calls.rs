//! The parts of the S3 adapter below the trait: what errors mean, and the paged calls behind delete, look and list.

use std::{collections::BTreeMap, error::Error, ops::RangeInclusive};

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    operation::list_object_versions::ListObjectVersionsOutput,
    types::{ChecksumType, EncodingType, ReplicationStatus, ServerSideEncryption},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;

use super::{CALL_LIMIT, Failed, S3Store};
use crate::adapters::objects::{Claim, Listed, Sha256, StoreError, StoreErrorKind, Surveyed};

/// How often delete lists again before it gives up on a key that others keep writing.
const ROUNDS: usize = 100;

/// The HTTP status of an answer.
pub(super) trait Status {
    fn status(&self) -> u16;
}

impl Status for aws_sdk_s3::config::http::HttpResponse {
    fn status(&self) -> u16 {
        self.status().as_u16()
    }
}

/// An error with all its causes, which the SDK's own text leaves out.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// What a failed call means, and the HTTP status of its answer.
pub(super) fn classify<E, R>(error: &SdkError<E, R>) -> (StoreErrorKind, Option<u16>, String)
where
    E: ProvideErrorMetadata + Error + 'static,
    R: Status + std::fmt::Debug + 'static,
{
    let SdkError::ServiceError(answer) = error else {
        let kind = match error {
            SdkError::ConstructionFailure(_) => StoreErrorKind::Refused,
            _ => StoreErrorKind::Unavailable,
        };
        let status = error.raw_response().map(Status::status);
        return (kind, status, chain(error));
    };
    let status = answer.raw().status();
    let code = answer.err().code().unwrap_or_default();
    let kind = match (code, status) {
        ("NoSuchBucket", _) => StoreErrorKind::NoSuchBucket,
        (
            "BadDigest"
            | "InvalidDigest"
            | "IncompleteBody"
            | "XAmzContentSHA256Mismatch"
            | "XAmzContentChecksumMismatch",
            _,
        ) => StoreErrorKind::BadDigest,
        ("InvalidRange", _) | (_, 416) => StoreErrorKind::InvalidRange,
        ("PreconditionFailed" | "ConditionalRequestConflict", _) | (_, 412) => StoreErrorKind::Precondition,
        (
            "RequestTimeout"
            | "RequestTimeTooSkewed"
            | "SlowDown"
            | "ServiceUnavailable"
            | "InternalError"
            | "OperationAborted",
            _,
        )
        | (_, 408 | 409 | 429 | 500..) => StoreErrorKind::Unavailable,
        (_, 401 | 403) => StoreErrorKind::Denied,
        _ => StoreErrorKind::Refused,
    };
    let message = answer.err().message().unwrap_or_default();
    (kind, Some(status), format!("{status} {code} {message}").trim_end().to_owned())
}

/// The SHA-256 of the whole object, where that is what the store keeps.
pub(super) fn sha256_of(value: Option<&str>, kind: Option<&ChecksumType>) -> Option<Sha256> {
    if matches!(kind, Some(ChecksumType::Composite)) {
        return None;
    }
    // A composite value ends in "-<parts>", which is no base64.
    STANDARD.decode(value?).ok()?.try_into().ok()
}

/// A sum of the whole object; one over the sums of its parts says nothing of an object with other parts.
pub(super) fn full(value: Option<String>, kind: Option<&ChecksumType>) -> Option<String> {
    value.filter(|_| !matches!(kind, Some(ChecksumType::Composite)))
}

/// Whether the ETag is no digest of the bytes: SSE-KMS and SSE-C (S3 API reference, "Object").
pub(super) fn is_sealed(encryption: Option<&ServerSideEncryption>, customer: Option<&str>) -> bool {
    let by_key = matches!(encryption, Some(ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse));
    by_key || customer.is_some()
}

/// S3 writes COMPLETED, some stores COMPLETE; what is neither known word nor absent is no claim.
pub(super) fn claim_of(status: Option<&ReplicationStatus>) -> Option<Claim> {
    match status?.as_str() {
        "PENDING" => Some(Claim::Pending),
        "COMPLETE" | "COMPLETED" => Some(Claim::Completed),
        "FAILED" => Some(Claim::Failed),
        "REPLICA" => Some(Claim::Replica),
        _ => None,
    }
}

/// `bytes 0-4/10` → the range, and the length of the whole.
pub(super) fn content_range(text: &str) -> Option<(RangeInclusive<u64>, u64)> {
    let (range, whole) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?..=last.parse().ok()?, whole.parse().ok()?))
}

/// A name of a listing with `encoding-type=url`; AWS writes spaces as `+`.
fn decoded(name: &str) -> Option<String> {
    let spaced = name.replace('+', "%20");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Versions and markers of exactly one key on one page, and whether the next page can have more.
struct VersionPage {
    versions: Vec<String>,
    markers: Vec<String>,
    next: Option<(String, Option<String>)>,
}

/// One entry a key behind `after`, in byte order; a page has versions and markers apart. `None`: the listing is malformed: without
/// an order nobody can tell what is missing in it.
fn surveyed(output: &ListObjectVersionsOutput, after: Option<&str>) -> Option<Vec<Surveyed>> {
    let (mut keys, mut last) = (BTreeMap::new(), String::new());
    for version in output.versions() {
        let key = decoded(version.key()?)?;
        if key < last {
            return None;
        }
        last.clone_from(&key);
        let current = keys.entry(key).or_insert(None);
        if version.is_latest().unwrap_or(true) {
            let bytes = u64::try_from(version.size()?).ok()?;
            *current = Some((bytes, version.e_tag().unwrap_or_default().to_owned()));
        }
    }
    for marker in output.delete_markers() {
        keys.entry(decoded(marker.key()?)?).or_insert(None);
    }
    // S3 goes on behind the marker; some stores give its own key once more (moto 5.2).
    if let Some(after) = after {
        keys.remove(after);
    }
    if keys.is_empty() && output.is_truncated().unwrap_or_default() {
        return None;
    }
    Some(keys.into_iter().map(|(key, current)| Surveyed { key, current }).collect())
}

fn version_page(output: &ListObjectVersionsOutput, key: &str) -> VersionPage {
    let is_key = |name: Option<&str>| name.and_then(decoded).is_some_and(|name| name == key);
    let id = |id: Option<&str>| id.unwrap_or("null").to_owned();
    let versions: Vec<_> =
        output.versions().iter().filter(|v| is_key(v.key())).map(|version| id(version.version_id())).collect();
    let markers: Vec<_> =
        output.delete_markers().iter().filter(|m| is_key(m.key())).map(|marker| id(marker.version_id())).collect();
    // Keys come in order, and no key with this prefix stands before the key itself: others mean that it is done.
    let only_key = versions.len() + markers.len() == output.versions().len() + output.delete_markers().len();
    let next = (output.is_truncated().unwrap_or_default() && only_key)
        .then(|| {
            let marker = output.next_key_marker().and_then(decoded)?;
            Some((marker, output.next_version_id_marker().map(str::to_owned)))
        })
        .flatten();
    VersionPage { versions, markers, next }
}

impl S3Store {
    async fn version_page(&self, key: &str, marker: Option<(String, Option<String>)>) -> Result<VersionPage, Failed> {
        let (key_marker, version_marker) = marker.unzip();
        let sent = self
            .client
            .list_object_versions()
            .bucket(&self.bucket)
            .prefix(key)
            .encoding_type(EncodingType::Url)
            .set_key_marker(key_marker)
            .set_version_id_marker(version_marker.flatten())
            .send();
        let output = self.call("ListObjectVersions", key, CALL_LIMIT, sent).await?;
        Ok(version_page(&output, key))
    }

    pub(super) async fn count_versions(&self, key: &str) -> Result<(usize, usize), StoreError> {
        let (mut versions, mut markers, mut next) = (0, 0, None);
        loop {
            let page = self.version_page(key, next).await?;
            versions += page.versions.len();
            markers += page.markers.len();
            next = page.next;
            if next.is_none() {
                return Ok((versions, markers));
            }
        }
    }

    /// Deletes until a listing shows nothing of the key any more.
    pub(super) async fn delete_versions(&self, key: &str) -> Result<(), StoreError> {
        for _ in 0..ROUNDS {
            let page = match self.version_page(key, None).await {
                Ok(page) => page,
                // A store that does not know versions has none.
                Err(Failed { status: Some(501), .. }) => return Ok(()),
                Err(failed) => return Err(failed.error),
            };
            if page.versions.is_empty() && page.markers.is_empty() {
                return Ok(());
            }
            for version in page.versions.iter().chain(&page.markers) {
                self.delete_version(key, Some(version)).await?;
            }
        }
        Err(self.error(StoreErrorKind::Unavailable, "DeleteObject", key, "new versions appear all the time"))
    }

    pub(super) async fn delete_version(&self, key: &str, version: Option<&str>) -> Result<(), StoreError> {
        let sent =
            self.client.delete_object().bucket(&self.bucket).key(key).set_version_id(version.map(str::to_owned)).send();
        match self.call("DeleteObject", key, CALL_LIMIT, sent).await {
            Ok(_) => Ok(()),
            Err(failed) => failed.or_absent::<()>().map(|_| ()),
        }
    }

    /// The ids of unfinished uploads of exactly this key on one page, and where the next page starts.
    async fn upload_page(
        &self,
        key: &str,
        marker: Option<(String, String)>,
    ) -> Result<(Vec<String>, Option<(String, String)>), Failed> {
        let (key_marker, id_marker) = marker.unzip();
        let sent = self
            .client
            .list_multipart_uploads()
            .bucket(&self.bucket)
            .prefix(key)
            .encoding_type(EncodingType::Url)
            .set_key_marker(key_marker)
            .set_upload_id_marker(id_marker)
            .send();
        let output = self.call("ListMultipartUploads", key, CALL_LIMIT, sent).await?;
        let ids: Vec<_> = output
            .uploads()
            .iter()
            .filter(|upload| upload.key().and_then(decoded).is_some_and(|name| name == key))
            .filter_map(|upload| upload.upload_id().map(str::to_owned))
            .collect();
        let only_key = ids.len() == output.uploads().len();
        let next = (output.is_truncated().unwrap_or_default() && only_key)
            .then(|| {
                let marker = output.next_key_marker().and_then(decoded)?;
                Some((marker, output.next_upload_id_marker()?.to_owned()))
            })
            .flatten();
        Ok((ids, next))
    }

    pub(super) async fn count_uploads(&self, key: &str) -> Result<usize, StoreError> {
        let (mut uploads, mut next) = (0, None);
        loop {
            let (ids, more) = self.upload_page(key, next).await?;
            uploads += ids.len();
            next = more;
            if next.is_none() {
                return Ok(uploads);
            }
        }
    }

    /// Aborts until a listing shows no upload of the key: a part in flight can outlive its abortion
    /// (S3 API reference, AbortMultipartUpload).
    pub(super) async fn abort_multipart(&self, key: &str) -> Result<(), StoreError> {
        for _ in 0..ROUNDS {
            let ids = match self.upload_page(key, None).await {
                Ok((ids, _)) => ids,
                Err(Failed { status: Some(501), .. }) => return Ok(()),
                Err(failed) => return Err(failed.error),
            };
            if ids.is_empty() {
                return Ok(());
            }
            for id in ids {
                let sent = self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(&id).send();
                match self.call("AbortMultipartUpload", key, CALL_LIMIT, sent).await {
                    Ok(_) => {}
                    Err(failed) => {
                        failed.or_absent::<()>()?;
                    }
                }
            }
        }
        Err(self.error(StoreErrorKind::Unavailable, "AbortMultipartUpload", key, "new uploads appear all the time"))
    }

    pub(super) async fn survey_page(&self, start_after: Option<&str>, limit: u16) -> Result<Vec<Surveyed>, StoreError> {
        let sent = self
            .client
            .list_object_versions()
            .bucket(&self.bucket)
            .set_key_marker(start_after.map(str::to_owned))
            .max_keys(i32::from(limit))
            .encoding_type(EncodingType::Url)
            .send();
        match self.call("ListObjectVersions", "", CALL_LIMIT, sent).await {
            Ok(output) => surveyed(&output, start_after).ok_or_else(|| {
                self.error(StoreErrorKind::Unavailable, "ListObjectVersions", "", "a malformed listing")
            }),
            // A store that does not know versions has none.
            Err(Failed { status: Some(501), .. }) => {
                let listed = self.list_page("", start_after, limit).await?;
                Ok(listed.into_iter().map(Surveyed::from).collect())
            }
            Err(failed) => Err(failed.error),
        }
    }

    pub(super) async fn list_page(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: u16,
    ) -> Result<Vec<Listed>, StoreError> {
        let sent = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_start_after(start_after.map(str::to_owned))
            .max_keys(i32::from(limit))
            .encoding_type(EncodingType::Url)
            .send();
        let output = self.call("ListObjectsV2", prefix, CALL_LIMIT, sent).await?;
        let malformed = || self.error(StoreErrorKind::Unavailable, "ListObjectsV2", prefix, "a malformed listing");
        output
            .contents()
            .iter()
            .map(|object| {
                Ok(Listed {
                    key: object.key().and_then(decoded).ok_or_else(malformed)?,
                    bytes: object.size().and_then(|size| u64::try_from(size).ok()).ok_or_else(malformed)?,
                    etag: object.e_tag().unwrap_or_default().to_owned(),
                })
            })
            .collect()
    }
}
