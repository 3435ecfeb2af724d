//! CopyObject and UploadPartCopy. Large objects are linked; bytes are read only where a new checksum is asked for.

use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource, ETagCondition,
        MetadataDirective, Range, Timestamp, UploadPartCopyInput, UploadPartCopyOutput,
    },
    s3_error,
};
use uuid::Uuid;

use super::{
    super::{
        checksum::{Algorithm, Checksum, Coverage, Fields},
        disk::{Condition, Content, Description, Disk, PartRecord, Record},
    },
    Api,
    announced::stored_encoding,
    blocking, check_key, check_version, etag, micros,
    multipart::part_number,
    refuse_unsupported, timestamp,
};

/// What must hold of a copy's source.
struct SourceCondition {
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
}

impl SourceCondition {
    /// A failed condition of a copy is always 412 (S3 API reference, CopyObject).
    fn check(&self, record: &Record) -> S3Result<()> {
        let matches = |condition: &ETagCondition| condition.as_etag().is_none_or(|etag| etag.value() == record.etag);
        let modified = record.modified.div_euclid(1_000_000);
        let seconds = |time: &Timestamp| micros(time).div_euclid(1_000_000);
        let holds = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => matches(condition),
            (None, Some(time)) => modified <= seconds(time),
            (None, None) => true,
        } && match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => !matches(condition),
            (None, Some(time)) => modified > seconds(time),
            (None, None) => true,
        };
        if holds {
            Ok(())
        } else {
            Err(s3_error!(PreconditionFailed, "at least one of the preconditions on the copy source did not hold"))
        }
    }
}

fn parse_source(source: &CopySource) -> S3Result<(&str, &str)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            check_version(version_id.as_deref())?;
            Ok((bucket, key))
        }
        _ => Err(s3_error!(NotImplemented, "copy sources are /bucket/key")),
    }
}

fn no_source() -> s3s::S3Error {
    s3_error!(NoSuchKey, "the copy source does not exist")
}

/// The bytes of a copy with what is now known of them.
struct Copied {
    source: Record,
    content: Content,
    segments: Vec<u64>,
    etag: String,
    checksum: Checksum,
}

/// Blocking.
fn copy(
    from: &Disk,
    to: &Disk,
    key: &str,
    condition: &SourceCondition,
    asked: Option<Algorithm>,
) -> S3Result<Option<Copied>> {
    let Some((source, linked)) = from.link(key, to, |record| condition.check(record))? else { return Ok(None) };
    let algorithm = asked.unwrap_or(source.checksum.algorithm);
    if let Some(linked) = linked {
        let checksum = if algorithm == source.checksum.algorithm && source.checksum.coverage == Coverage::FullObject {
            source.checksum.clone()
        } else {
            linked.digest(algorithm)?
        };
        let (content, segments) = linked.into_content();
        // The same bytes.
        let etag = source.etag.clone();
        return Ok(Some(Copied { source, content, segments, etag, checksum }));
    }
    let read = from.read(key, |record| {
        condition.check(record)?;
        Ok(0..record.bytes)
    })?;
    let Some((source, outgoing)) = read else { return Ok(None) };
    let received = to.absorb(outgoing, &[algorithm])?;
    let etag = received.digests.etag();
    let checksum = received.digests.checksum(algorithm)?;
    Ok(Some(Copied { source, content: Content::Received(received), segments: Vec::new(), etag, checksum }))
}

