//! The ends of a direct upload: completed by its owner, aborted, or given up when its time is over.

use async_trait::async_trait;
use entity::{
    Timestamp, file,
    object::Reason,
    upload,
    upload::{Purpose, Rejection, State},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    KEPT, closed,
    parts::{Open, Sent, composite, missing, open, sent},
    size, store, tell, verify,
};
use crate::{
    app::App,
    db::Tx,
    files::{
        FilesError, Scope, model,
        quota::{self, Amount},
        replace::check,
        store as files,
    },
    jobs::{self, Job, JobError},
    ledger,
    viewer::Viewer,
};

/// Missing parts that an error names.
const NAMED: usize = 5;

/// The rule of completing: one's own uploads; the server itself every one.
async fn completable(app: &App, viewer: &Viewer, id: Uuid) -> Result<upload::Model, FilesError> {
    let found = match viewer {
        Viewer::System(_) => store::get(app.db.read(), id).await?,
        _ => store::find(app.db.read(), viewer.person()?.user_id, id).await?,
    };
    found.ok_or(FilesError::NotFound)
}

/// Ends the sending of a new file: it is there at once, PROCESSING, and a job verifies it. A repeat changes nothing.
pub async fn complete(app: &App, viewer: &Viewer, id: Uuid) -> Result<upload::Model, FilesError> {
    let row = completable(app, viewer, id).await?;
    if is_complete_file(&row)? {
        return Ok(row);
    }
    let owner = row.owner_id;
    let arrived = arrived(app, row).await?;
    app.transaction(async |tx| {
        let current = store::lock(&tx, owner, id).await?.ok_or(FilesError::NotFound)?;
        if is_complete_file(&current)? {
            return Ok(current);
        }
        let now = app.db.now(&tx).await?;
        let row = verifying(app, &tx, current, &arrived, now).await?;
        files::insert(&tx, processing(&row, now)).await?;
        store::update(&tx, row.clone()).await?;
        tell(&tx, &row, now).await?;
        Ok(row)
    })
    .await
}

fn is_complete_file(row: &upload::Model) -> Result<bool, FilesError> {
    match row.purpose {
        Purpose::File => Ok(is_complete(row)),
        Purpose::Content => {
            Err(FilesError::WrongState("This upload is the new content of a file: `replaceFileContent` completes it."))
        }
        Purpose::Snap => Err(FilesError::WrongState("This upload is a snap's picture: `sendSnap` completes it.")),
    }
}

/// The file that an upload is the new content of, as it was at `revision`.
#[derive(Clone, Copy, Debug)]
pub struct Replacement {
    pub upload: Uuid,
    pub file: Uuid,
    pub revision: i32,
}

/// The upload, and its file.
pub type Replacing = (upload::Model, file::Model);

/// Ends the sending of a file's new content: a job verifies it, and it takes the place of the old one where the file is
/// still at this revision. A repeat changes nothing.
pub async fn replace(app: &App, viewer: &Viewer, replacement: Replacement) -> Result<Replacing, FilesError> {
    let owner = viewer.person()?.user_id;
    let Replacement { upload: id, file, revision } = replacement;
    let row = store::find(app.db.read(), owner, id).await?.ok_or(FilesError::NoSuchUpload)?;
    if row.purpose == Purpose::Snap {
        return Err(FilesError::WrongState("This upload is a snap's picture: `sendSnap` completes it."));
    }
    let is_repeat = |row: &upload::Model| row.target_id == Some(file) && row.target_revision == Some(revision);
    let find = async || files::find(app.db.read(), Scope::Owner(owner), file).await?.ok_or(FilesError::NotFound);
    if is_complete(&row) {
        return if is_repeat(&row) { Ok((row, find().await?)) } else { Err(closed(&row)) };
    }
    check(&find().await?, revision)?;
    let arrived = arrived(app, row).await?;
    app.transaction(async |tx| {
        // The lock holds off a purge until this upload is its to end.
        let file = files::lock(&tx, Scope::Owner(owner), &[file]).await?.pop().ok_or(FilesError::NotFound)?;
        let current = store::lock(&tx, owner, id).await?.ok_or(FilesError::NoSuchUpload)?;
        if is_complete(&current) {
            return if is_repeat(&current) { Ok((current, file)) } else { Err(closed(&current)) };
        }
        check(&file, revision)?;
        let was_file = current.purpose == Purpose::File;
        let current = upload::Model {
            purpose: Purpose::Content,
            target_id: Some(file.id),
            target_revision: Some(revision),
            ..current
        };
        let now = app.db.now(&tx).await?;
        let row = verifying(app, &tx, current, &arrived, now).await?;
        store::update(&tx, row.clone()).await?;
        if was_file {
            quota::give_back(&tx, owner, Amount::file(0)).await?;
        }
        tell(&tx, &row, now).await?;
        Ok((row, file))
    })
    .await
}

