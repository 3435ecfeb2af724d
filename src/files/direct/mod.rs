//! Direct uploads: files of any size, sent in parts straight to S3 by URLs that this module signs. What arrived is
//! S3's to say, so that a client resumes after a crash; [`verify`] makes a file of it.

mod store;
mod verify;

use std::{collections::HashSet, time::Duration};

use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use entity::{
    Timestamp, file,
    object::{Kind, Reason},
    upload,
    upload::State,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{FilesError, model, store as files};
use crate::{
    adapters::objects::{self, NewPart, Part, Sha256, SignedPart, keys::ObjectKey},
    app::App,
    config::Config,
    db::{
        Tx,
        idempotency::{IdempotencyKey, Recalled},
        is_unique_violation,
    },
    error::Fault,
    jobs::{self, Job, JobError, Registry},
    ledger,
    viewer::Viewer,
};

/// Parts signed at once.
pub const MAX_SIGNED: usize = 100;
/// A page of parts.
pub const MAX_LISTED: u16 = 1000;
/// How long objects of a running verification are kept; renewed long before.
const KEPT: Duration = Duration::from_secs(3600);
/// Missing parts that an error names.
const NAMED: usize = 5;

/// A file that is going to be sent.
#[derive(Debug)]
pub struct NewUpload {
    pub name: String,
    pub bytes: i64,
    /// What the content must turn out to be, where it is known.
    pub sha256: Option<Sha256>,
    /// The same of its type.
    pub content_type: Option<String>,
    pub description: Option<String>,
    pub tags: Option<Vec<String>>,
    pub metadata: Option<Value>,
    pub idempotency_key: Option<String>,
}

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

pub(super) fn register(registry: &mut Registry, config: &Config) -> Result<(), serde_json::Error> {
    registry.register::<verify::Verify>();
    registry.schedule(config.ledger.sweep_interval, &Expire {})
}

/// How many parts an upload has; a file of nothing has one, of nothing.
#[must_use]
pub fn part_count(upload: &upload::Model) -> u64 {
    size(upload).div_ceil(part_size(upload)).max(1)
}

fn size(upload: &upload::Model) -> u64 {
    u64::try_from(upload.bytes).unwrap_or(0)
}

fn part_size(upload: &upload::Model) -> u64 {
    u64::try_from(upload.part_bytes).unwrap_or(0).max(1)
}

/// Of the part of this number; 0 where there is none.
fn bytes_of(upload: &upload::Model, number: u64) -> u64 {
    let before = part_size(upload).saturating_mul(number.saturating_sub(1));
    size(upload).saturating_sub(before).min(part_size(upload))
}

/// The viewer's own upload.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<upload::Model>, Fault> {
    let Some(owner) = viewer.user_id() else { return Ok(None) };
    Ok(store::find(app.db.read(), owner, id).await?)
}

/// Begins an upload for the viewer.
pub async fn create(app: &App, viewer: &Viewer, new: NewUpload) -> Result<upload::Model, FilesError> {
    let owner = viewer.person()?.user_id;
    let name = model::name(&new.name)?;
    let description = model::description(new.description.as_deref().unwrap_or_default())?;
    let tags = model::tags(new.tags.as_deref().unwrap_or_default())?;
    let metadata = model::metadata(new.metadata.unwrap_or_else(|| json!({})))?;
    let content_type = new.content_type.as_deref().map(model::content_type).transpose()?;
    let limit = app.config.uploads.max_direct_size.as_u64();
    let bytes = u64::try_from(new.bytes).map_err(|_| FilesError::InvalidSize)?;
    if bytes > limit {
        return Err(FilesError::TooLarge { limit });
    }
    let key = new.idempotency_key.map(|key| {
        let input = (&name, bytes, new.sha256, &content_type, &description, &tags, &metadata);
        IdempotencyKey::new(owner, &key, "createUpload", &input)
    });
    if let Some(first) = recall(app, owner, key.as_ref()).await? {
        return begun(app, first).await;
    }
    let outcome = app
        .transaction::<_, FilesError, _, _>(async |tx| {
            let now = app.db.now(&tx).await?;
            let expires_at = now.plus(app.config.uploads.session_ttl);
            let file = Uuid::now_v7();
            let staged = ledger::stage(app, &tx, bytes, owner, file, expires_at).await?;
            let row = upload::Model {
                id: Uuid::now_v7(),
                owner_id: owner,
                file_id: file,
                name: name.clone(),
                description: description.clone(),
                tags: json!(tags),
                metadata: metadata.clone(),
                state: State::Open,
                bytes: new.bytes,
                sha256: new.sha256.map(|sha256| sha256.to_vec()),
                content_type: content_type.clone(),
                part_bytes: i64::try_from(objects::part_size(bytes)).unwrap_or(i64::MAX),
                site: staged.site,
                multipart_id: None,
                staging_id: staged.object.id,
                object_id: None,
                composite: None,
                verified_bytes: 0,
                rejection: None,
                created_at: now,
                expires_at,
                ended_at: None,
            };
            store::insert(&tx, row.clone()).await?;
            if let Some(key) = &key {
                key.remember(&tx, json!(row.id), now).await?;
            }
            Ok(row)
        })
        .await;
    let row = match outcome {
        Ok(row) => row,
        Err(FilesError::Fault(Fault::Database(cause))) if is_unique_violation(&cause) => {
            recall(app, owner, key.as_ref()).await?.ok_or(Fault::Database(cause))?
        }
        Err(error) => return Err(error),
    };
    begun(app, row).await
}

