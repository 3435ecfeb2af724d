//! Multipart uploads and copies: parts that clients send to signed URLs, and objects beyond what one request takes.

use std::time::Duration;

use aws_sdk_s3::{
    config::{Builder, retry::RetryConfig},
    presigning::PresigningConfig,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, MetadataDirective},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use tokio::time::Instant;

use super::{
    CALL_LIMIT, S3Store,
    calls::{chain, sha256_of},
};
use crate::adapters::objects::{CopyObject, NewPart, Part, SignedPart, StoreError, StoreErrorKind, Stored};

/// The most that CopyObject takes (S3 user guide, "Copying objects").
const COPY_MAX: u64 = 5 << 30;
/// A part of a larger copy.
const COPY_PART: u64 = 1 << 30;
/// S3 joins 10,000 parts in minutes, and answers 200 at once with blanks until then.
const COMPLETE_LIMIT: Duration = Duration::from_secs(600);

impl S3Store {
    pub(super) async fn create_multipart(&self, key: &str, content_type: Option<&str>) -> Result<String, StoreError> {
        let sent = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .set_content_type(content_type.map(str::to_owned))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .send();
        let output = self.call("CreateMultipartUpload", key, CALL_LIMIT, sent).await?;
        output.upload_id.ok_or_else(|| {
            self.error(StoreErrorKind::Unavailable, "CreateMultipartUpload", key, "the answer names no upload")
        })
    }

