//! Putting files away: to the trash and back from it, and out of their owner's reach.

use entity::{Timestamp, alert, alert::Kind, file, file::State};
use sea_orm::DbErr;
use serde_json::json;
use uuid::Uuid;

use super::{FilesError, Scope, blocked, manageable, model::MAX_FILES_AT_ONCE, store};
use crate::{
    alerts::{self, NewAlert},
    app::App,
    audit,
    db::Tx,
    error::Fault,
    id::NodeKind,
    text,
    viewer::Viewer,
};

/// Files in the trash, and the alert that told of it; `None` where all were there already.
#[derive(Debug)]
pub struct Trashed {
    pub files: Vec<file::Model>,
    pub alert: Option<alert::Model>,
}

/// Moves files to the trash, all or none. Files that are there already stay as they are. Another's file is removed by that:
/// its owner cannot take it back.
pub async fn trash(app: &App, viewer: &Viewer, ids: &[Uuid]) -> Result<Trashed, FilesError> {
    app.transaction(async |tx| put_away(app, &tx, viewer, ids, None).await).await
}

/// Removes files as an admin, all or none, also those that are in their owner's trash: for as long as they would be kept there
/// an admin can restore them, and nobody else. Files that are removed already stay as they are.
pub async fn remove(app: &App, viewer: &Viewer, ids: &[Uuid], reason: &str) -> Result<Trashed, FilesError> {
    app.transaction(async |tx| remove_in(app, &tx, viewer, ids, reason).await).await
}

/// The same within the caller's transaction, which holds no lock yet that comes after a file's.
pub async fn remove_in(app: &App, tx: &Tx, viewer: &Viewer, ids: &[Uuid], reason: &str) -> Result<Trashed, FilesError> {
    viewer.admin()?;
    let reason = text::reason(reason).ok_or(FilesError::InvalidReason)?;
    put_away(app, tx, viewer, ids, Some(&reason)).await
}

async fn put_away(
    app: &App,
    tx: &Tx,
    viewer: &Viewer,
    ids: &[Uuid],
    reason: Option<&str>,
) -> Result<Trashed, FilesError> {
    let scope = manageable(viewer)?;
    let ids = distinct(ids)?;
    let files = lock_all(tx, scope, &ids).await?;
    // The database's time, because retention ends by it.
    let now = app.db.now(tx).await?;
    let mut result = Vec::with_capacity(files.len());
    let mut trashed = Vec::new();
    for current in files {
        match put_away_one(app, tx, viewer, &current, reason, now).await? {
            Some(row) => {
                trashed.push(row.clone());
                result.push(row);
            }
            None => result.push(current),
        }
    }
    let alert = match trashed.as_slice() {
        [] => None,
        files => Some(raise(app, tx, viewer, files, None, reason).await?),
    };
    Ok(Trashed { files: in_order(result, &ids), alert })
}

/// Puts a locked file away until `purge_at`: its owner into the trash, anybody else out of its owner's reach.
pub(super) async fn hide(
    tx: &Tx,
    viewer: &Viewer,
    current: &file::Model,
    reason: Option<&str>,
    purge_at: Timestamp,
    now: Timestamp,
) -> Result<file::Model, FilesError> {
    let removes = reason.is_some() || viewer.user_id() != Some(current.owner_id);
    let row = file::Model {
        state: if removes { State::Removed } else { State::Trashed },
        revision: current.revision + 1,
        updated_at: now,
        trashed_at: current.trashed_at.or(Some(now)),
        purge_at: Some(purge_at),
        removed_by: viewer.user_id().filter(|_| removes),
        removal_reason: reason.map(ToOwned::to_owned),
        ..current.clone()
    };
    save(tx, current, &row).await?;
    if removes {
        note(tx, viewer, "file.removed", &row, reason, now).await?;
    }
    Ok(row)
}

