//! The block list: contents that nobody may store or show again, known by their bytes (SHA-256) and, pictures, by how they look.
//!
//! [`check`] stands in every transaction that makes a content visible. It holds the list's version row (shared) until that
//! transaction ends, and [`add`] raises it: either the one sees the other's change, or it comes first and is there to be found.
//! In the order of locks the row stands behind files, uploads and snaps, and before objects.

mod store;

use std::sync::{Arc, PoisonError};

use entity::{Timestamp, blocked_content::Model};
use sea_orm::DbErr;
use serde_json::json;
use uuid::Uuid;

use crate::{
    app::App,
    audit,
    db::{
        Tx,
        page::{Page, PageRequest, Position},
    },
    error::Fault,
    images::Fingerprint,
    module_error,
    viewer::Viewer,
    wanted::{Marks, Wanted},
};

#[derive(Debug, thiserror::Error)]
pub enum BlockListError {
    #[error("There is no such entry in the block list.")]
    NotFound,
    #[error(transparent)]
    Fault(#[from] Fault),
}

module_error!(BlockListError);

/// A content to block.
#[derive(Clone, Debug)]
pub struct NewEntry {
    pub sha256: Vec<u8>,
    /// Of a picture and its crops.
    pub fingerprints: Vec<Fingerprint>,
    pub thumbhash: Option<Vec<u8>>,
    pub content_type: Option<String>,
    pub name: String,
}

/// Which entry forbids one of these contents; the list does not change before the transaction ends.
pub async fn check(app: &App, tx: &Tx, contents: &[Marks<'_>]) -> Result<Option<Uuid>, DbErr> {
    let list = read(app, tx, store::version(tx).await?).await?;
    Ok(contents.iter().find_map(|marks| list.find(*marks)))
}

/// The same before anything is stored, at no cost where this process knows of no such entry. [`check`] decides.
pub async fn foresee(app: &App, contents: &[Marks<'_>]) -> Result<Option<Uuid>, DbErr> {
    let list = known(app);
    if contents.iter().all(|marks| list.find(*marks).is_none()) {
        return Ok(None);
    }
    // It may have been unblocked since.
    app.db.transaction(async |tx| check(app, &tx, contents).await).await
}

/// Blocks a content, unless it is blocked already; where its bytes alone are, by its looks from now on. Admins.
pub async fn add(app: &App, tx: &Tx, viewer: &Viewer, new: NewEntry, reason: &str) -> Result<Model, Fault> {
    viewer.admin()?;
    let version = store::raise(tx).await?;
    let fingerprints: Vec<u8> = new.fingerprints.iter().flat_map(Fingerprint::to_bytes).collect();
    if let Some(entry) = store::standing(tx, &new.sha256).await? {
        if fingerprints.is_empty() || !entry.fingerprints.is_empty() {
            return Ok(entry);
        }
        let NewEntry { thumbhash, content_type, name, .. } = new;
        let entry = Model { fingerprints, thumbhash, content_type, name, version, ..entry };
        store::set_looks(tx, &entry).await?;
        return Ok(entry);
    }
    let now = app.db.now(tx).await?;
    let entry = Model {
        id: Uuid::now_v7(),
        sha256: new.sha256,
        fingerprints,
        thumbhash: new.thumbhash,
        content_type: new.content_type,
        name: new.name,
        reason: reason.to_owned(),
        blocked_by: viewer.user_id(),
        blocked_at: now,
        unblocked_by: None,
        unblocked_at: None,
        version,
        refused: 0,
        last_refused_at: None,
    };
    store::insert(tx, entry.clone()).await?;
    let details = json!({ "sha256": hex::encode(&entry.sha256), "name": entry.name, "reason": entry.reason });
    audit::record(tx, viewer, "content.blocked", entry.id, details, now).await?;
    Ok(entry)
}

/// Lets a content be stored again. A repeat changes nothing. Admins.
pub async fn unblock(app: &App, viewer: &Viewer, id: Uuid) -> Result<Model, BlockListError> {
    viewer.admin()?;
    app.transaction(async |tx| {
        let version = store::raise(&tx).await?;
        let entry = store::find(&tx, id).await?.ok_or(BlockListError::NotFound)?;
        if entry.unblocked_at.is_some() {
            return Ok(entry);
        }
        let now = app.db.now(&tx).await?;
        let entry = Model { unblocked_by: viewer.user_id(), unblocked_at: Some(now), version, ..entry };
        store::set_unblocked(&tx, &entry).await?;
        let details = json!({ "sha256": hex::encode(&entry.sha256), "name": entry.name });
        audit::record(&tx, viewer, "content.unblocked", entry.id, details, now).await?;
        Ok(entry)
    })
    .await
}

/// Writes down that somebody, or the server for them, wanted to store what is blocked. It stays refused where that cannot be.
pub async fn refused(app: &App, viewer: &Viewer, owner: Option<Uuid>, entry: Uuid) {
    let noted = app.transaction::<_, DbErr, _, _>(async |tx| {
        let now = app.db.now(&tx).await?;
        store::count_refusal(&tx, entry, now).await?;
        audit::record(&tx, viewer, "content.refused", entry, json!({ "owner": owner }), now).await
    });
    if let Err(error) = noted.await {
        tracing::error!(%error, %entry, "a blocked content was refused, which could not be written down");
    }
}

/// Entries, newest first: those that stand, those that do not, or all. Admins.
pub async fn list(
    app: &App,
    viewer: &Viewer,
    active: Option<bool>,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<Model>, Fault> {
    viewer.admin()?;
    Ok(page.finish(store::list(app.db.read(), active, page).await?))
}

/// An entry, for admins.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Model>, Fault> {
    if !viewer.is_admin() {
        return Ok(None);
    }
    Ok(store::find(app.db.read(), id).await?)
}

fn known(app: &App) -> Arc<Wanted> {
    app.blocked().read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The list at this version, which the transaction sees; read from where this process had it.
async fn read(app: &App, tx: &Tx, version: i64) -> Result<Arc<Wanted>, DbErr> {
    let known = known(app);
    if known.version == version {
        return Ok(known);
    }
    // A database that was put back to an earlier state counts anew.
    let mut list = if known.version < version { Wanted::clone(&known) } else { Wanted::default() };
    for entry in store::changed_after(tx, list.version).await? {
        list.remove(entry.id);
        if entry.unblocked_at.is_none() {
            let fingerprints =
                entry.fingerprints.chunks(Fingerprint::LEN).filter_map(Fingerprint::from_bytes).collect();
            list.insert(entry.id, entry.sha256, fingerprints);
        }
    }
    list.version = version;
    let list = Arc::new(list);
    *app.blocked().write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&list);
    Ok(list)
}