pub(super) async fn object(api: &Api, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
    let input = req.input;
    let (source_bucket, source_key) = parse_source(&input.copy_source)?;
    let (from, to) = (api.disk(source_bucket)?, api.disk(&input.bucket)?);
    check_key(&input.key)?;
    refuse_unsupported!(input);
    let replace = match input.metadata_directive.as_ref().map(MetadataDirective::as_str) {
        None | Some("COPY") => false,
        Some("REPLACE") => true,
        Some(other) => return Err(s3_error!(InvalidArgument, "unknown metadata directive {other:?}")),
    };
    if !replace && source_bucket == input.bucket && source_key == input.key {
        return Err(s3_error!(InvalidRequest, "a copy onto itself must change something: use REPLACE"));
    }
    let asked = input.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str())).transpose()?;
    let condition = SourceCondition {
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    let replacement = replace.then(|| Description {
        content_type: input.content_type,
        content_encoding: stored_encoding(input.content_encoding.as_deref()),
        content_disposition: input.content_disposition,
        content_language: input.content_language,
        cache_control: input.cache_control,
        expires: input.expires.as_ref().map(micros),
        metadata: input.metadata.unwrap_or_default().into_iter().collect(),
    });
    let (key, source_key) = (input.key, source_key.to_owned());
    let record = blocking(move || {
        let copied = copy(&from, &to, &source_key, &condition, asked)?.ok_or_else(no_source)?;
        let record = Record {
            key,
            generation: Uuid::now_v7(),
            bytes: copied.source.bytes,
            etag: copied.etag,
            modified: to.now(),
            description: replacement.unwrap_or(copied.source.description),
            checksum: copied.checksum,
            segments: copied.segments,
            parts: Vec::new(),
        };
        to.commit(&record, copied.content, &Condition::default())?;
        Ok(record)
    })
    .await?;
    let sums = Fields::from(&record.checksum);
    let result = CopyObjectResult {
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        checksum_type: sums.kind,
        e_tag: Some(etag(&record.etag)),
        last_modified: Some(timestamp(record.modified)),
    };
    Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() }))
}

pub(super) async fn part(api: &Api, req: S3Request<UploadPartCopyInput>) -> S3Result<S3Response<UploadPartCopyOutput>> {
    let input = req.input;
    let (source_bucket, source_key) = parse_source(&input.copy_source)?;
    let (from, to) = (api.disk(source_bucket)?, api.disk(&input.bucket)?);
    let number = part_number(input.part_number)?;
    let upload = to.find_upload(&input.key, &input.upload_id)?;
    let range = input
        .copy_source_range
        .as_deref()
        .map(|range| match Range::parse(range) {
            Ok(range @ Range::Int { last: Some(_), .. }) => Ok(range),
            _ => Err(s3_error!(InvalidArgument, "x-amz-copy-source-range is bytes=<first>-<last>")),
        })
        .transpose()?;
    let condition = SourceCondition {
        if_match: input.copy_source_if_match,
        if_none_match: input.copy_source_if_none_match,
        if_modified_since: input.copy_source_if_modified_since,
        if_unmodified_since: input.copy_source_if_unmodified_since,
    };
    let source_key = source_key.to_owned();
    let part = blocking(move || {
        let read = from.read(&source_key, |record| {
            condition.check(record)?;
            match range {
                None => Ok(0..record.bytes),
                Some(Range::Int { last: Some(last), .. }) if last >= record.bytes => {
                    Err(s3_error!(InvalidRange, "the copy source has {} bytes", record.bytes))
                }
                Some(range) => Ok(range.check(record.bytes)?),
            }
        })?;
        let (_, outgoing) = read.ok_or_else(no_source)?;
        let received = to.absorb(outgoing, &[upload.algorithm])?;
        let part = PartRecord {
            number,
            bytes: received.bytes,
            etag: received.digests.etag(),
            modified: to.now(),
            checksum: received.digests.checksum(upload.algorithm)?,
        };
        to.put_part(&upload, &part, received)?;
        Ok(part)
    })
    .await?;
    let sums = Fields::from(&part.checksum);
    let result = CopyPartResult {
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        e_tag: Some(etag(&part.etag)),
        last_modified: Some(timestamp(part.modified)),
    };
    Ok(S3Response::new(UploadPartCopyOutput { copy_part_result: Some(result), ..UploadPartCopyOutput::default() }))
}
