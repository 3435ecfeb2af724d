//! Where ledger and buckets disagree. Rows are appended: a fault that comes back is a new one.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "replica_finding")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: Kind,
    pub state: State,
    pub key: String,
    /// SHA-256 over kind and key while it is open, `None` afterwards: at most one open finding of each.
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))", nullable, unique)]
    pub open_key: Option<Vec<u8>>,
    /// Where the ledger has one of this key.
    pub object_id: Option<Uuid>,
    pub bytes: i64,
    /// What was seen where, for people.
    #[sea_orm(column_type = "Text")]
    pub detail: String,
    pub first_seen_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// In how many runs.
    pub sightings: i32,
    /// The run that saw it last.
    pub run_id: Uuid,
    /// The repair that works on it, or did last.
    pub repair_id: Option<Uuid>,
    /// Repairs begun.
    pub attempts: i32,
    /// Why the last one failed.
    #[sea_orm(column_type = "Text", nullable)]
    pub last_error: Option<String>,
    pub resolved_at: Option<Timestamp>,
    pub outcome: Option<Outcome>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    MissingInReplica,
    StaleInReplica,
    MissingInPrimary,
    CorruptInPrimary,
    /// No site has the bytes.
    Lost,
    /// Something is left of what is to be gone.
    NotErased,
    /// A write or an erasure that should have ended long ago.
    InFlight,
    OrphanInPrimary,
    OrphanInReplica,
    /// S3 says COMPLETED, and there is no such copy.
    FalseCompleted,
}

impl Kind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingInReplica => "MISSING_IN_REPLICA",
            Self::StaleInReplica => "STALE_IN_REPLICA",
            Self::MissingInPrimary => "MISSING_IN_PRIMARY",
            Self::CorruptInPrimary => "CORRUPT_IN_PRIMARY",
            Self::Lost => "LOST",
            Self::NotErased => "NOT_ERASED",
            Self::InFlight => "IN_FLIGHT",
            Self::OrphanInPrimary => "ORPHAN_IN_PRIMARY",
            Self::OrphanInReplica => "ORPHAN_IN_REPLICA",
            Self::FalseCompleted => "FALSE_COMPLETED",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Open,
    /// A repair has it in hand.
    Repairing,
    Resolved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    Repaired,
    /// It was well again, or is another fault now, before a repair came to it.
    Changed,
    /// The bytes were put away where nobody is served from.
    Quarantined,
}
