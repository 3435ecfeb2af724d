//! Finding a manifest where there is nothing but a bucket.

use aws_lc_rs::digest::{Context, SHA256};
use entity::{Timestamp, object::Kind};
use futures::TryStreamExt as _;
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt as _;

use super::ManifestError;
use crate::{
    adapters::objects::{ObjectStore, Sha256, finish_sha256, keys::ObjectKey},
    error::Fault,
};

const PAGE: u16 = 1000;

/// A manifest in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub key: ObjectKey,
    pub bytes: u64,
    /// When its key was made.
    pub at: Timestamp,
}

/// The manifests of a bucket, the newest first: their keys tell their time. What is under other names is none of ours.
pub async fn list(store: &dyn ObjectStore) -> Result<Vec<Found>, Fault> {
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = store.list(&format!("{}/", Kind::Manifest), after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        found.extend(page.into_iter().filter_map(|listed| {
            let key: ObjectKey = listed.key.parse().ok()?;
            let (seconds, nanoseconds) = key.id.get_timestamp()?.to_unix();
            let at = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?.checked_add(i64::from(nanoseconds / 1000))?;
            Some(Found { key, bytes: listed.bytes, at: Timestamp(at) })
        }));
    }
    found.sort_by_key(|found| std::cmp::Reverse(found.key.id));
    Ok(found)
}

/// A manifest's file on its way to be read.
#[derive(Debug)]
pub struct Brought {
    pub path: TempPath,
    /// Under which key it is in the bucket, which the server may keep.
    pub key: ObjectKey,
    pub bytes: u64,
    pub sha256: Sha256,
}

/// Brings a manifest into a file: the one of this key, or the newest.
pub async fn bring(store: &dyn ObjectStore, key: Option<&str>, file: NamedTempFile) -> Result<Brought, ManifestError> {
    let key = match key {
        Some(key) => key.parse().ok().filter(|key: &ObjectKey| key.kind == Kind::Manifest),
        None => list(store).await?.first().map(|found| found.key),
    };
    let key = key.ok_or_else(|| ManifestError::None(store.bucket().to_owned()))?;
    let found = store.get(&key.to_string(), None).await.map_err(Fault::from)?;
    let found = found.ok_or_else(|| ManifestError::Unreadable(format!("bucket {} has no {key}", store.bucket())))?;
    let (file, path) = file.into_parts();
    let (mut file, mut body) = (tokio::fs::File::from_std(file), found.body);
    let (mut bytes, mut hash) = (0, Context::new(&SHA256));
    while let Some(chunk) = body.try_next().await.map_err(Fault::from)? {
        bytes += chunk.len() as u64;
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(Fault::internal)?;
    }
    file.flush().await.map_err(Fault::internal)?;
    Ok(Brought { path, key, bytes, sha256: finish_sha256(hash) })
}
