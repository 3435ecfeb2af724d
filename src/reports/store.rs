//! Queries over `report`.

use entity::{
    Timestamp,
    report::{Column, Decision, Entity, Evidence, Model, State},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, ExprTrait as _,
    IntoActiveModel as _, Order, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::Expr,
};
use uuid::Uuid;

use crate::db::{
    Tx,
    page::{PageRequest, Position, keyset},
};

pub(super) async fn insert(tx: &Tx, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn find(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(connection).await
}

/// The open report of this thing by this person.
pub(super) async fn open_by(tx: &Tx, reporter: Uuid, subject: Uuid) -> Result<Option<Model>, DbErr> {
    let open = Entity::find().filter(Column::SubjectId.eq(subject)).filter(Column::State.eq(State::Open));
    open.filter(Column::ReporterId.eq(reporter)).one(tx).await
}

/// The open reports of one thing, and this one whatever its state, locked in the order of their ids.
pub(super) async fn lock_same(tx: &Tx, report: &Model) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::SubjectId.eq(report.subject_id))
        .filter(Column::State.eq(State::Open).or(Column::Id.eq(report.id)))
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(tx)
        .await
}

/// The whole row, which the caller has locked.
pub(super) async fn update(tx: &Tx, row: Model) -> Result<(), DbErr> {
    let id = row.id;
    Entity::update_many().set(row.into_active_model().reset_all()).filter(Column::Id.eq(id)).exec(tx).await?;
    Ok(())
}

pub(super) async fn list(
    connection: &impl ConnectionTrait,
    state: State,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Vec<Model>, DbErr> {
    let order = if state == State::Open { Order::Asc } else { Order::Desc };
    let select = Entity::find().filter(Column::State.eq(state));
    keyset(select, Column::CreatedAt, Column::Id, order, page).all(connection).await
}

/// Up to `limit` of them.
pub(super) async fn count(connection: &impl ConnectionTrait, state: State, limit: u64) -> Result<u64, DbErr> {
    Entity::find().filter(Column::State.eq(state)).limit(limit).count(connection).await
}

pub(super) async fn count_since(tx: &Tx, reporter: Uuid, time: Timestamp, limit: u64) -> Result<u64, DbErr> {
    let made = Entity::find().filter(Column::ReporterId.eq(reporter)).filter(Column::CreatedAt.gt(time));
    made.limit(limit).count(tx).await
}

pub(super) async fn count_open_of(connection: &impl ConnectionTrait, subject: Uuid, limit: u64) -> Result<u64, DbErr> {
    let open = Entity::find().filter(Column::SubjectId.eq(subject)).filter(Column::State.eq(State::Open));
    open.limit(limit).count(connection).await
}

pub(super) async fn count_upheld(
    connection: &impl ConnectionTrait,
    accused: Uuid,
    decisions: &[Decision],
    limit: u64,
) -> Result<u64, DbErr> {
    let upheld = Entity::find().filter(Column::AccusedId.eq(accused));
    upheld.filter(Column::Decision.is_in(decisions.iter().copied())).limit(limit).count(connection).await
}

/// Open reports from before `time` whose evidence is still held, the oldest first.
pub(super) async fn held_since(
    connection: &impl ConnectionTrait,
    time: Timestamp,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::State.eq(State::Open))
        .filter(Column::CreatedAt.lt(time))
        .filter(Column::Evidence.eq(Evidence::Held))
        .order_by_asc(Column::CreatedAt)
        .limit(limit)
        .all(connection)
        .await
}

pub(super) async fn forget(tx: &Tx, person: Uuid) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::AccusedId.eq(person)).exec(tx).await?;
    Entity::update_many()
        .col_expr(Column::ReporterId, Expr::value(None::<Uuid>))
        .col_expr(Column::Comment, Expr::value(""))
        .filter(Column::ReporterId.eq(person))
        .exec(tx)
        .await?;
    Ok(())
}
