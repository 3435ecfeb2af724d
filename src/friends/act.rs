//! Asking, accepting, declining, cancelling and removing, each in one transaction under the lock of the pair's row.

use std::time::Duration;

use entity::{
    Timestamp,
    friendship::{Model, State},
    user::Status,
};
use sea_orm::{DbErr, SqlErr};
use serde_json::json;
use uuid::Uuid;

use super::{
    error::FriendsError,
    model::{self, Act, Friendship, next},
    store,
};
use crate::{
    app::App,
    db::Tx,
    events,
    viewer::{Denied, Viewer},
};

/// Asks somebody. Where they have asked before, both are friends then; where the viewer has, nothing changes.
///
/// Whatever it answers does not depend on whether the other one blocks the viewer.
pub async fn request(app: &App, viewer: &Viewer, user: Uuid) -> Result<Friendship, FriendsError> {
    let me = viewer.person()?.user_id;
    if user == me {
        return Err(FriendsError::Oneself);
    }
    app.db
        .transaction(async |tx| {
            let row = make_and_lock(app, &tx, me, user).await?;
            // To be friends counts for both.
            let agrees = row.requested_by == user && matches!(row.state, State::Pending | State::Withheld);
            let status = people(&tx, me, user, agrees).await?;
            let now = app.db.now(&tx).await?;
            let blocks = store::blocks_between(&tx, me, user).await?;
            if blocks.contains(&me) {
                return Err(FriendsError::Blocked);
            }
            let (mine, unheard) = (row.requested_by == me, blocks.contains(&user));
            let state = next(Act::Request, row.state, mine).ok_or(FriendsError::WrongState)?;
            if mine && row.state == State::Withheld && !unheard {
                // Who asks again once the block is over is heard. To them nothing changes.
                let row = Model { state, ..row };
                store::update(&tx, &row).await?;
                tell(&tx, &row, &[user], now).await?;
                return Ok(Friendship::made(row, me));
            }
            if state == row.state || (mine && row.state == State::Withheld) {
                return Ok(Friendship::made(row, me));
            }
            if status != Status::Active {
                return Err(FriendsError::Unavailable);
            }
            if state == State::Accepted {
                room_for_both(app, &tx, me, user).await?;
                return Ok(Friendship::made(settle(&tx, row, me, state, now).await?, me));
            }
            let from = Friendship::made(row.clone(), me).requestable_at(app.config.friends.request_pause);
            if let Some(from) = from.filter(|from| now < *from) {
                return Err(FriendsError::Paused { retry_after: whole_seconds(from.since(now)) });
            }
            let max = app.config.friends.max_pending;
            if store::count_asked(&tx, me).await? >= u64::from(max) {
                return Err(FriendsError::TooManyPending { max });
            }
            room(app, &tx, me).await?;
            let state = if unheard { State::Withheld } else { state };
            let row = Model { requested_by: me, created_at: now, ..row };
            Ok(Friendship::made(settle(&tx, row, me, state, now).await?, me))
        })
        .await
}

/// Agrees to be a friend of whoever asked.
pub async fn accept(app: &App, viewer: &Viewer, id: Uuid) -> Result<Friendship, FriendsError> {
    answer(app, viewer, id, Act::Accept).await
}

/// Who asked is told, and waits for `friends.request_pause` before they may ask again.
pub async fn decline(app: &App, viewer: &Viewer, id: Uuid) -> Result<Friendship, FriendsError> {
    answer(app, viewer, id, Act::Decline).await
}

/// Takes the viewer's own request back; the other one is not told.
pub async fn cancel(app: &App, viewer: &Viewer, id: Uuid) -> Result<Friendship, FriendsError> {
    answer(app, viewer, id, Act::Cancel).await
}

async fn answer(app: &App, viewer: &Viewer, id: Uuid, act: Act) -> Result<Friendship, FriendsError> {
    let me = viewer.person()?.user_id;
    app.db
        .transaction(async |tx| {
            let row = store::lock(&tx, id).await?.filter(|row| model::is_of(row, me)).ok_or(FriendsError::NotFound)?;
            let mine = row.requested_by == me;
            if row.state == State::Withheld && !mine {
                return Err(FriendsError::NotFound);
            }
            let user = model::other(&row, me);
            people(&tx, me, user, act == Act::Accept).await?;
            let state = next(act, row.state, mine).ok_or(FriendsError::WrongState)?;
            if state == row.state {
                return Ok(Friendship::made(row, me));
            }
            if state == State::Accepted {
                room_for_both(app, &tx, me, user).await?;
            }
            let now = app.db.now(&tx).await?;
            Ok(Friendship::made(settle(&tx, row, me, state, now).await?, me))
        })
        .await
}

