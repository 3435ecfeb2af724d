//! What sets verification and repair going.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::replica_run;

use super::{FindingCount, FindingKind, ReplicaRun, long};
use crate::{
    error::Fault,
    graphql::{self, FaultExt, NodeKind, error::bad_input, scalars::Long},
    replication::{self, FindingFilter, Order, Plan, ReplicationError},
};

/// What may be verified by order.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum VerificationMode {
    /// Ledger and both listings against each other.
    Sweep,
    /// Both copies of every object read and hashed, the oldest proof first.
    Scrub,
    /// Faults are planted on objects made for that, and have to be found.
    Canary,
}

#[derive(InputObject)]
pub struct VerifyReplicasInput {
    #[graphql(default_with = "VerificationMode::Sweep")]
    mode: VerificationMode,
    /// Listings that are far shorter than the ledger are believed: only for a bucket that is known to have lost its objects, or a
    /// new one.
    #[graphql(default)]
    trust_listings: bool,
}

#[derive(SimpleObject)]
pub struct VerifyReplicasPayload {
    /// The one that was begun, or that was already under way.
    run: ReplicaRun,
    /// Empty: there is nothing that the user could mend.
    user_errors: Vec<ReplicationUserError>,
}

#[derive(InputObject)]
pub struct RepairFindingsInput {
    /// These findings; of all where this is left out.
    ids: Option<Vec<ID>>,
    /// Findings of these kinds; of every kind where this is left out.
    kinds: Option<Vec<FindingKind>>,
    /// Only says what would be done.
    #[graphql(default = true)]
    dry_run: bool,
    /// How many findings these are, as you have seen: where they are not, nothing is done. Needed unless it is a dry run.
    expected_count: Option<i32>,
    /// Also where they are a larger share of all objects than one repair may change.
    #[graphql(default)]
    beyond_limit: bool,
    /// A repeat with the same key returns the first result.
    idempotency_key: Option<String>,
}

/// What a repair is going to do, or would.
pub struct RepairPlan(Plan);

#[Object]
impl RepairPlan {
    /// Open findings that are meant.
    async fn findings(&self) -> Long {
        long(self.0.findings)
    }

    /// Their bytes.
    async fn size(&self) -> Long {
        long(self.0.bytes)
    }

    async fn by_kind(&self) -> Vec<FindingCount> {
        self.0.by_kind.iter().map(FindingCount::from).collect()
    }

    /// Those of them that no repair can mend.
    async fn beyond_repair(&self) -> Long {
        long(self.0.beyond_repair)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum ReplicationErrorCode {
    /// The findings are not as many as expected.
    CountChanged,
    /// More than one repair may change.
    TooMany,
    /// No open finding is meant.
    NothingToRepair,
    IdempotencyKeyReused,
}

/// Something the user can mend.
#[derive(SimpleObject)]
pub struct ReplicationUserError {
    code: ReplicationErrorCode,
    /// The input field it is about.
    field: Option<&'static str>,
    /// For people.
    message: String,
}

impl ReplicationUserError {
    fn of(error: ReplicationError) -> Result<Self, Fault> {
        let message = error.to_string();
        let (code, field) = match error {
            ReplicationError::CountChanged { .. } => (ReplicationErrorCode::CountChanged, Some("expectedCount")),
            ReplicationError::TooMany { .. } => (ReplicationErrorCode::TooMany, Some("beyondLimit")),
            ReplicationError::BeyondLimit => (ReplicationErrorCode::TooMany, Some("kinds")),
            ReplicationError::NothingToRepair => (ReplicationErrorCode::NothingToRepair, None),
            ReplicationError::IdempotencyKeyReused => {
                (ReplicationErrorCode::IdempotencyKeyReused, Some("idempotencyKey"))
            }
            ReplicationError::Fault(fault) => return Err(fault),
        };
        Ok(Self { code, field, message })
    }
}

#[derive(SimpleObject)]
pub struct RepairFindingsPayload {
    /// What it is about; null with `userErrors`, and for a repeat.
    plan: Option<RepairPlan>,
    /// Null for a dry run.
    run: Option<ReplicaRun>,
    user_errors: Vec<ReplicationUserError>,
}

#[derive(Default)]
pub struct ReplicationMutation;

#[Object]
impl ReplicationMutation {
    /// Begins a verification, or names the one that is under way. Admins.
    async fn verify_replicas(
        &self,
        ctx: &Context<'_>,
        input: VerifyReplicasInput,
    ) -> async_graphql::Result<VerifyReplicasPayload> {
        let mode = match input.mode {
            VerificationMode::Sweep => replica_run::Mode::Sweep,
            VerificationMode::Scrub => replica_run::Mode::Scrub,
            VerificationMode::Canary => replica_run::Mode::Canary,
        };
        let (app, viewer) = (graphql::app(ctx), graphql::viewer(ctx));
        let run = replication::verify(app, viewer, mode, input.trust_listings).await.or_fault()?;
        Ok(VerifyReplicasPayload { run: ReplicaRun(run), user_errors: Vec::new() })
    }

    /// Repairs open findings, or says what would be done. Each is judged again first: what is well, was deleted or changed
    /// meanwhile stays as it is. A dry run is for operators too, a repair for admins.
    async fn repair_findings(
        &self,
        ctx: &Context<'_>,
        input: RepairFindingsInput,
    ) -> async_graphql::Result<RepairFindingsPayload> {
        let (app, viewer) = (graphql::app(ctx), graphql::viewer(ctx));
        let ids = match &input.ids {
            None => None,
            Some(ids) if ids.len() > app.config.graphql.max_page_size => {
                return Err(bad_input(format!("Give at most {} ids.", app.config.graphql.max_page_size)));
            }
            // What is no finding's id is no finding.
            Some(ids) => Some(ids.iter().filter_map(|id| NodeKind::ReplicaFinding.parse(id)).collect()),
        };
        let kinds = input.kinds.map(|kinds| kinds.into_iter().map(Into::into).collect());
        let filter = FindingFilter { ids, kinds };
        let refused = |error| {
            let error = ReplicationUserError::of(error).or_fault()?;
            Ok(RepairFindingsPayload { plan: None, run: None, user_errors: vec![error] })
        };
        if !input.dry_run {
            viewer.admin().map_err(Fault::from).or_fault()?;
        }
        let plan = match replication::plan(app, viewer, &filter).await {
            Ok(plan) => plan,
            Err(error) => return refused(error),
        };
        if input.dry_run {
            return Ok(RepairFindingsPayload { plan: Some(RepairPlan(plan)), run: None, user_errors: Vec::new() });
        }
        let expected = input.expected_count.and_then(|count| u64::try_from(count).ok());
        let Some(expected) = expected else { return Err(bad_input("Give `expectedCount`, or ask for a dry run.")) };
        let order =
            Order { filter, expected, beyond_the_limit: input.beyond_limit, idempotency_key: input.idempotency_key };
        match replication::repair(app, viewer, &order).await {
            Ok(run) => Ok(RepairFindingsPayload {
                plan: Some(RepairPlan(plan)),
                run: Some(ReplicaRun(run)),
                user_errors: Vec::new(),
            }),
            Err(error) => refused(error),
        }
    }
}
