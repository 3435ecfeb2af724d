//! The state of the replication in one word and one sentence, with what it rests on. The same in GraphQL, on the command line, in
//! the metrics and in alerts.

use std::time::Duration;

use entity::{
    Timestamp,
    object_copy::Site,
    replica_finding::Kind,
    replica_run::{self, Mode},
};

use futures::{Stream, StreamExt as _, stream};

use super::store;
use crate::{
    app::App,
    error::Fault,
    ledger::{self, Backlog, Exposure, Roles},
    text::count,
    viewer::Viewer,
};

/// From best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Health {
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

impl Health {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Lagging => "LAGGING",
            Self::Drifted => "DRIFTED",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Down => "DOWN",
        }
    }
}

/// Whether a bucket answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteHealth {
    pub site: Site,
    /// What went wrong where it does not.
    pub error: Option<String>,
}

/// From live to proven at the replica, of what arrived within [`LAG_WINDOW`]; all of none is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    pub p50: Duration,
    pub p95: Duration,
    pub p99: Duration,
    pub max: Duration,
    /// By how much `p99`, and what is shorter, may be told too long.
    pub probe: Duration,
    pub copies: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub health: Health,
    /// For people.
    pub sentence: String,
    pub roles: Roles,
    pub sites: [SiteHealth; 2],
    pub lag: Option<Lag>,
    pub backlog: Backlog,
    /// How long the oldest of the backlog has waited.
    pub oldest: Option<Duration>,
    pub exposure: Exposure,
    /// When the newest manifest was taken that the replica is known to have: as much of the ledger survives the loss of all else.
    pub manifest_at: Option<Timestamp>,
    /// Findings that are not resolved.
    pub findings: Vec<(Kind, u64)>,
    /// The last sweep that ended, and the last that was complete.
    pub last: Option<replica_run::Model>,
    pub complete: Option<replica_run::Model>,
    /// The last time that another site became the primary, or the server was rebuilt; it may still be.
    pub changed: Option<replica_run::Model>,
    /// The last time that faults were planted for the verifier to find.
    pub canary: Option<replica_run::Model>,
    /// Runs under way.
    pub running: Vec<replica_run::Model>,
    pub at: Timestamp,
}

impl Status {
    /// Whether there is something else to see than time that passes.
    fn differs(&self, other: &Self) -> bool {
        let shape = |status: &Self| {
            let run = |run: &replica_run::Model| (run.id, run.state, run.done);
            (
                (status.health, status.roles, status.sites.clone(), status.backlog, status.exposure),
                (status.findings.clone(), status.last.as_ref().map(run), status.complete.as_ref().map(run)),
                status.running.iter().map(run).collect::<Vec<_>>(),
            )
        };
        shape(self) != shape(other)
    }
}

/// Arrivals that the lag is taken of, the newest of them where they are many.
pub const LAG_WINDOW: Duration = Duration::from_secs(3600);
const LAG_SAMPLES: u64 = 10_000;
/// A bucket that takes longer does not answer; less than a scrape waits.
const PATIENCE: Duration = Duration::from_secs(3);
/// Sweeps that may be missed before the state is unknown.
const MISSED: u32 = 3;

/// How the replication stands now. Operators and admins.
pub async fn status(app: &App, viewer: &Viewer) -> Result<Status, Fault> {
    viewer.operator()?;
    let connection = app.db.read();
    let (roles, at) = (ledger::roles(connection).await?, app.db.now(connection).await?);
    let [first, second] = Site::ALL.map(|site| check(app, site));
    let (first, second) = tokio::join!(first, second);
    let lags = ledger::lags(connection, roles, at.minus(LAG_WINDOW), LAG_SAMPLES).await?;
    let backlog = ledger::backlog(connection, roles).await?;
    let mut status = Status {
        health: Health::Healthy,
        sentence: String::new(),
        roles,
        sites: [first, second],
        lag: lag(app, &lags),
        backlog,
        oldest: backlog.oldest.map(|oldest| at.since(oldest)),
        exposure: ledger::exposure(connection, roles).await?,
        manifest_at: ledger::newest_proven(connection, entity::object::Kind::Manifest, roles.replica()).await?,
        findings: store::open_by_kind(connection).await?,
        last: store::latest(connection, Mode::Sweep, None).await?,
        complete: store::latest(connection, Mode::Sweep, Some(replica_run::State::Complete)).await?,
        changed: newer(
            store::latest(connection, Mode::Promotion, None).await?,
            store::newest_restore(connection).await?,
        ),
        canary: store::latest(connection, Mode::Canary, None).await?,
        running: store::all_running(connection).await?,
        at,
    };
    (status.health, status.sentence) = weigh(app, &status);
    Ok(status)
}

/// Between two looks of somebody who watches.
const LOOK: Duration = Duration::from_secs(1);

/// The state now, and then whenever it changes. Operators and admins.
pub async fn changes(
    app: &App,
    viewer: &Viewer,
) -> Result<impl Stream<Item = Result<Status, Fault>> + Send + use<>, Fault> {
    let first = status(app, viewer).await?;
    let rest = stream::unfold((app.clone(), first.clone()), |(app, last)| async move {
        loop {
            tokio::time::sleep(LOOK).await;
            match status(&app, &Viewer::System("watched")).await {
                Ok(now) if now.differs(&last) => return Some((Ok(now.clone()), (app, now))),
                Ok(_) => {}
                Err(fault) => return Some((Err(fault), (app, last))),
            }
        }
    });
    Ok(stream::once(async { Ok(first) }).chain(rest).boxed())
}

