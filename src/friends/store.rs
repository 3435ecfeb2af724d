//! Queries over `friendship` and `block`.

use entity::{
    Timestamp, block,
    friendship::{Column, Entity, Model, State},
    user,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, ExprTrait as _,
    IntoActiveModel as _, Order, PaginatorTrait as _, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _, Select,
    sea_query::{Expr, SelectStatement},
};
use uuid::Uuid;

use super::model;
use crate::db::{
    Tx,
    page::{PageRequest, Position, keyset},
};

/// One's own pairs as one index has them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    /// Those with a higher id; where `incoming` those who asked.
    Low { state: State, incoming: bool },
    /// Those with a lower id.
    High { state: State, incoming: bool },
    /// Those whom one has asked.
    Asked(State),
}

/// The pairs of a person with those of `others` who have a lower id, then with those who have a higher one: ranges of the
/// one index of pairs, in its order.
fn with(person: Uuid, others: &[Uuid]) -> [Select<Entity>; 2] {
    let (lower, higher): (Vec<Uuid>, Vec<Uuid>) = others.iter().copied().partition(|other| *other < person);
    [
        Entity::find().filter(Column::HighId.eq(person)).filter(Column::LowId.is_in(lower)),
        Entity::find().filter(Column::LowId.eq(person)).filter(Column::HighId.is_in(higher)),
    ]
}

/// All pairs of a person, those of [`with`] in the same two parts.
fn of(person: Uuid) -> [Select<Entity>; 2] {
    [Entity::find().filter(Column::HighId.eq(person)), Entity::find().filter(Column::LowId.eq(person))]
}

/// Locked in the order of the pairs, which both parts are in.
async fn lock_in_order(tx: &Tx, parts: [Select<Entity>; 2], limit: Option<u64>) -> Result<Vec<Model>, DbErr> {
    let mut rows = Vec::new();
    for part in parts {
        let left = limit.map(|limit| limit - rows.len() as u64);
        let select = part.order_by_asc(Column::LowId).order_by_asc(Column::HighId).limit(left);
        rows.extend(select.lock_exclusive().all(tx).await?);
    }
    Ok(rows)
}

/// The friendships between a person and these others, locked in the order of their pairs.
pub(super) async fn lock_accepted(tx: &Tx, person: Uuid, others: &[Uuid]) -> Result<Vec<Model>, DbErr> {
    let accepted = |select: Select<Entity>| select.filter(Column::State.eq(State::Accepted));
    lock_in_order(tx, with(person, others).map(accepted), None).await
}

/// Some of a person's pairs, locked in their order.
pub(super) async fn lock_some(tx: &Tx, person: Uuid, limit: u64) -> Result<Vec<Model>, DbErr> {
    lock_in_order(tx, of(person), Some(limit)).await
}

/// Ends what others have with a person and see, each pair locked in its order.
pub(super) async fn close_all(tx: &Tx, person: Uuid, now: Timestamp) -> Result<(), DbErr> {
    let open = || {
        let asked_by_another = Column::State.eq(State::Withheld).and(Column::RequestedBy.ne(person));
        Column::State.is_in([State::Pending, State::Accepted]).or(asked_by_another)
    };
    if lock_in_order(tx, of(person).map(|select| select.filter(open())), None).await?.is_empty() {
        return Ok(());
    }
    for side in [Column::LowId, Column::HighId] {
        Entity::update_many()
            .col_expr(Column::State, Expr::value(State::Closing))
            .col_expr(Column::ChangedAt, Expr::value(now))
            .filter(side.eq(person))
            .filter(open())
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// The row, locked until the transaction ends.
pub(super) async fn lock(tx: &Tx, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).lock_exclusive().one(tx).await
}

/// The row of these two, locked until the transaction ends.
pub(super) async fn lock_pair(tx: &Tx, one: Uuid, two: Uuid) -> Result<Option<Model>, DbErr> {
    let (low, high) = model::pair(one, two);
    Entity::find().filter(Column::LowId.eq(low)).filter(Column::HighId.eq(high)).lock_exclusive().one(tx).await
}

/// Nothing where the two have a row.
pub(super) async fn insert(tx: &Tx, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model().reset_all())
        .on_conflict_do_nothing_on([Column::LowId, Column::HighId])
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// The whole row, which the caller has locked.
pub(super) async fn update(tx: &Tx, row: &Model) -> Result<(), DbErr> {
    let values = row.clone().into_active_model().reset_all();
    Entity::update_many().set(values).filter(Column::Id.eq(row.id)).exec(tx).await?;
    Ok(())
}

pub(super) async fn delete(tx: &Tx, ids: &[Uuid]) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::Id.is_in(ids.iter().copied())).exec(tx).await?;
    Ok(())
}

pub(super) async fn find(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(connection).await
}

pub(super) async fn between(
    connection: &impl ConnectionTrait,
    person: Uuid,
    others: &[Uuid],
) -> Result<Vec<Model>, DbErr> {
    let mut rows = Vec::new();
    for part in with(person, others) {
        rows.extend(part.all(connection).await?);
    }
    Ok(rows)
}

