//! The scheduled look: begins what is due, takes up what lost its job, and tells of a state that changed. One alert at a time: the
//! next waits for the delivery of the one before, so that "well again" cannot overtake what it ends.

use std::time::Duration;

use async_trait::async_trait;
use entity::{
    Timestamp, alert, replica_finding,
    replica_run::{self, Mode},
    replica_watch::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    FindingFilter, Health, MAX_FINDINGS, Order, ReplicationError, Status, begin, jobs, new_run, objects, repair, scrub,
    status, store,
};
use crate::{
    alerts::{self, NewAlert},
    app::App,
    db::Tx,
    error::Fault,
    jobs::{Job, JobError, enqueue_unique},
    ledger,
    viewer::Viewer,
};

const ROW: i32 = 1;
/// How long a run that the schedule began is kept.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// Findings of a repair that nobody has ordered.
const AT_ONCE: usize = 1000;

#[derive(Serialize, Deserialize)]
pub(super) struct Watch {}

/// The look, as soon as the caller's transaction has ended.
pub(super) async fn soon(app: &App, tx: &Tx) -> Result<(), DbErr> {
    enqueue_unique(app, tx, &Watch {}, "replication.watch").await
}

#[async_trait]
impl Job for Watch {
    const KIND: &'static str = "replication.watch";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        begin_what_is_due(app).await?;
        repair_by_itself(app).await?;
        let status = status::status(app, &Viewer::System("replication.watch")).await?;
        // A server that has never swept has nothing to tell, unless its first sweep does not end.
        if status.last.is_some() || is_overdue(app, status.at).await? {
            tell(app, &status).await?;
        }
        Ok(())
    }
}

/// Orders the repair of the findings that need nobody's word. Where they are too many, somebody has to look first: a bucket may
/// have been swapped.
async fn repair_by_itself(app: &App) -> Result<(), JobError> {
    let named = app.config.replication.repair_by_itself.iter().copied();
    let kinds: Vec<_> = named.filter(|kind| repair::is_possible(*kind)).collect();
    if kinds.is_empty() || !store::running(app.db.read(), Mode::Repair).await?.is_empty() {
        return Ok(());
    }
    let filter = FindingFilter { kinds: Some(kinds), ..FindingFilter::default() };
    let found = store::matching(app.db.read(), &filter, MAX_FINDINGS).await?;
    if found.is_empty() {
        return Ok(());
    }
    let limit = super::repair_limit(app).await?;
    if found.len() as u64 > limit {
        tracing::warn!(findings = found.len(), limit, "more findings than the server repairs by itself");
        return Ok(());
    }
    // What a repair gave back is tried again once a verification has seen it again.
    let last = store::latest(app.db.read(), Mode::Repair, None).await?.map(|run| run.created_at);
    let is_new = |row: &&replica_finding::Model| row.repair_id.is_none() || Some(row.last_seen_at) > last;
    let ids: Vec<Uuid> = found.iter().filter(is_new).map(|row| row.id).take(AT_ONCE).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let order = Order {
        expected: ids.len() as u64,
        filter: FindingFilter { ids: Some(ids), kinds: None },
        beyond_the_limit: false,
        idempotency_key: None,
    };
    match super::repair(app, &Viewer::System("replication.watch"), &order).await {
        Ok(run) => tracing::info!(run.id = %run.id, findings = order.expected, "a repair was begun"),
        Err(ReplicationError::Fault(fault)) => return Err(fault.into()),
        // Somebody else was first.
        Err(other) => tracing::info!(%other, "no repair was begun"),
    }
    Ok(())
}

async fn is_overdue(app: &App, now: Timestamp) -> Result<bool, DbErr> {
    let running = store::running(app.db.read(), Mode::Sweep).await?;
    let limit = 3 * app.config.replication.sweep_interval.max(app.config.replication.rpo);
    Ok(running.first().is_some_and(|run| now.since(run.created_at) > limit))
}

/// How often runs of this kind begin by themselves; `None`: never.
fn interval(app: &App, mode: Mode) -> Option<Duration> {
    let settings = &app.config.replication;
    let every = match mode {
        Mode::Sweep => settings.sweep_interval,
        Mode::Scrub => settings.scrub_interval,
        Mode::Canary => settings.canary_interval,
        Mode::Repair | Mode::Promotion | Mode::Restore | Mode::Drill => return None,
    };
    (!every.is_zero()).then_some(every)
}

async fn is_due(app: &App, connection: &impl ConnectionTrait, mode: Mode, now: Timestamp) -> Result<bool, DbErr> {
    let Some(every) = interval(app, mode) else { return Ok(false) };
    if !store::running(connection, mode).await?.is_empty() {
        return Ok(false);
    }
    let last = store::latest(connection, mode, None).await?.map(|last| last.created_at);
    if mode == Mode::Canary {
        // There is a verifier to try only where something was verified.
        let since = last.or(store::first_sweep(connection).await?);
        return Ok(since.is_some_and(|since| now.since(since) >= every));
    }
    Ok(last.is_none_or(|last| now.since(last) >= every))
}

