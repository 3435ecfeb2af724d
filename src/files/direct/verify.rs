//! The job that makes a file of what a client sent: joined, copied to a key that no client can write, read back there,
//! and told apart. Each step may be done again, so that it goes on where a crash ended it.

use std::io::Write as _;

use async_trait::async_trait;
use entity::{
    Timestamp, file,
    object::Reason,
    upload,
    upload::{Purpose, Rejection, State},
};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    super::{
        FilesError, Scope, blocked,
        content::Facts,
        quota::{self, Amount},
        replace::{check, supersede},
        store as files, upload as uploads,
    },
    KEPT, part_size,
    parts::{all_parts, composite, missing},
    size, staging_key, store, tell,
};
use crate::{
    app::App,
    block_list,
    db::Tx,
    error::Fault,
    images,
    jobs::{Job, JobError, Lane},
    ledger::{self, Written},
    spool::Spool,
    viewer::Viewer,
};

/// Pictures up to this size are decoded; a larger one is a file like any other.
const PICTURE_BYTES: u64 = 256 << 20;
/// Between two notes of the progress.
const NOTED: u64 = 64 << 20;
/// A copy that differs is read once more: the bytes may have been altered on their way here only.
const READS: usize = 2;

#[derive(Serialize, Deserialize)]
pub(super) struct Verify {
    pub upload: Uuid,
}

#[async_trait]
impl Job for Verify {
    const KIND: &'static str = "files.verify_upload";
    const LANE: Lane = Lane::Files;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let row = store::get(app.db.read(), self.upload).await?;
        let Some(row) = row.filter(|row| row.state == State::Verifying) else { return Ok(()) };
        let Some(object) = row.object_id else { return Err(JobError::Fail("no object was reserved".to_owned())) };
        tokio::select! {
            outcome = verify(app, &row, object) => outcome,
            outcome = keep(app, &row, object) => outcome,
        }
    }

    async fn on_dead(&self, _app: &App, tx: &Tx, error: &str) -> Result<(), DbErr> {
        tracing::error!(upload = %self.upload, %error, "a direct upload cannot be verified");
        // Its objects are the sweeper's, which finds them when nobody keeps them.
        let Some(row) = store::get(tx, self.upload).await? else { return Ok(()) };
        let Some(row) = lock_verifying(tx, &row).await? else { return Ok(()) };
        let ended_at = row.expires_at;
        mark_rejected(tx, row, Rejection::Failed, ended_at).await
    }
}

/// Holds off the sweeper, until an object is doomed by a purge: then there is nothing left to do.
async fn keep(app: &App, row: &upload::Model, object: Uuid) -> Result<(), JobError> {
    loop {
        let until = app.db.now(app.db.read()).await?.plus(KEPT);
        if !ledger::keep(app, &[row.staging_id, object], until).await? {
            return reject(app, row, Rejection::Failed).await;
        }
        tokio::time::sleep(KEPT / 4).await;
    }
}

async fn verify(app: &App, row: &upload::Model, object: Uuid) -> Result<(), JobError> {
    let key = staging_key(row);
    if !join(app, row, &key).await? {
        return reject(app, row, Rejection::Altered).await;
    }
    let Some(content_type) = sniff(app, row, &key).await? else { return reject(app, row, Rejection::Failed).await };
    let Some(written) = ledger::copy_in(app, &key, row.site, object, content_type).await? else {
        return reject(app, row, Rejection::Failed).await;
    };
    let mut found = read(app, row, &written).await?;
    for _ in 1..READS {
        if matches!(found, Err(Rejection::Altered | Rejection::WrongSize)) {
            found = read(app, row, &written).await?;
        }
    }
    match found {
        Ok(facts) => finalise(app, row, written, facts).await,
        Err(rejection) => reject(app, row, rejection).await,
    }
}

/// Joins the parts, where an earlier attempt has not. `false`: they are not those that were there at the completion.
async fn join(app: &App, row: &upload::Model, key: &str) -> Result<bool, JobError> {
    let Some(id) = &row.multipart_id else { return Ok(false) };
    let Some(parts) = all_parts(app, row, key, id).await? else { return Ok(true) };
    if !missing(row, &parts).is_empty() || composite(&parts).map(|sha256| sha256.to_vec()) != row.composite {
        return Ok(false);
    }
    app.stores.at(row.site).complete_upload(key, id, &parts).await?;
    Ok(true)
}

