//! The judge judged: faults planted into a clean store, each of which has to be found, and taken out again.

use std::time::Duration;

use entity::{object, object_copy::Site};
use futures::TryStreamExt;
use snaphaven::adapters::objects::{Body, Condition, ObjectStore, PutObject, keys::ObjectKey, s3::S3Store, sha256};
use uuid::Uuid;

use super::{
    client::{Client, Shown},
    verdict,
    work::{Record, State},
};
use crate::common::{
    Failure,
    audit::{Auditor, Kind},
};

/// Longer than the grace period: the fault is not one that the server's sweeper takes away.
const PAST_GRACE: Duration = Duration::from_secs(3);
const PUT: Duration = Duration::from_secs(10);

/// Plants one fault after the other.
///
/// # Errors
/// The first fault that was not found.
pub async fn check(
    auditor: &Auditor,
    client: &Client,
    records: &[Record],
    files: &[Shown],
) -> Result<Vec<&'static str>, Failure> {
    let mut caught = Vec::new();
    let [first, second] = [auditor.store(Site::First), auditor.store(Site::Second)];

    // What a server killed between the two leaves behind where it writes the bytes before the ledger row.
    let key = ObjectKey::new(object::Kind::Original).to_string();
    put(first, &key, b"bytes before the ledger row".to_vec()).await?;
    tokio::time::sleep(PAST_GRACE).await;
    found(auditor, Kind::Orphan, &key).await?;
    first.delete(&key).await?;
    caught.push("bytes before the ledger row");

    let live = auditor.any_live().await?.ok_or("no live object to plant a fault in")?;
    let whole = get(second, &live.key).await?;
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    put(second, &live.key, flipped).await?;
    found(auditor, Kind::Differs, &live.key).await?;
    caught.push("a flipped bit");

    second.delete(&live.key).await?;
    found(auditor, Kind::Missing, &live.key).await?;
    caught.push("a missing replica copy");
    put(second, &live.key, whole).await?;

    let report = auditor.audit(usize::MAX).await?;
    if !report.findings.is_empty() {
        return Err(format!("the store is not clean after the planted faults: {:?}", report.findings).into());
    }

    let missing = |name: &str| files.iter().filter(|file| file.name != name).cloned().collect::<Vec<_>>();
    let kept = files.iter().find(|file| settled(records, file)).ok_or("no acknowledged file to plant a fault in")?;
    if verdict::compare(records, &missing(&kept.name)).is_empty() {
        return Err("a lost acknowledged file was not found".into());
    }
    caught.push("a lost acknowledged file");

    if verdict::compare(records, &[files, std::slice::from_ref(kept)].concat()).is_empty() {
        return Err("a file that is there twice was not found".into());
    }
    caught.push("a duplicate");

    if let Some(purged) = records.iter().find(|record| record.allowed == [State::Gone]) {
        let back = Shown { name: purged.name.clone(), ..kept.clone() };
        if verdict::compare(records, &[files, &[back]].concat()).is_empty() {
            return Err("a purged file that is back was not found".into());
        }
        caught.push("a purged file that is back");
    }

    let active = files.iter().find(|file| file.state == "ACTIVE");
    if let Some(file) = active {
        let altered = Shown { sha256: "0".repeat(64), ..file.clone() };
        if verdict::judge(client, &[], &[altered]).await.violations.len() < 2 {
            return Err("an altered download was not found".into());
        }
        caught.push("an altered download");
    }
    Ok(caught)
}

/// The same of people who left: one who is still there, and bytes of one who is not.
///
/// # Errors
/// The first fault that was not found.
pub async fn check_leavers(auditor: &Auditor, here: Uuid, left: Option<Uuid>) -> Result<Vec<&'static str>, Failure> {
    let mut caught = Vec::new();
    let rows = auditor.left_of(here).await?;
    if !["user", "session", "file", "original/"].iter().all(|what| rows.iter().any(|row| row.contains(what))) {
        return Err(format!("of somebody who is still there only {rows:?} was found").into());
    }
    caught.push("an account that is still there");
    let Some(left) = left else { return Ok(caught) };
    let Some(erased) = auditor.any_erased_of(left).await? else { return Ok(caught) };
    let second = auditor.store(Site::Second);
    put(second, &erased.key, b"bytes of somebody who left".to_vec()).await?;
    if auditor.left_of(left).await?.is_empty() {
        return Err("bytes of a closed account were not found".into());
    }
    second.delete(&erased.key).await?;
    caught.push("bytes of a closed account");
    Ok(caught)
}

fn settled(records: &[Record], file: &Shown) -> bool {
    records.iter().any(|record| record.name == file.name && !record.allowed.contains(&State::Gone))
}

async fn found(auditor: &Auditor, kind: Kind, key: &str) -> Result<(), Failure> {
    let findings = auditor.audit(usize::MAX).await?.findings;
    if findings.iter().any(|finding| finding.kind == kind && finding.what.contains(key)) {
        Ok(())
    } else {
        Err(format!("the planted fault {kind:?} of {key} was not found, only {findings:?}").into())
    }
}

/// Puts bytes under a key behind the server's back, and says their ETag.
pub async fn put(store: &dyn ObjectStore, key: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    let put = PutObject {
        key: key.to_owned(),
        bytes: bytes.len() as u64,
        sha256: sha256(&bytes),
        body: Body::Memory(bytes.into()),
        content_type: "application/octet-stream".to_owned(),
        condition: Condition::None,
    };
    Ok(store.put(put, PUT).await?.etag)
}

async fn get(store: &S3Store, key: &str) -> Result<Vec<u8>, Failure> {
    let object = store.get(key, None).await?.ok_or("a live object is not there")?;
    let chunks: Vec<_> = object.body.try_collect().await?;
    Ok(chunks.concat())
}
