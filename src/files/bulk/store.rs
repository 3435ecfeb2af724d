//! Queries over `action` and `bulk_item`.

use entity::{
    Timestamp,
    action::{self, Column as Of},
    bulk_item::{Column as To, Entity as Items},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel as _, Order, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Expr, Query, SelectStatement},
};
use uuid::Uuid;

use crate::db::{
    Tx,
    page::{Page, PageRequest, Position, keyset},
};

/// Writes up to `most` of the files that a query names as the items of an action. How many they are.
pub(super) async fn freeze(tx: &Tx, action: Uuid, mut files: SelectStatement, most: u64) -> Result<u64, DbErr> {
    let files = files.expr(Expr::value(action)).limit(most).take();
    let mut insert = Query::insert().into_table(Items).columns([To::FileId, To::ActionId]).take();
    insert.select_from(files).map_err(|error| DbErr::Custom(error.to_string()))?;
    Ok(tx.execute(&insert).await?.rows_affected())
}

pub(super) async fn insert(tx: &Tx, row: action::Model) -> Result<(), DbErr> {
    action::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn find(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<action::Model>, DbErr> {
    action::Entity::find_by_id(id).one(connection).await
}

/// Newest first.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<action::Model>, DbErr> {
    let rows = keyset(action::Entity::find(), Of::CreatedAt, Of::Id, Order::Desc, page).all(connection).await?;
    Ok(page.finish(rows))
}

/// The action where it is still at work, locked until the transaction ends.
pub(super) async fn lock_running(tx: &Tx, id: Uuid) -> Result<Option<action::Model>, DbErr> {
    let row = action::Entity::find_by_id(id).lock_exclusive().one(tx).await?;
    Ok(row.filter(|row| row.state == action::State::Running))
}

/// The whole row, which the caller has locked.
pub(super) async fn update(tx: &Tx, row: action::Model) -> Result<(), DbErr> {
    let id = row.id;
    action::Entity::update_many().set(row.into_active_model().reset_all()).filter(Of::Id.eq(id)).exec(tx).await?;
    Ok(())
}

/// The next files of an action, in the order in which they are locked.
pub(super) async fn next(tx: &Tx, action: Uuid, limit: u64) -> Result<Vec<Uuid>, DbErr> {
    let select = Items::find().select_only().column(To::FileId).filter(To::ActionId.eq(action));
    select.order_by_asc(To::FileId).limit(limit).into_tuple().all(tx).await
}

/// Takes files off the list: these, which are done with.
pub(super) async fn strike(tx: &Tx, action: Uuid, files: &[Uuid]) -> Result<(), DbErr> {
    let of_action = Items::delete_many().filter(To::ActionId.eq(action));
    of_action.filter(To::FileId.is_in(files.iter().copied())).exec(tx).await?;
    Ok(())
}

/// All that is left on the list.
pub(super) async fn clear(tx: &Tx, action: Uuid) -> Result<(), DbErr> {
    Items::delete_many().filter(To::ActionId.eq(action)).exec(tx).await?;
    Ok(())
}
