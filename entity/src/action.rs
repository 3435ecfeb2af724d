//! What admins have the server do to many things at once. Each set is frozen when the row is written; a job works it off.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "action")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: Kind,
    pub state: State,
    /// The admin on whose word it is done.
    pub actor_id: Uuid,
    pub reason: Option<String>,
    /// Things in the set.
    pub total: i64,
    /// Those it was done to so far.
    pub done: i64,
    /// Those it could not be done to any more.
    pub skipped: i64,
    /// Why it was stopped or failed.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    /// Raised at its end.
    pub alert_id: Option<Uuid>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    RemoveFiles,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Running,
    /// Everything was done or skipped.
    Completed,
    /// Its admin may not do it any more: the rest was not done.
    Stopped,
    /// The server could not go on: the rest was not done.
    Failed,
}
