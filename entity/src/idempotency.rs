//! First results of mutations that carried an idempotency key.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// The client's key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// The mutation's name.
    pub operation: String,
    /// SHA-256 of the input: a repeat with another input is refused.
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
    pub input_hash: Vec<u8>,
    /// What the repeat is answered from.
    pub result: Json,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
