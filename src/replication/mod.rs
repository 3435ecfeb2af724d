//! The watchdog: ledger, primary and replica held against each other, what differs found, repaired and reported. It says HEALTHY
//! only on evidence, and never for want of it.

mod canary;
mod counters;
mod failover;
pub mod graphql;
mod jobs;
mod judge;
mod measure;
mod quarantine;
mod ranges;
mod rebuild;
mod repair;
mod scrub;
mod status;
mod store;
mod sweep;
mod watch;

pub use counters::Counters;
use entity::{
    Timestamp,
    replica_finding::{self, Kind},
    replica_run::{self, Mode, Model, State},
};
pub use failover::{FailoverError, Promotion, catch_up, close, lacking, plan_promotion, promote, reopen, switch};
pub use measure::measure;
pub use rebuild::{DrillFigures, begin_drill, begin_restore, end, proceed, unfinished_restore};
use sea_orm::{ActiveEnum as _, DbErr};
use serde_json::json;
pub use status::{Health, Lag, SiteHealth, Status, changes, status};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{
    app::App,
    audit,
    config::Config,
    db::{
        AsDbErr, Tx,
        idempotency::{IdempotencyKey, RecallError},
        page::{Page, PageRequest, Position},
    },
    error::Fault,
    ledger,
    viewer::Viewer,
};

/// Findings of one repair at the most.
pub const MAX_FINDINGS: u64 = 100_000;
/// Findings that may always be repaired at once, however few objects there are.
const FEW: u64 = 100;

pub fn register(registry: &mut crate::jobs::Registry, config: &Config) -> Result<(), serde_json::Error> {
    registry.register::<jobs::Run>();
    registry.schedule(config.replication.check_interval, &watch::Watch {})
}

/// Why a run stops.
#[derive(Debug, thiserror::Error)]
enum RunError {
    /// Another process has taken it up.
    #[error("another process has taken the run up")]
    Superseded,
    /// What a site answers cannot be read or believed.
    #[error("{0}")]
    Unreadable(String),
    #[error(transparent)]
    Database(#[from] DbErr),
}

impl AsDbErr for RunError {
    fn as_db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Database(error) => Some(error),
            Self::Superseded | Self::Unreadable(_) => None,
        }
    }
}

/// A part of a run's work on whichever core is free. It ends with the run at the latest.
async fn on_any_core<T: Send + 'static>(
    work: impl Future<Output = Result<T, RunError>> + Send + 'static,
) -> Result<T, RunError> {
    let task = AbortOnDropHandle::new(tokio::spawn(work.in_current_span()));
    task.await.map_err(|panic| RunError::Unreadable(panic.to_string()))?
}

/// Which findings are meant. Both may be given.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FindingFilter {
    pub ids: Option<Vec<Uuid>>,
    pub kinds: Option<Vec<Kind>>,
}

/// What a repair would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Open findings that are meant, and their bytes.
    pub findings: u64,
    pub bytes: u64,
    pub by_kind: Vec<(Kind, u64)>,
    /// Those that no repair can mend.
    pub beyond_repair: u64,
}

