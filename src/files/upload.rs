//! New files, and what all that stores a content has in common.

use entity::{file, file::State, file_version};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Content, FilesError, Scope, blocked,
    content::{Received, sizes},
    model,
    quota::{self, Amount},
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

/// What became of written bytes in a transaction.
pub(super) enum Outcome {
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
    let amount = Amount::file(i64::try_from(received.facts.bytes).unwrap_or(i64::MAX));
    quota::check(app, owner, amount).await?;
    blocked::foresee(app, viewer, received.facts.marks()).await?;
    let file_id = Uuid::now_v7();
    let written = ledger::write(app, received.object(owner, file_id), received.body()).await?;
    let outcome = app
        .transaction(async |tx| {
            blocked::admit(app, &tx, received.facts.marks()).await?;
            if !ledger::make_live(app, &tx, &written).await? {
                return Ok(Outcome::Lost);
            }
            let now = app.now();
            let version = received.facts.version(file_id, Uuid::now_v7(), written.object.id, now);
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
                removed_by: None,
                removal_reason: None,
                holds: 0,
                rejection: None,
            };
            store::insert(&tx, row.clone()).await?;
            add_version(app, &tx, version).await?;
            quota::take(app, &tx, owner, amount).await?;
            finish(app, &tx, &written, key.as_ref(), &row).await?;
            Ok(Outcome::Done(Box::new(row)))
        })
        .await;
    blocked::noted(app, viewer, settle(app, owner, file_id, &written, key.as_ref(), outcome).await).await
}

/// The row of a version, and of the renditions that a job makes of it.
pub(super) async fn add_version(app: &App, tx: &Tx, version: file_version::Model) -> Result<(), FilesError> {
    let (file, id, sizes) = (version.file_id, version.id, sizes(&version.content_type));
    store::insert_version(tx, version).await?;
    if !sizes.is_empty() {
        store::insert_renditions(tx, file, id, sizes, app.now()).await?;
        jobs::enqueue(app, tx, &Render { version: id }).await?;
    }
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
pub(super) async fn settle(
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

/// Whether another request was first, which may be the same one: it took the key, the revision, the file, or the room.
fn is_too_late(error: &FilesError) -> bool {
    match error {
        FilesError::Stale(_) | FilesError::WrongState(_) | FilesError::NotFound => true,
        FilesError::QuotaExceeded { .. } | FilesError::TooManyFiles { .. } => true,
        FilesError::Fault(Fault::Database(cause)) => is_unique_violation(cause),
        _ => false,
    }
}

/// The first result of a repeated request.
pub(super) async fn recall(
    app: &App,
    owner: Uuid,
    key: Option<&IdempotencyKey>,
) -> Result<Option<file::Model>, FilesError> {
    let Some(id) = IdempotencyKey::recall(key, app.db.read()).await? else { return Ok(None) };
    store::find(app.db.read(), Scope::Owner(owner), id).await?.ok_or(FilesError::NotFound).map(Some)
}