fn is_complete(row: &upload::Model) -> bool {
    matches!(row.state, State::Verifying | State::Completed | State::Rejected)
}

/// What S3 has of an open upload.
struct Arrived {
    missing: Vec<u64>,
    /// `None` once the parts are joined: who joined them has written it down.
    composite: Option<Vec<u8>>,
}

async fn arrived(app: &App, row: upload::Model) -> Result<Arrived, FilesError> {
    let Open { row, multipart_id, .. } = open(app, row).await?;
    // Another request may have completed it in between: the transaction sees.
    Ok(match sent(app, &row, &multipart_id).await? {
        Sent::Parts(parts) => {
            Arrived { missing: missing(&row, &parts), composite: composite(&parts).map(|sha256| sha256.to_vec()) }
        }
        Sent::Joined => Arrived { missing: Vec::new(), composite: None },
    })
}

/// The locked upload with the object that its content goes to, and the job that verifies it.
async fn verifying(
    app: &App,
    tx: &Tx,
    current: upload::Model,
    arrived: &Arrived,
    now: Timestamp,
) -> Result<upload::Model, FilesError> {
    if current.state != State::Open || current.expires_at <= now {
        return Err(closed(&current));
    }
    let missing = &arrived.missing;
    if !missing.is_empty() {
        return Err(parts_missing(missing));
    }
    let file = current.target_id.unwrap_or(current.file_id);
    let object = ledger::reserve(app, tx, size(&current), current.owner_id, file, now.plus(KEPT)).await?;
    jobs::enqueue(app, tx, &verify::Verify { upload: current.id }).await?;
    Ok(upload::Model {
        state: State::Verifying,
        object_id: Some(object.id),
        composite: arrived.composite.clone().or(current.composite),
        ..current
    })
}

pub(super) fn parts_missing(missing: &[u64]) -> FilesError {
    let named = missing.iter().take(NAMED).map(u64::to_string).collect::<Vec<_>>().join(", ");
    let more = if missing.len() > NAMED { ", …" } else { "" };
    FilesError::PartsMissing { count: missing.len(), named: format!("{named}{more}") }
}

/// The file before its bytes are known.
fn processing(upload: &upload::Model, now: Timestamp) -> file::Model {
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
        object_id: upload.object_id.unwrap_or_default(),
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
        removed_by: None,
        removal_reason: None,
        holds: 0,
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
    let now = app.db.now(tx).await?;
    let row = upload::Model { state, ended_at: Some(now), ..row };
    store::update(tx, row.clone()).await?;
    ledger::end_staging(app, tx, row.staging_id, Reason::Staged).await?;
    quota::give_back(tx, row.owner_id, Amount::of_upload(&row)).await?;
    tell(tx, &row, now).await?;
    Ok(row)
}

/// Forgets the uploads of these locked files, whose objects the caller dooms: nobody sends to them any more. New contents
/// on their way to them are refused.
pub(in crate::files) async fn forget(app: &App, tx: &Tx, files: &[Uuid]) -> Result<(), sea_orm::DbErr> {
    for upload in store::of_files(tx, files).await? {
        ledger::close_staging(app, tx, upload.staging_id).await?;
    }
    store::delete_of_files(tx, files).await?;
    for upload in store::lock_for(tx, files).await? {
        verify::refuse(app, tx, upload, Rejection::Stale).await?;
    }
    Ok(())
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
    for row in uploads.iter().filter(|row| matches!(row.state, State::Open | State::Verifying)) {
        quota::give_back(tx, owner, Amount::of_upload(row)).await?;
    }
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