    pub(super) async fn send_part(
        &self,
        key: &str,
        upload: &str,
        part: &NewPart,
        bytes: Bytes,
        timeout: Duration,
    ) -> Result<Part, StoreError> {
        let refuse = |message: String| self.error(StoreErrorKind::Refused, "UploadPart", key, message);
        let sent = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload)
            .part_number(i32::try_from(part.number).map_err(|error| refuse(error.to_string()))?)
            .content_length(i64::try_from(part.bytes).map_err(|error| refuse(error.to_string()))?)
            .checksum_sha256(STANDARD.encode(part.sha256))
            .body(bytes.into())
            .customize()
            // The signed checksum header covers the body already.
            .disable_payload_signing()
            .send();
        let output = self.call("UploadPart", key, timeout, sent).await?;
        let etag = output.e_tag.unwrap_or_default();
        Ok(Part { number: part.number, bytes: part.bytes, etag, sha256: Some(part.sha256) })
    }

    pub(super) async fn presign_part(
        &self,
        key: &str,
        upload: &str,
        part: &NewPart,
        life: Duration,
    ) -> Result<SignedPart, StoreError> {
        let refuse = |message: String| self.error(StoreErrorKind::Refused, "UploadPart", key, message);
        let number = i32::try_from(part.number).map_err(|error| refuse(error.to_string()))?;
        let length = i64::try_from(part.bytes).map_err(|error| refuse(error.to_string()))?;
        let life = PresigningConfig::expires_in(life).map_err(|error| refuse(error.to_string()))?;
        let request = self
            .presigner
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload)
            .part_number(number)
            .content_length(length)
            .checksum_sha256(STANDARD.encode(part.sha256))
            .presigned(life)
            .await
            .map_err(|error| refuse(chain(&error)))?;
        let headers = request.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(SignedPart { url: request.uri().to_owned(), headers })
    }

    pub(super) async fn list_parts(
        &self,
        key: &str,
        upload: &str,
        after: u32,
        limit: u16,
    ) -> Result<Option<Vec<Part>>, StoreError> {
        let sent = self
            .client
            .list_parts()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload)
            .part_number_marker(after.to_string())
            .max_parts(i32::from(limit))
            .send();
        let output = match self.call("ListParts", key, CALL_LIMIT, sent).await {
            Ok(output) => output,
            Err(failed) => return failed.or_absent(),
        };
        let malformed = || self.error(StoreErrorKind::Unavailable, "ListParts", key, "a malformed listing");
        let parts = output.parts().iter().map(|part| {
            Ok(Part {
                number: part.part_number().and_then(|number| u32::try_from(number).ok()).ok_or_else(malformed)?,
                bytes: part.size().and_then(|size| u64::try_from(size).ok()).ok_or_else(malformed)?,
                etag: part.e_tag().unwrap_or_default().to_owned(),
                sha256: sha256_of(part.checksum_sha256(), None),
            })
        });
        parts.collect::<Result<_, _>>().map(Some)
    }

    pub(super) async fn complete_multipart(
        &self,
        key: &str,
        upload: &str,
        parts: &[Part],
    ) -> Result<Option<Stored>, StoreError> {
        let parts = parts.iter().map(|part| {
            CompletedPart::builder()
                .part_number(i32::try_from(part.number).unwrap_or(i32::MAX))
                .e_tag(&part.etag)
                .set_checksum_sha256(part.sha256.map(|sha256| STANDARD.encode(sha256)))
                .build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let sent = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload)
            .multipart_upload(parts)
            .send();
        match self.call("CompleteMultipartUpload", key, COMPLETE_LIMIT, sent).await {
            Ok(output) => Ok(Some(Stored { etag: output.e_tag.unwrap_or_default(), version_id: output.version_id })),
            Err(failed) => failed.or_absent(),
        }
    }

    pub(super) async fn copy_within(&self, copy: CopyObject, timeout: Duration) -> Result<Stored, StoreError> {
        if copy.bytes > COPY_MAX {
            return self.copy_in_parts(&copy, timeout).await;
        }
        let sent = self
            .client
            .copy_object()
            .bucket(&self.bucket)
            .key(&copy.to)
            .copy_source(format!("{}/{}", self.bucket, copy.from))
            .metadata_directive(MetadataDirective::Replace)
            .content_type(&copy.content_type)
            // As fast as the bytes are read, where SHA-256 of the whole would be one more pass beside the one that reads it back.
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .customize()
            // As with PutObject: an attempt of unknown outcome is not repeated behind the ledger's back.
            .config_override(Builder::new().retry_config(RetryConfig::disabled()))
            .send();
        let output = self.call("CopyObject", &copy.to, timeout, sent).await?;
        let result =
            output.copy_object_result.unwrap_or_else(|| aws_sdk_s3::types::CopyObjectResult::builder().build());
        Ok(Stored { etag: result.e_tag.unwrap_or_default(), version_id: output.version_id })
    }

    /// A failure leaves an upload behind, which the erasure of the key aborts.
    async fn copy_in_parts(&self, copy: &CopyObject, timeout: Duration) -> Result<Stored, StoreError> {
        let end = Instant::now() + timeout;
        let upload = self.create_multipart(&copy.to, Some(&copy.content_type)).await?;
        let mut parts = Vec::new();
        for (number, first) in (1..).zip((0..copy.bytes).step_by(usize::try_from(COPY_PART).unwrap_or(usize::MAX))) {
            let last = (first + COPY_PART).min(copy.bytes) - 1;
            let sent = self
                .client
                .upload_part_copy()
                .bucket(&self.bucket)
                .key(&copy.to)
                .upload_id(&upload)
                .part_number(number)
                .copy_source(format!("{}/{}", self.bucket, copy.from))
                .copy_source_range(format!("bytes={first}-{last}"))
                .send();
            let left = end.saturating_duration_since(Instant::now());
            let output = self.call("UploadPartCopy", &copy.to, left, sent).await?;
            let result = output.copy_part_result();
            parts.push(Part {
                number: u32::try_from(number).unwrap_or(u32::MAX),
                bytes: last - first + 1,
                etag: result.and_then(|result| result.e_tag()).unwrap_or_default().to_owned(),
                sha256: sha256_of(result.and_then(|result| result.checksum_sha256()), None),
            });
        }
        let stored = self.complete_multipart(&copy.to, &upload, &parts).await?;
        stored.ok_or_else(|| {
            self.error(StoreErrorKind::Unavailable, "CompleteMultipartUpload", &copy.to, "the upload is gone")
        })
    }
}
