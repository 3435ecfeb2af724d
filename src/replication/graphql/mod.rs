//! The replication in GraphQL: its state, runs and findings.

mod drill;
mod finding;
mod mutation;

use async_graphql::{Context, Enum, ID, Object, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use entity::{object_copy::Site, replica_run};
use futures::{Stream, StreamExt as _};

pub use drill::ReplicaDrill;
pub use finding::{FindingCount, FindingKind, FindingOutcome, FindingState, ReplicaFinding};
pub use mutation::{ReplicationMutation, ReplicationUserError};

use super::Status;
use crate::{
    accounts::graphql::{User, load_user},
    config,
    db::page::Position,
    graphql::{
        self, Connection, FaultExt, NodeKind, PageArguments,
        connection::{connection, page_cost},
        scalars::{Long, date_time},
    },
    ledger::graphql::SiteRole,
};

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "super::Health")]
pub enum ReplicationState {
    /// Verified not long ago, and nothing was found.
    Healthy,
    /// Copies take longer than they may.
    Lagging,
    /// Ledger and buckets disagree.
    Drifted,
    /// It is not known: not verified, or not for too long, or not to the end.
    Inconclusive,
    /// The primary does not answer.
    Down,
}

/// Who copies.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum ReplicationMode {
    /// This server.
    Managed,
    /// S3's own cross-region replication; the server verifies.
    S3Crr,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "replica_run::Mode")]
pub enum ReplicaRunMode {
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

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "replica_run::State")]
pub enum ReplicaRunState {
    Running,
    Complete,
    /// A part could not be read, believed or mended.
    Inconclusive,
}

/// One of the two buckets.
pub struct ReplicationSite {
    site: Site,
    is_primary: bool,
    error: Option<String>,
}

#[Object]
impl ReplicationSite {
    async fn role(&self) -> SiteRole {
        if self.is_primary { SiteRole::Primary } else { SiteRole::Replica }
    }

    async fn region<'a>(&self, ctx: &Context<'a>) -> &'a str {
        graphql::app(ctx).stores.at(self.site).region()
    }

    async fn bucket<'a>(&self, ctx: &Context<'a>) -> &'a str {
        graphql::app(ctx).stores.at(self.site).bucket()
    }

    /// Whether the bucket answers now.
    async fn is_reachable(&self) -> bool {
        self.error.is_none()
    }

    /// Why it does not.
    async fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// Seconds from an object becoming live to its proof at the replica, of what arrived within the last hour.
#[derive(SimpleObject)]
pub struct ReplicationLag {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
    /// By how many seconds `p99`, and what is shorter, may be told too long: 0 where this server copies; where S3 does, how often is
    /// looked.
    probe: f64,
    /// How many arrivals these are.
    copies: Long,
}

/// What waits for its copy.
#[derive(SimpleObject)]
pub struct ReplicationBacklog {
    objects: Long,
    bytes: Long,
    /// Seconds that the oldest has waited.
    oldest: Option<f64>,
}

/// What would be lost if the primary were lost now.
#[derive(SimpleObject)]
pub struct ReplicationExposure {
    objects: Long,
    files: Long,
    people: Long,
}

/// Where every copy is to be, and where it is.
pub struct Replication(pub Status);

#[Object]
impl Replication {
    async fn state(&self) -> ReplicationState {
        self.0.health.into()
    }

    /// The state in a sentence, for people.
    async fn sentence(&self) -> &str {
        &self.0.sentence
    }

    async fn mode(&self, ctx: &Context<'_>) -> ReplicationMode {
        match graphql::app(ctx).config.objects.replication {
            config::ReplicationMode::Managed => ReplicationMode::Managed,
            config::ReplicationMode::S3Crr => ReplicationMode::S3Crr,
        }
    }

    /// Both buckets, the primary first.
    async fn sites(&self) -> Vec<ReplicationSite> {
        let primary = self.0.roles.primary;
        let mut sites: Vec<ReplicationSite> = self
            .0
            .sites
            .iter()
            .map(|health| ReplicationSite {
                site: health.site,
                is_primary: health.site == primary,
                error: health.error.clone(),
            })
            .collect();
        sites.sort_by_key(|site| !site.is_primary);
        sites
    }

