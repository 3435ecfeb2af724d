//! Direct uploads: files of any size, sent in parts straight to S3 by URLs that this module signs. What arrived is
//! S3's to say, so that a client resumes after a crash; [`verify`] makes a file of it.

mod begin;
mod end;
mod finish;
mod parts;
mod picture;
mod progress;
mod store;
mod verify;

use std::time::Duration;

use entity::{Timestamp, object::Kind, upload, upload::State};
use sea_orm::DbErr;
use serde_json::json;
use uuid::Uuid;

pub use begin::{NewUpload, create};
pub use end::{Replacement, abort, complete, replace};
pub(super) use end::{forget, give_up};
pub use finish::joined;
pub use parts::{MAX_LISTED, MAX_SIGNED, PartToSign, Signed, arrived, sign};
pub use picture::{Taken, spend, take};
pub use progress::progress;

use super::FilesError;
use crate::{
    adapters::objects::keys::ObjectKey,
    app::App,
    config::Config,
    db::{
        Tx,
        page::{Page, PageRequest, Position},
    },
    error::Fault,
    events,
    jobs::Registry,
    viewer::Viewer,
};

/// How long objects of a running verification are kept; renewed long before.
const KEPT: Duration = Duration::from_secs(3600);

pub(super) fn register(registry: &mut Registry, config: &Config) -> Result<(), serde_json::Error> {
    registry.register::<verify::Verify>();
    registry.register::<finish::Finish>();
    registry.schedule(config.ledger.sweep_interval, &finish::FinishIdle {})?;
    registry.schedule(config.ledger.sweep_interval, &end::Expire {})
}

/// How many parts an upload has; a file of nothing has one, of nothing.
#[must_use]
pub fn part_count(upload: &upload::Model) -> u64 {
    size(upload).div_ceil(part_size(upload)).max(1)
}

fn size(upload: &upload::Model) -> u64 {
    u64::try_from(upload.bytes).unwrap_or(0)
}

fn part_size(upload: &upload::Model) -> u64 {
    u64::try_from(upload.part_bytes).unwrap_or(0).max(1)
}

/// Of the part of this number; 0 where there is none.
fn bytes_of(upload: &upload::Model, number: u64) -> u64 {
    let before = part_size(upload).saturating_mul(number.saturating_sub(1));
    size(upload).saturating_sub(before).min(part_size(upload))
}

/// The viewer's own upload.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<upload::Model>, Fault> {
    let Some(owner) = viewer.user_id() else { return Ok(None) };
    Ok(store::find(app.db.read(), owner, id).await?)
}

/// The viewer's own uploads, newest first; those in one state where it is given.
pub async fn list(
    app: &App,
    viewer: &Viewer,
    state: Option<State>,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<upload::Model>, Fault> {
    Ok(store::list(app.db.read(), viewer.person()?.user_id, state, page).await?)
}

/// Tells the owner that the upload's state is another. Takes a lock of the owner's, so it comes late.
async fn tell(tx: &Tx, row: &upload::Model, now: Timestamp) -> Result<(), DbErr> {
    events::append(tx, row.owner_id, events::UPLOAD_CHANGED, json!({ "upload": row.id }), now).await?;
    Ok(())
}

fn staging_key(row: &upload::Model) -> String {
    ObjectKey { kind: Kind::Staging, id: row.staging_id }.to_string()
}

fn closed(row: &upload::Model) -> FilesError {
    FilesError::WrongState(match row.state {
        State::Verifying | State::Completed | State::Rejected => "The upload was completed already.",
        State::Aborted => "The upload was aborted. Begin a new one.",
        State::Open | State::Expired => "The upload took too long and was given up. Begin a new one.",
    })
}
