//! Files as their owners see them. The current version's facts stand here too, so that a list needs no join.

use sea_orm::entity::prelude::*;
use serde::Serialize;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "file")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    /// As given by its owner (NFC); never part of an object key.
    pub name: String,
    /// NFKC and case-folded: the sort key.
    pub name_key: String,
    pub description: String,
    /// A JSON array of strings.
    pub tags: Json,
    /// A JSON object.
    pub metadata: Json,
    pub state: State,
    /// Counts every change; an edit names the one it saw.
    pub revision: i32,
    pub version_id: Uuid,
    pub object_id: Uuid,
    pub content_type: String,
    pub bytes: i64,
    /// Empty until the bytes are verified.
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
    pub sha256: Vec<u8>,
    /// Pixels as shown, orientation applied.
    pub width: Option<i32>,
    pub height: Option<i32>,
    #[sea_orm(column_type = "VarBinary(StringLen::N(64))", nullable)]
    pub thumbhash: Option<Vec<u8>>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub trashed_at: Option<Timestamp>,
    /// When a trashed file is purged by itself.
    pub purge_at: Option<Timestamp>,
    /// Which admin removed it, and why, while it is REMOVED.
    pub removed_by: Option<Uuid>,
    pub removal_reason: Option<String>,
    /// Legal holds that stand: as long as there are any nothing of it is deleted.
    pub holds: i32,
    /// Why it is REJECTED.
    pub rejection: Option<super::upload::Rejection>,
    #[sea_orm(belongs_to, from = "owner_id", to = "id")]
    pub owner: HasOne<super::user::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Uploaded, being verified.
    Processing,
    Active,
    /// By its owner; can be restored until it is purged.
    Trashed,
    /// By an admin.
    Removed,
    Rejected,
}
