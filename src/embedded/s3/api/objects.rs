//! Single objects: PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects.

use std::ops::Range;

use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use s3s::{
    Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        self, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
        ETagCondition, GetObjectInput, GetObjectOutput, GetObjectTaggingInput, GetObjectTaggingOutput, HeadObjectInput,
        HeadObjectOutput, PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
    },
    s3_error,
};
use uuid::Uuid;

use super::{
    super::{
        bad_request,
        checksum::{Algorithm, Fields, Hashers},
        disk::{Condition, Content, Description, Disk, Record},
    },
    Api, NULL_VERSION,
    announced::{ChecksumPlan, announced_length, stored_encoding},
    blocking, check_key, check_version, condition, etag, micros, refuse_unsupported, timestamp,
};

/// Deletions of one DeleteObjects request that run at once.
const DELETIONS: usize = 16;

pub(super) async fn put(api: &Api, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
    let input = req.input;
    let disk = api.disk(&input.bucket)?;
    check_key(&input.key)?;
    refuse_unsupported!(input);
    if input.write_offset_bytes.is_some() {
        return Err(s3_error!(NotImplemented, "objects cannot be appended to"));
    }
    let condition = condition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let length = announced_length(input.content_length)?;
    let fields = Fields {
        crc32: input.checksum_crc32,
        crc32c: input.checksum_crc32c,
        crc64nvme: input.checksum_crc64nvme,
        sha1: input.checksum_sha1,
        sha256: input.checksum_sha256,
        kind: None,
    };
    let named = input.checksum_algorithm.as_ref();
    let plan = ChecksumPlan::new(fields, named, input.content_md5.as_deref(), &req.headers, Algorithm::Crc64Nvme)?;
    let description = Description {
        content_type: input.content_type,
        content_encoding: stored_encoding(input.content_encoding.as_deref()),
        content_disposition: input.content_disposition,
        content_language: input.content_language,
        cache_control: input.cache_control,
        expires: input.expires.as_ref().map(micros),
        metadata: input.metadata.unwrap_or_default().into_iter().collect(),
    };
    let received = disk.receive(input.body, Hashers::new(&[plan.keep]), Some(length)).await?;
    let checksum = plan.verify(&received.digests, req.trailing_headers.as_ref())?;
    let record = Record {
        key: input.key,
        generation: Uuid::now_v7(),
        bytes: received.bytes,
        etag: received.digests.etag(),
        modified: disk.now(),
        description,
        checksum,
        segments: Vec::new(),
        parts: Vec::new(),
    };
    let record =
        blocking(move || disk.commit(&record, Content::Received(received), &condition).map(|()| record)).await?;
    let sums = Fields::from(&record.checksum);
    Ok(S3Response::new(PutObjectOutput {
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        checksum_type: sums.kind,
        e_tag: Some(etag(&record.etag)),
        ..PutObjectOutput::default()
    }))
}

/// The conditions and the window of a read.
struct Selection {
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
    range: Option<dto::Range>,
    part: Option<i32>,
}

fn matches(condition: &ETagCondition, record: &Record) -> bool {
    condition.as_etag().is_none_or(|etag| etag.value() == record.etag)
}

/// HTTP dates have whole seconds.
fn seconds(micros: i64) -> i64 {
    micros.div_euclid(1_000_000)
}

impl Selection {
    /// In the order of RFC 9110, section 13.2.2.
    fn check(&self, record: &Record) -> S3Result<()> {
        let modified = seconds(record.modified);
        let failed = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => !matches(condition, record),
            (None, Some(time)) => modified > seconds(micros(time)),
            (None, None) => false,
        };
        if failed {
            return Err(s3_error!(PreconditionFailed, "at least one of the preconditions you specified did not hold"));
        }
        let unchanged = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => matches(condition, record),
            (None, Some(time)) => modified <= seconds(micros(time)),
            (None, None) => false,
        };
        if unchanged { Err(not_modified(record)) } else { Ok(()) }
    }

    /// The bytes to send, and whether they are to be announced as a part of the whole.
    fn window(&self, record: &Record) -> S3Result<(Range<u64>, bool)> {
        if let Some(part) = self.part {
            if self.range.is_some() {
                return Err(s3_error!(InvalidRequest, "either Range or partNumber"));
            }
            let parts = if record.parts.is_empty() { std::slice::from_ref(&record.bytes) } else { &record.parts };
            let number = usize::try_from(part).ok().and_then(|number| number.checked_sub(1));
            let Some((number, bytes)) = number.and_then(|number| Some((number, *parts.get(number)?))) else {
                return Err(bad_request("InvalidPartNumber", format!("the object has {} parts", parts.len())));
            };
            let start: u64 = parts[..number].iter().sum();
            return Ok((start..start + bytes, bytes > 0));
        }
        match &self.range {
            None => Ok((0..record.bytes, false)),
            Some(range) => match range.check(record.bytes) {
                Ok(window) if !window.is_empty() => Ok((window, true)),
                _ => Err(unsatisfiable(record)),
            },
        }
    }
}