fn stream(person: Uuid, stream: Stream) -> Select<Entity> {
    let (side, state, incoming) = match stream {
        Stream::Low { state, incoming } => (Column::LowId, state, incoming),
        Stream::High { state, incoming } => (Column::HighId, state, incoming),
        Stream::Asked(state) => (Column::RequestedBy, state, false),
    };
    let select = Entity::find().filter(side.eq(person)).filter(Column::State.eq(state));
    if incoming { select.filter(Column::RequestedBy.ne(person)) } else { select }
}

/// The last change first.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    person: Uuid,
    of: Stream,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Vec<Model>, DbErr> {
    keyset(stream(person, of), Column::ChangedAt, Column::Id, Order::Desc, page).all(connection).await
}

pub(super) async fn count(connection: &impl ConnectionTrait, person: Uuid, of: Stream) -> Result<u64, DbErr> {
    stream(person, of).count(connection).await
}

pub(super) async fn has_none(tx: &Tx, person: Uuid) -> Result<bool, DbErr> {
    for part in of(person) {
        if part.one(tx).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) async fn count_friends(tx: &Tx, person: Uuid) -> Result<u64, DbErr> {
    let (state, incoming) = (State::Accepted, false);
    Ok(count(tx, person, Stream::Low { state, incoming }).await?
        + count(tx, person, Stream::High { state, incoming }).await?)
}

/// How many of a person's requests wait, as far as the person sees.
pub(super) async fn count_asked(tx: &Tx, person: Uuid) -> Result<u64, DbErr> {
    Ok(count(tx, person, Stream::Asked(State::Pending)).await?
        + count(tx, person, Stream::Asked(State::Withheld)).await?)
}

pub(super) async fn insert_block(tx: &Tx, row: block::Model) -> Result<(), DbErr> {
    block::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

/// Where there is one.
pub(super) async fn delete_block(tx: &Tx, blocker: Uuid, blocked: Uuid) -> Result<(), DbErr> {
    block::Entity::delete_by_id((blocker, blocked)).exec(tx).await?;
    Ok(())
}

/// Those of a person and those against them.
pub(super) async fn delete_blocks(tx: &Tx, person: Uuid) -> Result<(), DbErr> {
    block::Entity::delete_many().filter(block::Column::BlockerId.eq(person)).exec(tx).await?;
    block::Entity::delete_many().filter(block::Column::BlockedId.eq(person)).exec(tx).await?;
    Ok(())
}

/// Which of the two blocks the other.
pub(super) async fn blocks_between(
    connection: &impl ConnectionTrait,
    one: Uuid,
    two: Uuid,
) -> Result<Vec<Uuid>, DbErr> {
    let by = |blocker: Uuid, blocked: Uuid| {
        Condition::all().add(block::Column::BlockerId.eq(blocker)).add(block::Column::BlockedId.eq(blocked))
    };
    let either = Condition::any().add(by(one, two)).add(by(two, one));
    let rows = block::Entity::find().filter(either).all(connection).await?;
    Ok(rows.into_iter().map(|row| row.blocker_id).collect())
}

/// Those of `others` whom this person blocks.
pub(super) async fn blocked_among(
    connection: &impl ConnectionTrait,
    person: Uuid,
    others: &[Uuid],
) -> Result<Vec<Uuid>, DbErr> {
    let select = block::Entity::find().filter(block::Column::BlockerId.eq(person));
    let rows = select.filter(block::Column::BlockedId.is_in(others.iter().copied())).all(connection).await?;
    Ok(rows.into_iter().map(|row| row.blocked_id).collect())
}

pub(super) async fn count_blocks(tx: &Tx, person: Uuid) -> Result<u64, DbErr> {
    block::Entity::find().filter(block::Column::BlockerId.eq(person)).count(tx).await
}

/// The last one first.
pub(super) async fn list_blocks(
    connection: &impl ConnectionTrait,
    person: Uuid,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Vec<block::Model>, DbErr> {
    let select = block::Entity::find().filter(block::Column::BlockerId.eq(person));
    let (time, id) = (block::Column::CreatedAt, block::Column::BlockedId);
    keyset(select, time, id, Order::Desc, page).all(connection).await
}

pub(super) async fn exists(tx: &Tx, person: Uuid) -> Result<bool, DbErr> {
    Ok(user::Entity::find_by_id(person).one(tx).await?.is_some())
}

/// A person's status, until the transaction ends. `locked`: nobody else holds it meanwhile.
pub(super) async fn hold_person(tx: &Tx, person: Uuid, locked: bool) -> Result<Option<user::Status>, DbErr> {
    let select = user::Entity::find_by_id(person);
    let select = if locked { select.lock_exclusive() } else { select.lock_shared() };
    Ok(select.one(tx).await?.map(|row| row.status))
}

/// Whom this person has blocked, and who has blocked this person.
pub(super) fn blocks_of(person: Uuid) -> (SelectStatement, SelectStatement) {
    use block::Column::{BlockedId, BlockerId};
    let of =
        |is: block::Column, other| block::Entity::find().select_only().column(other).filter(is.eq(person)).into_query();
    (of(BlockerId, BlockedId), of(BlockedId, BlockerId))
}
