//! Listings: objects (both versions), object versions, multipart uploads, parts. Each page seeks to its start.

use std::{ops::Bound, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        CommonPrefix, EncodingType, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectVersionsInput,
        ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
        ListPartsInput, ListPartsOutput, MultipartUpload, Object, ObjectStorageClass, ObjectVersion,
        ObjectVersionStorageClass, Part, StorageClass,
    },
    s3_error,
};

use super::{
    super::{
        checksum::{Coverage, Fields},
        disk::{Disk, Entry, Step},
    },
    Api, NULL_VERSION, blocking, etag, timestamp,
};

/// The longest page of any listing.
const PAGE: usize = 1000;
/// What `encoding-type=url` leaves as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// How names are written into the answer.
#[derive(Clone, Copy)]
struct Names {
    encoded: bool,
}

impl Names {
    fn new(encoding: Option<&EncodingType>) -> S3Result<Self> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Self { encoded: false }),
            Some(EncodingType::URL) => Ok(Self { encoded: true }),
            Some(other) => Err(s3_error!(InvalidArgument, "unknown encoding-type {other:?}")),
        }
    }

    fn write(self, name: &str) -> String {
        if self.encoded { utf8_percent_encode(name, PLAIN).to_string() } else { name.to_owned() }
    }

    fn write_some(self, name: Option<&String>) -> Option<String> {
        name.map(|name| self.write(name))
    }
}

fn page_length(asked: Option<i32>) -> S3Result<usize> {
    match asked {
        None => Ok(PAGE),
        Some(asked) => usize::try_from(asked)
            .map(|asked| asked.min(PAGE))
            .map_err(|_| s3_error!(InvalidArgument, "a page cannot have {asked} lines")),
    }
}

fn count(length: usize) -> Option<i32> {
    i32::try_from(length).ok()
}

/// What a page of keys asks for.
struct Query {
    prefix: String,
    delimiter: Option<String>,
    after: Option<String>,
    limit: usize,
}

/// A page of keys, those with a delimiter behind the prefix rolled up.
#[derive(Default)]
struct Page {
    keys: Vec<(String, Entry)>,
    prefixes: Vec<String>,
    truncated: bool,
    /// The last key or common prefix of the page.
    last: Option<String>,
}

/// The key rolled up: up to and with the first delimiter behind the prefix.
fn roll_up<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter?;
    let rest = key.strip_prefix(prefix)?;
    let at = rest.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

/// The first byte string behind everything that starts with this text. UTF-8 has no byte 0xff, so the last one can grow.
fn behind(prefix: &str) -> Vec<u8> {
    let mut bytes = prefix.as_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    bytes
}

impl Query {
    fn new(prefix: Option<String>, delimiter: Option<String>, after: Option<String>, limit: usize) -> Self {
        Self {
            prefix: prefix.unwrap_or_default(),
            delimiter: delimiter.filter(|delimiter| !delimiter.is_empty()),
            after: after.filter(|after| !after.is_empty()),
            limit,
        }
    }

    fn start(&self) -> Bound<Vec<u8>> {
        let Some(after) = &self.after else { return Bound::Included(self.prefix.clone().into_bytes()) };
        if after.as_bytes() < self.prefix.as_bytes() {
            return Bound::Included(self.prefix.clone().into_bytes());
        }
        match roll_up(after, &self.prefix, self.delimiter.as_deref()) {
            // A page that ended with a common prefix goes on behind all of it.
            Some(rolled) if rolled == after => Bound::Included(behind(rolled)),
            _ => Bound::Excluded(after.clone().into_bytes()),
        }
    }

    fn run(&self, disk: &Disk) -> S3Result<Page> {
        let mut page = Page::default();
        if self.limit == 0 {
            return Ok(page);
        }
        let mut lines = 0;
        disk.walk(self.start(), |key, entry| {
            let Ok(key) = std::str::from_utf8(key) else { return Step::Next };
            if !key.starts_with(&self.prefix) {
                return Step::Stop;
            }
            if lines == self.limit {
                page.truncated = true;
                return Step::Stop;
            }
            lines += 1;
            if let Some(rolled) = roll_up(key, &self.prefix, self.delimiter.as_deref()) {
                page.last = Some(rolled.to_owned());
                page.prefixes.push(rolled.to_owned());
                return Step::Seek(behind(rolled));
            }
            page.last = Some(key.to_owned());
            page.keys.push((key.to_owned(), entry));
            Step::Next
        })?;
        Ok(page)
    }
}

async fn run(disk: Arc<Disk>, query: Query) -> S3Result<Page> {
    blocking(move || query.run(&disk)).await
}

fn objects_of(keys: Vec<(String, Entry)>, names: Names) -> Vec<Object> {
    keys.into_iter()
        .map(|(key, entry)| Object {
            checksum_algorithm: entry.algorithm.map(|algorithm| vec![algorithm.into()]),
            e_tag: Some(etag(&entry.etag)),
            key: Some(names.write(&key)),
            last_modified: Some(timestamp(entry.modified)),
            size: i64::try_from(entry.bytes).ok(),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            ..Object::default()
        })
        .collect()
}

