//! Snaps: a picture for friends, opened by each of them once, and then erased at both sites.
//!
//! A recipient is done with a snap when the view is over, a second look was used or is too late, it expired, or it was
//! taken back; the last one dooms the picture in that transaction. What cannot be prevented is that somebody keeps what
//! the screen showed.

mod ends;
mod error;
pub mod graphql;
mod jobs;
pub mod model;
mod open;
mod report;
mod send;
mod store;
mod ticket;
mod view;

use entity::{Timestamp, snap, snap_recipient, snap_recipient::State};
use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;

pub use ends::{close, forget, leave, report_screenshot, revoke};
pub use error::{SnapsError, ViewError};
pub use open::{Opened, open, replay};
pub use report::{Reported, remove, report};
pub use send::{NewSnap, Sent, Source, send};
pub use view::{Picture, fetch};

use crate::{
    app::App,
    config::Config,
    db::page::{Page, PageRequest, Position},
    error::Fault,
    friends,
    jobs::Registry,
    ledger,
    viewer::Viewer,
};

/// Unopened snaps are counted up to this.
pub const COUNTED: u64 = 1000;

/// A snap as its sender or as one of its recipients sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snap {
    pub row: snap::Model,
    /// The viewer's own, as a recipient.
    pub own: Option<snap_recipient::Model>,
    /// All, for the sender alone.
    pub recipients: Vec<snap_recipient::Model>,
}

/// Which snaps are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    Inbox { unopened_only: bool },
    Sent,
}

pub fn register(registry: &mut Registry, config: &Config) -> Result<(), serde_json::Error> {
    registry.register::<jobs::Expire>();
    registry.register::<jobs::Settle>();
    registry.schedule(config.ledger.sweep_interval, &jobs::Forget {})
}

/// The rule of single snaps: one's own, and those that one received, unless they were taken back or a block stands
/// between the two.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Snap>, Fault> {
    let (Some(me), db) = (viewer.user_id(), app.db.read()) else { return Ok(None) };
    let Some(row) = store::find(db, id).await? else { return Ok(None) };
    if row.sender_id == me {
        return Ok(Some(Snap { row, own: None, recipients: store::recipients(db, vec![id]).await? }));
    }
    let own = store::received(db, id, me).await?.filter(|own| own.state != State::Revoked);
    if own.is_none() || friends::are_apart(db, me, row.sender_id).await? {
        return Ok(None);
    }
    Ok(Some(Snap { row, own, recipients: Vec::new() }))
}

/// The viewer's snaps, newest first. The rule of [`find`] holds for each.
pub async fn list(
    app: &App,
    viewer: &Viewer,
    folder: Folder,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<Snap>, Fault> {
    let (me, db) = (viewer.person()?.user_id, app.db.read());
    match folder {
        Folder::Sent => {
            let page = page.finish(store::list_sent(db, me, page).await?);
            let recipients = store::recipients(db, page.items.iter().map(|row| row.id).collect()).await?;
            Ok(page.map(|row| {
                let recipients = recipients.iter().filter(|to| to.snap_id == row.id).cloned().collect();
                Snap { row, own: None, recipients }
            }))
        }
        Folder::Inbox { unopened_only } => {
            let page = page.finish(store::list_received(db, me, unopened_only, page).await?);
            let snaps = store::find_many(db, page.items.iter().map(|own| own.snap_id).collect()).await?;
            let snap = |own: snap_recipient::Model| {
                let row = snaps.iter().find(|snap| snap.id == own.snap_id)?;
                Some(Snap { row: row.clone(), own: Some(own), recipients: Vec::new() })
            };
            let Page { items, has_previous, has_next } = page;
            Ok(Page { items: items.into_iter().filter_map(snap).collect(), has_previous, has_next })
        }
    }
}

/// The object of a snap's picture, whatever became of it. The caller has authorised that.
pub async fn picture_of(connection: &impl ConnectionTrait, snap: Uuid) -> Result<Option<Uuid>, DbErr> {
    Ok(store::find(connection, snap).await?.map(|snap| snap.object_id))
}

/// How many snaps the viewer has not opened, up to [`COUNTED`].
pub async fn unopened(app: &App, viewer: &Viewer) -> Result<u64, Fault> {
    Ok(store::count_unopened(app.db.read(), viewer.person()?.user_id, COUNTED).await?)
}

/// The proof that the picture is gone, or how far that is; `None` while somebody may still look at it. The caller found
/// the snap.
pub async fn erasure(app: &App, snap: &Snap) -> Result<Option<ledger::Erasure>, Fault> {
    let object = ledger::find(app.db.read(), snap.row.object_id).await?;
    let object = object.filter(ledger::is_to_go);
    Ok(ledger::with_confirmations(app, object.into_iter().collect()).await?.pop())
}
