//! New files, and new contents of files.

use entity::{file, file::State, object::Reason};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Content, FilesError, Scope,
    content::{Facts, Received},
    model,
    renditions::Render,
    store,
};
use crate::{
    app::App,
    db::{Tx, idempotency::IdempotencyKey, is_unique_violation},
    error::Fault,
    events, jobs, ledger,
    ledger::Written,
    viewer::Viewer,
};

/// A new file.
#[derive(Debug)]
pub struct Upload {
    pub content: Content,
    /// The content's own name where it is not given.
    pub name: Option<String>,
    pub description: Option<String>,
    pub tags: Option<Vec<String>>,
    pub metadata: Option<Value>,
    pub idempotency_key: Option<String>,
}

/// A new content of a file that was at `revision`.
#[derive(Debug)]
pub struct Replace {
    pub id: Uuid,
    pub revision: i32,
    pub content: Content,
    pub idempotency_key: Option<String>,
}

/// Why a transaction did not take the written bytes.
enum Outcome {
    Done(Box<file::Model>),
    /// Swept or failed over meanwhile; the bytes are being erased.
    Lost,
}

/// Takes in a file for the viewer.
pub async fn upload(app: &App, viewer: &Viewer, upload: Upload) -> Result<file::Model, FilesError> {
    let owner = viewer.person()?.user_id;
    let name = model::name(upload.name.as_deref().unwrap_or(&upload.content.name))?;
    let description = model::description(upload.description.as_deref().unwrap_or_default())?;
    let tags = model::tags(upload.tags.as_deref().unwrap_or_default())?;
    let metadata = model::metadata(upload.metadata.unwrap_or_else(|| json!({})))?;
    let received = Received::spool(app, upload.content).await?;

    let key = upload.idempotency_key.map(|key| {
        let input = (&name, &description, &tags, &metadata, received.facts.sha256);
        IdempotencyKey::new(owner, &key, "uploadFile", &input)
    });
    if let Some(first) = recall(app, owner, key.as_ref()).await? {
        return Ok(first);
    }
    let file_id = Uuid::now_v7();
    let written = ledger::write(app, received.object(owner, file_id), received.body()).await?;
    let outcome = app
        .transaction(async |tx| {
            if !ledger::make_live(app, &tx, &written).await? {
                return Ok(Outcome::Lost);
            }
            let now = app.now();
            let version = received.facts.version(file_id, Uuid::now_v7(), written.object.id, 1, now);
            let row = file::Model {
                id: file_id,
                owner_id: owner,
                name: name.clone(),
                name_key: model::name_key(&name),
                description: description.clone(),
                tags: json!(tags),
                metadata: metadata.clone(),
                state: State::Active,
                revision: 1,
                version_id: version.id,
                object_id: version.object_id,
                content_type: version.content_type.clone(),
                bytes: version.bytes,
                sha256: version.sha256.clone(),
                width: version.width,
                height: version.height,
                thumbhash: version.thumbhash.clone(),
                created_at: now,
                updated_at: now,
                trashed_at: None,
                purge_at: None,
                rejection: None,
            };
            store::insert(&tx, row.clone()).await?;
            add_version(app, &tx, &received.facts, version).await?;
            finish(app, &tx, &written, key.as_ref(), &row).await?;
            Ok(Outcome::Done(Box::new(row)))
        })
        .await;
    settle(app, owner, file_id, &written, key.as_ref(), outcome).await
}

/// Gives a file a new content: a new version under a new key. The old one stays in its versions.
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
    let written = ledger::write(app, received.object(owner, current.id), received.body()).await?;
    let outcome = app
        .transaction(async |tx| {
            // The lock makes the file outlive this transaction: a purge waits, and then finds the new object.
            let current =
                store::lock(&tx, Scope::Owner(owner), &[replace.id]).await?.pop().ok_or(FilesError::NotFound)?;
            check(&current, replace.revision)?;
            if !ledger::make_live(app, &tx, &written).await? {
                return Ok(Outcome::Lost);
            }
            supersede_renditions(app, &tx, owner, current.version_id).await?;
            let now = app.now();
            let number = store::last_number(&tx, current.id).await? + 1;
            let version = received.facts.version(current.id, Uuid::now_v7(), written.object.id, number, now);
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
            if !store::update(&tx, &current, &row).await? {
                return Err(FilesError::Stale(Box::new(current)));
            }
            add_version(app, &tx, &received.facts, version).await?;
            finish(app, &tx, &written, key.as_ref(), &row).await?;
            Ok(Outcome::Done(Box::new(row)))
        })
        .await;
    settle(app, owner, current.id, &written, key.as_ref(), outcome).await
}

