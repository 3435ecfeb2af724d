//! A run's checkpoints: one row per range of keys.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "replica_range")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i32,
    /// The range begins behind this key; from the checkpoint on, behind the last key that is done.
    pub after: String,
    /// And ends with this one; `None`: with the last key there is.
    pub upto: Option<String>,
    pub state: State,
    /// What was counted up to the checkpoint.
    #[sea_orm(column_type = "Text")]
    pub counters: String,
    /// Why it could not be read.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Open,
    Done,
    Unreadable,
}
