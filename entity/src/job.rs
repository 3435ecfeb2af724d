//! The outbox and its queue: every effect outside the database, written in the transaction that wants it.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Which implementation runs it.
    pub kind: String,
    pub lane: Lane,
    /// JSON, as the implementation serialised itself.
    #[sea_orm(column_type = "Text")]
    pub payload: String,
    pub state: State,
    pub run_at: Timestamp,
    /// Counted at the claim, so that a job that crashes its process reaches the dead letter.
    pub attempts: i32,
    pub max_attempts: i32,
    pub lease_token: Option<Uuid>,
    pub lease_until: Option<Timestamp>,
    #[sea_orm(column_type = "Text", nullable)]
    pub last_error: Option<String>,
    /// At most one waiting job of this key.
    #[sea_orm(unique)]
    pub unique_key: Option<String>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

/// A finished job's row is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Waiting or at work (then it is leased).
    Waiting,
    /// The dead letter: out of attempts, or failed for good. Kept until somebody retries it.
    Dead,
}

/// What jobs have in common that may keep them waiting. Each lane has its own workers, so that none waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Lane {
    /// Soon done: the database, a message.
    Prompt,
    /// Reads people's bytes.
    Files,
    /// To the other site, which may be slow or away.
    Copies,
    /// At both sites and in the CDN.
    Erasures,
    /// Walks everything there is.
    Upkeep,
}
