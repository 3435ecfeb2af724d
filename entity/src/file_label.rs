//! What files are found by as a whole: tags, metadata, content types. Written with the file's row.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, file::State};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "file_label")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub file_id: Uuid,
    /// A hash of what it says, so that every length fits an index: `files::terms::Label`.
    #[sea_orm(primary_key, auto_increment = false, column_type = "VarBinary(StringLen::N(16))")]
    pub label: Vec<u8>,
    /// The file's, as are `state` and `created_at`.
    pub owner_id: Uuid,
    pub state: State,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