/// The type that the copy is to be served with. `None`: nothing is there.
async fn sniff(app: &App, row: &upload::Model, key: &str) -> Result<Option<&'static str>, JobError> {
    let range = (size(row) > 0).then_some(0..=images::SNIFF_LEN as u64 - 1);
    let Some(found) = app.stores.at(row.site).get(key, range).await? else { return Ok(None) };
    let mut head = Vec::with_capacity(images::SNIFF_LEN);
    let mut body = found.body;
    while let Some(chunk) = futures::TryStreamExt::try_next(&mut body).await? {
        head.extend_from_slice(&chunk);
    }
    Ok(Some(images::sniff(&head, &row.name)))
}

/// Reads the copy back, and holds it to everything that was announced.
async fn read(app: &App, row: &upload::Model, written: &Written) -> Result<Result<Facts, Rejection>, JobError> {
    let content_type = written.object.content_type.as_str();
    let mut spool = None;
    if images::is_raster(content_type) && size(row) <= PICTURE_BYTES {
        spool = Some(app.spool().and_then(Spool::file).map_err(Fault::internal)?);
    }
    let (mut head, mut seen, mut noted) = (Vec::with_capacity(images::SNIFF_LEN), 0, 0);
    let reading = ledger::read_back(app, written, part_size(row)).await?;
    let Some(mut reading) = reading else { return Err(JobError::Retry("the copy is gone".to_owned())) };
    while let Some(chunk) = reading.next().await? {
        let wanted = images::SNIFF_LEN.saturating_sub(head.len()).min(chunk.len());
        head.extend_from_slice(&chunk[..wanted]);
        seen += chunk.len() as u64;
        if let Some(spool) = &mut spool {
            // Pictures are small, and the pages wait in memory.
            spool.write_all(&chunk).map_err(Fault::internal)?;
        }
        if seen - noted >= NOTED {
            noted = seen;
            note(app, row, seen).await?;
        }
    }
    let reading = reading.finish().await?;
    let told = images::sniff(&head, &row.name);
    if reading.bytes != size(row) {
        return Ok(Err(Rejection::WrongSize));
    }
    if row.composite.as_deref().is_some_and(|sent| sent != reading.composite) || told != content_type {
        return Ok(Err(Rejection::Altered));
    }
    if row.sha256.as_deref().is_some_and(|announced| announced != reading.sha256) {
        return Ok(Err(Rejection::WrongHash));
    }
    if row.content_type.as_deref().is_some_and(|announced| Some(announced) != told.split(';').next()) {
        return Ok(Err(Rejection::WrongType));
    }
    note(app, row, seen).await?;
    let picture = match spool {
        // A picture that cannot be read is still a file; its renditions will say why.
        Some(spool) => app.images.probe(spool.path().to_path_buf()).await.ok(),
        None => None,
    };
    Ok(Ok(Facts { bytes: reading.bytes, sha256: reading.sha256, content_type: told, picture }))
}

async fn note(app: &App, row: &upload::Model, seen: u64) -> Result<(), Fault> {
    let bytes = i64::try_from(seen).unwrap_or(i64::MAX);
    app.db.transaction::<_, DbErr, _, _>(async |tx| store::set_verified_bytes(&tx, row.id, bytes).await).await?;
    Ok(())
}

/// Whether the transaction took the written bytes.
enum Outcome {
    Done,
    /// Purged meanwhile, or ended by another run of this job.
    Over,
    /// The file has changed since.
    Unwanted,
    /// Swept or failed over; the bytes are being erased.
    Lost,
}

async fn finalise(app: &App, row: &upload::Model, mut written: Written, facts: Facts) -> Result<(), JobError> {
    written.object.sha256 = facts.sha256.to_vec();
    let outcome = app
        .transaction::<_, FilesError, _, _>(async |tx| {
            // The lock makes the file outlive this transaction: a purge waits, and then finds the live object.
            let Some(current) = files::lock(&tx, Scope::Everyone, &[file_of(row)]).await?.pop() else {
                return Ok(Outcome::Over);
            };
            let upload = store::lock(&tx, row.owner_id, row.id).await?.filter(|row| row.state == State::Verifying);
            let Some(upload) = upload else { return Ok(Outcome::Over) };
            let is_wanted = match upload.target_revision {
                Some(revision) => check(&current, revision).is_ok(),
                None => current.state == file::State::Processing,
            };
            if !is_wanted {
                return Ok(Outcome::Unwanted);
            }
            blocked::admit(app, &tx, facts.marks()).await?;
            if !ledger::make_live(app, &tx, &written).await? {
                return Ok(Outcome::Lost);
            }
            let now = app.db.now(&tx).await?;
            let file = match upload.purpose {
                Purpose::File => activate(app, &tx, current, &facts, &written, now).await?,
                Purpose::Content | Purpose::Snap => {
                    let version = facts.version(current.id, Uuid::now_v7(), written.object.id, now);
                    supersede(app, &tx, current, version).await?
                }
            };
            let bytes = upload.bytes;
            let ended = upload::Model { state: State::Completed, ended_at: Some(now), verified_bytes: bytes, ..upload };
            store::update(&tx, ended).await?;
            ledger::end_staging(app, &tx, row.staging_id, Reason::Staged).await?;
            uploads::finish(app, &tx, &written, None, &file).await?;
            tell(&tx, row, now).await?;
            Ok(Outcome::Done)
        })
        .await;
    match outcome {
        Ok(Outcome::Done) => {
            let bucket = app.stores.at(written.site()).bucket();
            tracing::info!(key = %written.object.key, bucket, size = row.bytes, "new file uploaded");
            Ok(())
        }
        Ok(Outcome::Over) => Ok(()),
        Ok(Outcome::Unwanted) => reject(app, row, Rejection::Stale).await,
        Ok(Outcome::Lost) => reject(app, row, Rejection::Failed).await,
        Err(FilesError::ContentBlocked(entry)) => {
            let viewer = Viewer::System("a direct upload was verified");
            block_list::refused(app, &viewer, Some(row.owner_id), entry).await;
            reject(app, row, Rejection::Blocked).await
        }
        Err(error) => Err(JobError::Retry(error.to_string())),
    }
}

