//! Deleting files: to the trash, back from it, and for good.

use std::collections::BTreeMap;

use async_trait::async_trait;
use entity::{Timestamp, alert, file, file::State, object, object::Reason};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    FilesError, Scope, direct, manageable,
    model::MAX_FILES_AT_ONCE,
    quota::{self, Amount},
    store,
};
use crate::{
    alerts::{self, NewAlert},
    app::App,
    audit,
    db::Tx,
    error::Fault,
    id::NodeKind,
    jobs::{Job, JobError},
    ledger::{self, Doomed},
    text,
    viewer::Viewer,
};

/// Files in the trash, and the alert that told of it; `None` where all were there already.
#[derive(Debug)]
pub struct Trashed {
    pub files: Vec<file::Model>,
    pub alert: Option<alert::Model>,
}

/// What a purge deleted: every object of every file, on its way to be proven gone.
#[derive(Debug)]
pub struct Purged {
    pub files: Vec<Uuid>,
    pub objects: Vec<object::Model>,
    pub alert: Option<alert::Model>,
}

/// Moves files to the trash, all or none. Files that are there already stay as they are. Another's file is removed by that:
/// its owner cannot take it back.
pub async fn trash(app: &App, viewer: &Viewer, ids: &[Uuid]) -> Result<Trashed, FilesError> {
    put_away(app, viewer, ids, None).await
}

/// Removes files as an admin, all or none, also those that are in their owner's trash: for as long as they would be kept there
/// an admin can restore them, and nobody else. Files that are removed already stay as they are.
pub async fn remove(app: &App, viewer: &Viewer, ids: &[Uuid], reason: &str) -> Result<Trashed, FilesError> {
    viewer.admin()?;
    let reason = text::reason(reason).ok_or(FilesError::InvalidReason)?;
    put_away(app, viewer, ids, Some(reason)).await
}

async fn put_away(app: &App, viewer: &Viewer, ids: &[Uuid], reason: Option<String>) -> Result<Trashed, FilesError> {
    let scope = manageable(viewer)?;
    let ids = distinct(ids)?;
    app.transaction(async |tx| {
        let files = lock_all(&tx, scope, &ids).await?;
        // The database's time, because retention ends by it.
        let now = app.db.now(&tx).await?;
        let mut result = Vec::with_capacity(files.len());
        let mut trashed = Vec::new();
        for current in files {
            match put_away_one(app, &tx, viewer, &current, reason.as_deref(), now).await? {
                Some(row) => {
                    trashed.push(row.clone());
                    result.push(row);
                }
                None => result.push(current),
            }
        }
        let alert = match trashed.as_slice() {
            [] => None,
            files => Some(raise(app, &tx, viewer, alert::Kind::FilesTrashed, files, 0, reason.as_deref()).await?),
        };
        Ok(Trashed { files: in_order(result, &ids), alert })
    })
    .await
}

/// The same of one file, which the caller has locked: with a reason as an admin's removal. `None`: it is there already. A state
/// that does not allow it is told before anything is written.
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
    let removes = reason.is_some() || viewer.user_id() != Some(current.owner_id);
    let row = file::Model {
        state: if removes { State::Removed } else { State::Trashed },
        revision: current.revision + 1,
        updated_at: now,
        trashed_at: current.trashed_at.or(Some(now)),
        purge_at: current.purge_at.or_else(|| Some(now.plus(app.config.files.trash_retention))),
        removed_by: viewer.user_id().filter(|_| removes),
        removal_reason: reason.map(str::to_owned),
        ..current.clone()
    };
    save(tx, current, &row).await?;
    if removes {
        note(tx, viewer, "file.removed", &row, reason, now).await?;
    }
    Ok(Some(row))
}

