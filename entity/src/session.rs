//! Log-in sessions and API tokens. The secret itself is never kept, only its SHA-256.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub kind: Kind,
    /// SHA-256 of the opaque token, 32 bytes.
    #[sea_orm(unique, column_type = "VarBinary(StringLen::N(32))")]
    pub token_hash: Vec<u8>,
    /// An API token's name; empty for a session.
    pub name: String,
    pub user_agent: String,
    /// The client's address at log-in.
    pub address: String,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    /// `None`: a token without an end.
    pub expires_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    Session,
    Token,
}