async fn recall(app: &App, owner: Uuid, key: Option<&IdempotencyKey>) -> Result<Option<upload::Model>, FilesError> {
    let Some(key) = key else { return Ok(None) };
    match key.recall(app.db.read()).await? {
        Recalled::New => Ok(None),
        Recalled::Mismatch => Err(FilesError::IdempotencyKeyReused),
        Recalled::Repeat(id) => {
            let id: Uuid = serde_json::from_value(id).map_err(Fault::internal)?;
            store::find(app.db.read(), owner, id).await?.ok_or(FilesError::NotFound).map(Some)
        }
    }
}

/// The upload with S3's id. Of several begun at S3 for one key the first that is written down counts; the erasure of the
/// staging key aborts the others.
async fn begun(app: &App, row: upload::Model) -> Result<upload::Model, FilesError> {
    if row.multipart_id.is_some() || row.state != State::Open {
        return Ok(row);
    }
    let id = app.stores.at(row.site).create_upload(&staging_key(&row), None).await.map_err(Fault::from)?;
    app.transaction::<_, sea_orm::DbErr, _, _>(async |tx| store::set_multipart_id(&tx, row.id, &id).await).await?;
    store::find(app.db.read(), row.owner_id, row.id).await?.ok_or(FilesError::NotFound)
}

fn staging_key(row: &upload::Model) -> String {
    ObjectKey { kind: Kind::Staging, id: row.staging_id }.to_string()
}

/// An open upload that S3 knows.
struct Open {
    row: upload::Model,
    key: String,
    multipart_id: String,
}

async fn open(app: &App, row: upload::Model) -> Result<Open, FilesError> {
    let row = begun(app, row).await?;
    let now = app.db.now(app.db.read()).await?;
    if row.state != State::Open || row.expires_at <= now {
        return Err(closed(&row));
    }
    let key = staging_key(&row);
    let multipart_id = row.multipart_id.clone().ok_or_else(|| Fault::Busy("S3 has not begun the upload".to_owned()))?;
    Ok(Open { row, key, multipart_id })
}

fn closed(row: &upload::Model) -> FilesError {
    FilesError::WrongState(match row.state {
        State::Verifying | State::Completed | State::Rejected => "The upload was completed already.",
        State::Aborted => "The upload was aborted. Begin a new one.",
        State::Open | State::Expired => "The upload took too long and was given up. Begin a new one.",
    })
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
    Ok(signed)
}

/// What has arrived of an upload that the caller found: those after number `after`. Nothing once it has ended.
pub async fn arrived(app: &App, row: &upload::Model, after: u32, limit: u16) -> Result<Vec<Part>, Fault> {
    let (State::Open | State::Verifying, Some(id)) = (row.state, &row.multipart_id) else { return Ok(Vec::new()) };
    let found = app.stores.at(row.site).parts(&staging_key(row), id, after, limit).await?;
    Ok(found.unwrap_or_default())
}

/// All that arrived; `None` where S3 knows no such upload.
async fn all_parts(app: &App, row: &upload::Model, key: &str, id: &str) -> Result<Option<Vec<Part>>, Fault> {
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
fn composite(parts: &[Part]) -> Option<Sha256> {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&part.sha256?);
    }
    context.finish().as_ref().try_into().ok()
}

fn missing(row: &upload::Model, parts: &[Part]) -> Vec<u64> {
    let whole: HashSet<u64> = parts
        .iter()
        .map(|part| (u64::from(part.number), part.bytes))
        .filter(|(number, bytes)| *bytes == bytes_of(row, *number))
        .map(|(number, _)| number)
        .collect();
    (1..=part_count(row)).filter(|number| !whole.contains(number)).collect()
}

