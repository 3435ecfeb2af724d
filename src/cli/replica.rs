//! `replica status|verify|repair`: the watchdog from a terminal or a monitor, beside running servers or without any.

use std::{fmt::Write as _, pin::pin, sync::Arc, time::Duration};

use entity::{
    replica_finding::Kind,
    replica_run::{self, Mode, State},
};
use sea_orm::ActiveEnum as _;
use serde_json::{Value, json};

use super::{
    Failure,
    args::{RepairArgs, ReplicaCommand, StatusArgs, VerifyReplicasArgs},
    failover, manifest, print, serve,
};
use crate::{
    app::App,
    compose,
    config::Config,
    jobs,
    replication::{self, FindingFilter, Health, Order, ReplicationError, Status},
    text::count,
    viewer::Viewer,
};

pub(super) const ME: Viewer = Viewer::System("command line");

/// Not everything could be read, or nothing can be told: worse than a finding.
pub(super) const UNKNOWN: u8 = 2;

/// Findings that are told one by one.
const TOLD: u64 = 20;

pub async fn run(config: Config, command: ReplicaCommand) -> Result<(), Failure> {
    let app = serve::connect(config).await.map_err(|failure| failure.code(UNKNOWN))?;
    match command {
        ReplicaCommand::Status(args) => status(&app, &args).await,
        ReplicaCommand::Verify(args) => verify(&app, &args).await,
        ReplicaCommand::Repair(args) => repair(&app, args).await,
        ReplicaCommand::Promote(args) => failover::promote(&app, &args).await,
        ReplicaCommand::Failback(args) => failover::fail_back(&app, &args).await,
        ReplicaCommand::Drill(args) => manifest::drill(&app, &args).await,
    }
}

pub(super) fn fault(error: impl std::fmt::Display) -> Failure {
    Failure::fault(error.to_string()).code(UNKNOWN)
}

async fn status(app: &App, args: &StatusArgs) -> Result<(), Failure> {
    let status = replication::status(app, &ME).await.map_err(fault)?;
    if args.json {
        print(&format!("{}\n", as_json(app, &status)))?;
    } else {
        print(&as_text(app, &status))?;
    }
    match status.health {
        Health::Healthy => Ok(()),
        Health::Lagging | Health::Drifted => Err(Failure::told(1)),
        Health::Inconclusive | Health::Down => Err(Failure::told(UNKNOWN)),
    }
}

fn as_json(app: &App, status: &Status) -> Value {
    let seconds = |duration: Duration| duration.as_secs_f64();
    let run = |run: &Option<replica_run::Model>| run.as_ref().map(run_as_json);
    json!({
        "state": status.health.as_str(),
        "sentence": status.sentence,
        "sites": status.sites.each_ref().map(|site| {
            let store = app.stores.at(site.site);
            let role = if site.site == status.roles.primary { "PRIMARY" } else { "REPLICA" };
            json!({ "role": role, "bucket": store.bucket(), "region": store.region(), "error": site.error })
        }),
        "lag": status.lag.map(|lag| json!({
            "p50": seconds(lag.p50), "p95": seconds(lag.p95), "p99": seconds(lag.p99), "max": seconds(lag.max),
            "probe": seconds(lag.probe), "copies": lag.copies,
        })),
        "target": seconds(app.config.replication.rpo),
        "backlog": {
            "objects": status.backlog.objects, "bytes": status.backlog.bytes, "oldest": status.oldest.map(seconds),
        },
        "exposure": {
            "objects": status.exposure.objects, "files": status.exposure.files, "people": status.exposure.people,
        },
        "manifestAt": status.manifest_at.map(entity::Timestamp::to_utc),
        "findings": kinds_as_json(&status.findings),
        "lastVerification": run(&status.last),
        "lastCompleteVerification": run(&status.complete),
    })
}

