//! The object store over aws-sdk-s3: AWS, any S3-compatible store, or a store in this very process.

mod calls;
mod facts;
mod in_process;
mod multipart;
mod reading;

use std::{fmt, future::Future, io, ops::RangeInclusive, time::Duration};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        SharedCredentialsProvider, retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::SdkError,
    primitives::{ByteStream, SdkBody},
    types::ChecksumMode,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::StreamExt;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use self::{
    calls::{claim_of, classify, full, is_sealed, sha256_of},
    reading::Reading,
};
use super::{
    Body, Condition, CopyObject, Facts, Listed, NewPart, Object, ObjectMeta, ObjectStore, Part, Presence, PutObject,
    SignedPart, StoreError, StoreErrorKind, Stored, Surveyed,
};
use crate::config;

/// How long a call without a body may take, retries included.
const CALL_LIMIT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPTS: u32 = 3;
/// Before a write that the store turned away, untouched, is sent again (429, or 503 SlowDown).
const WRITE_PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// A host name that is never looked up.
const IN_PROCESS_ENDPOINT: &str = "http://s3.in-process";

/// One bucket behind the S3 protocol.
pub struct S3Store {
    client: Client,
    /// Knows the address by which clients reach the store.
    presigner: Client,
    bucket: String,
    region: String,
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store").field("bucket", &self.bucket).field("region", &self.region).finish_non_exhaustive()
    }
}

fn common(region: &str) -> Builder {
    Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build())
        // Every write here carries its own SHA-256; stores that only resemble S3 refuse what they do not know.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
}

impl S3Store {
    /// AWS, or the S3-compatible store at the bucket's endpoint. Without an access key in the settings, the usual AWS
    /// chain finds one (environment, profile, container, instance). Nothing is sent before the first call.
    pub async fn connect(bucket: &config::Bucket) -> Self {
        let mut settings = common(&bucket.region).force_path_style(bucket.path_style);
        if !bucket.endpoint.is_empty() {
            settings = settings.endpoint_url(&bucket.endpoint);
            if bucket.endpoint.starts_with("http://") {
                // No TLS, no certificates to load.
                settings = settings.http_client(aws_smithy_http_client::Builder::new().build_http());
            }
        }
        settings = if bucket.access_key_id.is_empty() {
            let shared =
                aws_config::defaults(BehaviorVersion::latest()).region(Region::new(bucket.region.clone())).load().await;
            settings.set_credentials_provider(shared.credentials_provider());
            settings
        } else {
            settings.credentials_provider(static_key(&bucket.access_key_id, &bucket.secret_access_key))
        };
        Self::over(settings, &bucket.bucket, &bucket.region)
    }

    /// A store in this process: requests are handed to the service without a socket.
    pub fn in_process<S, B>(service: S, bucket: &str, region: &str, access_key_id: &str, secret: &SecretString) -> Self
    where
        S: tower::Service<http::Request<SdkBody>, Response = http::Response<B>, Error = std::convert::Infallible>,
        S: Clone + fmt::Debug + Send + Sync + 'static,
        S::Future: Send,
        B: http_body::Body<Data = Bytes> + Send + Sync + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let settings = common(region)
            .force_path_style(true)
            .endpoint_url(IN_PROCESS_ENDPOINT)
            .http_client(in_process::client(service))
            .credentials_provider(static_key(access_key_id, secret));
        Self::over(settings, bucket, region)
    }

    fn over(settings: Builder, bucket: &str, region: &str) -> Self {
        let client = Client::from_conf(settings.build());
        Self { presigner: client.clone(), client, bucket: bucket.to_owned(), region: region.to_owned() }
    }

    /// Clients reach the store at this endpoint, and not at the server's.
    #[must_use]
    pub fn reached_at(self, endpoint: &str) -> Self {
        let settings = self.client.config().to_builder().endpoint_url(endpoint);
        Self { presigner: Client::from_conf(settings.build()), ..self }
    }

    fn error(
        &self,
        kind: StoreErrorKind,
        operation: &'static str,
        key: &str,
        message: impl Into<String>,
    ) -> StoreError {
        StoreError { kind, operation, bucket: self.bucket.clone(), key: key.to_owned(), message: message.into() }
    }

    /// Sends a request and waits for its answer until the limit.
    async fn call<T, E, R>(
        &self,
        operation: &'static str,
        key: &str,
        limit: Duration,
        sent: impl Future<Output = Result<T, SdkError<E, R>>> + Send,
    ) -> Result<T, Failed>
    where
        E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + 'static,
        R: calls::Status + fmt::Debug + 'static,
    {
        match tokio::time::timeout(limit, sent).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let (kind, status, message) = classify(&error);
                Err(Failed { status, error: self.error(kind, operation, key, message) })
            }
            Err(_) => {
                let message = format!("no answer within {limit:?}");
                Err(Failed { status: None, error: self.error(StoreErrorKind::Unavailable, operation, key, message) })
            }
        }
    }

    async fn open_body(&self, put: &PutObject) -> Result<ByteStream, StoreError> {
        let refuse = |message: String| self.error(StoreErrorKind::BadDigest, "PutObject", &put.key, message);
        let failed = |error: io::Error| self.error(StoreErrorKind::Refused, "PutObject", &put.key, error.to_string());
        let (body, length) = match &put.body {
            Body::Memory(bytes) => (ByteStream::from(bytes.clone()), bytes.len() as u64),
            Body::File(path) => {
                let length = tokio::fs::metadata(path).await.map_err(failed)?.len();
                let body = ByteStream::from_path(path).await.map_err(|error| failed(io::Error::other(error)))?;
                (body, length)
            }
        };
        if length == put.bytes {
            Ok(body)
        } else {
            Err(refuse(format!("the body has {length} bytes, and {} were announced", put.bytes)))
        }
    }
}

