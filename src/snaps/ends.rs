//! How a recipient is done with a snap: seen, expired or taken back. Whoever is the last one dooms the picture in the
//! same transaction.

use entity::{Timestamp, object::Reason, snap, snap_recipient, snap_recipient::State};
use sea_orm::DbErr;
use serde_json::json;
use uuid::Uuid;

use super::{
    Snap, SnapsError, find, jobs,
    model::{Phase, phase},
    store,
};
use crate::{app::App, db::Tx, events, friends, jobs::enqueue_at, ledger, viewer::Viewer};

/// Ends a locked row. The last one's end is the snap's.
pub(super) async fn end(
    app: &App,
    tx: &Tx,
    snap: &snap::Model,
    row: snap_recipient::Model,
    state: State,
    now: Timestamp,
) -> Result<(), DbErr> {
    let ended = snap_recipient::Model { state, ended_at: Some(now), ticket: None, ..row };
    store::update(tx, ended).await?;
    if store::count_down(tx, snap.id).await? {
        store::set_gone(tx, snap.id, now).await?;
        ledger::doom(app, tx, &[snap.object_id], None, Reason::SnapEnded).await?;
    }
    Ok(())
}

/// That something changed for a recipient; call it last, see [`events::append`].
pub(super) async fn tell_sender(tx: &Tx, snap: &snap::Model, recipient: Uuid, now: Timestamp) -> Result<(), DbErr> {
    let payload = json!({ "snap": snap.id, "recipient": recipient });
    events::append(tx, snap.sender_id, events::SNAP_CHANGED, payload, now).await.map(drop)
}

/// Looks after a row whose time may have come; `Some`: when to look again.
pub(super) async fn settle(app: &App, tx: &Tx, recipient: Uuid) -> Result<Option<Timestamp>, DbErr> {
    let Some(row) = store::lock(tx, recipient).await? else { return Ok(None) };
    let Some(snap) = store::find(tx, row.snap_id).await? else { return Ok(None) };
    let now = app.db.now(tx).await?;
    let recipient = row.recipient_id;
    match phase(&row, &snap, &app.config.snaps, now) {
        Phase::Ended => return Ok(None),
        Phase::Viewing => return Ok(row.view_ends_at),
        // Opened, and nobody fetched it: it is as it was. Its expiry looks after it.
        Phase::Sealed if row.state == State::Opened => {
            let sealed = snap_recipient::Model { state: State::Delivered, opened_at: None, ticket: None, ..row };
            store::update(tx, sealed).await?;
        }
        Phase::Sealed => return Ok(Some(snap.expires_at)),
        Phase::Replayable(until) => return Ok(Some(until)),
        Phase::Over(state) => end(app, tx, &snap, row, state, now).await?,
    }
    tell_sender(tx, &snap, recipient, now).await?;
    Ok(None)
}

/// Ends the viewer's view before its time; what may be replayed still may. A repeat changes nothing.
pub async fn close(app: &App, viewer: &Viewer, id: Uuid) -> Result<Snap, SnapsError> {
    let me = viewer.person()?.user_id;
    let found = store::received(app.db.read(), id, me).await?.ok_or(SnapsError::NotFound)?;
    app.transaction::<_, SnapsError, _, _>(async |tx| {
        let (row, snap) = own(&tx, found.id, me).await?;
        let now = app.db.now(&tx).await?;
        match phase(&row, &snap, &app.config.snaps, now) {
            Phase::Sealed => return Err(SnapsError::NotOpened),
            Phase::Over(State::Expired) => return Err(SnapsError::Expired),
            Phase::Ended if row.state == State::Expired => return Err(SnapsError::Expired),
            Phase::Viewing => {
                // Who closes it has seen enough, also where nothing was fetched.
                let fetched_at = row.fetched_at.or(Some(now));
                let closed = snap_recipient::Model { view_ends_at: Some(now), fetched_at, ticket: None, ..row };
                let recipient = closed.id;
                if let Phase::Over(state) = phase(&closed, &snap, &app.config.snaps, now) {
                    end(app, &tx, &snap, closed, state, now).await?;
                    tell_sender(&tx, &snap, me, now).await?;
                } else {
                    store::update(&tx, closed).await?;
                    enqueue_at(&tx, &jobs::Settle { recipient }, now).await?;
                }
            }
            Phase::Replayable(_) | Phase::Over(_) | Phase::Ended => {}
        }
        Ok(())
    })
    .await?;
    find(app, viewer, id).await?.ok_or(SnapsError::NotFound)
}

