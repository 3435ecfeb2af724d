//! Queries over `snap` and `snap_recipient`.

use entity::{
    Timestamp,
    snap::{self, Column as Of},
    snap_recipient::{self, Column as To, State},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait as _, IntoActiveModel as _,
    Order, PaginatorTrait as _, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    db::{
        Tx,
        page::{PageRequest, Position, keyset},
    },
    friends,
};

pub(super) async fn insert(tx: &Tx, snap: snap::Model, recipients: Vec<snap_recipient::Model>) -> Result<(), DbErr> {
    snap::Entity::insert(snap.into_active_model().reset_all()).exec_without_returning(tx).await?;
    let rows = recipients.into_iter().map(|row| row.into_active_model().reset_all());
    snap_recipient::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn find(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<snap::Model>, DbErr> {
    snap::Entity::find_by_id(id).one(connection).await
}

pub(super) async fn find_many(connection: &impl ConnectionTrait, ids: Vec<Uuid>) -> Result<Vec<snap::Model>, DbErr> {
    snap::Entity::find().filter(Of::Id.is_in(ids)).all(connection).await
}

/// The snap as this recipient has it.
pub(super) async fn received(
    connection: &impl ConnectionTrait,
    snap: Uuid,
    recipient: Uuid,
) -> Result<Option<snap_recipient::Model>, DbErr> {
    snap_recipient::Entity::find()
        .filter(To::SnapId.eq(snap))
        .filter(To::RecipientId.eq(recipient))
        .one(connection)
        .await
}

pub(super) async fn by_ticket(
    connection: &impl ConnectionTrait,
    ticket: &[u8],
) -> Result<Option<snap_recipient::Model>, DbErr> {
    snap_recipient::Entity::find().filter(To::Ticket.eq(ticket)).one(connection).await
}

/// The recipients of these snaps, in the order of their rows.
pub(super) async fn recipients(
    connection: &impl ConnectionTrait,
    snaps: Vec<Uuid>,
) -> Result<Vec<snap_recipient::Model>, DbErr> {
    snap_recipient::Entity::find().filter(To::SnapId.is_in(snaps)).order_by_asc(To::Id).all(connection).await
}

/// The row, locked until the transaction ends.
pub(super) async fn lock(tx: &Tx, id: Uuid) -> Result<Option<snap_recipient::Model>, DbErr> {
    snap_recipient::Entity::find_by_id(id).lock_exclusive().one(tx).await
}

/// Those of a snap who are not done with it, locked in the order of their ids.
pub(super) async fn lock_open(tx: &Tx, snap: Uuid) -> Result<Vec<snap_recipient::Model>, DbErr> {
    snap_recipient::Entity::find()
        .filter(To::SnapId.eq(snap))
        .filter(To::EndedAt.is_null())
        .order_by_asc(To::Id)
        .lock_exclusive()
        .all(tx)
        .await
}

/// The whole row, which the caller has locked.
pub(super) async fn update(tx: &Tx, row: snap_recipient::Model) -> Result<(), DbErr> {
    let id = row.id;
    snap_recipient::Entity::update_many()
        .set(row.into_active_model().reset_all())
        .filter(To::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// One recipient less. Whether it was the last one: of several at once exactly one is.
pub(super) async fn count_down(tx: &Tx, snap: Uuid) -> Result<bool, DbErr> {
    snap::Entity::update_many()
        .col_expr(Of::Remaining, Expr::col(Of::Remaining).sub(1))
        .filter(Of::Id.eq(snap))
        .exec(tx)
        .await?;
    // The lock of the update holds.
    Ok(find(tx, snap).await?.is_some_and(|snap| snap.remaining == 0))
}

/// Nothing of what was sent stays but that it was.
pub(super) async fn set_gone(tx: &Tx, snap: Uuid, now: Timestamp) -> Result<(), DbErr> {
    snap::Entity::update_many()
        .col_expr(Of::Caption, Expr::value(""))
        .col_expr(Of::GoneAt, Expr::value(Some(now)))
        .filter(Of::Id.eq(snap))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn list_sent(
    connection: &impl ConnectionTrait,
    sender: Uuid,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Vec<snap::Model>, DbErr> {
    let select = snap::Entity::find().filter(Of::SenderId.eq(sender));
    keyset(select, Of::CreatedAt, Of::Id, Order::Desc, page).all(connection).await
}

pub(super) async fn list_received(
    connection: &impl ConnectionTrait,
    recipient: Uuid,
    unopened: bool,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Vec<snap_recipient::Model>, DbErr> {
    let select = snap_recipient::Entity::find().filter(To::RecipientId.eq(recipient));
    let select = select.filter(friends::not_apart(To::SenderId, recipient));
    let select = if unopened {
        select.filter(To::State.eq(State::Delivered))
    } else {
        select.filter(To::State.ne(State::Revoked))
    };
    keyset(select, To::CreatedAt, To::Id, Order::Desc, page).all(connection).await
}

/// Up to `limit` of them.
pub(super) async fn count_unopened(
    connection: &impl ConnectionTrait,
    recipient: Uuid,
    limit: u64,
) -> Result<u64, DbErr> {
    let unopened = snap_recipient::Entity::find()
        .filter(To::RecipientId.eq(recipient))
        .filter(To::State.eq(State::Delivered))
        .filter(friends::not_apart(To::SenderId, recipient))
        .limit(limit);
    unopened.count(connection).await
}

/// Snaps of this sender that somebody is not done with.
pub(super) async fn open_of_sender(tx: &Tx, sender: Uuid, limit: u64) -> Result<Vec<Uuid>, DbErr> {
    let open = snap::Entity::find().select_only().column(Of::Id).filter(Of::SenderId.eq(sender));
    open.filter(Of::GoneAt.is_null()).limit(limit).into_tuple().all(tx).await
}

/// What this person received and is not done with.
pub(super) async fn open_of_recipient(tx: &Tx, person: Uuid, limit: u64) -> Result<Vec<Uuid>, DbErr> {
    let open = snap_recipient::Entity::find().select_only().column(To::Id).filter(To::RecipientId.eq(person));
    open.filter(To::EndedAt.is_null()).limit(limit).into_tuple().all(tx).await
}

/// Every trace of these snaps that are gone.
pub(super) async fn delete(tx: &Tx, snaps: &[Uuid]) -> Result<(), DbErr> {
    let ids = || snaps.iter().copied();
    snap_recipient::Entity::delete_many().filter(To::SnapId.is_in(ids())).exec(tx).await?;
    snap::Entity::delete_many().filter(Of::Id.is_in(ids())).exec(tx).await?;
    Ok(())
}

pub(super) async fn delete_received(tx: &Tx, person: Uuid) -> Result<(), DbErr> {
    snap_recipient::Entity::delete_many().filter(To::RecipientId.eq(person)).exec(tx).await?;
    Ok(())
}

/// Of a sender, whatever became of them.
pub(super) async fn sent_by(tx: &Tx, sender: Uuid, limit: u64) -> Result<Vec<Uuid>, DbErr> {
    snap::Entity::find()
        .select_only()
        .column(Of::Id)
        .filter(Of::SenderId.eq(sender))
        .limit(limit)
        .into_tuple()
        .all(tx)
        .await
}

/// Gone before this time, the oldest first.
pub(super) async fn gone_before(tx: &Tx, time: Timestamp, limit: u64) -> Result<Vec<Uuid>, DbErr> {
    let gone = snap::Entity::find().select_only().column(Of::Id).filter(Of::GoneAt.lt(time));
    gone.order_by_asc(Of::GoneAt).limit(limit).into_tuple().all(tx).await
}
