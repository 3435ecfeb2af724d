//! Findings in GraphQL.

use async_graphql::{Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::replica_finding;

use super::long;
use crate::graphql::{
    NodeKind,
    scalars::{Long, date_time},
};

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "replica_finding::Kind")]
pub enum FindingKind {
    MissingInReplica,
    StaleInReplica,
    MissingInPrimary,
    CorruptInPrimary,
    /// No site has the bytes: a person has to look for them.
    Lost,
    /// Something is left of what is to be gone.
    NotErased,
    /// A write or an erasure that should have ended long ago.
    InFlight,
    /// Bytes that the ledger does not know.
    OrphanInPrimary,
    OrphanInReplica,
    /// S3 says COMPLETED, and there is no such copy.
    FalseCompleted,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "replica_finding::State")]
pub enum FindingState {
    Open,
    /// A repair has it in hand.
    Repairing,
    Resolved,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "replica_finding::Outcome")]
pub enum FindingOutcome {
    Repaired,
    /// It was well again, or is another fault now, before a repair came to it.
    Changed,
    /// The bytes were put away where nobody is served from.
    Quarantined,
}

#[derive(SimpleObject)]
pub struct FindingCount {
    kind: FindingKind,
    findings: Long,
}

impl From<&(replica_finding::Kind, u64)> for FindingCount {
    fn from((kind, findings): &(replica_finding::Kind, u64)) -> Self {
        Self { kind: (*kind).into(), findings: long(*findings) }
    }
}

/// Where ledger and buckets disagree.
pub struct ReplicaFinding(pub replica_finding::Model);

#[Object]
impl ReplicaFinding {
    pub async fn id(&self) -> ID {
        NodeKind::ReplicaFinding.id(self.0.id).into()
    }

    async fn kind(&self) -> FindingKind {
        self.0.kind.into()
    }

    async fn state(&self) -> FindingState {
        self.0.state.into()
    }

    async fn key(&self) -> &str {
        &self.0.key
    }

    async fn size(&self) -> Long {
        Long(self.0.bytes)
    }

    /// What was seen where, for people.
    async fn detail(&self) -> &str {
        &self.0.detail
    }

    async fn first_seen_at(&self) -> DateTime<Utc> {
        date_time(self.0.first_seen_at)
    }

    async fn last_seen_at(&self) -> DateTime<Utc> {
        date_time(self.0.last_seen_at)
    }

    /// In how many runs it was seen.
    async fn sightings(&self) -> i32 {
        self.0.sightings
    }

    /// Repairs that could not mend it.
    async fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// Why the last of them could not.
    async fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_deref()
    }

    async fn resolved_at(&self) -> Option<DateTime<Utc>> {
        self.0.resolved_at.map(date_time)
    }

    async fn outcome(&self) -> Option<FindingOutcome> {
        self.0.outcome.map(Into::into)
    }
}
