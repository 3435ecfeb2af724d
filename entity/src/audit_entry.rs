//! What was done by whom, written in the transaction that did it.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entry")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub created_at: Timestamp,
    /// `None`: the server itself.
    pub actor_id: Option<Uuid>,
    pub action: String,
    /// What it was done to.
    pub subject_id: Uuid,
    /// The entry as canonical JSON, which is what is proven later.
    #[sea_orm(column_type = "Blob")]
    pub canonical: Vec<u8>,
    /// Whether it has its `audit_seal`, so that those without are found at once.
    pub sealed: bool,
}

impl ActiveModelBehavior for ActiveModel {}
