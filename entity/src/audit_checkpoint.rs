//! What was signed of the audit log, and the object that holds it in both buckets.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_checkpoint")]
pub struct Model {
    /// The last seal that is covered.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    #[sea_orm(unique)]
    pub object_id: Uuid,
    /// That seal's hash.
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
    pub hash: Vec<u8>,
    pub key_id: String,
    pub signed_at: Timestamp,
    /// The signed bytes: seq, hash, key and time as canonical JSON.
    #[sea_orm(column_type = "Blob")]
    pub statement: Vec<u8>,
    /// Ed25519 (RFC 8032).
    #[sea_orm(column_type = "VarBinary(StringLen::N(64))")]
    pub signature: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}
