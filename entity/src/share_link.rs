//! Links by which somebody without an account downloads a file. The token itself is never kept, only its SHA-256.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "share_link")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub file_id: Uuid,
    /// The content that was shared: another one ends the link.
    pub version_id: Uuid,
    pub owner_id: Uuid,
    /// SHA-256 of the token, 32 bytes.
    #[sea_orm(unique, column_type = "VarBinary(StringLen::N(32))")]
    pub token_hash: Vec<u8>,
    /// The bytes stream through the server, so that a revocation holds at once.
    pub strict: bool,
    pub expires_at: Timestamp,
    pub max_downloads: i32,
    /// Those that were completed.
    pub downloads: i32,
    pub revoked_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
