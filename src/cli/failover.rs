//! `replica promote|failback`: another site becomes the primary.

use std::{fmt::Write as _, time::Duration};

use entity::{
    object_copy::Site,
    replica_finding::Kind,
    replica_run::{Mode, State},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    Failure,
    args::{FailbackArgs, PromoteArgs},
    print,
    replica::{ME, UNKNOWN, fault, follow, kinds_as_json},
};
use crate::{
    app::App,
    ledger::Roles,
    replication::{self, FailoverError, FindingFilter, Order, ReplicationError},
};

/// Sweeps and repairs until the first site has everything; what a third sweep still finds is for a person.
const ROUNDS: u32 = 3;
/// What the change of the primary has to do with.
const COPIES: [Kind; 5] = [
    Kind::MissingInReplica,
    Kind::StaleInReplica,
    Kind::FalseCompleted,
    Kind::MissingInPrimary,
    Kind::CorruptInPrimary,
];
/// Between two looks at what is still to be copied.
const LOOK: Duration = Duration::from_millis(200);

pub async fn promote(app: &App, args: &PromoteArgs) -> Result<(), Failure> {
    let plan = replication::plan_promotion(app, &ME).await.map_err(fault)?;
    let told = |roles: Roles, applied: bool| {
        json!({
            "primary": roles.primary.as_str(), "epoch": roles.epoch, "applied": applied,
            "leftBehind": {
                "objects": plan.exposure.objects, "files": plan.exposure.files, "people": plan.exposure.people,
            },
        })
    };
    let name = args.site.as_str();
    if plan.roles.primary == args.site {
        let text = format!("The {name} site is the primary already, of epoch {}.\n", plan.roles.epoch);
        return say(args.json, &told(plan.roles, false), &text);
    }
    if let Some(error) = &plan.replica.error {
        return Err(fault(format!("the {name} site does not answer, so it cannot become the primary: {error}")));
    }
    if args.epoch.is_some_and(|epoch| epoch != plan.roles.epoch) {
        return Err(changed(plan.roles));
    }
    let left = &plan.exposure;
    let behind = format!("{} objects of {} files and {} people", left.objects, left.files, left.people);
    if !args.apply {
        let state = plan.primary.error.as_ref().map_or_else(
            || "answers, so that failback or --force is for you".to_owned(),
            |error| format!("does not answer: {error}"),
        );
        let text = format!(
            "The primary is the {} site, of epoch {}. It {state}.\nOnly there: {behind}.\nNothing was changed. Promote with --apply.\n",
            plan.roles.primary.as_str(),
            plan.roles.epoch,
        );
        say(args.json, &told(plan.roles, false), &text)?;
    } else if plan.primary.error.is_none() && !args.force {
        let failure = fault("the primary answers, and what it alone has would be left behind").code(1);
        return Err(failure.help("bring it up to date instead (replica failback, replica repair), or give --force"));
    } else {
        let roles =
            replication::promote(app, &ME, plan.roles, plan.exposure).await.map_err(|error| refused(&error, None))?;
        let text = format!(
            "The {name} site is the primary, of epoch {}. Left behind: {behind}.\nWhen the other site answers again: replica verify, \
             replica repair --apply, and failback.\n",
            roles.epoch
        );
        say(args.json, &told(roles, true), &text)?;
    }
    if left.objects == 0 { Ok(()) } else { Err(Failure::told(1)) }
}

