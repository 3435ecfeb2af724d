//! Small pictures made from a version.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rendition")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub file_id: Uuid,
    pub version_id: Uuid,
    pub size: Size,
    pub state: State,
    #[sea_orm(unique)]
    pub object_id: Option<Uuid>,
    pub content_type: Option<String>,
    pub width: Option<i32>,
    pub height: Option<i32>,
    /// Why it failed, for people.
    pub error: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub enum Size {
    /// Cover crop, exactly 150 × 150.
    #[sea_orm(string_value = "SQUARE_150")]
    Square150,
    /// Within 320 × 320, never enlarged.
    #[sea_orm(string_value = "FIT_320")]
    Fit320,
    /// Within 1280 × 1280, never enlarged.
    #[sea_orm(string_value = "FIT_1280")]
    Fit1280,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Pending,
    Ready,
    Failed,
}