fn prefixes_of(prefixes: &[String], names: Names) -> Option<Vec<CommonPrefix>> {
    let written = |prefix: &String| CommonPrefix { prefix: Some(names.write(prefix)) };
    (!prefixes.is_empty()).then(|| prefixes.iter().map(written).collect())
}

pub(super) async fn objects(api: &Api, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
    let input = req.input;
    let names = Names::new(input.encoding_type.as_ref())?;
    let limit = page_length(input.max_keys)?;
    let query = Query::new(input.prefix.clone(), input.delimiter.clone(), input.marker.clone(), limit);
    let delimited = query.delimiter.is_some();
    let page = run(api.disk(&input.bucket)?, query).await?;
    Ok(S3Response::new(ListObjectsOutput {
        common_prefixes: prefixes_of(&page.prefixes, names),
        // Only listings with a delimiter carry NextMarker (S3 API reference, ListObjects).
        next_marker: page.last.filter(|_| page.truncated && delimited).map(|last| names.write(&last)),
        contents: Some(objects_of(page.keys, names)),
        delimiter: names.write_some(input.delimiter.as_ref()),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.truncated),
        marker: Some(names.write(&input.marker.unwrap_or_default())),
        max_keys: count(limit),
        name: Some(input.bucket),
        prefix: Some(names.write(&input.prefix.unwrap_or_default())),
        request_charged: None,
    }))
}

pub(super) async fn objects_v2(
    api: &Api,
    req: S3Request<ListObjectsV2Input>,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let input = req.input;
    let names = Names::new(input.encoding_type.as_ref())?;
    let limit = page_length(input.max_keys)?;
    let after = match &input.continuation_token {
        Some(token) => {
            let key = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            Some(key.ok_or_else(|| s3_error!(InvalidArgument, "the continuation token is not one of ours"))?)
        }
        None => input.start_after.clone(),
    };
    let query = Query::new(input.prefix.clone(), input.delimiter.clone(), after, limit);
    let page = run(api.disk(&input.bucket)?, query).await?;
    Ok(S3Response::new(ListObjectsV2Output {
        common_prefixes: prefixes_of(&page.prefixes, names),
        key_count: count(page.keys.len() + page.prefixes.len()),
        next_continuation_token: page.last.filter(|_| page.truncated).map(|last| URL_SAFE_NO_PAD.encode(last)),
        contents: Some(objects_of(page.keys, names)),
        continuation_token: input.continuation_token,
        delimiter: names.write_some(input.delimiter.as_ref()),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.truncated),
        max_keys: count(limit),
        name: Some(input.bucket),
        prefix: Some(names.write(&input.prefix.unwrap_or_default())),
        start_after: names.write_some(input.start_after.as_ref()),
        request_charged: None,
    }))
}

pub(super) async fn versions(
    api: &Api,
    req: S3Request<ListObjectVersionsInput>,
) -> S3Result<S3Response<ListObjectVersionsOutput>> {
    let input = req.input;
    let names = Names::new(input.encoding_type.as_ref())?;
    let limit = page_length(input.max_keys)?;
    let query = Query::new(input.prefix.clone(), input.delimiter.clone(), input.key_marker.clone(), limit);
    let page = run(api.disk(&input.bucket)?, query).await?;
    let last_is_key = page.last.is_some() && page.keys.last().map(|(key, _)| key) == page.last.as_ref();
    let versions = page
        .keys
        .into_iter()
        .map(|(key, entry)| ObjectVersion {
            checksum_algorithm: entry.algorithm.map(|algorithm| vec![algorithm.into()]),
            e_tag: Some(etag(&entry.etag)),
            is_latest: Some(true),
            key: Some(names.write(&key)),
            last_modified: Some(timestamp(entry.modified)),
            size: i64::try_from(entry.bytes).ok(),
            storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
            version_id: Some(NULL_VERSION.to_owned()),
            ..ObjectVersion::default()
        })
        .collect();
    Ok(S3Response::new(ListObjectVersionsOutput {
        common_prefixes: prefixes_of(&page.prefixes, names),
        delimiter: names.write_some(input.delimiter.as_ref()),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.truncated),
        key_marker: Some(names.write(&input.key_marker.unwrap_or_default())),
        max_keys: count(limit),
        name: Some(input.bucket),
        next_key_marker: page.last.filter(|_| page.truncated).map(|last| names.write(&last)),
        next_version_id_marker: (page.truncated && last_is_key).then(|| NULL_VERSION.to_owned()),
        prefix: Some(names.write(&input.prefix.unwrap_or_default())),
        version_id_marker: input.version_id_marker,
        versions: Some(versions),
        ..ListObjectVersionsOutput::default()
    }))
}