/// Reverse reconcile, drain, change, verify.
pub async fn fail_back(app: &App, args: &FailbackArgs) -> Result<(), Failure> {
    let seen = replication::plan_promotion(app, &ME).await.map_err(fault)?;
    let told = |roles: Roles, applied: bool| json!({ "primary": roles.primary.as_str(), "epoch": roles.epoch, "applied": applied });
    if seen.roles.primary == Site::First {
        let text = format!("The first site is the primary, of epoch {}.\n", seen.roles.epoch);
        return say(args.json, &told(seen.roles, false), &text);
    }
    for (name, site) in [("second", &seen.primary), ("first", &seen.replica)] {
        if let Some(error) = &site.error {
            return Err(fault(format!("the {name} site does not answer: {error}")));
        }
    }
    if !args.apply {
        let left = replication::lacking(app, &ME, seen.roles).await.map_err(fault)?;
        let text = format!(
            "The second site is the primary, of epoch {}; {left} objects are not known to be at the first.\nNothing was changed. \
             Fail back with --apply.\n",
            seen.roles.epoch
        );
        return say(args.json, &told(seen.roles, false), &text);
    }
    let progress = |line: &str| eprintln!("{line}");
    reconcile(app, args, &progress).await?;
    progress("copying what came since");
    replication::catch_up(app, &ME, seen.roles).await.map_err(fault)?;
    progress("waiting for the last copies; writes are refused meanwhile");
    let roles = change(app, args, seen.roles).await?;
    progress("the first site is the primary; verifying");
    let run = replication::verify(app, &ME, Mode::Sweep, false).await.map_err(fault)?;
    let run = follow(app, run, args.json).await?;
    let open = replication::status(app, &ME).await.map_err(fault)?.findings;
    let mut document = told(roles, true);
    document["findings"] = kinds_as_json(&open);
    let mut text = format!("The first site is the primary, of epoch {}.\n", roles.epoch);
    for (kind, count) in &open {
        let _ = writeln!(text, "finding      {count} {}", kind.as_str());
    }
    say(args.json, &document, &text)?;
    match (run.state, open.is_empty()) {
        (State::Complete, true) => Ok(()),
        (State::Complete, false) => Err(Failure::told(1)),
        _ => Err(Failure::told(UNKNOWN)),
    }
}

/// Until a sweep finds no copy that a repair can make; what else it finds keeps nobody from failing back.
async fn reconcile(app: &App, args: &FailbackArgs, progress: &(dyn Fn(&str) + Sync)) -> Result<(), Failure> {
    for round in 1..=ROUNDS {
        progress(&format!("verifying, round {round}"));
        let run = replication::verify(app, &ME, Mode::Sweep, args.trust_listings).await.map_err(fault)?;
        let run = follow(app, run, args.json).await?;
        if run.state != State::Complete {
            return Err(fault(format!("not everything could be read: {}", run.error.unwrap_or_default()))
                .help("--trust-listings believes a bucket that has lost its objects"));
        }
        let filter = FindingFilter { ids: None, kinds: Some(COPIES.to_vec()) };
        let plan = replication::plan(app, &ME, &filter).await.map_err(fault)?;
        if plan.findings == 0 {
            return Ok(());
        }
        if round == ROUNDS {
            return Err(fault(format!("{} findings are left after {} repairs", plan.findings, ROUNDS - 1)).code(1));
        }
        progress(&format!("repairing {} findings", plan.findings));
        let order =
            Order { filter, expected: plan.findings, beyond_the_limit: args.beyond_limit, idempotency_key: None };
        let run = replication::repair(app, &ME, &order).await.map_err(|error| match error {
            ReplicationError::TooMany { .. } => fault(error).code(1).help("--beyond-limit does it all the same"),
            error => fault(error),
        })?;
        follow(app, run, args.json).await?;
    }
    Ok(())
}

/// Closes writes, waits until the first site has everything, and makes it the primary. Opens them again where that fails.
async fn change(app: &App, args: &FailbackArgs, seen: Roles) -> Result<Roles, Failure> {
    replication::close(app, &ME, seen, args.closed_for).await.map_err(|error| refused(&error, None))?;
    let outcome = drain(app, seen, Instant::now() + args.closed_for).await;
    if outcome.is_err() {
        // Where this fails too, they open by themselves.
        replication::reopen(app, &ME, seen).await.map_err(fault)?;
    }
    outcome
}

async fn drain(app: &App, seen: Roles, end: Instant) -> Result<Roles, Failure> {
    let mut why = None;
    loop {
        match replication::switch(app, &ME, seen).await {
            Err(FailoverError::NotReplicated { .. }) if Instant::now() < end => {
                why = replication::catch_up(app, &ME, seen).await.map_err(fault)?;
                sleep(LOOK).await;
            }
            outcome => return outcome.map_err(|error| refused(&error, why)),
        }
    }
}

/// `why`: what the last copy failed of.
fn refused(error: &FailoverError, why: Option<String>) -> Failure {
    match error {
        FailoverError::NotReplicated { .. } => {
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            fault(format!("{error}{why}")).code(1).help("nothing was changed; more time: --closed-for")
        }
        FailoverError::RolesChanged => fault(error).help("look again before you decide: replica status"),
        FailoverError::Fault(_) => fault(error),
    }
}

fn changed(roles: Roles) -> Failure {
    fault(format!("the {} site is the primary, of epoch {}", roles.primary.as_str(), roles.epoch))
        .help("look again before you decide: replica status")
}

fn say(as_json: bool, json: &Value, text: &str) -> Result<(), Failure> {
    if as_json { print(&format!("{json}\n")) } else { print(text) }
}