fn not_modified(record: &Record) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    error.set_status_code(StatusCode::NOT_MODIFIED);
    let mut headers = HeaderMap::new();
    if let Ok(etag) = HeaderValue::try_from(format!("\"{}\"", record.etag)) {
        headers.insert(header::ETAG, etag);
    }
    let modified = entity::Timestamp(record.modified).to_utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(modified) = HeaderValue::try_from(modified) {
        headers.insert(header::LAST_MODIFIED, modified);
    }
    error.set_headers(headers);
    error
}

fn unsatisfiable(record: &Record) -> S3Error {
    let mut error = s3_error!(InvalidRange, "the object has {} bytes", record.bytes);
    if let Ok(range) = HeaderValue::try_from(format!("bytes */{}", record.bytes)) {
        // These headers replace those of the error document.
        error.set_headers(HeaderMap::from_iter([
            (header::CONTENT_RANGE, range),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/xml")),
        ]));
    }
    error
}

fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "the key does not exist")
}

/// What GetObject and HeadObject say alike.
struct Shown {
    record: Record,
    window: Range<u64>,
    partial: bool,
    checksums: Fields,
}

impl Shown {
    fn new(record: Record, selection: &Selection, checksum_mode: Option<&dto::ChecksumMode>) -> S3Result<Self> {
        let (window, partial) = selection.window(&record)?;
        let enabled = checksum_mode.is_some_and(|mode| mode.as_str() == dto::ChecksumMode::ENABLED);
        let checksums = if enabled && !partial { Fields::from(&record.checksum) } else { Fields::default() };
        Ok(Self { record, window, partial, checksums })
    }

    fn content_range(&self) -> Option<String> {
        self.partial
            .then(|| format!("bytes {}-{}/{}", self.window.start, self.window.end.saturating_sub(1), self.record.bytes))
    }

    fn length(&self) -> Option<i64> {
        i64::try_from(self.window.end - self.window.start).ok()
    }

    fn parts_count(&self, asked: Option<i32>) -> Option<i32> {
        asked.and_then(|_| i32::try_from(self.record.parts.len()).ok()).filter(|count| *count > 0)
    }

    fn metadata(&self) -> Option<dto::Metadata> {
        let metadata = &self.record.description.metadata;
        (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect())
    }
}

pub(super) async fn get(api: &Api, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
    let input = req.input;
    let disk = api.disk(&input.bucket)?;
    check_version(input.version_id.as_deref())?;
    let selection = Selection {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
        range: input.range,
        part: input.part_number,
    };
    let key = input.key;
    let (shown, first, rest) = blocking(move || {
        let found = disk.read(&key, |record| {
            selection.check(record)?;
            selection.window(record).map(|(window, _)| window)
        })?;
        let (record, mut outgoing) = found.ok_or_else(no_such_key)?;
        let first = outgoing.next_block().map_err(S3Error::internal_error)?;
        let shown = Shown::new(record, &selection, input.checksum_mode.as_ref())?;
        Ok((shown, first, outgoing))
    })
    .await?;
    let body = if rest.is_done() {
        StreamingBlob::from(Body::from(first))
    } else {
        StreamingBlob::wrap(stream::once(async { Ok(first) }).chain(rest.into_stream()))
    };
    let described = shown.record.description.clone();
    Ok(S3Response::new(GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        body: Some(body),
        cache_control: described.cache_control,
        checksum_crc32: shown.checksums.crc32.clone(),
        checksum_crc32c: shown.checksums.crc32c.clone(),
        checksum_crc64nvme: shown.checksums.crc64nvme.clone(),
        checksum_sha1: shown.checksums.sha1.clone(),
        checksum_sha256: shown.checksums.sha256.clone(),
        checksum_type: shown.checksums.kind.clone(),
        content_disposition: described.content_disposition,
        content_encoding: described.content_encoding,
        content_language: described.content_language,
        content_length: shown.length(),
        content_range: shown.content_range(),
        content_type: Some(described.content_type.unwrap_or_else(default_type)),
        e_tag: Some(etag(&shown.record.etag)),
        expires: described.expires.map(timestamp),
        last_modified: Some(timestamp(shown.record.modified)),
        metadata: shown.metadata(),
        parts_count: shown.parts_count(input.part_number),
        ..GetObjectOutput::default()
    }))
}

