//! The ends of a direct upload: completed by its owner, aborted, or given up when its time is over.

use async_trait::async_trait;
use entity::{Timestamp, file, object::Reason, upload, upload::State};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    KEPT, closed,
    parts::{Open, all_parts, composite, missing, open},
    size, store, verify,
};
use crate::{
    app::App,
    db::Tx,
    files::{FilesError, model, store as files},
    jobs::{self, Job, JobError},
    ledger,
    viewer::Viewer,
};

/// Missing parts that an error names.
const NAMED: usize = 5;

/// Ends the sending: the file is there at once, PROCESSING, and a job verifies it. A repeat changes nothing.
pub async fn complete(app: &App, viewer: &Viewer, id: Uuid) -> Result<upload::Model, FilesError> {
    let owner = viewer.person()?.user_id;
    let row = store::find(app.db.read(), owner, id).await?.ok_or(FilesError::NotFound)?;
    if matches!(row.state, State::Verifying | State::Completed | State::Rejected) {
        return Ok(row);
    }
    let Open { row, key, multipart_id } = open(app, row).await?;
    // Another request may have completed it in between: the transaction sees.
    let parts = all_parts(app, &row, &key, &multipart_id).await?.unwrap_or_default();
    let missing = missing(&row, &parts);
    let composite = composite(&parts);
    app.transaction(async |tx| {
        let current = store::lock(&tx, owner, id).await?.ok_or(FilesError::NotFound)?;
        let now = app.db.now(&tx).await?;
        match current.state {
            State::Open if current.expires_at > now => {}
            State::Verifying | State::Completed | State::Rejected => return Ok(current),
            _ => return Err(closed(&current)),
        }
        if !missing.is_empty() {
            let named = missing.iter().take(NAMED).map(u64::to_string).collect::<Vec<_>>().join(", ");
            let more = if missing.len() > NAMED { ", …" } else { "" };
            return Err(FilesError::PartsMissing { count: missing.len(), named: format!("{named}{more}") });
        }
        let object = ledger::reserve(app, &tx, size(&current), owner, current.file_id, now.plus(KEPT)).await?;
        let row = upload::Model {
            state: State::Verifying,
            object_id: Some(object.id),
            composite: composite.map(|sha256| sha256.to_vec()),
            ..current
        };
        files::insert(&tx, processing(&row, object.id, now)).await?;
        store::update(&tx, row.clone()).await?;
        jobs::enqueue(app, &tx, &verify::Verify { upload: row.id }).await?;
        Ok(row)
    })
    .await
}

/// The file before its bytes are known.
fn processing(upload: &upload::Model, object: Uuid, now: Timestamp) -> file::Model {
    file::Model {
        id: upload.file_id,
        owner_id: upload.owner_id,
        name: upload.name.clone(),
        name_key: model::name_key(&upload.name),
        description: upload.description.clone(),
        tags: upload.tags.clone(),
        metadata: upload.metadata.clone(),
        state: file::State::Processing,
        revision: 1,
        version_id: Uuid::now_v7(),
        object_id: object,
        content_type: "application/octet-stream".to_owned(),
        bytes: upload.bytes,
        sha256: Vec::new(),
        width: None,
        height: None,
        thumbhash: None,
        created_at: now,
        updated_at: now,
        trashed_at: None,
        purge_at: None,
        rejection: None,
    }
}

/// Gives up the viewer's open upload: nothing of it stays. A repeat changes nothing.
pub async fn abort(app: &App, viewer: &Viewer, id: Uuid) -> Result<upload::Model, FilesError> {
    let owner = viewer.person()?.user_id;
    app.transaction(async |tx| {
        let row = store::lock(&tx, owner, id).await?.ok_or(FilesError::NotFound)?;
        match row.state {
            State::Open => end(app, &tx, row, State::Aborted).await.map_err(Into::into),
            State::Aborted | State::Expired => Ok(row),
            State::Verifying | State::Completed | State::Rejected => Err(closed(&row)),
        }
    })
    .await
}

async fn end(app: &App, tx: &Tx, row: upload::Model, state: State) -> Result<upload::Model, sea_orm::DbErr> {
    let row = upload::Model { state, ended_at: Some(app.db.now(tx).await?), ..row };
    store::update(tx, row.clone()).await?;
    ledger::end_staging(app, tx, row.staging_id, Reason::Staged).await?;
    Ok(row)
}

/// Forgets the uploads of these files, whose objects the caller dooms: nobody sends to them any more.
pub(in crate::files) async fn forget(app: &App, tx: &Tx, files: &[Uuid]) -> Result<(), sea_orm::DbErr> {
    for upload in store::of_files(tx, files).await? {
        ledger::close_staging(app, tx, upload.staging_id).await?;
    }
    store::delete_of_files(tx, files).await
}

/// Gives up uploads of a person's, in whatever state, that are those of no file, and dooms what they hold. `false`: there
/// are none; otherwise more may be left.
pub(in crate::files) async fn give_up(app: &App, tx: &Tx, owner: Uuid, reason: Reason) -> Result<bool, sea_orm::DbErr> {
    let uploads = store::lock_without_file(tx, owner).await?;
    // What an upload has become is a file's.
    let verified = |row: &upload::Model| row.object_id.filter(|_| row.state == State::Verifying);
    let objects: Vec<Uuid> = uploads.iter().flat_map(|row| [Some(row.staging_id), verified(row)]).flatten().collect();
    let files: Vec<Uuid> = uploads.iter().map(|row| row.file_id).collect();
    forget(app, tx, &files).await?;
    ledger::doom(app, tx, &objects, Some(owner), reason).await?;
    Ok(!uploads.is_empty())
}

/// Gives up open uploads whose time is over, and forgets ended ones after as long again.
#[derive(Serialize, Deserialize)]
pub(super) struct Expire {}

#[async_trait]
impl Job for Expire {
    const KIND: &'static str = "files.expire_uploads";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let now = app.db.now(app.db.read()).await?;
        for (owner, id) in store::expired(app.db.read(), now).await? {
            app.transaction::<_, sea_orm::DbErr, _, _>(async |tx| match store::lock(&tx, owner, id).await? {
                Some(row) if row.state == State::Open => end(app, &tx, row, State::Expired).await.map(drop),
                _ => Ok(()),
            })
            .await?;
        }
        let old = now.minus(app.config.uploads.session_ttl);
        app.transaction::<_, sea_orm::DbErr, _, _>(async |tx| store::delete_ended(&tx, old).await).await?;
        Ok(())
    }
}