/// The PROCESSING file with its first content.
async fn activate(
    app: &App,
    tx: &Tx,
    current: file::Model,
    facts: &Facts,
    written: &Written,
    now: Timestamp,
) -> Result<file::Model, FilesError> {
    let version = facts.version(current.id, current.version_id, written.object.id, now);
    let file = file::Model {
        state: file::State::Active,
        content_type: version.content_type.clone(),
        sha256: version.sha256.clone(),
        width: version.width,
        height: version.height,
        thumbhash: version.thumbhash.clone(),
        updated_at: now,
        ..current.clone()
    };
    // Nobody has changed it since it was PROCESSING, so its first revision is the one with its bytes.
    if !files::update(tx, &current, &file).await? {
        return Err(Fault::Internal("a locked file changed".to_owned()).into());
    }
    uploads::add_version(app, tx, version).await?;
    Ok(file)
}

/// The file that is to have the content.
fn file_of(row: &upload::Model) -> Uuid {
    row.target_id.unwrap_or(row.file_id)
}

/// Refuses the content, and erases its bytes at both sites.
async fn reject(app: &App, row: &upload::Model, rejection: Rejection) -> Result<(), JobError> {
    app.transaction::<_, DbErr, _, _>(async |tx| match lock_verifying(&tx, row).await? {
        Some(current) => refuse(app, &tx, current, rejection).await,
        None => Ok(()),
    })
    .await?;
    tracing::info!(upload = %row.id, ?rejection, "a direct upload was refused");
    Ok(())
}

/// The upload, locked, where it is still being verified; its file is locked before it.
async fn lock_verifying(tx: &Tx, row: &upload::Model) -> Result<Option<upload::Model>, DbErr> {
    files::lock(tx, Scope::Everyone, &[file_of(row)]).await?;
    Ok(store::lock(tx, row.owner_id, row.id).await?.filter(|row| row.state == State::Verifying))
}

/// The same in the caller's transaction, which has locked the upload and its file.
pub(super) async fn refuse(app: &App, tx: &Tx, row: upload::Model, rejection: Rejection) -> Result<(), DbErr> {
    let objects: Vec<Uuid> = row.object_id.into_iter().collect();
    let staging = row.staging_id;
    mark_rejected(tx, row, rejection, app.db.now(tx).await?).await?;
    ledger::doom(app, tx, &objects, None, Reason::Rejected).await?;
    ledger::end_staging(app, tx, staging, Reason::Rejected).await
}

/// A new file says why it was refused; of a new content the upload alone does.
async fn mark_rejected(tx: &Tx, row: upload::Model, rejection: Rejection, now: Timestamp) -> Result<(), DbErr> {
    let file = files::find(tx, Scope::Everyone, row.file_id).await?;
    if let Some(file) = file.filter(|file| file.state == file::State::Processing) {
        let state = file::State::Rejected;
        let rejected = file::Model { state, rejection: Some(rejection), ..file.clone() };
        files::update(tx, &file, &rejected).await?;
    }
    quota::give_back(tx, row.owner_id, Amount::of_upload(&row)).await?;
    let (state, ended_at) = (State::Rejected, Some(now));
    store::update(tx, upload::Model { state, rejection: Some(rejection), ended_at, ..row.clone() }).await?;
    tell(tx, &row, now).await
}
