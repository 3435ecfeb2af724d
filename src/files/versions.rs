//! Every content that a file has had: found, brought back, deleted, and given up when there are too many or their time is
//! over.

use std::collections::HashMap;

use async_trait::async_trait;
use entity::{
    file, file_version, object,
    object::{Kind, Reason},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    FilesError, Scope, blocked,
    quota::{self, Amount},
    replace::{check, put},
    store,
    upload::recall,
};
use crate::{
    app::App,
    db::{
        Tx,
        idempotency::IdempotencyKey,
        page::{Page, PageRequest, Position},
    },
    error::Fault,
    jobs::{Job, JobError},
    ledger::{self, NewObject},
    viewer::Viewer,
};

/// Dropped in one transaction.
const BATCH: u64 = 100;

/// A version to bring back, of a file that was at `revision`.
#[derive(Debug)]
pub struct RestoreVersion {
    pub id: Uuid,
    pub revision: i32,
    pub idempotency_key: Option<String>,
}

/// Newest first. The caller found the file.
pub async fn list(
    app: &App,
    file: &file::Model,
    page: &PageRequest<Position<i32>>,
) -> Result<Page<file_version::Model>, Fault> {
    Ok(store::versions(app.db.read(), file.id, page).await?)
}

/// The newest of each file, `limit` at the most. The caller found the files.
pub async fn newest(app: &App, files: &[Uuid], limit: u64) -> Result<HashMap<Uuid, Page<file_version::Model>>, Fault> {
    Ok(store::newest_versions(app.db.read(), files, limit).await?)
}

/// A version by itself, where the viewer may see its file.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<(file::Model, file_version::Model)>, Fault> {
    let Some(version) = store::version(app.db.read(), id).await? else { return Ok(None) };
    Ok(super::find(app, viewer, version.file_id).await?.map(|file| (file, version)))
}

/// The viewer's own.
async fn find_own(
    app: &App,
    viewer: &Viewer,
    id: Uuid,
) -> Result<Option<(file::Model, file_version::Model)>, FilesError> {
    let owner = viewer.person()?.user_id;
    let Some(version) = store::version(app.db.read(), id).await? else { return Ok(None) };
    let file = store::find(app.db.read(), Scope::Owner(owner), version.file_id).await?;
    Ok(file.map(|file| (file, version)))
}

/// Makes an old content of the viewer's own file its current one again: a new version, with an object of its own.
pub async fn restore(app: &App, viewer: &Viewer, restore: RestoreVersion) -> Result<file::Model, FilesError> {
    let owner = viewer.person()?.user_id;
    let key = restore
        .idempotency_key
        .map(|key| IdempotencyKey::new(owner, &key, "restoreFileVersion", &(restore.id, restore.revision)));
    if let Some(first) = recall(app, owner, key.as_ref()).await? {
        return Ok(first);
    }
    let (current, old) = find_own(app, viewer, restore.id).await?.ok_or(FilesError::NotFound)?;
    check(&current, restore.revision)?;
    if old.id == current.version_id {
        return Err(FilesError::WrongState("This version is the current one."));
    }
    quota::check(app, owner, Amount::content(old.bytes)).await?;
    let new = NewObject {
        kind: Kind::Original,
        bytes: u64::try_from(old.bytes).unwrap_or(0),
        sha256: old.sha256.as_slice().try_into().map_err(Fault::internal)?,
        content_type: old.content_type.clone(),
        user_id: Some(owner),
        file_id: Some(current.id),
    };
    let written = match ledger::duplicate(app, old.object_id, new).await {
        Ok(written) => written,
        // Purged, or dropped with the versions beyond those kept.
        Err(_) if find_own(app, viewer, restore.id).await?.is_none() => return Err(FilesError::NotFound),
        Err(fault) => return Err(fault.into()),
    };
    let version = file_version::Model {
        id: Uuid::now_v7(),
        object_id: written.object.id,
        restored_from: Some(old.number),
        superseded_at: None,
        ..old
    };
    let restored = put(app, owner, restore.revision, &written, &version, key.as_ref()).await;
    blocked::noted(app, viewer, restored).await
}

/// What a deletion left: the file, and the object on its way to be proven gone.
#[derive(Debug)]
pub struct Deleted {
    pub file: file::Model,
    pub object: object::Model,
}