/// What the user can mend.
#[derive(Debug, thiserror::Error)]
pub enum ReplicationError {
    #[error("The findings have changed: there are {now} now.")]
    CountChanged { now: u64 },
    #[error("{findings} findings are more than {limit}, the share of all objects that one repair may change.")]
    TooMany { findings: u64, limit: u64 },
    #[error("A repair has at most {MAX_FINDINGS} findings.")]
    BeyondLimit,
    #[error("No open finding is meant.")]
    NothingToRepair,
    #[error("The idempotency key was used with another input.")]
    IdempotencyKeyReused,
    #[error(transparent)]
    Fault(#[from] Fault),
}

crate::module_error!(ReplicationError);

impl From<RecallError> for ReplicationError {
    fn from(error: RecallError) -> Self {
        match error {
            RecallError::Reused => Self::IdempotencyKeyReused,
            RecallError::Database(error) => error.into(),
        }
    }
}

/// Begins a verification, or names the one of this kind that is under way. Listings far shorter than the ledger are believed
/// where `trusting`. Admins.
pub async fn verify(app: &App, viewer: &Viewer, mode: Mode, trusting: bool) -> Result<Model, Fault> {
    viewer.admin()?;
    let census = match mode {
        Mode::Sweep | Mode::Scrub | Mode::Canary => ledger::census(app.db.read()).await?,
        Mode::Repair | Mode::Promotion | Mode::Restore | Mode::Drill => {
            return Err(Fault::Internal("this is no verification".to_owned()));
        }
    };
    app.transaction::<_, Fault, _, _>(async |tx| {
        // One at a time, also where two begin at once.
        store::serialise(&tx).await?;
        let same = |run: &Model| run.trusting == trusting && run.budget.is_none();
        if let Some(run) = store::running(&tx, mode).await?.into_iter().find(same) {
            return Ok(run);
        }
        let now = app.db.now(&tx).await?;
        let run =
            begin(app, &tx, &census, Model { trusting, ..new_run(mode, viewer.user_id(), objects(&census), now) })
                .await?;
        if viewer.user_id().is_some() {
            let details = json!({ "mode": run.mode.to_value(), "trusting": trusting });
            audit::record(&tx, viewer, "run.ordered", run.id, details, run.created_at).await?;
        }
        Ok(run)
    })
    .await
}

/// A new verification and its job, in the caller's transaction.
async fn begin(app: &App, tx: &Tx, census: &Census, run: Model) -> Result<Model, DbErr> {
    let ranges = if run.mode == Mode::Sweep { ranges::cut(census) } else { Vec::new() };
    let run = if run.mode == Mode::Canary { Model { total: canary::PLANTED, ..run } } else { run };
    store::insert(tx, run.clone(), ranges).await?;
    jobs::carry_on(app, tx, run.id).await?;
    Ok(run)
}

/// Objects of each kind, those that are erased left out.
type Census = [(entity::object::Kind, u64)];

fn objects(census: &Census) -> u64 {
    census.iter().map(|(_, count)| count).sum()
}

fn new_run(mode: Mode, requested_by: Option<Uuid>, total: u64, now: Timestamp) -> Model {
    Model {
        id: Uuid::now_v7(),
        mode,
        state: State::Running,
        epoch: 0,
        requested_by,
        trusting: false,
        budget: None,
        total: i64::try_from(total).unwrap_or(i64::MAX),
        done: 0,
        counters: Counters::default().write(),
        error: None,
        created_at: now,
        updated_at: now,
        finished_at: None,
    }
}

/// The run as it ends: what is wrong makes it inconclusive.
fn ended(run: Model, counters: Counters, error: Option<String>, now: Timestamp) -> Model {
    Model {
        state: if error.is_none() { State::Complete } else { State::Inconclusive },
        counters: counters.write(),
        error,
        updated_at: now,
        finished_at: Some(now),
        ..run
    }
}

/// What a repair of these findings would be. Operators and admins.
pub async fn plan(app: &App, viewer: &Viewer, filter: &FindingFilter) -> Result<Plan, ReplicationError> {
    viewer.operator()?;
    let found = store::matching(app.db.read(), filter, MAX_FINDINGS + 1).await?;
    Ok(plan_of(&found))
}

fn plan_of(found: &[replica_finding::Model]) -> Plan {
    let mut by_kind = std::collections::BTreeMap::new();
    for finding in found {
        *by_kind.entry(finding.kind).or_insert(0) += 1;
    }
    Plan {
        findings: found.len() as u64,
        bytes: found.iter().map(|finding| u64::try_from(finding.bytes).unwrap_or(0)).sum(),
        by_kind: by_kind.into_iter().collect(),
        beyond_repair: found.iter().filter(|finding| !repair::is_possible(finding.kind)).count() as u64,
    }
}

/// A repair to be ordered.
#[derive(Clone, Debug)]
pub struct Order {
    pub filter: FindingFilter,
    /// How many findings these are, as whoever orders it has seen.
    pub expected: u64,
    /// Also where more would change than one repair may.
    pub beyond_the_limit: bool,
    pub idempotency_key: Option<String>,
}

/// Orders the repair of the open findings that are meant, where they are as many as expected; else nothing is done. Each is
/// judged again before anything is written. A repeat with the same key returns the first order. Admins.
pub async fn repair(app: &App, viewer: &Viewer, order: &Order) -> Result<Model, ReplicationError> {
    viewer.admin()?;
    let key = match (&order.idempotency_key, viewer.user_id()) {
        (Some(key), Some(me)) => {
            let input = (&order.filter, order.expected, order.beyond_the_limit);
            Some(IdempotencyKey::new(me, key, "repairFindings", &input))
        }
        _ => None,
    };
    if let Some(first) = recall(app, key.as_ref()).await? {
        return Ok(first);
    }
    let limit = repair_limit(app).await?;
    let outcome = app
        .transaction(async |tx| {
            let found = store::matching(&tx, &order.filter, MAX_FINDINGS + 1).await?;
            let plan = plan_of(&found);
            if plan.findings > MAX_FINDINGS {
                return Err(ReplicationError::BeyondLimit);
            }
            if plan.findings != order.expected {
                return Err(ReplicationError::CountChanged { now: plan.findings });
            }
            if plan.findings == 0 {
                return Err(ReplicationError::NothingToRepair);
            }
            if plan.findings > limit && !order.beyond_the_limit {
                return Err(ReplicationError::TooMany { findings: plan.findings, limit });
            }
            let now = app.db.now(&tx).await?;
            let run = new_run(Mode::Repair, viewer.user_id(), plan.findings, now);
            store::insert(&tx, run.clone(), Vec::new()).await?;
            let ids: Vec<Uuid> = found.iter().map(|finding| finding.id).collect();
            let taken = store::take(&tx, &ids, run.id).await?;
            if taken != plan.findings {
                return Err(ReplicationError::CountChanged { now: taken });
            }
            if viewer.user_id().is_some() {
                let details = json!({ "mode": run.mode.to_value(), "findings": plan.findings, "bytes": plan.bytes });
                audit::record(&tx, viewer, "run.ordered", run.id, details, now).await?;
            }
            if let Some(key) = &key {
                key.remember(&tx, run.id, now).await?;
            }
            jobs::carry_on(app, &tx, run.id).await?;
            Ok(run)
        })
        .await;
    match outcome {
        Ok(run) => Ok(run),
        // The reply to COMMIT may be lost, or another request with the same key was first.
        Err(error) => recall(app, key.as_ref()).await?.ok_or(error),
    }
}

/// How many findings one repair may have: a share of all objects.
async fn repair_limit(app: &App) -> Result<u64, DbErr> {
    let objects = objects(&ledger::census(app.db.read()).await?);
    Ok(FEW.max((objects as f64 * app.config.replication.repair_limit) as u64))
}

async fn recall(app: &App, key: Option<&IdempotencyKey>) -> Result<Option<Model>, ReplicationError> {
    match IdempotencyKey::recall(key, app.db.read()).await? {
        Some(id) => Ok(store::find(app.db.read(), id).await?),
        None => Ok(None),
    }
}

/// All runs, newest first. Operators and admins.
pub async fn runs(app: &App, viewer: &Viewer, page: &PageRequest<Position<Timestamp>>) -> Result<Page<Model>, Fault> {
    viewer.operator()?;
    Ok(store::runs(app.db.read(), page).await?)
}

/// One run and how far it is. To anybody but operators and admins it is not there.
pub async fn find_run(app: &App, viewer: &Viewer, run: Uuid) -> Result<Option<Model>, Fault> {
    if viewer.operator().is_err() {
        return Ok(None);
    }
    Ok(store::find(app.db.read(), run).await?)
}

/// Findings, those first that were seen first last. Operators and admins.
pub async fn findings(
    app: &App,
    viewer: &Viewer,
    open: Option<bool>,
    kind: Option<Kind>,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<replica_finding::Model>, Fault> {
    viewer.operator()?;
    Ok(store::findings(app.db.read(), open, kind, page).await?)
}

/// Up to `limit` findings that a repair could not mend, each with why. Operators and admins.
pub async fn left_by(
    app: &App,
    viewer: &Viewer,
    repair: Uuid,
    limit: u64,
) -> Result<Vec<replica_finding::Model>, Fault> {
    viewer.operator()?;
    Ok(store::given_back(app.db.read(), repair, limit).await?)
}

/// One finding. To anybody but operators and admins it is not there.
pub async fn find_finding(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<replica_finding::Model>, Fault> {
    if viewer.operator().is_err() {
        return Ok(None);
    }
    Ok(store::finding(app.db.read(), id).await?)
}

/// The unique key of the job that works on a run.
#[must_use]
pub fn job_key(run: Uuid) -> String {
    format!("replication.run:{run}")
}

/// Takes a run from whoever has it, and works on it to its end or until another process takes it: what becomes of one whose
/// lease ran out unnoticed.
pub async fn work(app: &App, run: Uuid) -> Result<(), Fault> {
    match jobs::work(app, run).await {
        Ok(()) | Err(RunError::Superseded) => Ok(()),
        Err(error) => Err(Fault::internal(error)),
    }
}

/// How a run went, from its own row.
#[must_use]
pub fn counters(run: &replica_run::Model) -> Counters {
    Counters::read(&run.counters)
}
