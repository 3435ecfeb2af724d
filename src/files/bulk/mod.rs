//! Removing all files that match a filter. The set is frozen in the transaction that takes the order; a job works it off, file
//! by file as if each had been named, and raises one alert at the end.

mod jobs;
mod store;

use entity::{
    Timestamp,
    action::{Kind, Model, State},
    file,
};
use serde_json::json;
use uuid::Uuid;

use super::{
    FileFilter, FilesError, ScopeOf,
    find::{self, COUNTED},
};
use crate::{
    app::App,
    audit,
    db::{
        idempotency::IdempotencyKey,
        page::{Page, PageRequest, Position},
    },
    error::Fault,
    jobs::{Registry, enqueue},
    text,
    viewer::Viewer,
};

/// Files of one order at the most: as many as are counted.
pub const MAX_FILES: u64 = COUNTED;

/// Which files are to be removed, and why.
#[derive(Clone, Debug)]
pub struct Removal {
    pub scope: ScopeOf,
    pub filter: FileFilter,
    /// How many files these are, as whoever orders it has seen.
    pub expected: u64,
    pub reason: String,
    pub idempotency_key: Option<String>,
}

pub(super) fn register(registry: &mut Registry) {
    registry.register::<jobs::Work>();
}

/// Orders the removal of all files that match now, where they are as many as expected; else nothing is done. Files that come to
/// match later stay. A repeat with the same key returns the first order. Admins.
pub async fn remove(app: &App, viewer: &Viewer, removal: &Removal) -> Result<Model, FilesError> {
    viewer.admin()?;
    let me = viewer.person()?.user_id;
    let reason = text::reason(&removal.reason).ok_or(FilesError::InvalidReason)?;
    if !matches!(removal.filter.state, file::State::Active | file::State::Trashed) {
        return Err(FilesError::WrongState("Only active files and those in the trash can be removed."));
    }
    if !(1..=MAX_FILES).contains(&removal.expected) {
        return Err(FilesError::BadExpectedCount { limit: MAX_FILES });
    }
    let key = removal.idempotency_key.as_ref().map(|key| {
        let input = (removal.scope, &removal.filter, removal.expected, &reason);
        IdempotencyKey::new(me, key, "removeFiles", &input)
    });
    if let Some(first) = recall(app, key.as_ref()).await? {
        return Ok(first);
    }
    let id = Uuid::now_v7();
    let outcome = app
        .transaction(async |tx| {
            let matching = find::matching(&tx, removal.scope.0, &removal.filter).await?;
            let frozen = store::freeze(&tx, id, matching, MAX_FILES + 1).await?;
            if frozen != removal.expected {
                return Err(FilesError::CountChanged { now: frozen });
            }
            let now = app.db.now(&tx).await?;
            let row = Model {
                id,
                kind: Kind::RemoveFiles,
                state: State::Running,
                actor_id: me,
                reason: Some(reason.clone()),
                total: i64::try_from(frozen).unwrap_or(i64::MAX),
                done: 0,
                skipped: 0,
                error: None,
                alert_id: None,
                created_at: now,
                finished_at: None,
            };
            store::insert(&tx, row.clone()).await?;
            let details = json!({ "kind": "REMOVE_FILES", "files": frozen, "reason": reason });
            audit::record(&tx, viewer, "action.ordered", id, details, now).await?;
            if let Some(key) = &key {
                key.remember(&tx, id, now).await?;
            }
            enqueue(app, &tx, &jobs::Work { action: id }).await?;
            Ok(row)
        })
        .await;
    let error = match outcome {
        Ok(row) => return Ok(row),
        Err(error) => error,
    };
    // The reply to COMMIT may be lost, or another request with the same key was first.
    match store::find(app.db.read(), id).await? {
        Some(row) => Ok(row),
        None => recall(app, key.as_ref()).await?.ok_or(error),
    }
}

/// The first result of a repeated request.
async fn recall(app: &App, key: Option<&IdempotencyKey>) -> Result<Option<Model>, FilesError> {
    match IdempotencyKey::recall(key, app.db.read()).await? {
        Some(id) => Ok(store::find(app.db.read(), id).await?),
        None => Ok(None),
    }
}

/// One action and how far it is. To anybody but admins it is not there.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Model>, Fault> {
    if !viewer.is_admin() {
        return Ok(None);
    }
    Ok(store::find(app.db.read(), id).await?)
}

/// All actions, newest first. Admins.
pub async fn list(app: &App, viewer: &Viewer, page: &PageRequest<Position<Timestamp>>) -> Result<Page<Model>, Fault> {
    viewer.admin()?;
    Ok(store::list(app.db.read(), page).await?)
}
