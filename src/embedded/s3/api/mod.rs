//! The S3 operations over the disks of the two buckets, as `s3s` calls them after authentication.

mod announced;
mod copy;
mod lists;
mod multipart;
mod objects;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use entity::Timestamp as Instant;
use s3s::{
    S3, S3Error, S3Request, S3Response, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, Bucket as ListedBucket, CORSRule,
        CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput,
        CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
        DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, ETag, ETagCondition,
        GetBucketCorsInput, GetBucketCorsOutput, GetBucketLocationInput, GetBucketLocationOutput,
        GetBucketVersioningInput, GetBucketVersioningOutput, GetObjectInput, GetObjectOutput, GetObjectTaggingInput,
        GetObjectTaggingOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput,
        ListBucketsOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectVersionsInput,
        ListObjectVersionsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
        ListPartsInput, ListPartsOutput, PutObjectInput, PutObjectOutput, Timestamp, UploadPartCopyInput,
        UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
    },
    s3_error,
};
use tokio::task::spawn_blocking;

use super::{
    cors,
    disk::{Condition, Disk},
};

/// S3 user guide, "Naming Amazon S3 objects".
const MAX_KEY: usize = 1024;
/// The one version an unversioned bucket has of a key.
const NULL_VERSION: &str = "null";

/// One bucket that the server answers for.
pub(super) struct Bucket {
    pub name: String,
    pub region: String,
    pub created: i64,
    pub disk: Arc<Disk>,
    pub stopped: AtomicBool,
}

impl Bucket {
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

pub(super) type Buckets = Arc<BTreeMap<String, Bucket>>;

pub(super) struct Api {
    pub buckets: Buckets,
    pub cors_origins: Arc<[String]>,
}

impl Api {
    fn bucket(&self, name: &str) -> S3Result<&Bucket> {
        self.buckets.get(name).ok_or_else(|| s3_error!(NoSuchBucket, "this server has no bucket {name:?}"))
    }

    fn disk(&self, bucket: &str) -> S3Result<Arc<Disk>> {
        Ok(Arc::clone(&self.bucket(bucket)?.disk))
    }
}

/// Runs blocking work to its end, also where the client has gone: a commit never stops half-way.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> S3Result<T> + Send + 'static) -> S3Result<T> {
    spawn_blocking(work).await.map_err(S3Error::internal_error)?
}

/// Refuses keys that could not be listed again: XML 1.0 has no way to write control characters.
fn check_key(key: &str) -> S3Result<()> {
    if key.len() > MAX_KEY {
        return Err(s3_error!(KeyTooLongError, "a key has at most {MAX_KEY} bytes"));
    }
    if key.is_empty() {
        return Err(s3_error!(InvalidArgument, "a key has at least one byte"));
    }
    if key.chars().any(|c| c.is_ascii_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(s3_error!(InvalidArgument, "a key has no control characters"));
    }
    Ok(())
}

fn check_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some(NULL_VERSION) => Ok(()),
        Some(version) => Err(s3_error!(NoSuchVersion, "the bucket has no versions, and so none named {version:?}")),
    }
}

fn timestamp(micros: i64) -> Timestamp {
    let time: std::time::SystemTime = Instant(micros).to_utc().into();
    time.into()
}