    /// Seconds that a copy may take.
    async fn target(&self, ctx: &Context<'_>) -> f64 {
        graphql::app(ctx).config.replication.rpo.as_secs_f64()
    }

    /// Null where nothing arrived within the last hour.
    async fn lag(&self) -> Option<ReplicationLag> {
        self.0.lag.map(|lag| ReplicationLag {
            p50: lag.p50.as_secs_f64(),
            p95: lag.p95.as_secs_f64(),
            p99: lag.p99.as_secs_f64(),
            max: lag.max.as_secs_f64(),
            probe: lag.probe.as_secs_f64(),
            copies: long(lag.copies),
        })
    }

    async fn backlog(&self) -> ReplicationBacklog {
        let Status { backlog, oldest, .. } = &self.0;
        let oldest = oldest.map(|oldest| oldest.as_secs_f64());
        ReplicationBacklog { objects: long(backlog.objects), bytes: long(backlog.bytes), oldest }
    }

    async fn exposure(&self) -> ReplicationExposure {
        let exposure = &self.0.exposure;
        ReplicationExposure {
            objects: long(exposure.objects),
            files: long(exposure.files),
            people: long(exposure.people),
        }
    }

    /// When the newest manifest was taken that the replica is known to have: the database could be rebuilt as of then. Null: there is
    /// none.
    async fn manifest_at(&self) -> Option<DateTime<Utc>> {
        self.0.manifest_at.map(date_time)
    }

    /// Findings that are not resolved, by kind.
    async fn findings(&self) -> Vec<FindingCount> {
        self.0.findings.iter().map(FindingCount::from).collect()
    }

    /// Verifications and repairs under way, the newest first.
    async fn running(&self) -> Vec<ReplicaRun> {
        self.0.running.iter().cloned().map(ReplicaRun).collect()
    }

    /// The last sweep that ended.
    async fn last_verification(&self) -> Option<ReplicaRun> {
        self.0.last.clone().map(ReplicaRun)
    }

    /// The last sweep that could read everything: what is known rests on it.
    async fn last_complete_verification(&self) -> Option<ReplicaRun> {
        self.0.complete.clone().map(ReplicaRun)
    }
}

fn long(value: u64) -> Long {
    Long(i64::try_from(value).unwrap_or(i64::MAX))
}

/// Live objects with both copies as the ledger says, by what the weaker copy's last proof compared.
#[derive(SimpleObject)]
pub struct Coverage {
    /// The bytes were read back and hashed.
    bytes: Long,
    /// The store's own checksum of the whole object.
    checksum: Long,
    etag: Long,
    /// Size alone.
    existence: Long,
}

/// A verification or a repair.
pub struct ReplicaRun(pub replica_run::Model);

#[Object]
impl ReplicaRun {
    pub async fn id(&self) -> ID {
        NodeKind::ReplicaRun.id(self.0.id).into()
    }

    async fn mode(&self) -> ReplicaRunMode {
        self.0.mode.into()
    }

    async fn state(&self) -> ReplicaRunState {
        self.0.state.into()
    }