/// Ends a friendship; the other one is not told. Who is no friend is none afterwards: whether there is a row is not to be
/// seen.
pub async fn remove(app: &App, viewer: &Viewer, user: Uuid) -> Result<(), FriendsError> {
    let me = viewer.person()?.user_id;
    if user == me {
        return Err(FriendsError::Oneself);
    }
    app.db
        .transaction(async |tx| {
            let row = store::lock_pair(&tx, me, user).await?;
            people(&tx, me, user, false).await?;
            let Some(row) = row else { return Ok(()) };
            let state = next(Act::Remove, row.state, row.requested_by == me).ok_or(FriendsError::WrongState)?;
            if state != row.state {
                let now = app.db.now(&tx).await?;
                settle(&tx, row, me, state, now).await?;
            }
            Ok(())
        })
        .await
}

/// The pair's row, locked; made where there is none.
pub(super) async fn make_and_lock(app: &App, tx: &Tx, me: Uuid, user: Uuid) -> Result<Model, FriendsError> {
    if let Some(row) = store::lock_pair(tx, me, user).await? {
        return Ok(row);
    }
    if !store::exists(tx, user).await? {
        return Err(FriendsError::NotFound);
    }
    let ((low_id, high_id), now) = (model::pair(me, user), app.now());
    let row = Model {
        id: Uuid::new_v4(),
        low_id,
        high_id,
        requested_by: me,
        state: State::Removed,
        created_at: now,
        changed_at: now,
    };
    match store::insert(tx, row).await {
        // One of the two was erased just now.
        Err(error) if matches!(error.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_))) => {
            return Err(FriendsError::NotFound);
        }
        outcome => outcome?,
    }
    store::lock_pair(tx, me, user).await?.ok_or(FriendsError::NotFound)
}

/// The other's status, both accounts held: the viewer's own locked, the other's too where `both`. After the pair's row, in
/// the order of their ids.
pub(super) async fn people(tx: &Tx, me: Uuid, user: Uuid, both: bool) -> Result<Status, FriendsError> {
    let (low, high) = model::pair(me, user);
    let mut other = None;
    for id in [low, high] {
        let status = store::hold_person(tx, id, both || id == me).await?;
        if id == user {
            other = status.filter(|status| *status != Status::Closing);
        } else if status != Some(Status::Active) {
            return Err(Denied::Unauthenticated.into());
        }
    }
    other.ok_or(FriendsError::NotFound)
}

/// Writes the pair's new state, which one of the two has made of it, and tells whom it concerns.
pub(super) async fn settle(tx: &Tx, row: Model, by: Uuid, state: State, now: Timestamp) -> Result<Model, DbErr> {
    let user = model::other(&row, by);
    // A request that is kept from the other one from now on is to the asker what it was.
    let changed_at = if state == State::Withheld && row.state == State::Pending { row.changed_at } else { now };
    let row = Model { state, changed_at, ..row };
    store::update(tx, &row).await?;
    match state {
        State::Pending | State::Accepted | State::Declined => tell(tx, &row, &[by, user], now).await?,
        // As much is written as where somebody is told, so that the time of the answer does not tell: to the pair's own
        // log, which nobody reads.
        State::Withheld if row.requested_by == by => tell(tx, &row, &[by, row.id], now).await?,
        State::Withheld | State::Cancelled | State::Removed | State::Closing => tell(tx, &row, &[by], now).await?,
    }
    Ok(row)
}

async fn tell(tx: &Tx, row: &Model, recipients: &[Uuid], now: Timestamp) -> Result<(), DbErr> {
    let mut recipients = recipients.to_vec();
    recipients.sort_unstable();
    for recipient in recipients {
        events::append(tx, recipient, events::FRIENDSHIP_CHANGED, json!({ "friendship": row.id }), now).await?;
    }
    Ok(())
}

async fn room(app: &App, tx: &Tx, person: Uuid) -> Result<(), FriendsError> {
    let max = app.config.friends.max_friends;
    let friends = store::count_friends(tx, person).await?;
    if friends < u64::from(max) { Ok(()) } else { Err(FriendsError::TooManyFriends { max }) }
}

async fn room_for_both(app: &App, tx: &Tx, me: Uuid, user: Uuid) -> Result<(), FriendsError> {
    room(app, tx, me).await?;
    room(app, tx, user).await.map_err(|error| match error {
        FriendsError::TooManyFriends { .. } => FriendsError::TheyHaveTooMany,
        other => other,
    })
}

/// Rounded up, so that who waits so long has waited long enough.
fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(u64::try_from(duration.as_micros().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}
