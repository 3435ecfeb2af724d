//! The chain over the audit log: one row per sealed entry, numbered 1, 2, 3, … without gaps.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_seal")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    #[sea_orm(unique)]
    pub entry_id: Uuid,
    /// SHA-256 over the previous seal's hash and the entry's canonical bytes.
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
    pub hash: Vec<u8>,
    pub sealed_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