async fn begin_what_is_due(app: &App) -> Result<(), Fault> {
    let now = app.db.now(app.db.read()).await?;
    let of_ours = |run: &replica_run::Model| !matches!(run.mode, Mode::Restore | Mode::Drill);
    for run in store::all_running(app.db.read()).await?.into_iter().filter(of_ours) {
        app.transaction::<_, Fault, _, _>(async |tx| Ok(jobs::carry_on(app, &tx, run.id).await?)).await?;
    }
    for mode in [Mode::Sweep, Mode::Scrub, Mode::Canary] {
        if !is_due(app, app.db.read(), mode, now).await? {
            continue;
        }
        let census = ledger::census(app.db.read()).await?;
        app.transaction::<_, Fault, _, _>(async |tx| {
            store::serialise(&tx).await?;
            let now = app.db.now(&tx).await?;
            // Another process may have begun it.
            if is_due(app, &tx, mode, now).await? {
                let budget = (mode == Mode::Scrub).then(|| scrub::share(app));
                let run = replica_run::Model { budget, ..new_run(mode, None, objects(&census), now) };
                begin(app, &tx, &census, run).await?;
            }
            Ok(())
        })
        .await?;
    }
    store::forget_runs(app, now.minus(KEPT)).await?;
    Ok(())
}

async fn tell(app: &App, status: &Status) -> Result<(), Fault> {
    let fresh = Model {
        id: ROW,
        health: Health::Healthy.as_str().to_owned(),
        since: status.at,
        told: Health::Healthy.as_str().to_owned(),
        told_kinds: String::new(),
        told_at: status.at,
        alert_id: None,
    };
    app.transaction::<_, Fault, _, _>(async |tx| {
        let row: ActiveModel = fresh.clone().into_active_model().reset_all();
        Entity::insert(row).on_conflict_do_nothing_on([Column::Id]).exec_without_returning(&tx).await?;
        let row = Entity::find_by_id(ROW).lock_exclusive().one(&tx).await?;
        let Some(mut row) = row else { return Ok(()) };
        let health = status.health.as_str();
        if row.health != health {
            row = Model { health: health.to_owned(), since: status.at, ..row };
        }
        let kinds: Vec<&str> = status.findings.iter().map(|(kind, _)| kind.as_str()).collect();
        let new_kind = kinds.iter().any(|kind| !row.told_kinds.split(',').any(|told| told == *kind));
        let bad = status.health != Health::Healthy;
        let due = status.at.since(row.told_at) >= app.config.replication.remind_after;
        let wanted = row.told != health || (bad && (new_kind || due));
        if wanted && !is_under_way(&tx, &row).await? {
            let still = row.told == health && !new_kind;
            let alert = alerts::raise(app, &tx, alert_of(status, &row, still)).await?;
            row = Model {
                told: health.to_owned(),
                told_kinds: kinds.join(","),
                told_at: status.at,
                alert_id: Some(alert.id),
                ..row
            };
        }
        let changed: ActiveModel = row.into_active_model().reset_all();
        Entity::update_many().set(changed).filter(Column::Id.eq(ROW)).exec(&tx).await?;
        Ok(())
    })
    .await
}

/// Whether the last alert is still to be delivered. One that failed for good holds up nothing.
async fn is_under_way(tx: &Tx, row: &Model) -> Result<bool, DbErr> {
    let Some(id) = row.alert_id else { return Ok(false) };
    let alert = alert::Entity::find_by_id(id).one(tx).await?;
    Ok(alert.is_some_and(|alert| alert.state == alert::State::Pending))
}

fn alert_of(status: &Status, row: &Model, still: bool) -> NewAlert {
    let kind =
        if status.health == Health::Healthy { alert::Kind::ReplicationWell } else { alert::Kind::ReplicationFault };
    let findings: serde_json::Map<String, serde_json::Value> =
        status.findings.iter().map(|(kind, count)| (kind.as_str().to_owned(), json!(count))).collect();
    let count: u64 = status.findings.iter().map(|(_, count)| count).sum();
    let still = if still { "still " } else { "" };
    NewAlert {
        kind,
        actor_id: None,
        count: usize::try_from(count).unwrap_or(usize::MAX),
        message: format!("Replication is {still}{}. {}", status.health.as_str(), status.sentence),
        details: json!({
            "state": status.health.as_str(), "before": row.told, "since": row.since.to_utc(), "findings": findings,
            "backlog": status.backlog.objects,
        }),
    }
}
