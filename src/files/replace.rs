//! New contents of files: each is a new version under a new key, and the old one stays among its versions.

use entity::{file, file::State, file_version, object::Reason};
use uuid::Uuid;

use super::{
    Content, FilesError, Scope, blocked,
    content::Received,
    holds,
    quota::{self, Amount},
    store,
    upload::{Outcome, add_version, finish, recall, settle},
    versions,
};
use crate::{
    app::App,
    db::{Tx, idempotency::IdempotencyKey},
    error::Fault,
    ledger::{self, Written},
    viewer::Viewer,
};

/// A new content of a file that was at `revision`.
#[derive(Debug)]
pub struct Replace {
    pub id: Uuid,
    pub revision: i32,
    pub content: Content,
    pub idempotency_key: Option<String>,
}

/// Gives the viewer's own file a new content.
pub async fn replace(app: &App, viewer: &Viewer, replace: Replace) -> Result<file::Model, FilesError> {
    let owner = viewer.person()?.user_id;
    let current = store::find(app.db.read(), Scope::Owner(owner), replace.id).await?.ok_or(FilesError::NotFound)?;
    let received = Received::spool(app, replace.content).await?;

    let key = replace.idempotency_key.map(|key| {
        let input = (replace.id, replace.revision, received.facts.sha256);
        IdempotencyKey::new(owner, &key, "replaceFileContent", &input)
    });
    if let Some(first) = recall(app, owner, key.as_ref()).await? {
        return Ok(first);
    }
    check(&current, replace.revision)?;
    let bytes = i64::try_from(received.facts.bytes).unwrap_or(i64::MAX);
    quota::check(app, owner, Amount::content(bytes)).await?;
    blocked::foresee(app, viewer, received.facts.marks()).await?;
    let written = ledger::write(app, received.object(owner, current.id), received.body()).await?;
    let version = received.facts.version(current.id, Uuid::now_v7(), written.object.id, app.now());
    let replaced = put(app, owner, replace.revision, &written, &version, key.as_ref()).await;
    blocked::noted(app, viewer, replaced).await
}

/// Makes written bytes the content of their owner's file, which has to be at this revision.
pub(super) async fn put(
    app: &App,
    owner: Uuid,
    revision: i32,
    written: &Written,
    version: &file_version::Model,
    key: Option<&IdempotencyKey>,
) -> Result<file::Model, FilesError> {
    let file = version.file_id;
    let outcome = app
        .transaction(async |tx| {
            // The lock makes the file outlive this transaction: a purge waits, and then finds the new object.
            let current = store::lock(&tx, Scope::Owner(owner), &[file]).await?.pop().ok_or(FilesError::NotFound)?;
            check(&current, revision)?;
            blocked::admit_version(app, &tx, version).await?;
            if !ledger::make_live(app, &tx, written).await? {
                return Ok(Outcome::Lost);
            }
            let row = supersede(app, &tx, current, version.clone()).await?;
            quota::take(app, &tx, owner, Amount::content(version.bytes)).await?;
            finish(app, &tx, written, key, &row).await?;
            Ok(Outcome::Done(Box::new(row)))
        })
        .await;
    settle(app, owner, file, written, key, outcome).await
}

/// Whether a file takes a new content that is based on this revision of it.
pub(super) fn check(current: &file::Model, revision: i32) -> Result<(), FilesError> {
    if current.state != State::Active {
        return Err(FilesError::WrongState("Only an active file can be given a new content. Restore it first."));
    }
    if current.revision != revision {
        return Err(FilesError::Stale(Box::new(current.clone())));
    }
    Ok(())
}

/// Makes a live content the current one of a file that the caller has locked, and drops versions beyond those kept.
pub(super) async fn supersede(
    app: &App,
    tx: &Tx,
    current: file::Model,
    version: file_version::Model,
) -> Result<file::Model, FilesError> {
    let renditions = store::renditions(tx, &[current.version_id]).await?;
    let objects: Vec<Uuid> = renditions.iter().filter_map(|rendition| rendition.object_id).collect();
    store::delete_renditions(tx, current.version_id).await?;
    ledger::doom(app, tx, &objects, Some(current.owner_id), Reason::Superseded).await?;
    // The database's time, because retention ends by it.
    let now = app.db.now(tx).await?;
    store::set_superseded(tx, current.version_id, now).await?;
    let number = store::last_number(tx, current.id).await? + 1;
    let version = file_version::Model { number, created_at: now, ..version };
    let row = file::Model {
        revision: current.revision + 1,
        version_id: version.id,
        object_id: version.object_id,
        content_type: version.content_type.clone(),
        bytes: version.bytes,
        sha256: version.sha256.clone(),
        width: version.width,
        height: version.height,
        thumbhash: version.thumbhash.clone(),
        updated_at: now,
        ..current.clone()
    };
    if !store::update(tx, &current, &row).await? {
        return Err(Fault::Internal("a locked file changed".to_owned()).into());
    }
    holds::extend(tx, &row, version.object_id).await?;
    add_version(app, tx, version).await?;
    versions::drop_surplus(app, tx, &row).await?;
    Ok(row)
}
