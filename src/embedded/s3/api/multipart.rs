//! Multipart uploads: create, upload a part, complete, abort.

use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag, UploadPartInput,
        UploadPartOutput,
    },
    s3_error,
};

use super::{
    super::{
        checksum::{Algorithm, Coverage, Fields, Hashers},
        disk::{Description, PartChoice, PartRecord, Upload},
    },
    Api,
    announced::{ChecksumPlan, announced_length, stored_encoding},
    blocking, check_key, condition, etag, micros, refuse_unsupported,
};

/// S3 user guide, "Multipart upload limits".
const MAX_PARTS: u32 = 10_000;

pub(super) fn part_number(number: i32) -> S3Result<u32> {
    u32::try_from(number)
        .ok()
        .filter(|number| (1..=MAX_PARTS).contains(number))
        .ok_or_else(|| s3_error!(InvalidArgument, "part numbers go from 1 to {MAX_PARTS}"))
}

pub(super) async fn create(
    api: &Api,
    req: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let input = req.input;
    let disk = api.disk(&input.bucket)?;
    check_key(&input.key)?;
    refuse_unsupported!(input);
    let algorithm = input.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str())).transpose()?;
    let coverage = input
        .checksum_type
        .as_ref()
        .map(|kind| match kind.as_str() {
            "FULL_OBJECT" => Ok(Coverage::FullObject),
            "COMPOSITE" => Ok(Coverage::Composite),
            other => Err(s3_error!(InvalidRequest, "unknown checksum type {other:?}")),
        })
        .transpose()?;
    let checksum = match (algorithm, coverage) {
        (None, None) => None,
        (None, Some(_)) => return Err(s3_error!(InvalidRequest, "a checksum type needs an algorithm")),
        (Some(algorithm), coverage) => {
            let coverage = coverage.unwrap_or_else(|| algorithm.default_coverage());
            if !algorithm.allows(coverage) {
                return Err(s3_error!(InvalidRequest, "{} does not go with this checksum type", algorithm.as_str()));
            }
            Some((algorithm, coverage))
        }
    };
    let description = Description {
        content_type: input.content_type,
        content_encoding: stored_encoding(input.content_encoding.as_deref()),
        content_disposition: input.content_disposition,
        content_language: input.content_language,
        cache_control: input.cache_control,
        expires: input.expires.as_ref().map(micros),
        metadata: input.metadata.unwrap_or_default().into_iter().collect(),
    };
    let upload = Upload::new(input.key, disk.now(), description, checksum);
    let upload = blocking(move || disk.create_upload(upload)).await?;
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: checksum.map(|(algorithm, _)| algorithm.into()),
        checksum_type: checksum.map(|(_, coverage)| coverage.into()),
        key: Some(upload.key.clone()),
        upload_id: Some(upload.id.clone()),
        ..CreateMultipartUploadOutput::default()
    }))
}

pub(super) async fn upload_part(api: &Api, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
    let input = req.input;
    let disk = api.disk(&input.bucket)?;
    let number = part_number(input.part_number)?;
    let upload = disk.find_upload(&input.key, &input.upload_id)?;
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
    let plan = ChecksumPlan::new(fields, named, input.content_md5.as_deref(), &req.headers, upload.algorithm)?;
    if upload.explicit && plan.keep != upload.algorithm {
        return Err(s3_error!(InvalidRequest, "the upload was created with {} checksums", upload.algorithm.as_str()));
    }
    let algorithms = [plan.keep, upload.algorithm];
    // Who chose SHA-256 compares that, and MD5 takes twice its time.
    let plain = upload.explicit && upload.algorithm == Algorithm::Sha256 && !plan.has_md5();
    let hashers = if plain { Hashers::without_md5(&algorithms) } else { Hashers::new(&algorithms) };
    let received = disk.receive(input.body, hashers, Some(length)).await?;
    let announced = plan.verify(&received.digests, req.trailing_headers.as_ref())?;
    let part = PartRecord {
        number,
        bytes: received.bytes,
        etag: received.digests.etag(),
        modified: disk.now(),
        checksum: received.digests.checksum(upload.algorithm)?,
    };
    let part = blocking(move || disk.put_part(&upload, &part, received).map(|()| part)).await?;
    let sums = Fields::from(&announced);
    Ok(S3Response::new(UploadPartOutput {
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        e_tag: Some(etag(&part.etag)),
        ..UploadPartOutput::default()
    }))
}

pub(super) async fn complete(
    api: &Api,
    req: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let input = req.input;
    let disk = api.disk(&input.bucket)?;
    let upload = disk.find_upload(&input.key, &input.upload_id)?;
    let condition = condition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let expected = Fields {
        crc32: input.checksum_crc32,
        crc32c: input.checksum_crc32c,
        crc64nvme: input.checksum_crc64nvme,
        sha1: input.checksum_sha1,
        sha256: input.checksum_sha256,
        kind: None,
    }
    .single()?;
    let choices = input
        .multipart_upload
        .and_then(|parts| parts.parts)
        .unwrap_or_default()
        .into_iter()
        .map(|part| {
            let given = Fields {
                crc32: part.checksum_crc32,
                crc32c: part.checksum_crc32c,
                crc64nvme: part.checksum_crc64nvme,
                sha1: part.checksum_sha1,
                sha256: part.checksum_sha256,
                kind: None,
            }
            .single()?;
            Ok(PartChoice {
                number: part_number(part.part_number.unwrap_or_default())?,
                etag: part.e_tag.map(ETag::into_value).unwrap_or_default(),
                // A checksum the upload does not keep was compared when the part came.
                checksum: given.filter(|(algorithm, _)| upload.explicit || *algorithm == upload.algorithm),
            })
        })
        .collect::<S3Result<Vec<_>>>()?;
    let size = input.mpu_object_size;
    let work = move || {
        disk.complete_upload(&upload, &choices, &condition, |bytes, checksum| {
            if size.is_some_and(|size| u64::try_from(size) != Ok(bytes)) {
                return Err(s3_error!(InvalidRequest, "the parts have {bytes} bytes together"));
            }
            match &expected {
                Some((algorithm, value)) if *algorithm == checksum.algorithm && *value != checksum.value => {
                    Err(s3_error!(BadDigest, "the object does not match its {} checksum", algorithm.as_str()))
                }
                Some((algorithm, _)) if *algorithm != checksum.algorithm => {
                    Err(s3_error!(InvalidRequest, "the upload keeps {} checksums", checksum.algorithm.as_str()))
                }
                _ => Ok(()),
            }
        })
    };
    let record = blocking(work).await?;
    let sums = Fields::from(&record.checksum);
    Ok(S3Response::new(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", input.bucket, record.key)),
        bucket: Some(input.bucket),
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        checksum_type: sums.kind,
        e_tag: Some(etag(&record.etag)),
        key: Some(record.key),
        ..CompleteMultipartUploadOutput::default()
    }))
}

pub(super) async fn abort(
    api: &Api,
    req: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let input = req.input;
    let disk = api.disk(&input.bucket)?;
    let upload = disk.find_upload(&input.key, &input.upload_id)?;
    blocking(move || disk.abort_upload(&upload)).await?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}