fn check(current: &file::Model, revision: i32) -> Result<(), FilesError> {
    if current.state != State::Active {
        return Err(FilesError::WrongState("Only an active file can be given a new content. Restore it first."));
    }
    if current.revision != revision {
        return Err(FilesError::Stale(Box::new(current.clone())));
    }
    Ok(())
}

pub(super) async fn add_version(
    app: &App,
    tx: &Tx,
    facts: &Facts,
    version: entity::file_version::Model,
) -> Result<(), FilesError> {
    let (file, id) = (version.file_id, version.id);
    store::insert_version(tx, version).await?;
    if !facts.sizes().is_empty() {
        store::insert_renditions(tx, file, id, facts.sizes(), app.now()).await?;
        jobs::enqueue(app, tx, &Render { version: id }).await?;
    }
    Ok(())
}

async fn supersede_renditions(app: &App, tx: &Tx, owner: Uuid, version: Uuid) -> Result<(), FilesError> {
    let renditions = store::renditions(tx, &[version]).await?;
    let objects: Vec<Uuid> = renditions.iter().filter_map(|rendition| rendition.object_id).collect();
    store::delete_renditions(tx, version).await?;
    ledger::doom(app, tx, &objects, Some(owner), Reason::Superseded).await?;
    Ok(())
}

/// The end of an upload's transaction: the idempotency key, and the event, whose counter row is best held shortly.
pub(super) async fn finish(
    app: &App,
    tx: &Tx,
    written: &Written,
    key: Option<&IdempotencyKey>,
    row: &file::Model,
) -> Result<(), FilesError> {
    if let Some(key) = key {
        key.remember(tx, row.id, app.now()).await?;
    }
    let payload = json!({
        "file": crate::id::NodeKind::File.id(row.id).to_string(),
        "key": written.object.key,
        "bucket": app.stores.at(written.site()).bucket(),
        "size": row.bytes,
        "contentType": row.content_type,
    });
    events::append(tx, events::SERVER_LOG, "file.uploaded", payload, app.now()).await?;
    Ok(())
}

/// Turns what became of the transaction into an answer, and erases bytes that nothing points to.
async fn settle(
    app: &App,
    owner: Uuid,
    file: Uuid,
    written: &Written,
    key: Option<&IdempotencyKey>,
    outcome: Result<Outcome, FilesError>,
) -> Result<file::Model, FilesError> {
    let error = match outcome {
        Ok(Outcome::Done(row)) => {
            let bucket = app.stores.at(written.site()).bucket();
            tracing::info!(key = %written.object.key, bucket, size = row.bytes, "new file uploaded");
            return Ok(*row);
        }
        Ok(Outcome::Lost) => return Err(Fault::Busy("an upload took longer than its deadline".to_owned()).into()),
        Err(error) => error,
    };
    // The reply to COMMIT may be lost: where the transaction took place after all, this finds its row.
    let row = store::find(app.db.read(), Scope::Owner(owner), file).await;
    if let Ok(Some(row)) = row
        && row.object_id == written.object.id
    {
        return Ok(row);
    }
    ledger::give_up(app, written).await;
    if is_too_late(&error)
        && let Some(first) = recall(app, owner, key).await?
    {
        return Ok(first);
    }
    Err(error)
}

/// Whether another request was first, which may be the same one: it took the key, the revision, or the file.
fn is_too_late(error: &FilesError) -> bool {
    match error {
        FilesError::Stale(_) | FilesError::WrongState(_) | FilesError::NotFound => true,
        FilesError::Fault(Fault::Database(cause)) => is_unique_violation(cause),
        _ => false,
    }
}

/// The first result of a repeated request.
async fn recall(app: &App, owner: Uuid, key: Option<&IdempotencyKey>) -> Result<Option<file::Model>, FilesError> {
    let Some(id) = IdempotencyKey::recall(key, app.db.read()).await? else { return Ok(None) };
    store::find(app.db.read(), Scope::Owner(owner), id).await?.ok_or(FilesError::NotFound).map(Some)
}