    /// Who ordered it; null for the schedule.
    async fn requested_by(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.0.requested_by).await
    }

    async fn started_at(&self) -> DateTime<Utc> {
        date_time(self.0.created_at)
    }

    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.finished_at.map(date_time)
    }

    /// Objects, or findings of a repair, that there were when it began; an estimate.
    async fn total(&self) -> Long {
        Long(self.0.total)
    }

    /// How many of them are done.
    async fn done(&self) -> Long {
        Long(self.0.done)
    }

    /// Objects, or findings, a second.
    async fn rate(&self) -> f64 {
        let until = self.0.finished_at.unwrap_or(self.0.updated_at);
        let seconds = until.since(self.0.created_at).as_secs_f64();
        if seconds > 0.0 { self.0.done as f64 / seconds } else { 0.0 }
    }

    /// Live objects with both copies as the ledger says.
    async fn agreed(&self) -> Long {
        long(super::counters(&self.0).agreed())
    }

    async fn coverage(&self) -> Coverage {
        let counters = super::counters(&self.0);
        Coverage {
            bytes: long(counters.by_bytes),
            checksum: long(counters.by_checksum),
            etag: long(counters.by_etag),
            existence: long(counters.by_existence),
        }
    }

    /// Not at the replica yet, and not late.
    async fn lagging(&self) -> Long {
        long(super::counters(&self.0).lagging)
    }

    /// Being written or erased, and not late.
    async fn in_flight(&self) -> Long {
        long(super::counters(&self.0).in_flight)
    }

    /// Faults seen.
    async fn faults(&self) -> Long {
        long(super::counters(&self.0).faults)
    }

    /// Findings that a repair ended, and those that it left open.
    async fn repaired(&self) -> Long {
        long(super::counters(&self.0).repaired)
    }

    async fn left_open(&self) -> Long {
        long(super::counters(&self.0).skipped)
    }

    /// Bytes that were read and hashed.
    async fn bytes_read(&self) -> Long {
        long(super::counters(&self.0).bytes_read)
    }

    /// What a drill measured; null for any other run, and where nothing could be rebuilt.
    async fn drill(&self) -> Option<ReplicaDrill> {
        super::counters(&self.0).drill.map(Into::into)
    }

    /// Why it is not complete.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }
}

#[derive(Default)]
pub struct ReplicationQuery;

#[Object]
impl ReplicationQuery {
    /// How the copies stand now; both buckets are asked. Operators and admins.
    async fn replication(&self, ctx: &Context<'_>) -> async_graphql::Result<Replication> {
        Ok(Replication(super::status(graphql::app(ctx), graphql::viewer(ctx)).await.or_fault()?))
    }

    /// Verifications and repairs, newest first. Operators and admins.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn replica_runs(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection<ReplicaRun>> {
        let app = graphql::app(ctx);
        let page = PageArguments::forward(first, after).page(app.config.graphql.max_page_size)?;
        let runs = super::runs(app, graphql::viewer(ctx), &page).await.or_fault()?;
        Ok(connection(runs.map(ReplicaRun), Default::default(), |run| Position { key: run.0.created_at, id: run.0.id }))
    }

    /// Findings, those that were seen first last; open ones (with those in repair), resolved ones, or all. Operators and admins.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn replica_findings(
        &self,
        ctx: &Context<'_>,
        open: Option<bool>,
        kind: Option<FindingKind>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection<ReplicaFinding>> {
        let app = graphql::app(ctx);
        let page = PageArguments::forward(first, after).page(app.config.graphql.max_page_size)?;
        let found = super::findings(app, graphql::viewer(ctx), open, kind.map(Into::into), &page).await.or_fault()?;
        Ok(connection(found.map(ReplicaFinding), Default::default(), |finding| Position {
            key: finding.0.first_seen_at,
            id: finding.0.id,
        }))
    }
}

#[derive(Default)]
pub struct ReplicationSubscription;

#[Subscription]
impl ReplicationSubscription {
    /// How the copies stand: as it is, then after each change, the progress of what is under way included. Operators and admins.
    async fn replication_changed(
        &self,
        ctx: &Context<'_>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<Replication>> + use<>> {
        let changes = super::changes(graphql::app(ctx), graphql::viewer(ctx)).await.or_fault()?;
        Ok(changes.map(|status| status.map(Replication).or_fault()))
    }
}

/// For `node(id)`.
pub async fn run_node(ctx: &Context<'_>, id: uuid::Uuid) -> async_graphql::Result<Option<ReplicaRun>> {
    Ok(super::find_run(graphql::app(ctx), graphql::viewer(ctx), id).await.or_fault()?.map(ReplicaRun))
}

/// For `node(id)`.
pub async fn finding_node(ctx: &Context<'_>, id: uuid::Uuid) -> async_graphql::Result<Option<ReplicaFinding>> {
    Ok(super::find_finding(graphql::app(ctx), graphql::viewer(ctx), id).await.or_fault()?.map(ReplicaFinding))
}