fn static_key(access_key_id: &str, secret: &SecretString) -> SharedCredentialsProvider {
    let key = Credentials::new(access_key_id, secret.expose_secret(), None, None, "snaphaven");
    SharedCredentialsProvider::new(key)
}

/// A failed call with the HTTP status it got, if any.
struct Failed {
    status: Option<u16>,
    error: StoreError,
}

impl Failed {
    /// Not found means `None` where the key may be absent; a missing bucket stays an error.
    fn or_absent<T>(self) -> Result<Option<T>, StoreError> {
        if self.status == Some(404) && self.error.kind != StoreErrorKind::NoSuchBucket {
            Ok(None)
        } else {
            Err(self.error)
        }
    }
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    fn bucket(&self) -> &str {
        &self.bucket
    }

    fn region(&self) -> &str {
        &self.region
    }

    async fn put(&self, put: PutObject, timeout: Duration) -> Result<Stored, StoreError> {
        let length = i64::try_from(put.bytes)
            .map_err(|_| self.error(StoreErrorKind::Refused, "PutObject", &put.key, "an impossible length"))?;
        let end = Instant::now() + timeout;
        let mut pauses = WRITE_PAUSES.iter();
        loop {
            let body = self.open_body(&put).await?;
            let (absent, is) = match &put.condition {
                Condition::None => (None, None),
                Condition::Absent => (Some("*".to_owned()), None),
                Condition::Is(etag) => (None, Some(etag.clone())),
            };
            let sent = self
                .client
                .put_object()
                .bucket(&self.bucket)
                .key(&put.key)
                .body(body)
                .content_length(length)
                .content_type(&put.content_type)
                .checksum_sha256(STANDARD.encode(put.sha256))
                .set_if_none_match(absent)
                .set_if_match(is)
                .customize()
                // The SDK repeats attempts of unknown outcome too; a definite reply to the last would then say nothing
                // of the first, which may land later.
                .config_override(Builder::new().retry_config(RetryConfig::disabled()))
                // The signed checksum header covers the body already; hashing it twice costs as much as the write.
                .disable_payload_signing()
                .send();
            let left = end.saturating_duration_since(Instant::now());
            match self.call("PutObject", &put.key, left, sent).await {
                Ok(output) => {
                    return Ok(Stored { etag: output.e_tag.unwrap_or_default(), version_id: output.version_id });
                }
                Err(Failed { status: Some(429 | 503), error }) => match pauses.next() {
                    Some(pause) if *pause < end.saturating_duration_since(Instant::now()) => {
                        tokio::time::sleep(*pause).await;
                    }
                    _ => return Err(error),
                },
                Err(failed) => return Err(failed.error),
            }
        }
    }