pub(super) async fn uploads(
    api: &Api,
    req: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let input = req.input;
    let disk = api.disk(&input.bucket)?;
    let names = Names::new(input.encoding_type.as_ref())?;
    let limit = page_length(input.max_uploads)?;
    let query = Query::new(input.prefix.clone(), input.delimiter.clone(), input.key_marker.clone(), limit);
    let marker = input.upload_id_marker.clone().filter(|marker| !marker.is_empty());
    let after = match (&query.after, marker) {
        (None, _) => (query.prefix.clone(), String::new()),
        (Some(key), Some(id)) => (key.clone(), id),
        // Without an upload id, all uploads of the marker's key are behind us; ids are ASCII.
        (Some(key), None) => (key.clone(), char::MAX.to_string()),
    };
    let after = after.max((query.prefix.clone(), String::new()));
    let skipped = query.after.as_deref().and_then(|after| {
        roll_up(after, &query.prefix, query.delimiter.as_deref()).filter(|rolled| *rolled == after).map(str::to_owned)
    });
    let mut listed = Vec::new();
    let mut prefixes: Vec<String> = Vec::new();
    let mut truncated = false;
    let mut last: Option<(String, Option<String>)> = None;
    disk.walk_uploads(after, |upload| {
        if !upload.key.starts_with(&query.prefix) {
            return false;
        }
        let rolled = roll_up(&upload.key, &query.prefix, query.delimiter.as_deref());
        if rolled.is_some() && (rolled == prefixes.last().map(String::as_str) || rolled == skipped.as_deref()) {
            return true;
        }
        if listed.len() + prefixes.len() == limit {
            truncated = limit > 0;
            return false;
        }
        if let Some(rolled) = rolled {
            last = Some((rolled.to_owned(), None));
            prefixes.push(rolled.to_owned());
        } else {
            last = Some((upload.key.clone(), Some(upload.id.clone())));
            listed.push(MultipartUpload {
                checksum_algorithm: upload.explicit.then(|| upload.algorithm.into()),
                checksum_type: upload.explicit.then(|| upload.coverage.into()),
                initiated: Some(timestamp(upload.initiated)),
                key: Some(names.write(&upload.key)),
                storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
                upload_id: Some(upload.id.clone()),
                ..MultipartUpload::default()
            });
        }
        true
    });
    let last = last.filter(|_| truncated);
    Ok(S3Response::new(ListMultipartUploadsOutput {
        common_prefixes: prefixes_of(&prefixes, names),
        delimiter: names.write_some(input.delimiter.as_ref()),
        encoding_type: input.encoding_type,
        is_truncated: Some(truncated),
        key_marker: Some(names.write(&input.key_marker.unwrap_or_default())),
        max_uploads: count(limit),
        next_key_marker: last.as_ref().map(|(key, _)| names.write(key)),
        next_upload_id_marker: last.and_then(|(_, id)| id),
        prefix: Some(names.write(&input.prefix.unwrap_or_default())),
        upload_id_marker: input.upload_id_marker,
        bucket: Some(input.bucket),
        uploads: Some(listed),
        request_charged: None,
    }))
}

pub(super) async fn parts(api: &Api, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
    let input = req.input;
    let disk = api.disk(&input.bucket)?;
    let upload = disk.find_upload(&input.key, &input.upload_id)?;
    let limit = page_length(input.max_parts)?;
    let after = input.part_number_marker.and_then(|marker| u32::try_from(marker).ok()).unwrap_or_default();
    let reading = Arc::clone(&upload);
    let mut parts = blocking(move || disk.parts(&reading)).await?;
    parts.retain(|part| part.number > after);
    let truncated = parts.len() > limit;
    parts.truncate(limit);
    let next = parts.last().filter(|_| truncated).and_then(|part| i32::try_from(part.number).ok());
    let parts = parts
        .into_iter()
        .map(|part| {
            let sums = Fields::from(&part.checksum);
            Part {
                checksum_crc32: sums.crc32,
                checksum_crc32c: sums.crc32c,
                checksum_crc64nvme: sums.crc64nvme,
                checksum_sha1: sums.sha1,
                checksum_sha256: sums.sha256,
                e_tag: Some(etag(&part.etag)),
                last_modified: Some(timestamp(part.modified)),
                part_number: i32::try_from(part.number).ok(),
                size: i64::try_from(part.bytes).ok(),
            }
        })
        .collect();
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: upload.explicit.then(|| upload.algorithm.into()),
        checksum_type: upload.explicit.then(|| Coverage::into(upload.coverage)),
        is_truncated: Some(truncated),
        key: Some(upload.key.clone()),
        max_parts: count(limit),
        next_part_number_marker: next,
        part_number_marker: input.part_number_marker,
        parts: Some(parts),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        upload_id: Some(upload.id.clone()),
        ..ListPartsOutput::default()
    }))
}
