//! Accounts that were closed, and how far the erasure of all that they had has come. It names nobody, and outlives the
//! person's own row.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_closure")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose objects in the ledger are meant, also after the account's row is gone.
    #[sea_orm(unique)]
    pub user_id: Uuid,
    /// SHA-256 of the receipt, 32 bytes.
    #[sea_orm(unique, column_type = "VarBinary(StringLen::N(32))")]
    pub receipt_hash: Vec<u8>,
    pub requested_at: Timestamp,
    /// Those of the account when it was closed, whatever their state.
    pub files: i64,
    pub files_left: i64,
    /// What a legal hold keeps until it ends, where that is all that is left: files, or else objects.
    pub held: i64,
    /// In the ledger, and not proven gone when the account was closed or later.
    pub objects: i64,
    /// Proven gone at every site since.
    pub objects_erased: i64,
    /// When all was.
    pub erased_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