fn default_type() -> String {
    "binary/octet-stream".to_owned()
}

pub(super) async fn head(api: &Api, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
    let input = req.input;
    let disk = api.disk(&input.bucket)?;
    check_version(input.version_id.as_deref())?;
    let selection = Selection {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: input.if_modified_since,
        if_unmodified_since: input.if_unmodified_since,
        range: input.range,
        part: input.part_number,
    };
    let key = input.key;
    let record = blocking(move || disk.find(&key)).await?.ok_or_else(no_such_key)?;
    selection.check(&record)?;
    let shown = Shown::new(record, &selection, input.checksum_mode.as_ref())?;
    let described = shown.record.description.clone();
    let output = HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: described.cache_control,
        checksum_crc32: shown.checksums.crc32.clone(),
        checksum_crc32c: shown.checksums.crc32c.clone(),
        checksum_crc64nvme: shown.checksums.crc64nvme.clone(),
        checksum_sha1: shown.checksums.sha1.clone(),
        checksum_sha256: shown.checksums.sha256.clone(),
        checksum_type: shown.checksums.kind.clone(),
        content_disposition: described.content_disposition,
        content_encoding: described.content_encoding,
        content_language: described.content_language,
        content_length: shown.length(),
        content_range: shown.content_range(),
        content_type: Some(described.content_type.unwrap_or_else(default_type)),
        e_tag: Some(etag(&shown.record.etag)),
        expires: described.expires.map(timestamp),
        last_modified: Some(timestamp(shown.record.modified)),
        metadata: shown.metadata(),
        parts_count: shown.parts_count(input.part_number),
        ..HeadObjectOutput::default()
    };
    let status = if shown.partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    Ok(S3Response::with_status(output, status))
}

pub(super) async fn delete(api: &Api, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
    let input = req.input;
    let disk = api.disk(&input.bucket)?;
    check_version(input.version_id.as_deref())?;
    if input.if_match_size.is_some() || input.if_match_last_modified_time.is_some() {
        return Err(s3_error!(NotImplemented, "deletions know If-Match only"));
    }
    let condition = condition(input.if_match.as_ref(), None)?;
    let key = input.key;
    blocking(move || disk.remove(&key, &condition)).await?;
    Ok(S3Response::new(DeleteObjectOutput { version_id: input.version_id, ..DeleteObjectOutput::default() }))
}

pub(super) async fn delete_many(
    api: &Api,
    req: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let disk = api.disk(&req.input.bucket)?;
    let quiet = req.input.delete.quiet.unwrap_or_default();
    let objects = req.input.delete.objects;
    if objects.is_empty() || objects.len() > 1000 {
        return Err(s3_error!(MalformedXML, "one request deletes 1 to 1,000 keys"));
    }
    let results: Vec<_> = stream::iter(objects)
        .map(|object| {
            let disk = std::sync::Arc::clone(&disk);
            async move {
                let result = delete_one(disk, object.key.clone(), object.version_id.as_deref(), object.e_tag).await;
                (object.key, object.version_id, result)
            }
        })
        .buffered(DELETIONS)
        .collect()
        .await;
    let mut output = DeleteObjectsOutput::default();
    for (key, version_id, result) in results {
        match result {
            Ok(()) if quiet => {}
            Ok(()) => output.deleted.get_or_insert_default().push(DeletedObject {
                key: Some(key),
                version_id,
                ..DeletedObject::default()
            }),
            Err(error) => output.errors.get_or_insert_default().push(dto::Error {
                code: Some(error.code().as_str().to_owned()),
                key: Some(key),
                message: error.message().map(str::to_owned),
                version_id,
            }),
        }
    }
    Ok(S3Response::new(output))
}

async fn delete_one(
    disk: std::sync::Arc<Disk>,
    key: String,
    version: Option<&str>,
    etag: Option<dto::ETag>,
) -> S3Result<()> {
    check_version(version)?;
    let condition = Condition { absent: false, etag: etag.map(dto::ETag::into_value) };
    blocking(move || disk.remove(&key, &condition).map(|_| ())).await
}

/// No object here has tags; clients that copy ask.
pub(super) async fn tags(
    api: &Api,
    req: S3Request<GetObjectTaggingInput>,
) -> S3Result<S3Response<GetObjectTaggingOutput>> {
    let disk = api.disk(&req.input.bucket)?;
    check_version(req.input.version_id.as_deref())?;
    let key = req.input.key;
    blocking(move || disk.find(&key)).await?.ok_or_else(no_such_key)?;
    let version_id = req.input.version_id.filter(|version| version == NULL_VERSION);
    Ok(S3Response::new(GetObjectTaggingOutput { tag_set: Vec::new(), version_id }))
}
