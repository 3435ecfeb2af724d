//! Who leads. Whatever a leader writes carries the epoch.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "lease")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub holder: Option<Uuid>,
    /// Raised whenever the holder changes.
    pub epoch: i64,
    pub until: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