fn run_as_json(run: &replica_run::Model) -> Value {
    let counters = replication::counters(run);
    json!({
        "mode": run.mode.to_value(), "state": run.state.to_value(), "startedAt": run.created_at.to_utc(),
        "finishedAt": run.finished_at.map(entity::Timestamp::to_utc), "objects": counters.objects, "agreed": counters.agreed(),
        "lagging": counters.lagging, "inFlight": counters.in_flight, "faults": counters.faults,
        "repaired": counters.repaired, "leftOpen": counters.skipped, "bytesRead": counters.bytes_read,
        "error": run.error,
    })
}

pub(super) fn kinds_as_json(kinds: &[(Kind, u64)]) -> Value {
    kinds.iter().map(|(kind, count)| (kind.as_str().to_owned(), json!(count))).collect::<serde_json::Map<_, _>>().into()
}

fn as_text(app: &App, status: &Status) -> String {
    let mut text = format!("{}  {}\n\n", status.health.as_str(), status.sentence);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    for site in &status.sites {
        let store = app.stores.at(site.site);
        let role = if site.site == status.roles.primary { "primary" } else { "replica" };
        let answers = site.error.as_deref().unwrap_or("answers");
        line(role, format!("{} in {}: {answers}", store.bucket(), store.region()));
    }
    match status.lag {
        Some(lag) => line(
            "lag",
            format!(
                "p50 {:.1} s, p95 {:.1} s, p99 {:.1} s, longest {:.1} s of {} copies in the last hour; target {} s",
                lag.p50.as_secs_f64(),
                lag.p95.as_secs_f64(),
                lag.p99.as_secs_f64(),
                lag.max.as_secs_f64(),
                lag.copies,
                app.config.replication.rpo.as_secs()
            ),
        ),
        None => line("lag", "nothing was copied in the last hour".to_owned()),
    }
    let waited =
        status.oldest.map(|oldest| format!(", the oldest for {:.1} s", oldest.as_secs_f64())).unwrap_or_default();
    line("backlog", format!("{} objects, {} bytes{waited}", status.backlog.objects, status.backlog.bytes));
    let exposure = &status.exposure;
    line(
        "at risk",
        format!(
            "if the primary were lost now: {} objects of {} files and {} people",
            exposure.objects, exposure.files, exposure.people
        ),
    );
    match status.manifest_at {
        Some(at) => line("database", format!("at the replica as of {}", at.to_utc().to_rfc3339())),
        None => line("database", "not at the replica yet (manifest.interval)".to_owned()),
    }
    match &status.complete {
        Some(run) => line("verified", format!("to the end, begun {}", run.created_at.to_utc().to_rfc3339())),
        None => line("verified", "never to the end".to_owned()),
    }
    for (kind, count) in &status.findings {
        line("finding", format!("{count} {}", kind.as_str()));
    }
    text
}

async fn verify(app: &App, args: &VerifyReplicasArgs) -> Result<(), Failure> {
    let mode = match args {
        VerifyReplicasArgs { canary: true, .. } => Mode::Canary,
        VerifyReplicasArgs { bytes: true, .. } => Mode::Scrub,
        _ => Mode::Sweep,
    };
    let begun = replication::verify(app, &ME, mode, args.trust_listings).await.map_err(fault)?;
    let run = follow(app, begun, args.json).await?;
    if args.canary {
        return tell_canary(&run, args.json);
    }
    let findings = replication::status(app, &ME).await.map_err(fault)?.findings;
    if args.json {
        let mut told = run_as_json(&run);
        told["findings"] = kinds_as_json(&findings);
        print(&format!("{told}\n"))?;
    } else {
        let counters = replication::counters(&run);
        let agreed = counters.agreed();
        let mut text = format!(
            "{}: {} objects, {agreed} as the ledger says at both sites",
            run.state.to_value(),
            counters.objects
        );
        let _ = writeln!(text, ", {} on their way, {} in flight", counters.lagging, counters.in_flight);
        for (kind, count) in &findings {
            let _ = writeln!(text, "finding      {count} {}", kind.as_str());
        }
        if let Some(error) = &run.error {
            let _ = writeln!(text, "error        {error}");
        }
        print(&text)?;
    }
    match (run.state, findings.is_empty()) {
        (State::Complete, true) => Ok(()),
        (State::Complete, false) => Err(Failure::told(1)),
        _ => Err(Failure::told(UNKNOWN)),
    }
}

