//! Queries over `account_closure`.

use entity::account_closure::{Column, Entity, Model};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel as _, QueryFilter,
    QuerySelect,
};
use uuid::Uuid;

use crate::db::Tx;

pub(super) async fn insert(tx: &Tx, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn by_receipt(
    connection: &impl ConnectionTrait,
    receipt_hash: Vec<u8>,
) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::ReceiptHash.eq(receipt_hash)).one(connection).await
}

/// The row, locked until the transaction ends.
pub(super) async fn lock(tx: &Tx, id: Uuid) -> Result<Model, DbErr> {
    let row = Entity::find_by_id(id).lock_exclusive().one(tx).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("account closure".to_owned()))
}

/// The whole row, which the caller has locked.
pub(super) async fn update(tx: &Tx, row: Model) -> Result<(), DbErr> {
    let id = row.id;
    Entity::update_many().set(row.into_active_model().reset_all()).filter(Column::Id.eq(id)).exec(tx).await?;
    Ok(())
}