/// UTC microseconds.
fn micros(time: &Timestamp) -> i64 {
    let time: time::OffsetDateTime = time.clone().into();
    i64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

fn etag(value: &str) -> ETag {
    ETag::Strong(value.to_owned())
}

/// The condition of a write.
fn condition(if_match: Option<&ETagCondition>, if_none_match: Option<&ETagCondition>) -> S3Result<Condition> {
    let absent = match if_none_match {
        None => false,
        Some(ETagCondition::Any) => true,
        Some(ETagCondition::ETag(_)) => {
            return Err(s3_error!(NotImplemented, "writes know If-None-Match only with *"));
        }
    };
    let etag = if_match.map(|condition| match condition {
        ETagCondition::Any => "*".to_owned(),
        ETagCondition::ETag(etag) => etag.value().to_owned(),
    });
    Ok(Condition { absent, etag })
}

/// Refuses features whose silent absence would mislead: encryption keys, locks, public grants, tags, classes.
macro_rules! refuse_unsupported {
    ($input:expr) => {{
        let input = &$input;
        let acl = input.acl.as_ref().map(|acl| acl.as_str());
        if !matches!(acl, None | Some("private" | "bucket-owner-full-control" | "bucket-owner-read"))
            || input.grant_full_control.is_some()
            || input.grant_read.is_some()
            || input.grant_read_acp.is_some()
            || input.grant_write_acp.is_some()
        {
            return Err(s3s::s3_error!(AccessControlListNotSupported, "the bucket does not allow ACLs"));
        }
        if !matches!(input.storage_class.as_ref().map(|class| class.as_str()), None | Some("STANDARD")) {
            return Err(s3s::s3_error!(InvalidStorageClass, "the only storage class is STANDARD"));
        }
        if input.sse_customer_algorithm.is_some()
            || input.sse_customer_key.is_some()
            || input.ssekms_key_id.is_some()
            || input.server_side_encryption.is_some()
            || input.object_lock_mode.is_some()
            || input.object_lock_legal_hold_status.is_some()
            || input.tagging.as_ref().is_some_and(|tagging| !tagging.is_empty())
            || input.website_redirect_location.is_some()
        {
            return Err(s3s::s3_error!(NotImplemented, "no encryption keys, object locks, tags or redirects here"));
        }
    }};
}
use refuse_unsupported;

#[async_trait]
impl S3 for Api {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.bucket(&req.input.bucket)?;
        Err(s3_error!(BucketAlreadyOwnedByYou, "the bucket is there"))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        let bucket = self.bucket(&req.input.bucket)?;
        let output = HeadBucketOutput { bucket_region: Some(bucket.region.clone()), ..HeadBucketOutput::default() };
        Ok(S3Response::new(output))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self
            .buckets
            .values()
            .map(|bucket| ListedBucket {
                bucket_region: Some(bucket.region.clone()),
                creation_date: Some(timestamp(bucket.created)),
                name: Some(bucket.name.clone()),
            })
            .collect();
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets), ..ListBucketsOutput::default() }))
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        let region = self.bucket(&req.input.bucket)?.region.clone();
        // us-east-1 is the absence of a constraint (S3 API reference, GetBucketLocation).
        let location_constraint = (region != "us-east-1").then(|| region.into());
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
    }

    async fn get_bucket_versioning(
        &self,
        req: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        self.bucket(&req.input.bucket)?;
        Ok(S3Response::new(GetBucketVersioningOutput::default()))
    }

    async fn get_bucket_cors(&self, req: S3Request<GetBucketCorsInput>) -> S3Result<S3Response<GetBucketCorsOutput>> {
        self.bucket(&req.input.bucket)?;
        if self.cors_origins.is_empty() {
            return Err(s3_error!(NoSuchCORSConfiguration));
        }
        let rule = CORSRule {
            allowed_headers: Some(cors::ALLOWED_HEADERS.iter().map(|&header| header.to_owned()).collect()),
            allowed_methods: cors::ALLOWED_METHODS.iter().map(|&method| method.to_owned()).collect(),
            allowed_origins: self.cors_origins.to_vec(),
            expose_headers: Some(cors::EXPOSED_HEADERS.iter().map(|&header| header.to_owned()).collect()),
            id: None,
            max_age_seconds: Some(cors::MAX_AGE_SECONDS),
        };
        Ok(S3Response::new(GetBucketCorsOutput { cors_rules: Some(vec![rule]) }))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        objects::put(self, req).await
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        objects::get(self, req).await
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        objects::head(self, req).await
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        objects::delete(self, req).await
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        objects::delete_many(self, req).await
    }

    async fn get_object_tagging(
        &self,
        req: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        objects::tags(self, req).await
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        copy::object(self, req).await
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        copy::part(self, req).await
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        lists::objects(self, req).await
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        lists::objects_v2(self, req).await
    }

    async fn list_object_versions(
        &self,
        req: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        lists::versions(self, req).await
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        lists::uploads(self, req).await
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        lists::parts(self, req).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        multipart::create(self, req).await
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        multipart::upload_part(self, req).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        multipart::complete(self, req).await
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        multipart::abort(self, req).await
    }
}
