//! The jobs that make a version's renditions, and again those whose bytes are lost.

use std::collections::BTreeMap;

use async_trait::async_trait;
use entity::{
    file, object, object_copy, rendition,
    rendition::{Size, State},
};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Scope, store};
use crate::{
    adapters::objects::{Body, sha256},
    app::App,
    db::Tx,
    images::{ImageError, Rendered},
    jobs::{Job, JobError, Lane, enqueue},
    ledger::{self, NewObject},
};

/// Renders what is still pending of one version.
#[derive(Serialize, Deserialize)]
pub(super) struct Render {
    pub version: Uuid,
}

#[async_trait]
impl Job for Render {
    const KIND: &'static str = "files.render";
    const LANE: Lane = Lane::Files;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let Some(version) = store::version(app.db.read(), self.version).await? else { return Ok(()) };
        let Some(file) = store::find(app.db.read(), Scope::Everyone, version.file_id).await? else { return Ok(()) };
        let pending = store::renditions(app.db.read(), &[version.id]).await?;
        let pending: Vec<_> = pending.into_iter().filter(|rendition| rendition.state == State::Pending).collect();
        if pending.is_empty() {
            return Ok(());
        }
        let original = ledger::spool(app, version.object_id).await?;
        let sizes: Vec<Size> = pending.iter().map(|rendition| rendition.size).collect();
        match app.images.render(original.to_path_buf(), &sizes).await {
            Ok(rendered) => {
                for picture in rendered {
                    if let Some(row) = pending.iter().find(|rendition| rendition.size == picture.size) {
                        keep(app, &file, row, picture).await?;
                    }
                }
                Ok(())
            }
            Err(ImageError::Io(error)) => Err(JobError::Retry(error.to_string())),
            Err(error) => {
                let error = error.to_string();
                app.transaction::<_, DbErr, _, _>(async |tx| fail(app, &tx, &pending, &error).await).await?;
                Ok(())
            }
        }
    }

    /// Clients wait for READY or FAILED: a job that never succeeds says so.
    async fn on_dead(&self, _app: &App, tx: &Tx, error: &str) -> Result<(), DbErr> {
        tracing::error!(version = %self.version, %error, "renditions given up");
        for row in store::renditions(tx, &[self.version]).await? {
            let error = Some("the server could not make it".to_owned());
            store::settle_rendition(tx, rendition::Model { state: State::Failed, error, ..row }).await?;
        }
        Ok(())
    }
}

/// Makes the renditions again whose bytes the verifier found at no site, where their original is still there.
#[derive(Serialize, Deserialize)]
pub(super) struct MakeAgain {}

/// Lost renditions that are looked for at once.
const LOST: u64 = 100;

#[async_trait]
impl Job for MakeAgain {
    const KIND: &'static str = "files.make_renditions_again";
    const LANE: Lane = Lane::Files;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let mut after = Uuid::nil();
        loop {
            let lost = ledger::lost(app.db.read(), object::Kind::Rendition, after, LOST).await?;
            let Some(last) = lost.last() else { return Ok(()) };
            after = last.id;
            let mut by_file: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
            for object in &lost {
                by_file.entry(object.file_id.unwrap_or_default()).or_default().push(object.id);
            }
            for (file, objects) in by_file {
                make_again(app, file, &objects).await?;
            }
        }
    }
}

async fn make_again(app: &App, file: Uuid, objects: &[Uuid]) -> Result<(), JobError> {
    app.transaction::<_, DbErr, _, _>(async |tx| {
        let Some(file) = store::lock(&tx, Scope::Everyone, &[file]).await?.pop() else { return Ok(()) };
        let Some(version) = store::version(&tx, file.version_id).await? else { return Ok(()) };
        let copies = ledger::copies(&tx, &[version.object_id]).await?;
        if !copies.iter().any(|copy| copy.state == object_copy::State::Verified) {
            return Ok(());
        }
        if store::renew_renditions(&tx, objects, app.now()).await? > 0 {
            enqueue(app, &tx, &Render { version: version.id }).await?;
        }
        ledger::doom(app, &tx, objects, None, object::Reason::Superseded).await?;
        tracing::info!(file = %file.id, renditions = objects.len(), "lost renditions are made again");
        Ok(())
    })
    .await?;
    Ok(())
}

async fn fail(app: &App, tx: &Tx, pending: &[rendition::Model], error: &str) -> Result<(), DbErr> {
    for row in pending {
        // A codec may quote the file's bytes, and Postgres stores no NUL.
        let error = Some(error.chars().filter(|c| !c.is_control()).take(255).collect());
        let row = rendition::Model { state: State::Failed, error, updated_at: app.now(), ..row.clone() };
        store::settle_rendition(tx, row).await?;
    }
    Ok(())
}

/// What became of a rendition's bytes.
enum Kept {
    Ready,
    /// The file or this version of it is no longer there.
    Unwanted,
    /// Swept or failed over meanwhile; the bytes are being erased, and the rendition is still to be made.
    Lost,
}

/// Stores one rendition, and makes it live where its version is still the file's current one.
async fn keep(app: &App, file: &file::Model, row: &rendition::Model, picture: Rendered) -> Result<(), JobError> {
    let body = bytes::Bytes::from(picture.bytes);
    let new = NewObject {
        kind: object::Kind::Rendition,
        bytes: body.len() as u64,
        sha256: sha256(&body),
        content_type: picture.content_type.to_owned(),
        user_id: Some(file.owner_id),
        file_id: Some(file.id),
    };
    let written = ledger::write(app, new, Body::Memory(body)).await?;
    let outcome = app
        .transaction::<_, DbErr, _, _>(async |tx| {
            // The lock holds off a purge or a replacement until the rendition is theirs to delete.
            let parent = store::lock(&tx, Scope::Everyone, &[file.id]).await?.pop();
            if parent.is_none_or(|parent| parent.version_id != row.version_id) {
                return Ok(Kept::Unwanted);
            }
            if !ledger::make_live(app, &tx, &written).await? {
                return Ok(Kept::Lost);
            }
            let ready = rendition::Model {
                state: State::Ready,
                object_id: Some(written.object.id),
                content_type: Some(picture.content_type.to_owned()),
                width: i32::try_from(picture.width).ok(),
                height: i32::try_from(picture.height).ok(),
                updated_at: app.now(),
                ..row.clone()
            };
            if store::settle_rendition(&tx, ready).await? {
                return Ok(Kept::Ready);
            }
            // Another run of this job was first; undoes the transaction.
            Err(DbErr::RecordNotUpdated)
        })
        .await;
    match outcome {
        Ok(Kept::Ready) => Ok(()),
        Ok(Kept::Lost) => Err(JobError::Retry("a rendition took longer than its deadline".to_owned())),
        Ok(Kept::Unwanted) | Err(DbErr::RecordNotUpdated) => {
            ledger::give_up(app, &written).await;
            Ok(())
        }
        Err(error) => {
            ledger::give_up(app, &written).await;
            Err(error.into())
        }
    }
}
