//! The parts of a direct upload: signing them, and what S3 says has arrived.

use std::{collections::HashSet, time::Duration};

use aws_lc_rs::digest::{Context, SHA256};
use entity::{Timestamp, upload, upload::State};
use uuid::Uuid;

use super::{begin::begun, bytes_of, closed, finish::finishes_itself, part_count, size, staging_key, store};
use crate::{
    adapters::objects::{NewPart, Part, Sha256, SignedPart},
    app::App,
    error::Fault,
    files::FilesError,
    viewer::Viewer,
};

/// Parts signed at once.
pub const MAX_SIGNED: usize = 100;
/// A page of parts.
pub const MAX_LISTED: u16 = 1000;

/// A part to be signed: its number, from 1, and its SHA-256.
#[derive(Clone, Copy, Debug)]
pub struct PartToSign {
    pub number: i32,
    pub sha256: Sha256,
}

/// A signed part, good until `expires_at`.
#[derive(Debug)]
pub struct Signed {
    pub number: u32,
    pub bytes: u64,
    pub request: SignedPart,
    pub expires_at: Timestamp,
}

/// An open upload that S3 knows.
pub(super) struct Open {
    pub row: upload::Model,
    pub key: String,
    pub multipart_id: String,
}

pub(super) async fn open(app: &App, row: upload::Model) -> Result<Open, FilesError> {
    let row = begun(app, row).await?;
    let now = app.db.now(app.db.read()).await?;
    if row.state != State::Open || row.expires_at <= now {
        return Err(closed(&row));
    }
    let key = staging_key(&row);
    let multipart_id = row.multipart_id.clone().ok_or_else(|| Fault::Busy("S3 has not begun the upload".to_owned()))?;
    Ok(Open { row, key, multipart_id })
}

/// Signs parts of the viewer's open upload, as often as they are asked for.
pub async fn sign(app: &App, viewer: &Viewer, id: Uuid, parts: &[PartToSign]) -> Result<Vec<Signed>, FilesError> {
    let owner = viewer.person()?.user_id;
    let row = store::find(app.db.read(), owner, id).await?.ok_or(FilesError::NotFound)?;
    if parts.is_empty() || parts.len() > MAX_SIGNED {
        return Err(FilesError::BadPartCount { limit: MAX_SIGNED });
    }
    let last = part_count(&row);
    let number = |part: &PartToSign| u32::try_from(part.number).ok().filter(|n| (1..=last).contains(&u64::from(*n)));
    if parts.iter().any(|part| number(part).is_none()) {
        return Err(FilesError::InvalidPart { last });
    }
    let Open { row, key, multipart_id } = open(app, row).await?;
    let now = app.db.now(app.db.read()).await?;
    let life = app.config.uploads.part_url_ttl.min(row.expires_at.since(now));
    // S3 counts in whole seconds.
    let life = Duration::from_secs(life.as_secs().max(1));
    let store = app.stores.at(row.site);
    let mut signed = Vec::with_capacity(parts.len());
    for part in parts {
        let number = number(part).unwrap_or_default();
        let new = NewPart { number, bytes: bytes_of(&row, number.into()), sha256: part.sha256 };
        let request = store.sign_part(&key, &multipart_id, &new, life).await.map_err(Fault::from)?;
        signed.push(Signed { number, bytes: new.bytes, request, expires_at: now.plus(life) });
    }
    let look_at = finishes_itself(&row).then(|| now.plus(app.config.uploads.idle_after));
    app.db
        .transaction::<_, sea_orm::DbErr, _, _>(async |tx| store::set_signed(&tx, row.id, now, look_at).await)
        .await?;
    Ok(signed)
}

/// What has arrived of an upload that the caller found: those after number `after`. Nothing once it has ended.
pub async fn arrived(app: &App, row: &upload::Model, after: u32, limit: u16) -> Result<Vec<Part>, Fault> {
    let (State::Open | State::Verifying, Some(id)) = (row.state, &row.multipart_id) else { return Ok(Vec::new()) };
    let found = app.stores.at(row.site).parts(&staging_key(row), id, after, limit).await?;
    match found {
        Some(parts) => Ok(parts),
        None if row.state == State::Open && is_joined(app, row).await? => {
            let numbers = (after + 1..=u32::try_from(part_count(row)).unwrap_or(u32::MAX)).take(limit.into());
            let part = |number| Part { number, bytes: bytes_of(row, number.into()), etag: String::new(), sha256: None };
            Ok(numbers.map(part).collect())
        }
        None => Ok(Vec::new()),
    }
}

/// What S3 has of an open upload.
pub(super) enum Sent {
    Parts(Vec<Part>),
    /// The one object that they became while its client was away.
    Joined,
}

pub(super) async fn sent(app: &App, row: &upload::Model, multipart_id: &str) -> Result<Sent, Fault> {
    match all_parts(app, row, &staging_key(row), multipart_id).await? {
        Some(parts) => Ok(Sent::Parts(parts)),
        None if is_joined(app, row).await? => Ok(Sent::Joined),
        None => Ok(Sent::Parts(Vec::new())),
    }
}

async fn is_joined(app: &App, row: &upload::Model) -> Result<bool, Fault> {
    let found = app.stores.at(row.site).head(&staging_key(row)).await?;
    Ok(found.is_some_and(|meta| meta.bytes == size(row)))
}

/// All that arrived; `None` where S3 knows no such upload.
pub(super) async fn all_parts(app: &App, row: &upload::Model, key: &str, id: &str) -> Result<Option<Vec<Part>>, Fault> {
    let mut parts: Vec<Part> = Vec::new();
    loop {
        let after = parts.last().map_or(0, |part| part.number);
        let Some(page) = app.stores.at(row.site).parts(key, id, after, MAX_LISTED).await? else { return Ok(None) };
        if page.is_empty() {
            return Ok(Some(parts));
        }
        parts.extend(page);
    }
}

/// SHA-256 over the parts' own, which S3 keeps: it was signed into each part's URL.
pub(super) fn composite(parts: &[Part]) -> Option<Sha256> {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&part.sha256?);
    }
    context.finish().as_ref().try_into().ok()
}

pub(super) fn missing(row: &upload::Model, parts: &[Part]) -> Vec<u64> {
    let whole: HashSet<u64> = parts
        .iter()
        .map(|part| (u64::from(part.number), part.bytes))
        .filter(|(number, bytes)| *bytes == bytes_of(row, *number))
        .map(|(number, _)| number)
        .collect();
    (1..=part_count(row)).filter(|number| !whole.contains(number)).collect()
}