fn tell_canary(run: &replica_run::Model, as_json: bool) -> Result<(), Failure> {
    let state = run.state.to_value();
    if as_json {
        let told = json!({ "state": state, "planted": run.total, "found": run.done, "error": run.error });
        print(&format!("{told}\n"))?;
    } else {
        let why = run.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        print(&format!("{state}: {} of {} planted faults found{why}\n", run.done, run.total))?;
    }
    if run.state == State::Complete { Ok(()) } else { Err(Failure::told(UNKNOWN)) }
}

async fn repair(app: &App, args: RepairArgs) -> Result<(), Failure> {
    let kinds = (!args.kinds.is_empty()).then_some(args.kinds);
    let filter = FindingFilter { ids: None, kinds };
    let plan = replication::plan(app, &ME, &filter).await.map_err(fault)?;
    if !args.apply || plan.findings == 0 {
        let told = json!({
            "findings": plan.findings, "bytes": plan.bytes, "byKind": kinds_as_json(&plan.by_kind),
            "beyondRepair": plan.beyond_repair,
        });
        if args.json {
            return print(&format!("{told}\n"));
        }
        let mut text = format!("{}, {}\n", count(plan.findings, "finding"), count(plan.bytes, "byte"));
        for (kind, count) in &plan.by_kind {
            let _ = writeln!(text, "finding      {count} {}", kind.as_str());
        }
        if plan.beyond_repair > 0 {
            let _ = writeln!(text, "{} of them no repair can mend", plan.beyond_repair);
        }
        if plan.findings > 0 {
            text.push_str("Nothing was changed. Repair with --apply.\n");
        }
        return print(&text);
    }
    let order = Order { filter, expected: plan.findings, beyond_the_limit: args.beyond_limit, idempotency_key: None };
    let begun = replication::repair(app, &ME, &order).await.map_err(|error| match error {
        ReplicationError::TooMany { .. } => fault(error).code(1).help("--beyond-limit does it all the same"),
        error => fault(error),
    })?;
    let run = follow(app, begun, args.json).await?;
    let counters = replication::counters(&run);
    let left = replication::left_by(app, &ME, run.id, TOLD).await.map_err(fault)?;
    if args.json {
        let mut told = run_as_json(&run);
        let left = left
            .iter()
            .map(|finding| json!({ "kind": finding.kind.as_str(), "key": finding.key, "reason": finding.last_error }));
        told["left"] = left.collect();
        print(&format!("{told}\n"))?;
    } else {
        let mut text = format!("{} repaired, {} left\n", counters.repaired, counters.skipped);
        for finding in &left {
            let why = finding.last_error.as_deref().unwrap_or_default();
            let _ = writeln!(text, "{:<20} {}: {why}", finding.kind.as_str(), finding.key);
        }
        if counters.skipped > left.len() as u64 {
            let _ = writeln!(text, "and {} more; the panel has them all", counters.skipped - left.len() as u64);
        }
        print(&text)?;
    }
    if counters.skipped == 0 { Ok(()) } else { Err(Failure::told(1)) }
}

/// Works on the run here, unless a server does, and tells how far it is.
pub(super) async fn follow(app: &App, run: replica_run::Model, quiet: bool) -> Result<replica_run::Model, Failure> {
    const PAUSE: Duration = Duration::from_millis(500);
    let (id, key) = (run.id, replication::job_key(run.id));
    let registry = Arc::new(compose::registry(&app.config).map_err(fault)?);
    loop {
        let mut work = pin!(jobs::take_up(app, &registry, &key));
        let mut is_over = false;
        while !is_over {
            tokio::select! {
                outcome = &mut work => {
                    outcome.map_err(fault)?;
                    is_over = true;
                }
                () = tokio::time::sleep(PAUSE) => {}
            }
            let run = replication::find_run(app, &ME, id).await.map_err(fault)?;
            let run = run.ok_or_else(|| fault("the run is gone"))?;
            if is_over && run.state != State::Running {
                return Ok(run);
            }
            if !quiet && run.state == State::Running {
                eprintln!("{} of {}", run.done, run.total);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
