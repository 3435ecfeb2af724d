//! Uploads whose client never came back after its last part. Nothing happens at S3 until the parts are joined, so S3 is
//! asked, with pauses that double, whether all of them have arrived. Then the upload is completed as its client would
//! have: at once, or, where S3 tells of new objects, by joining the parts, so that it tells.

use async_trait::async_trait;
use entity::{
    object, upload,
    upload::{Purpose, State},
};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    end::complete,
    parts::{Sent, composite, missing, sent},
    staging_key, store,
};
use crate::{
    adapters::objects::{Part, StoreErrorKind},
    app::App,
    error::Fault,
    files::FilesError,
    jobs::{self, Job, JobError, Lane},
    ledger,
    viewer::Viewer,
};

/// Whether the server may complete this upload by itself: the one place that says so.
pub(super) fn finishes_itself(row: &upload::Model) -> bool {
    row.state == State::Open && row.purpose == Purpose::File
}

/// S3 told of an object at a staging key: its upload is completed, where all of it is there.
pub async fn joined(app: &App, staged: &object::Model) -> Result<(), Fault> {
    let Some(file) = staged.file_id else { return Ok(()) };
    let row = store::of_staging(app.db.read(), file, staged.id).await?;
    match row.filter(finishes_itself) {
        Some(row) => complete_for_client(app, &row, "S3 told of its object").await,
        None => Ok(()),
    }
}

/// Looks after the uploads whose time has come.
#[derive(Serialize, Deserialize)]
pub(super) struct FinishIdle {}

#[async_trait]
impl Job for FinishIdle {
    const KIND: &'static str = "files.finish_uploads";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let now = app.db.now(app.db.read()).await?;
        for (owner, id) in store::idle(app.db.read(), now).await? {
            app.transaction::<_, DbErr, _, _>(async |tx| {
                let Some(row) = store::lock(&tx, owner, id).await? else { return Ok(()) };
                let now = app.db.now(&tx).await?;
                let (Some(signed_at), Some(look_at)) = (row.signed_at, row.look_at) else { return Ok(()) };
                // A part signed meanwhile has moved it.
                if look_at > now {
                    return Ok(());
                }
                // After as long again as it has been idle: some dozen looks in a week.
                store::set_look_at(&tx, id, now.plus(now.since(signed_at))).await?;
                jobs::enqueue_unique(app, &tx, &Finish { upload: id }, &format!("finish:{id}")).await
            })
            .await?;
        }
        Ok(())
    }
}

/// Looks what has arrived of one upload, and finishes it where that is everything.
#[derive(Serialize, Deserialize)]
pub(super) struct Finish {
    upload: Uuid,
}

#[async_trait]
impl Job for Finish {
    const KIND: &'static str = "files.finish_upload";
    const LANE: Lane = Lane::Files;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let row = store::get(app.db.read(), self.upload).await?.filter(finishes_itself);
        let Some((row, multipart_id)) = row.and_then(|row| Some((row.clone(), row.multipart_id?))) else {
            return Ok(());
        };
        match sent(app, &row, &multipart_id).await? {
            Sent::Parts(parts) if !missing(&row, &parts).is_empty() => Ok(()),
            Sent::Parts(parts) if app.object_events.is_some() => join(app, &row, &multipart_id, &parts).await,
            Sent::Parts(_) => Ok(complete_for_client(app, &row, "all of its parts are there").await?),
            Sent::Joined => Ok(complete_for_client(app, &row, "S3 has not told of its object").await?),
        }
    }
}

/// Joins the parts at S3, which then tells of the object. The upload stays open until then.
async fn join(app: &App, row: &upload::Model, multipart_id: &str, parts: &[Part]) -> Result<(), JobError> {
    let composite = composite(parts).map(|sha256| sha256.to_vec());
    // Written first: of the joined object nobody can tell the parts.
    let open = app
        .db
        .transaction::<_, DbErr, _, _>(async |tx| store::set_composite(&tx, row.id, composite.clone()).await)
        .await?;
    if !open {
        return Ok(());
    }
    match app.stores.at(row.site).complete_upload(&staging_key(row), multipart_id, parts).await {
        Ok(_) => tracing::info!(upload = %row.id, "joined the parts of an upload whose client never came back"),
        // A part was sent again, or the upload ended meanwhile: the next look tells.
        Err(error) if error.kind == StoreErrorKind::Refused => {
            tracing::info!(upload = %row.id, %error, "the parts of an idle upload have changed");
        }
        Err(error) => return Err(error.into()),
    }
    app.transaction::<_, DbErr, _, _>(async |tx| ledger::joined(app, &tx, row.staging_id).await).await?;
    Ok(())
}

/// Completes an upload as its client would. Where that cannot be, as parts are missing or it has ended, all is well.
async fn complete_for_client(app: &App, row: &upload::Model, reason: &'static str) -> Result<(), Fault> {
    match complete(app, &Viewer::System(reason), row.id).await {
        Ok(_) => tracing::info!(upload = %row.id, reason, "completed an upload whose client never came back"),
        Err(FilesError::Fault(fault)) => return Err(fault),
        Err(error) => tracing::debug!(upload = %row.id, reason, %error, "an upload is not to be completed"),
    }
    Ok(())
}
