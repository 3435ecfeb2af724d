//! Queries over `blocked_content` and `block_list`.

use entity::{
    Timestamp, block_list,
    blocked_content::{Column, Entity, Model},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, ExprTrait as _,
    IntoActiveModel as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use uuid::Uuid;

use crate::db::{
    Tx,
    page::{PageRequest, Position, keyset},
};

/// The list's version, which stays until the transaction ends.
pub(super) async fn version(tx: &Tx) -> Result<i64, DbErr> {
    let row = block_list::Entity::find_by_id(block_list::ID).lock_shared().one(tx).await?;
    row.map(|row| row.version).ok_or_else(missing)
}

/// The list's next version. Waits for whoever reads the list to make something visible.
pub(super) async fn raise(tx: &Tx) -> Result<i64, DbErr> {
    let row = block_list::Entity::find_by_id(block_list::ID).lock_exclusive().one(tx).await?;
    let version = row.ok_or_else(missing)?.version + 1;
    block_list::Entity::update_many()
        .col_expr(block_list::Column::Version, Expr::value(version))
        .filter(block_list::Column::Id.eq(block_list::ID))
        .exec(tx)
        .await?;
    Ok(version)
}

fn missing() -> DbErr {
    DbErr::RecordNotFound("the version of the block list".to_owned())
}

pub(super) async fn insert(tx: &Tx, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn find(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(connection).await
}

/// The entry that blocks these bytes now.
pub(super) async fn standing(tx: &Tx, sha256: &[u8]) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::Sha256.eq(sha256)).filter(Column::UnblockedAt.is_null()).one(tx).await
}

/// In the order of the changes.
pub(super) async fn changed_after(tx: &Tx, version: i64) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::Version.gt(version)).order_by_asc(Column::Version).all(tx).await
}

/// What was found out of a content that was blocked by its bytes alone.
pub(super) async fn set_looks(tx: &Tx, row: &Model) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Fingerprints, Expr::value(row.fingerprints.clone()))
        .col_expr(Column::Thumbhash, Expr::value(row.thumbhash.clone()))
        .col_expr(Column::ContentType, Expr::value(row.content_type.clone()))
        .col_expr(Column::Name, Expr::value(row.name.clone()))
        .col_expr(Column::Version, Expr::value(row.version))
        .filter(Column::Id.eq(row.id))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn set_unblocked(tx: &Tx, row: &Model) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::UnblockedBy, Expr::value(row.unblocked_by))
        .col_expr(Column::UnblockedAt, Expr::value(row.unblocked_at))
        .col_expr(Column::Version, Expr::value(row.version))
        .filter(Column::Id.eq(row.id))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn count_refusal(tx: &Tx, id: Uuid, now: Timestamp) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Refused, Expr::col(Column::Refused).add(1))
        .col_expr(Column::LastRefusedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn list(
    connection: &impl ConnectionTrait,
    active: Option<bool>,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Vec<Model>, DbErr> {
    let select = match active {
        Some(true) => Entity::find().filter(Column::UnblockedAt.is_null()),
        Some(false) => Entity::find().filter(Column::UnblockedAt.is_not_null()),
        None => Entity::find(),
    };
    keyset(select, Column::BlockedAt, Column::Id, Order::Desc, page).all(connection).await
}
