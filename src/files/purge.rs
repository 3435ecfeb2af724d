//! Deleting files for good, by somebody or when their time in the trash is over.

use std::collections::BTreeMap;

use async_trait::async_trait;
use entity::{Timestamp, alert, file, file::State, object, object::Reason};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    FilesError, Scope, direct, manageable,
    model::MAX_FILES_AT_ONCE,
    quota::{self, Amount},
    store,
    trash::{distinct, hide, in_order, note, raise, save},
};
use crate::{
    app::App,
    db::Tx,
    jobs::{self, Job, JobError},
    ledger::{self, Doomed},
    viewer::Viewer,
};

/// What a purge deleted: every object of every file, on its way to be proven gone.
#[derive(Debug)]
pub struct Purged {
    pub files: Vec<Uuid>,
    /// What a legal hold keeps: put away, and purged when that ends.
    pub held: Vec<file::Model>,
    pub objects: Vec<object::Model>,
    pub alert: Option<alert::Model>,
}

/// Deletes files for good, all or none, trashed or not: their rows go at once, their objects are erased at both sites
/// and proven gone. What a legal hold keeps is put away, and purged when that ends. A repeat returns the same objects.
pub async fn purge(app: &App, viewer: &Viewer, ids: &[Uuid]) -> Result<Purged, FilesError> {
    let scope = manageable(viewer)?;
    let ids = distinct(ids)?;
    app.transaction(async |tx| {
        let files = store::lock(&tx, scope, &ids).await?;
        let now = app.db.now(&tx).await?;
        let is_late = |file: &file::Model| file.purge_at.is_none_or(|purge_at| purge_at > now) || file.holds > 0;
        if matches!(viewer, Viewer::System(_)) && files.iter().any(is_late) {
            return Err(FilesError::NotFound); // Restored or held since it was found expired.
        }
        let (held, files): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.holds > 0);
        let mut objects = Vec::new();
        for id in ids.iter().filter(|id| held.iter().all(|file| file.id != **id)) {
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
            note(&tx, viewer, "file.purged", file, None, now).await?;
        }
        let mut alert = match files.as_slice() {
            [] => None,
            files => Some(raise(app, &tx, viewer, files, Some(doomed.deleting.len()), None).await?),
        };
        let (held, newly) = keep(&tx, viewer, held, now).await?;
        if !newly.is_empty() {
            let told = raise(app, &tx, viewer, &newly, None, None).await?;
            alert = alert.or(Some(told));
        }
        let purged: Vec<Uuid> = ids.iter().copied().filter(|id| held.iter().all(|file| file.id != *id)).collect();
        let mut objects = Vec::new();
        for id in &purged {
            objects.extend(ledger::of_file(&tx, *id).await?);
        }
        Ok(Purged { files: purged, held: in_order(held, &ids), objects, alert })
    })
    .await
}

/// Puts held files away until their hold ends. All of them, and those that were active.
async fn keep(
    tx: &Tx,
    viewer: &Viewer,
    held: Vec<file::Model>,
    now: Timestamp,
) -> Result<(Vec<file::Model>, Vec<file::Model>), FilesError> {
    let (mut kept, mut newly) = (Vec::with_capacity(held.len()), Vec::new());
    for current in held {
        if current.purge_at.is_some_and(|purge_at| purge_at <= now) {
            kept.push(current);
            continue;
        }
        let row = match current.state {
            State::Removed => {
                let row = file::Model {
                    purge_at: Some(now),
                    revision: current.revision + 1,
                    updated_at: now,
                    ..current.clone()
                };
                save(tx, &current, &row).await?;
                row
            }
            _ => hide(tx, viewer, &current, None, now, now).await?,
        };
        if current.state == State::Active {
            newly.push(row.clone());
        }
        kept.push(row);
    }
    Ok((kept, newly))
}

/// Purges a file soon whose time in the trash was over before its last hold ended.
pub(super) async fn look_again(app: &App, tx: &Tx, file: &file::Model, now: Timestamp) -> Result<(), DbErr> {
    if file.purge_at.is_some_and(|purge_at| purge_at <= now) {
        jobs::enqueue(app, tx, &PurgeExpired {}).await?;
    }
    Ok(())
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
