//! The beginning of a direct upload: its row, its staging object, and S3's id for it.

use entity::{
    upload,
    upload::{Purpose, State},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{staging_key, store, tell};
use crate::{
    adapters::objects::{self, Sha256},
    app::App,
    db::idempotency::IdempotencyKey,
    error::Fault,
    files::{
        FilesError, blocked, model,
        quota::{self, Amount},
    },
    ledger,
    viewer::Viewer,
    wanted::Marks,
};

/// A file that is going to be sent.
#[derive(Debug)]
pub struct NewUpload {
    pub name: String,
    pub bytes: i64,
    /// What the content must turn out to be, where it is known.
    pub sha256: Option<Sha256>,
    /// The same of its type.
    pub content_type: Option<String>,
    pub purpose: Purpose,
    pub description: Option<String>,
    pub tags: Option<Vec<String>>,
    pub metadata: Option<Value>,
    pub idempotency_key: Option<String>,
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
        let purpose = sea_orm::ActiveEnum::to_value(&new.purpose);
        let input = (&name, bytes, new.sha256, &content_type, &description, &tags, &metadata, purpose);
        IdempotencyKey::new(owner, &key, "createUpload", &input)
    });
    if let Some(first) = recall(app, owner, key.as_ref()).await? {
        return begun(app, first).await;
    }
    if let Some(sha256) = &new.sha256 {
        blocked::foresee(app, viewer, Marks { sha256, fingerprint: None }).await?;
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
                purpose: new.purpose,
                target_id: None,
                target_revision: None,
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
                signed_at: None,
                look_at: None,
                expires_at,
                ended_at: None,
            };
            store::insert(&tx, row.clone()).await?;
            if let Some(key) = &key {
                key.remember(&tx, row.id, now).await?;
            }
            quota::take(app, &tx, owner, Amount::of_upload(&row)).await?;
            // Counted under the lock of the owner's counter, so that of two that begin at once one sees the other.
            let limit = app.config.uploads.max_open;
            if store::open_of(&tx, owner).await? > limit.into() {
                return Err(FilesError::TooManyUploads { limit });
            }
            tell(&tx, &row, now).await?;
            Ok(row)
        })
        .await;
    let row = match outcome {
        Ok(row) => row,
        // Another request with the same key may have been first, and have taken the room.
        Err(error) => recall(app, owner, key.as_ref()).await?.ok_or(error)?,
    };
    begun(app, row).await
}

async fn recall(app: &App, owner: Uuid, key: Option<&IdempotencyKey>) -> Result<Option<upload::Model>, FilesError> {
    let Some(id) = IdempotencyKey::recall(key, app.db.read()).await? else { return Ok(None) };
    store::find(app.db.read(), owner, id).await?.ok_or(FilesError::NotFound).map(Some)
}

/// The upload with S3's id. Of several begun at S3 for one key the first that is written down counts; the erasure of the
/// staging key aborts the others.
pub(super) async fn begun(app: &App, row: upload::Model) -> Result<upload::Model, FilesError> {
    if row.multipart_id.is_some() || row.state != State::Open {
        return Ok(row);
    }
    let id = app.stores.at(row.site).create_upload(&staging_key(&row), None).await.map_err(Fault::from)?;
    app.transaction::<_, sea_orm::DbErr, _, _>(async |tx| store::set_multipart_id(&tx, row.id, &id).await).await?;
    store::find(app.db.read(), row.owner_id, row.id).await?.ok_or(FilesError::NotFound)
}