pub(super) async fn check(app: &App, site: Site) -> SiteHealth {
    let error = match tokio::time::timeout(PATIENCE, app.stores.at(site).check()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    SiteHealth { site, error }
}

/// `lags` ascending, in microseconds.
fn lag(app: &App, lags: &[i64]) -> Option<Lag> {
    let at = |share: f64| {
        let index = ((lags.len() as f64 * share).ceil() as usize).clamp(1, lags.len()) - 1;
        Duration::from_micros(u64::try_from(lags[index]).unwrap_or(0))
    };
    (!lags.is_empty()).then(|| Lag {
        p50: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
        max: at(1.0),
        probe: ledger::probe_interval(&app.config, at(0.99)),
        copies: lags.len() as u64,
    })
}

fn at_of(run: &replica_run::Model) -> (Timestamp, uuid::Uuid) {
    (run.created_at, run.id)
}

fn newer(one: Option<replica_run::Model>, other: Option<replica_run::Model>) -> Option<replica_run::Model> {
    one.into_iter().chain(other).max_by_key(at_of)
}

/// Whatever is not known counts against it.
fn weigh(app: &App, status: &Status) -> (Health, String) {
    let settings = &app.config.replication;
    let at =
        |site: Site| status.sites.iter().find(|health| health.site == site).and_then(|health| health.error.as_ref());
    if let Some(error) = at(status.roles.primary) {
        return (Health::Down, format!("The primary does not answer: {error}."));
    }
    if let Some(error) = at(status.roles.replica()) {
        return (Health::Inconclusive, format!("The replica does not answer: {error}."));
    }
    if status.changed.as_ref().is_some_and(|changed| changed.state == replica_run::State::Running) {
        return (Health::Inconclusive, "The server is being rebuilt: run restore again until it ends.".to_owned());
    }
    let Some(last) = &status.last else {
        return (Health::Inconclusive, "Nothing has been verified yet.".to_owned());
    };
    if let Some(changed) = &status.changed
        && at_of(changed) > at_of(last)
    {
        let since =
            if changed.mode == Mode::Restore { "the server was rebuilt" } else { "another site became the primary" };
        return (Health::Inconclusive, format!("Nothing has been verified since {since}."));
    }
    if last.state != replica_run::State::Complete {
        let why = last.error.as_deref().unwrap_or("no reason was kept");
        return (Health::Inconclusive, format!("The last verification was not complete: {why}."));
    }
    let age = status.at.since(last.created_at);
    if !settings.sweep_interval.is_zero() && age > settings.sweep_interval * MISSED {
        return (Health::Inconclusive, format!("Nothing has been verified to the end for {}.", span(age)));
    }
    if let Some(canary) = &status.canary {
        // What could not be planted, or not be read, says nothing of the verifier.
        if canary.state != replica_run::State::Complete && canary.done < canary.total {
            let why = canary.error.as_deref().unwrap_or("no reason was kept");
            return (Health::Inconclusive, format!("The verifier cannot be trusted: {why}."));
        }
        let age = status.at.since(canary.created_at);
        if !settings.canary_interval.is_zero() && age > settings.canary_interval * MISSED {
            return (Health::Inconclusive, format!("The verifier was not tried for {}.", span(age)));
        }
    }
    let open: u64 = status.findings.iter().map(|(_, count)| count).sum();
    if open > 0 {
        let kinds: Vec<String> =
            status.findings.iter().map(|(kind, count)| format!("{count} {}", kind.as_str())).collect();
        return (Health::Drifted, format!("Ledger and buckets disagree: {}.", kinds.join(", ")));
    }
    if let Some(oldest) = status.oldest.filter(|oldest| *oldest > settings.rpo) {
        let waiting = match status.backlog.objects {
            1 => "1 object waits for its copy, for".to_owned(),
            objects => format!("{objects} objects wait for their copy, the oldest for"),
        };
        let told = format!("{waiting} {}, longer than {}.", span(oldest), span(settings.rpo));
        return (Health::Lagging, told);
    }
    let counters = super::counters(last);
    if counters.agreed() == 0 && counters.faults == 0 && status.backlog.objects == 0 {
        return (Health::Healthy, "Nothing was stored when both buckets were last verified.".to_owned());
    }
    let age = span(status.at.since(last.finished_at.unwrap_or(last.created_at)));
    let told = match (counters.agreed(), counters.faults) {
        (1, 0) => format!("The one object is at both sites as the ledger says, verified {age} ago."),
        (agreed, 0) => format!("All {agreed} objects are at both sites as the ledger says, verified {age} ago."),
        // They are open no longer, but only the next verification counts what they were about.
        (agreed, faults) => format!(
            "Verified {age} ago: {} at both sites as the ledger says, {} found and mended since.",
            count(agreed, "object"),
            count(faults, "fault")
        ),
    };
    let waiting = match status.backlog.objects {
        0 => String::new(),
        1 => " 1 is on its way.".to_owned(),
        objects => format!(" {objects} are on their way."),
    };
    (Health::Healthy, told + &waiting)
}

/// In whole seconds, for people.
fn span(duration: Duration) -> String {
    humantime_serde::re::humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}