/// The viewer's own row, locked, and its snap.
async fn own(tx: &Tx, row: Uuid, me: Uuid) -> Result<(snap_recipient::Model, snap::Model), SnapsError> {
    let row = store::lock(tx, row).await?.ok_or(SnapsError::NotFound)?;
    let snap = store::find(tx, row.snap_id).await?.ok_or(SnapsError::NotFound)?;
    if row.state == State::Revoked || friends::are_apart(tx, me, snap.sender_id).await? {
        return Err(SnapsError::NotFound);
    }
    Ok((row, snap))
}

/// Tells the sender that a picture of the screen was taken. No server can know, nor prevent it: the app has to say so.
pub async fn report_screenshot(app: &App, viewer: &Viewer, id: Uuid) -> Result<Snap, SnapsError> {
    let me = viewer.person()?.user_id;
    let found = store::received(app.db.read(), id, me).await?.ok_or(SnapsError::NotFound)?;
    app.transaction::<_, SnapsError, _, _>(async |tx| {
        let (row, snap) = own(&tx, found.id, me).await?;
        if row.state != State::Opened {
            return Err(SnapsError::NotOpened);
        }
        if row.screenshot_at.is_none() {
            let now = app.db.now(&tx).await?;
            store::update(&tx, snap_recipient::Model { screenshot_at: Some(now), ..row }).await?;
            tell_sender(&tx, &snap, me, now).await?;
        }
        Ok(())
    })
    .await?;
    find(app, viewer, id).await?.ok_or(SnapsError::NotFound)
}

/// Takes one's own snap back from everybody who is not done with it: who has not opened it never will, and a view that is
/// open ends. A repeat changes nothing.
pub async fn revoke(app: &App, viewer: &Viewer, id: Uuid) -> Result<Snap, SnapsError> {
    let me = viewer.person()?.user_id;
    let mine = store::find(app.db.read(), id).await?.filter(|snap| snap.sender_id == me);
    let snap = mine.ok_or(SnapsError::NotFound)?;
    app.transaction::<_, SnapsError, _, _>(async |tx| Ok(end_all(app, &tx, &snap).await.map(drop)?)).await?;
    find(app, viewer, id).await?.ok_or(SnapsError::NotFound)
}

/// Ends the snap for all who are not done with it. Those it were.
pub(super) async fn end_all(app: &App, tx: &Tx, snap: &snap::Model) -> Result<Vec<Uuid>, DbErr> {
    let rows = store::lock_open(tx, snap.id).await?;
    let ended = rows.iter().map(|row| row.recipient_id).collect();
    let now = app.db.now(tx).await?;
    for row in rows {
        let state = match phase(&row, snap, &app.config.snaps, now) {
            Phase::Sealed => State::Revoked,
            Phase::Over(state) => state,
            Phase::Viewing | Phase::Replayable(_) | Phase::Ended => State::Opened,
        };
        end(app, tx, snap, row, state, now).await?;
    }
    Ok(ended)
}

/// Ends some of what a person who closes the account sent or received. Whether there is more.
pub async fn leave(app: &App, tx: &Tx, person: Uuid) -> Result<bool, DbErr> {
    const SOME: u64 = 50;
    let (sent, received) =
        (store::open_of_sender(tx, person, SOME).await?, store::open_of_recipient(tx, person, SOME).await?);
    for id in &sent {
        if let Some(snap) = store::find(tx, *id).await? {
            end_all(app, tx, &snap).await?;
        }
    }
    let mut ended = Vec::new();
    for id in &received {
        let Some(row) = store::lock(tx, *id).await?.filter(|row| row.ended_at.is_none()) else { continue };
        let Some(snap) = store::find(tx, row.snap_id).await? else { continue };
        let state = if row.fetched_at.is_some() { State::Opened } else { State::Expired };
        end(app, tx, &snap, row, state, app.db.now(tx).await?).await?;
        ended.push(snap);
    }
    ended.sort_by_key(|snap| snap.sender_id);
    for snap in &ended {
        tell_sender(tx, snap, person, app.db.now(tx).await?).await?;
    }
    Ok(!sent.is_empty() || !received.is_empty())
}

/// Deletes what is kept of a person's snaps, which have all ended.
pub async fn forget(tx: &Tx, person: Uuid) -> Result<(), DbErr> {
    const SOME: u64 = 500;
    store::delete_received(tx, person).await?;
    loop {
        let sent = store::sent_by(tx, person, SOME).await?;
        if sent.is_empty() {
            return Ok(());
        }
        store::delete(tx, &sent).await?;
    }
}
