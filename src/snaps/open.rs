//! Opening: the only way in. It gives a ticket of one use, bound to the session that asked; the picture itself is
//! fetched with it, see [`super::view`].

use aws_lc_rs::rand;
use entity::{Timestamp, snap, snap_recipient, snap_recipient::State};
use serde_json::json;
use uuid::Uuid;

use super::{
    SnapsError, ends, jobs,
    model::{self, Phase, phase},
    store, ticket,
};
use crate::{
    app::App,
    audit,
    db::{Tx, idempotency::IdempotencyKey},
    error::Fault,
    friends,
    jobs::enqueue_at,
    viewer::{Identity, Viewer},
};

/// An open view.
#[derive(Clone, Debug)]
pub struct Opened {
    pub snap: snap::Model,
    pub own: snap_recipient::Model,
    /// Where its picture is fetched, with a ticket of one use.
    pub url: String,
}

/// Which of the two looks is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    First,
    Again,
}

impl Look {
    fn operation(self) -> &'static str {
        match self {
            Self::First => "openSnap",
            Self::Again => "replaySnap",
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::First => "snap.opened",
            Self::Again => "snap.replayed",
        }
    }
}

/// Opens a received snap. Of those who ask at once one succeeds; a repeat with the same key in the same session gives the
/// same ticket while it is unused, so that a lost answer burns nothing.
pub async fn open(app: &App, viewer: &Viewer, snap: Uuid, key: Option<String>) -> Result<Opened, SnapsError> {
    look(app, viewer, snap, key, Look::First).await
}

/// Opens it a second time, where the sender allows that.
pub async fn replay(app: &App, viewer: &Viewer, snap: Uuid, key: Option<String>) -> Result<Opened, SnapsError> {
    look(app, viewer, snap, key, Look::Again).await
}

async fn look(app: &App, viewer: &Viewer, id: Uuid, key: Option<String>, look: Look) -> Result<Opened, SnapsError> {
    let me = viewer.person()?;
    let key = key.map(|key| IdempotencyKey::new(me.user_id, &key, look.operation(), &id));
    // A first look without a lock: who guesses ids holds up nobody.
    let found = store::received(app.db.read(), id, me.user_id).await?.ok_or(SnapsError::NotFound)?;
    app.transaction(async |tx| {
        let row = store::lock(&tx, found.id).await?.ok_or(SnapsError::NotFound)?;
        let snap = store::find(&tx, id).await?.ok_or(SnapsError::NotFound)?;
        if row.state == State::Revoked || friends::are_apart(&tx, me.user_id, snap.sender_id).await? {
            return Err(SnapsError::NotFound);
        }
        // Read once the lock is held, since it decides.
        let now = app.db.now(&tx).await?;
        let first = IdempotencyKey::recall(key.as_ref(), &tx).await?;
        if first.is_some() && first == row.view_id && is_unused(&row, me, now) {
            return opened(app, snap, row);
        }
        refuse(app, &row, &snap, look, now)?;
        let view = match (first, &key) {
            // It was never seen, and its time to be fetched is over.
            (Some(view), _) if row.view_id == Some(view) => view,
            (Some(_), _) => return Err(SnapsError::AlreadyOpened),
            (None, key) => {
                let view = Uuid::now_v7();
                if let Some(key) = key {
                    key.remember(&tx, view, now).await?;
                }
                view
            }
        };
        let row = start(app, &tx, row, View { id: view, session: me.session_id, look }, now).await?;
        audit::record(&tx, viewer, look.action(), id, json!({ "view": view }), now).await?;
        ends::tell_sender(&tx, &snap, row.recipient_id, now).await?;
        opened(app, snap, row)
    })
    .await
}

fn is_unused(row: &snap_recipient::Model, me: &Identity, now: Timestamp) -> bool {
    let is_open = row.ended_at.is_none() && row.view_ends_at.is_some_and(|end| now < end);
    is_open && row.consumed_at.is_none() && row.session_id == Some(me.session_id)
}

fn opened(app: &App, snap: snap::Model, own: snap_recipient::Model) -> Result<Opened, SnapsError> {
    let ticket = own.ticket.as_deref().map(ticket::encode);
    let ticket = ticket.ok_or_else(|| Fault::Internal("an open view without its ticket".to_owned()))?;
    Ok(Opened { url: format!("{}/v/{ticket}", app.config.server.base_url()), snap, own })
}

/// The rule of opening.
fn refuse(
    app: &App,
    row: &snap_recipient::Model,
    snap: &snap::Model,
    look: Look,
    now: Timestamp,
) -> Result<(), SnapsError> {
    let settings = &app.config.snaps;
    let phase = phase(row, snap, settings, now);
    let expired = phase == Phase::Over(State::Expired) || row.state == State::Expired;
    match look {
        Look::First if phase == Phase::Sealed => Ok(()),
        Look::First if expired => Err(SnapsError::Expired),
        Look::First => Err(SnapsError::AlreadyOpened),
        Look::Again if model::may_replay(row, snap, settings, now) => Ok(()),
        Look::Again if phase == Phase::Sealed => Err(SnapsError::NotOpened),
        Look::Again if expired => Err(SnapsError::Expired),
        Look::Again => Err(SnapsError::NoReplay),
    }
}

/// A view about to begin.
struct View {
    id: Uuid,
    session: Uuid,
    look: Look,
}

/// The row of a new view, and the job that looks after its end.
async fn start(
    app: &App,
    tx: &Tx,
    row: snap_recipient::Model,
    view: View,
    now: Timestamp,
) -> Result<snap_recipient::Model, SnapsError> {
    let mut ticket = vec![0; ticket::BYTES];
    rand::fill(&mut ticket).map_err(|_| Fault::Internal("no randomness".to_owned()))?;
    let fetch_before = now.plus(app.config.snaps.fetch_within);
    let row = snap_recipient::Model {
        state: State::Opened,
        opened_at: if view.look == Look::First { Some(now) } else { row.opened_at },
        replayed_at: if view.look == Look::Again { Some(now) } else { None },
        view_id: Some(view.id),
        ticket: Some(ticket),
        session_id: Some(view.session),
        fetch_before: Some(fetch_before),
        fetched_at: None,
        consumed_at: None,
        view_ends_at: Some(fetch_before),
        ..row
    };
    store::update(tx, row.clone()).await?;
    enqueue_at(tx, &jobs::Settle { recipient: row.id }, fetch_before).await?;
    Ok(row)
}
