//! Every content a file has had. An object belongs to exactly one version.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "file_version")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub file_id: Uuid,
    /// 1, 2, 3, … within the file.
    pub number: i32,
    #[sea_orm(unique)]
    pub object_id: Uuid,
    pub content_type: String,
    pub bytes: i64,
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
    pub sha256: Vec<u8>,
    pub width: Option<i32>,
    pub height: Option<i32>,
    #[sea_orm(column_type = "VarBinary(StringLen::N(64))", nullable)]
    pub thumbhash: Option<Vec<u8>>,
    /// How a picture looks, as the block list compares it.
    #[sea_orm(column_type = "VarBinary(StringLen::N(224))", nullable)]
    pub fingerprint: Option<Vec<u8>>,
    pub created_at: Timestamp,
    /// The number of the version that it is a copy of.
    pub restored_from: Option<i32>,
    /// When another content took its place; `None` for the current one.
    pub superseded_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