/// Puts one file, which the caller has locked, into the trash for the retention time; with a reason as an admin's removal.
/// `None`: it is there already. A state that does not allow it is told before anything is written.
pub(super) async fn put_away_one(
    app: &App,
    tx: &Tx,
    viewer: &Viewer,
    current: &file::Model,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Option<file::Model>, FilesError> {
    match current.state {
        State::Active => {}
        State::Trashed if reason.is_some() => {}
        State::Trashed | State::Removed => return Ok(None),
        State::Processing => {
            return Err(FilesError::WrongState("The file is still being verified. Purge it, or wait."));
        }
        State::Rejected => {
            return Err(FilesError::WrongState("The file was rejected and has no content. Purge it."));
        }
    }
    let purge_at = current.purge_at.unwrap_or(now.plus(app.config.files.trash_retention));
    hide(tx, viewer, current, reason, purge_at, now).await.map(Some)
}

/// Takes files back from the trash, all or none. What an admin removed only an admin restores.
pub async fn restore(app: &App, viewer: &Viewer, ids: &[Uuid]) -> Result<Vec<file::Model>, FilesError> {
    let scope = manageable(viewer)?;
    let ids = distinct(ids)?;
    let restored = app.transaction(async |tx| {
        let mut result = Vec::with_capacity(ids.len());
        for current in lock_all(&tx, scope, &ids).await? {
            match current.state {
                State::Active => {
                    result.push(current);
                    continue;
                }
                State::Trashed => {}
                State::Removed if viewer.is_admin() => {}
                State::Removed => {
                    return Err(FilesError::WrongState("An admin removed this file; ask one to restore it."));
                }
                State::Processing | State::Rejected => {
                    return Err(FilesError::WrongState("Only files in the trash can be restored."));
                }
            }
            blocked::admit_again(app, &tx, current.version_id).await?;
            let row = file::Model {
                state: State::Active,
                revision: current.revision + 1,
                updated_at: app.now(),
                trashed_at: None,
                purge_at: None,
                removed_by: None,
                removal_reason: None,
                ..current.clone()
            };
            save(&tx, &current, &row).await?;
            if current.state == State::Removed || viewer.user_id() != Some(current.owner_id) {
                note(&tx, viewer, "file.restored", &row, None, app.db.now(&tx).await?).await?;
            }
            result.push(row);
        }
        Ok(in_order(result, &ids))
    });
    blocked::noted(app, viewer, restored.await).await
}

/// Each id once, in the order given.
pub(super) fn distinct(ids: &[Uuid]) -> Result<Vec<Uuid>, FilesError> {
    let mut distinct = Vec::with_capacity(ids.len().min(MAX_FILES_AT_ONCE));
    for id in ids {
        if !distinct.contains(id) {
            distinct.push(*id);
        }
        if distinct.len() > MAX_FILES_AT_ONCE {
            return Err(FilesError::BadCount { limit: MAX_FILES_AT_ONCE });
        }
    }
    if distinct.is_empty() { Err(FilesError::BadCount { limit: MAX_FILES_AT_ONCE }) } else { Ok(distinct) }
}

async fn lock_all(tx: &Tx, scope: Scope, ids: &[Uuid]) -> Result<Vec<file::Model>, FilesError> {
    let files = store::lock(tx, scope, ids).await?;
    if files.len() == ids.len() { Ok(files) } else { Err(FilesError::NotFound) }
}

pub(super) fn in_order(mut files: Vec<file::Model>, ids: &[Uuid]) -> Vec<file::Model> {
    files.sort_by_key(|file| ids.iter().position(|id| *id == file.id));
    files
}

/// The row is locked, so a lost race here is a fault.
pub(super) async fn save(tx: &Tx, before: &file::Model, row: &file::Model) -> Result<(), FilesError> {
    if store::update(tx, before, row).await? {
        Ok(())
    } else {
        Err(Fault::Internal("a locked file changed".to_owned()).into())
    }
}

/// What an admin did to a file, for the audit log.
pub(super) async fn note(
    tx: &Tx,
    viewer: &Viewer,
    action: &'static str,
    file: &file::Model,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), DbErr> {
    let details = json!({
        "name": file.name, "owner": file.owner_id, "sha256": hex::encode(&file.sha256), "reason": reason,
    });
    audit::record(tx, viewer, action, file.id, details, now).await
}

/// One alert per act; `objects`: how many a purge has doomed. An admin's act on another's file, and the server's own, are
/// kinds of their own.
pub(super) async fn raise(
    app: &App,
    tx: &Tx,
    viewer: &Viewer,
    files: &[file::Model],
    objects: Option<usize>,
    reason: Option<&str>,
) -> Result<alert::Model, FilesError> {
    let removes = reason.is_some() || files.iter().any(|file| viewer.user_id() != Some(file.owner_id));
    let (kind, verb) = match (viewer, objects) {
        (Viewer::System(_), _) => (Kind::FilesExpired, "deleted for good, the time in the trash being over"),
        (_, Some(_)) if removes => (Kind::FilesRemoved, "deleted for good by an admin"),
        (_, Some(_)) => (Kind::FilesPurged, "deleted for good by the owner"),
        (_, None) if removes => (Kind::FilesRemoved, "removed by an admin"),
        (_, None) => (Kind::FilesTrashed, "moved to the trash by the owner"),
    };
    let noun = if files.len() == 1 { "file" } else { "files" };
    let names: Vec<&str> = files.iter().take(10).map(|file| file.name.as_str()).collect();
    let more = files.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let why = reason.map_or_else(String::new, |reason| format!(". Reason: {reason}"));
    let list: Vec<_> = files
        .iter()
        .map(|file| {
            json!({
                "id": NodeKind::File.id(file.id).to_string(),
                "name": file.name,
                "owner": NodeKind::User.id(file.owner_id).to_string(),
                "size": file.bytes,
                "sha256": hex::encode(&file.sha256),
            })
        })
        .collect();
    let alert = NewAlert {
        kind,
        actor_id: viewer.user_id(),
        count: files.len(),
        message: format!("{} {noun} {verb}: {}{more}{why}", files.len(), names.join(", ")),
        details: json!({ "files": list, "objects": objects.unwrap_or(0), "reason": reason }),
    };
    Ok(alerts::raise(app, tx, alert).await?)
}