/// Ends the sending: the file is there at once, PROCESSING, and a job verifies it. A repeat changes nothing.
pub async fn complete(app: &App, viewer: &Viewer, id: Uuid) -> Result<upload::Model, FilesError> {
    let owner = viewer.person()?.user_id;
    let row = store::find(app.db.read(), owner, id).await?.ok_or(FilesError::NotFound)?;
    if matches!(row.state, State::Verifying | State::Completed | State::Rejected) {
        return Ok(row);
    }
    let Open { row, key, multipart_id } = open(app, row).await?;
    // Another request may have completed it in between: the transaction sees.
    let parts = all_parts(app, &row, &key, &multipart_id).await?.unwrap_or_default();
    let missing = missing(&row, &parts);
    let composite = composite(&parts);
    app.transaction(async |tx| {
        let current = store::lock(&tx, owner, id).await?.ok_or(FilesError::NotFound)?;
        let now = app.db.now(&tx).await?;
        match current.state {
            State::Open if current.expires_at > now => {}
            State::Verifying | State::Completed | State::Rejected => return Ok(current),
            _ => return Err(closed(&current)),
        }
        if !missing.is_empty() {
            let named = missing.iter().take(NAMED).map(u64::to_string).collect::<Vec<_>>().join(", ");
            let more = if missing.len() > NAMED { ", …" } else { "" };
            return Err(FilesError::PartsMissing { count: missing.len(), named: format!("{named}{more}") });
        }
        let object = ledger::reserve(app, &tx, size(&current), owner, current.file_id, now.plus(KEPT)).await?;
        let row = upload::Model {
            state: State::Verifying,
            object_id: Some(object.id),
            composite: composite.map(|sha256| sha256.to_vec()),
            ..current
        };
        files::insert(&tx, processing(&row, object.id, now)).await?;
        store::update(&tx, row.clone()).await?;
        jobs::enqueue(app, &tx, &verify::Verify { upload: row.id }).await?;
        Ok(row)
    })
    .await
}

/// The file before its bytes are known.
fn processing(upload: &upload::Model, object: Uuid, now: Timestamp) -> file::Model {
    file::Model {
        id: upload.file_id,
        owner_id: upload.owner_id,
        name: upload.name.clone(),
        name_key: model::name_key(&upload.name),
        description: upload.description.clone(),
        tags: upload.tags.clone(),
        metadata: upload.metadata.clone(),
        state: file::State::Processing,
        revision: 1,
        version_id: Uuid::now_v7(),
        object_id: object,
        content_type: "application/octet-stream".to_owned(),
        bytes: upload.bytes,
        sha256: Vec::new(),
        width: None,
        height: None,
        thumbhash: None,
        created_at: now,
        updated_at: now,
        trashed_at: None,
        purge_at: None,
        rejection: None,
    }
}

/// Gives up the viewer's open upload: nothing of it stays. A repeat changes nothing.
pub async fn abort(app: &App, viewer: &Viewer, id: Uuid) -> Result<upload::Model, FilesError> {
    let owner = viewer.person()?.user_id;
    app.transaction(async |tx| {
        let row = store::lock(&tx, owner, id).await?.ok_or(FilesError::NotFound)?;
        match row.state {
            State::Open => end(app, &tx, row, State::Aborted).await.map_err(Into::into),
            State::Aborted | State::Expired => Ok(row),
            State::Verifying | State::Completed | State::Rejected => Err(closed(&row)),
        }
    })
    .await
}

async fn end(app: &App, tx: &Tx, row: upload::Model, state: State) -> Result<upload::Model, sea_orm::DbErr> {
    let row = upload::Model { state, ended_at: Some(app.db.now(tx).await?), ..row };
    store::update(tx, row.clone()).await?;
    ledger::end_staging(app, tx, row.staging_id, Reason::Staged).await?;
    Ok(row)
}

/// Forgets the uploads of these files, whose objects the caller dooms: nobody sends to them any more.
pub(super) async fn forget(app: &App, tx: &Tx, files: &[Uuid]) -> Result<(), sea_orm::DbErr> {
    for upload in store::of_files(tx, files).await? {
        ledger::close_staging(app, tx, upload.staging_id).await?;
    }
    store::delete_of_files(tx, files).await
}

/// Gives up open uploads whose time is over, and forgets ended ones after as long again.
#[derive(Serialize, Deserialize)]
struct Expire {}

#[async_trait]
impl Job for Expire {
    const KIND: &'static str = "files.expire_uploads";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let now = app.db.now(app.db.read()).await?;
        for (owner, id) in store::expired(app.db.read(), now).await? {
            app.transaction::<_, sea_orm::DbErr, _, _>(async |tx| match store::lock(&tx, owner, id).await? {
                Some(row) if row.state == State::Open => end(app, &tx, row, State::Expired).await.map(drop),
                _ => Ok(()),
            })
            .await?;
        }
        let old = now.minus(app.config.uploads.session_ttl);
        app.transaction::<_, sea_orm::DbErr, _, _>(async |tx| store::delete_ended(&tx, old).await).await?;
        Ok(())
    }
}
