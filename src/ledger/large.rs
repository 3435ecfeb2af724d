//! Copying large objects from one site to the other: in parts, so that none has to fit into memory, onto the disk or into
//! one request.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use entity::{object, object_copy::Site};
use futures::TryStreamExt as _;
use tokio::time::Instant;

use crate::{
    adapters::objects::{NewPart, ObjectStore, StoreError, StoreErrorKind, Stored, sha256},
    app::App,
};

/// Smaller ones go in one request.
pub(super) const LARGE: i64 = 32 << 20;
/// Bytes of a part, which waits in memory: few, but no more parts than S3 takes (10,000; S3 user guide, "Multipart upload
/// limits").
const PART: u64 = 8 << 20;
/// The slowest way between two regions that is waited for, in bytes a second, beside the usual time of a write.
const SLOWEST: u64 = 4 << 20;

/// Who takes turns with copies beside their own workers: repairs, canaries, rehearsals.
const OTHERS: usize = 8;

/// How long a copy may take.
pub(super) fn timeout(app: &App, object: &object::Model) -> Duration {
    let usual = app.config.objects.write_timeout;
    if object.bytes <= LARGE {
        return usual;
    }
    let bytes = u64::try_from(object.bytes).unwrap_or(0);
    let turns = app.copying().longest(bytes, app.config.jobs.concurrency + OTHERS);
    usual + Duration::from_secs(bytes / SLOWEST) + turns
}

/// Copies the bytes, holds each part to its SHA-256 and all of them to the ledger's, and only then joins them.
pub(super) async fn copy(
    app: &App,
    object: &object::Model,
    from: Site,
    to: Site,
    end: Instant,
) -> Result<Stored, StoreError> {
    let (source, target) = (app.stores.at(from), app.stores.at(to));
    // Of an attempt that was cut off.
    target.abort_uploads(&object.key).await?;
    let upload = target.create_upload(&object.key, Some(&object.content_type)).await?;
    let bytes = u64::try_from(object.bytes).unwrap_or(0);
    let size = PART.max(bytes.div_ceil(10_000));
    let (mut parts, mut whole, mut first) = (Vec::new(), Context::new(&SHA256), 0);
    for number in 1.. {
        if first >= bytes {
            break;
        }
        let last = (first + size).min(bytes) - 1;
        app.copying().wait(last - first + 1).await;
        let part = read(&**source, &object.key, first, last).await?;
        whole.update(&part);
        first += part.len() as u64;
        let new = NewPart { number, bytes: part.len() as u64, sha256: sha256(&part) };
        let left = end.saturating_duration_since(Instant::now()).min(app.config.objects.write_timeout);
        parts.push(target.put_part(&object.key, &upload, &new, part, left).await?);
    }
    if whole.finish().as_ref() != object.sha256 {
        target.abort_uploads(&object.key).await?;
        return Err(error(&**source, &object.key, StoreErrorKind::BadDigest, "the bytes differ from the ledger"));
    }
    let joined = target.complete_upload(&object.key, &upload, &parts).await?;
    // Another attempt of this job aborted it.
    joined.ok_or_else(|| error(&**target, &object.key, StoreErrorKind::Unavailable, "the upload is gone"))
}

async fn read(store: &dyn ObjectStore, key: &str, first: u64, last: u64) -> Result<Bytes, StoreError> {
    let Some(found) = store.get(key, Some(first..=last)).await? else {
        return Err(error(store, key, StoreErrorKind::Refused, "no such key"));
    };
    let length = last - first + 1;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    let mut body = found.body;
    while let Some(chunk) = body.try_next().await? {
        bytes.extend_from_slice(&chunk);
    }
    if bytes.len() as u64 == length {
        Ok(bytes.into())
    } else {
        Err(error(store, key, StoreErrorKind::BadDigest, "the object is not as long as the ledger says"))
    }
}

fn error(store: &dyn ObjectStore, key: &str, kind: StoreErrorKind, message: &str) -> StoreError {
    StoreError {
        kind,
        operation: "copy to the other site",
        bucket: store.bucket().to_owned(),
        key: key.to_owned(),
        message: message.to_owned(),
    }
}