/// Takes files back from the trash, all or none. What an admin removed only an admin restores.
pub async fn restore(app: &App, viewer: &Viewer, ids: &[Uuid]) -> Result<Vec<file::Model>, FilesError> {
    let scope = manageable(viewer)?;
    let ids = distinct(ids)?;
    app.transaction(async |tx| {
        let mut result = Vec::with_capacity(ids.len());
        for current in lock_all(&tx, scope, &ids).await? {
            match current.state {
                State::Active => {
                    result.push(current);
                    continue;
                }
                State::Trashed => {}
                State::Removed if viewer.is_admin() => {
                    note(&tx, viewer, "file.restored", &current, None, app.db.now(&tx).await?).await?;
                }
                State::Removed => {
                    return Err(FilesError::WrongState("An admin removed this file; ask one to restore it."));
                }
                State::Processing | State::Rejected => {
                    return Err(FilesError::WrongState("Only files in the trash can be restored."));
                }
            }
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
            result.push(row);
        }
        Ok(in_order(result, &ids))
    })
    .await
}

/// Deletes files for good, all or none, trashed or not: their rows go at once, their objects are erased at both sites
/// and proven gone. A repeat returns the same objects.
pub async fn purge(app: &App, viewer: &Viewer, ids: &[Uuid]) -> Result<Purged, FilesError> {
    let scope = manageable(viewer)?;
    let ids = distinct(ids)?;
    app.transaction(async |tx| {
        let files = store::lock(&tx, scope, &ids).await?;
        if matches!(viewer, Viewer::System(_)) {
            let now = app.db.now(&tx).await?;
            if files.iter().any(|file| file.purge_at.is_none_or(|purge_at| purge_at > now)) {
                return Err(FilesError::NotFound); // Restored since it was found expired.
            }
        }
        let mut objects = Vec::new();
        for id in &ids {
            let found = ledger::of_file(&tx, *id).await?;
            let present = files.iter().any(|file| file.id == *id);
            let purged_before = found.iter().any(|object| match scope {
                Scope::Everyone => true,
                Scope::Owner(owner) => object.user_id == Some(owner),
            });
            if !present && !purged_before {
                return Err(FilesError::NotFound);
            }
            objects.extend(found.into_iter().map(|object| object.id));
        }
        let reason = match viewer {
            Viewer::System(_) => Reason::RetentionExpired,
            _ if files.iter().any(|file| viewer.user_id() != Some(file.owner_id)) => Reason::Removed,
            _ => Reason::Purged,
        };
        let doomed = delete_for_good(app, &tx, &files, &objects, viewer.user_id(), reason).await?;
        for file in files.iter().filter(|file| viewer.user_id().is_some_and(|me| me != file.owner_id)) {
            note(&tx, viewer, "file.purged", file, None, app.db.now(&tx).await?).await?;
        }
        let alert = match files.as_slice() {
            [] => None,
            files => Some(raise(app, &tx, viewer, alert::Kind::FilesPurged, files, doomed.deleting.len(), None).await?),
        };
        let mut objects = Vec::new();
        for id in &ids {
            objects.extend(ledger::of_file(&tx, *id).await?);
        }
        Ok(Purged { files: ids.clone(), objects, alert })
    })
    .await
}

/// Deletes the rows of files that the caller has locked, and dooms their objects. A held object refuses all of it.
pub(super) async fn delete_for_good(
    app: &App,
    tx: &Tx,
    files: &[file::Model],
    objects: &[Uuid],
    by: Option<Uuid>,
    reason: Reason,
) -> Result<Doomed, FilesError> {
    let ids: Vec<Uuid> = files.iter().map(|file| file.id).collect();
    direct::forget(app, tx, &ids).await?;
    let doomed = ledger::doom(app, tx, objects, by, reason).await?;
    if !doomed.held.is_empty() {
        return Err(FilesError::Held);
    }
    let counted = counted(tx, files).await?;
    store::delete(tx, &ids).await?;
    for (owner, amount) in counted {
        quota::give_back(tx, owner, amount).await?;
    }
    Ok(doomed)
}