/// Deletes an old content of the viewer's own file for good. The current one goes with its file alone.
pub async fn delete(
    app: &App,
    viewer: &Viewer,
    id: Uuid,
    idempotency_key: Option<&str>,
) -> Result<Deleted, FilesError> {
    let owner = viewer.person()?.user_id;
    let key = idempotency_key.map(|key| IdempotencyKey::new(owner, key, "deleteFileVersion", &id));
    if let Some(object) = IdempotencyKey::recall(key.as_ref(), app.db.read()).await? {
        let object = ledger::find(app.db.read(), object).await?.ok_or(FilesError::NotFound)?;
        let file = store::find(app.db.read(), Scope::Owner(owner), object.file_id.unwrap_or_default()).await?;
        return Ok(Deleted { file: file.ok_or(FilesError::NotFound)?, object });
    }
    let (file, version) = find_own(app, viewer, id).await?.ok_or(FilesError::NotFound)?;
    app.transaction(async |tx| {
        let file = store::lock(&tx, Scope::Owner(owner), &[file.id]).await?.pop().ok_or(FilesError::NotFound)?;
        if file.version_id == id {
            return Err(FilesError::WrongState("This version is the current one. Replace it, or purge the file."));
        }
        let version = store::version(&tx, version.id).await?.ok_or(FilesError::NotFound)?;
        let object = version.object_id;
        let dropped = drop_versions(app, &tx, &file, vec![version], Some(owner), Reason::Purged).await?;
        if dropped == 0 {
            return Err(FilesError::Held);
        }
        let object = ledger::find(&tx, object).await?.ok_or(FilesError::NotFound)?;
        if let Some(key) = &key {
            key.remember(&tx, object.id, app.now()).await?;
        }
        Ok(Deleted { file, object })
    })
    .await
}

/// Drops the oldest versions of a locked file beyond those kept.
pub(super) async fn drop_surplus(app: &App, tx: &Tx, file: &file::Model) -> Result<(), FilesError> {
    let kept = app.config.files.max_versions.into();
    let surplus = store::versions_beyond(tx, file.id, kept, BATCH).await?;
    drop_versions(app, tx, file, surplus, None, Reason::VersionExpired).await?;
    Ok(())
}

/// Dooms these old versions of a locked file, but for those under a hold, and returns how many went.
async fn drop_versions(
    app: &App,
    tx: &Tx,
    file: &file::Model,
    versions: Vec<file_version::Model>,
    by: Option<Uuid>,
    reason: Reason,
) -> Result<usize, FilesError> {
    let objects: Vec<Uuid> = versions.iter().map(|version| version.object_id).collect();
    let doomed = ledger::doom(app, tx, &objects, by, reason).await?;
    let is_held = |version: &file_version::Model| doomed.held.iter().any(|object| object.id == version.object_id);
    let gone: Vec<_> = versions.iter().filter(|version| !is_held(version)).collect();
    let ids: Vec<Uuid> = gone.iter().map(|version| version.id).collect();
    store::delete_versions(tx, &ids).await?;
    let bytes = gone.iter().map(|version| version.bytes).sum();
    quota::give_back(tx, file.owner_id, Amount::content(bytes)).await?;
    Ok(gone.len())
}

/// Drops versions whose time is over.
#[derive(Serialize, Deserialize)]
pub(super) struct Expire {}

#[async_trait]
impl Job for Expire {
    const KIND: &'static str = "files.expire_versions";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let oldest = app.db.now(app.db.read()).await?.minus(app.config.files.version_retention);
        let mut of_file: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for version in store::versions_superseded(app.db.read(), oldest, BATCH).await? {
            of_file.entry(version.file_id).or_default().push(version.id);
        }
        for (file, ids) in of_file {
            app.transaction::<_, FilesError, _, _>(async |tx| {
                let Some(file) = store::lock(&tx, Scope::Everyone, &[file]).await?.pop() else { return Ok(()) };
                let versions = store::versions_in(&tx, &ids).await?;
                drop_versions(app, &tx, &file, versions, None, Reason::VersionExpired).await.map(drop)
            })
            .await
            .map_err(|error| JobError::Retry(error.to_string()))?;
        }
        Ok(())
    }
}
