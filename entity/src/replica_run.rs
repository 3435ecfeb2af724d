//! Runs of the verifier and of repairs: what they are, how far they got, how they ended.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "replica_run")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub mode: Mode,
    pub state: State,
    /// Grows whenever a process takes the run up: whoever holds an older one writes nothing any more.
    pub epoch: i64,
    /// `None`: the schedule.
    pub requested_by: Option<Uuid>,
    /// Listings far shorter than the ledger are believed: for a bucket that is known to have lost its objects.
    pub trusting: bool,
    /// Bytes that it reads at the most; `None`: as many as there are.
    pub budget: Option<i64>,
    /// Objects, or findings, that there were to work on when it began; an estimate.
    pub total: i64,
    /// How many of them are done.
    pub done: i64,
    /// What was counted, as `replication::Counters`.
    #[sea_orm(column_type = "Text")]
    pub counters: String,
    /// Why it is not complete.
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    pub created_at: Timestamp,
    /// When a process last wrote of it.
    pub updated_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// Ledger and both listings against each other.
    Sweep,
    /// Both copies read and hashed, the oldest proof first.
    Scrub,
    Repair,
    /// Faults that were planted for the verifier to find.
    Canary,
    /// Another site became the primary.
    Promotion,
    /// The server was rebuilt from a manifest and one bucket.
    Restore,
    /// A trial of that, beside the server, from the replica alone.
    Drill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Running,
    Complete,
    /// A part could not be read, or cannot be believed.
    Inconclusive,
}