/// What these files count for each of their owners, who come in their order.
async fn counted(tx: &Tx, files: &[file::Model]) -> Result<BTreeMap<Uuid, Amount>, DbErr> {
    let ids: Vec<Uuid> = files.iter().map(|file| file.id).collect();
    let versions = store::bytes_of(tx, &ids).await?;
    let mut counted = BTreeMap::<Uuid, Amount>::new();
    for file in files {
        let amount = match file.state {
            // Its upload was counted no longer when it was refused.
            State::Rejected => continue,
            State::Processing => Amount::file(file.bytes),
            State::Active | State::Trashed | State::Removed => {
                Amount::file(versions.get(&file.id).copied().unwrap_or_default())
            }
        };
        *counted.entry(file.owner_id).or_default() += amount;
    }
    Ok(counted)
}

/// Each id once, in the order given.
fn distinct(ids: &[Uuid]) -> Result<Vec<Uuid>, FilesError> {
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

fn in_order(mut files: Vec<file::Model>, ids: &[Uuid]) -> Vec<file::Model> {
    files.sort_by_key(|file| ids.iter().position(|id| *id == file.id));
    files
}

/// The row is locked, so a lost race here is a fault.
async fn save(tx: &Tx, before: &file::Model, row: &file::Model) -> Result<(), FilesError> {
    if store::update(tx, before, row).await? {
        Ok(())
    } else {
        Err(Fault::Internal("a locked file changed".to_owned()).into())
    }
}

/// What an admin did to a file, for the audit log.
async fn note(
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

/// One alert per act. An admin's act on another's file, and the server's own, are kinds of their own.
async fn raise(
    app: &App,
    tx: &Tx,
    viewer: &Viewer,
    kind: alert::Kind,
    files: &[file::Model],
    objects: usize,
    reason: Option<&str>,
) -> Result<alert::Model, FilesError> {
    let removes = reason.is_some() || files.iter().any(|file| viewer.user_id() != Some(file.owner_id));
    let kind = match viewer {
        Viewer::System(_) => alert::Kind::FilesExpired,
        _ if removes => alert::Kind::FilesRemoved,
        _ => kind,
    };
    let noun = if files.len() == 1 { "file" } else { "files" };
    let verb = match kind {
        alert::Kind::FilesTrashed => "moved to the trash by the owner",
        alert::Kind::FilesPurged => "deleted for good by the owner",
        alert::Kind::FilesRemoved if objects > 0 => "deleted for good by an admin",
        alert::Kind::FilesRemoved => "removed by an admin",
        alert::Kind::FilesExpired => "deleted for good, the time in the trash being over",
        alert::Kind::AccountClosed
        | alert::Kind::UserSuspended
        | alert::Kind::AdminMade
        | alert::Kind::LogInThrottled => "deleted",
    };
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
        details: json!({ "files": list, "objects": objects, "reason": reason }),
    };
    Ok(alerts::raise(app, tx, alert).await?)
}

/// Purges what has been in the trash for its time.
#[derive(Serialize, Deserialize)]
pub(super) struct PurgeExpired {}

#[async_trait]
impl Job for PurgeExpired {
    const KIND: &'static str = "files.purge_expired";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let now = app.db.now(app.db.read()).await?;
        let expired = store::expired(app.db.read(), now, MAX_FILES_AT_ONCE as u64).await?;
        if expired.is_empty() {
            return Ok(());
        }
        match purge(app, &Viewer::System("trash retention"), &expired).await {
            // Restored or purged by somebody meanwhile, or held: one at a time, so that one does not stop the others.
            Err(FilesError::NotFound | FilesError::Held) => {
                for id in expired {
                    match purge(app, &Viewer::System("trash retention"), &[id]).await {
                        Ok(_) | Err(FilesError::NotFound | FilesError::Held) => {}
                        Err(error) => return Err(JobError::Retry(error.to_string())),
                    }
                }
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(JobError::Retry(error.to_string())),
        }
    }
}