    async fn get(&self, key: &str, range: Option<RangeInclusive<u64>>) -> Result<Option<Object>, StoreError> {
        let asked = range.as_ref().map(|range| format!("bytes={}-{}", range.start(), range.end()));
        let sent = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .set_range(asked)
            .customize()
            // As a header, so that the store tells its sum and the SDK does not hash the bytes, which every reader does.
            .mutate_request(|request| drop(request.headers_mut().insert("x-amz-checksum-mode", "ENABLED")))
            .send();
        let output = match self.call("GetObject", key, CALL_LIMIT, sent).await {
            Ok(output) => output,
            Err(failed) => return failed.or_absent(),
        };
        let malformed = |what: &str| self.error(StoreErrorKind::Unavailable, "GetObject", key, what);
        let length = output
            .content_length
            .and_then(|length| u64::try_from(length).ok())
            .ok_or_else(|| malformed("the answer has no length"))?;
        let sent_range = match (&range, &output.content_range) {
            (Some(_), Some(text)) => Some(calls::content_range(text).ok_or_else(|| malformed("a bad Content-Range"))?),
            (Some(_), None) => return Err(malformed("the store ignored the range")),
            (None, _) => None,
        };
        let (range, whole) = match sent_range {
            Some((range, whole)) => (Some(range), whole),
            None => (None, length),
        };
        let meta = ObjectMeta {
            bytes: whole,
            etag: output.e_tag.unwrap_or_default(),
            version_id: output.version_id,
            content_type: output.content_type,
            sha256: sha256_of(output.checksum_sha256.as_deref(), output.checksum_type.as_ref()),
            crc64nvme: full(output.checksum_crc64_nvme, output.checksum_type.as_ref()),
            sealed: is_sealed(output.server_side_encryption.as_ref(), output.sse_customer_algorithm.as_deref()),
            claim: claim_of(output.replication_status.as_ref()),
        };
        let reading = Reading { body: output.body, left: length, bucket: self.bucket.clone(), key: key.to_owned() };
        Ok(Some(Object { meta, range, body: reading.into_stream().boxed() }))
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError> {
        let sent = self.client.head_object().bucket(&self.bucket).key(key).checksum_mode(ChecksumMode::Enabled).send();
        let output = match self.call("HeadObject", key, CALL_LIMIT, sent).await {
            Ok(output) => output,
            Err(failed) => return failed.or_absent(),
        };
        let bytes = output
            .content_length
            .and_then(|length| u64::try_from(length).ok())
            .ok_or_else(|| self.error(StoreErrorKind::Unavailable, "HeadObject", key, "the answer has no length"))?;
        Ok(Some(ObjectMeta {
            bytes,
            etag: output.e_tag.unwrap_or_default(),
            version_id: output.version_id,
            content_type: output.content_type,
            sha256: sha256_of(output.checksum_sha256.as_deref(), output.checksum_type.as_ref()),
            crc64nvme: full(output.checksum_crc64_nvme, output.checksum_type.as_ref()),
            sealed: is_sealed(output.server_side_encryption.as_ref(), output.sse_customer_algorithm.as_deref()),
            claim: claim_of(output.replication_status.as_ref()),
        }))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.delete_versions(key).await?;
        // Stores without versions may list none and still have the object.
        if self.head(key).await?.is_some() {
            self.delete_version(key, None).await?;
            self.delete_versions(key).await?;
        }
        self.abort_multipart(key).await
    }

    async fn look(&self, key: &str) -> Result<Presence, StoreError> {
        let (versions, markers) = self.count_versions(key).await?;
        let uploads = self.count_uploads(key).await?;
        if versions == 0 && markers == 0 && uploads == 0 {
            Ok(Presence::Gone)
        } else {
            Ok(Presence::Present { versions, markers, uploads })
        }
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: u16) -> Result<Vec<Listed>, StoreError> {
        self.list_page(prefix, start_after, limit).await
    }

    async fn survey(&self, start_after: Option<&str>, limit: u16) -> Result<Vec<Surveyed>, StoreError> {
        self.survey_page(start_after, limit).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let sent = self.client.head_bucket().bucket(&self.bucket).send();
        match self.call("HeadBucket", "", CALL_LIMIT, sent).await {
            Ok(_) => Ok(()),
            // A HEAD has no error document that could name the bucket.
            Err(Failed { status: Some(404), error }) => Err(StoreError { kind: StoreErrorKind::NoSuchBucket, ..error }),
            Err(failed) => Err(failed.error),
        }
    }

    async fn facts(&self) -> Facts {
        self.ask_facts().await
    }

    async fn create_upload(&self, key: &str, content_type: Option<&str>) -> Result<String, StoreError> {
        self.create_multipart(key, content_type).await
    }

    async fn put_part(
        &self,
        key: &str,
        upload: &str,
        part: &NewPart,
        bytes: Bytes,
        timeout: Duration,
    ) -> Result<Part, StoreError> {
        self.send_part(key, upload, part, bytes, timeout).await
    }

    async fn abort_uploads(&self, key: &str) -> Result<(), StoreError> {
        self.abort_multipart(key).await
    }

    async fn sign_part(
        &self,
        key: &str,
        upload: &str,
        part: &NewPart,
        life: Duration,
    ) -> Result<SignedPart, StoreError> {
        self.presign_part(key, upload, part, life).await
    }

    async fn parts(&self, key: &str, upload: &str, after: u32, limit: u16) -> Result<Option<Vec<Part>>, StoreError> {
        self.list_parts(key, upload, after, limit).await
    }

    async fn complete_upload(&self, key: &str, upload: &str, parts: &[Part]) -> Result<Option<Stored>, StoreError> {
        self.complete_multipart(key, upload, parts).await
    }

    async fn copy(&self, copy: CopyObject, timeout: Duration) -> Result<Stored, StoreError> {
        self.copy_within(copy, timeout).await
    }
}
