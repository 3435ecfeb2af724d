//! Decisions: one on all open reports of a thing, with what it brings about in the same transaction.

use entity::{
    alert,
    report::{Decision, Evidence, Kind, Model, State},
};
use sea_orm::ActiveEnum as _;
use serde_json::json;
use uuid::Uuid;

use super::{ReportsError, blocking::entry_of, store};
use crate::{
    accounts::{self, AccountsError, Problem},
    app::App,
    audit,
    block_list::{self, NewEntry},
    db::Tx,
    files::{self, FilesError},
    ledger, snaps, text,
    viewer::Viewer,
};

/// What an admin decides on a report.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub decision: Decision,
    /// The owner of a removed file reads it.
    pub reason: String,
}

/// A decided report, and what was raised.
#[derive(Debug)]
pub struct Decided {
    pub report: Model,
    /// Reports that this decided: all open ones of the same thing.
    pub count: usize,
    pub alerts: Vec<alert::Model>,
}

/// Decides a report, and with it all open ones of the same thing: dismisses them, or removes the thing, or suspends the person
/// as well. What was held of a snap is released. A repeat changes nothing; another decision comes too late. Admins.
pub async fn decide(app: &App, viewer: &Viewer, id: Uuid, verdict: &Verdict) -> Result<Decided, ReportsError> {
    viewer.admin()?;
    let reason = text::reason(&verdict.reason).ok_or(ReportsError::InvalidReason)?;
    let found = store::find(app.db.read(), id).await?.ok_or(ReportsError::NotFound)?;
    let to_block = if verdict.decision == Decision::RemovedAndBlocked && found.state == State::Open {
        content_of(app, &found).await?
    } else {
        None
    };
    app.transaction(async |tx| {
        let same = store::lock_same(&tx, &found).await?;
        let report = same.iter().find(|row| row.id == id).ok_or(ReportsError::NotFound)?.clone();
        if report.state == State::Resolved {
            let again = report.decision == Some(verdict.decision) && report.decided_by == viewer.user_id();
            let decided = Decided { report, count: 0, alerts: Vec::new() };
            return if again { Ok(decided) } else { Err(ReportsError::AlreadyResolved) };
        }
        if viewer.user_id() == Some(report.accused_id) {
            return Err(ReportsError::Yourself);
        }
        let alerts = match verdict.decision {
            Decision::Dismissed => Vec::new(),
            Decision::Removed => remove(app, &tx, viewer, &report, &reason).await?.into_iter().collect(),
            Decision::RemovedAndSuspended => {
                // Accounts come before files in the order of locks.
                let mut alerts: Vec<_> =
                    suspend(app, &tx, viewer, report.accused_id, &reason).await?.into_iter().collect();
                alerts.extend(remove(app, &tx, viewer, &report, &reason).await?);
                alerts
            }
            Decision::RemovedAndBlocked => {
                let alert = remove(app, &tx, viewer, &report, &reason).await?;
                if let Some(content) = &to_block {
                    block_list::add(app, &tx, viewer, content.clone(), &reason).await?;
                }
                alert.into_iter().collect()
            }
        };
        let now = app.db.now(&tx).await?;
        let (mut decided, mut count) = (report, 0);
        for row in same.into_iter().filter(|row| row.state == State::Open) {
            let row = Model {
                state: State::Resolved,
                decision: Some(verdict.decision),
                decision_reason: Some(reason.clone()),
                decided_by: viewer.user_id(),
                decided_at: Some(now),
                ..let_go(app, &tx, row).await?
            };
            store::update(&tx, row.clone()).await?;
            count += 1;
            let details =
                json!({ "decision": verdict.decision.to_value(), "reason": reason, "subject": row.subject_id });
            audit::record(&tx, viewer, "report.resolved", row.id, details, now).await?;
            if row.id == id {
                decided = row;
            }
        }
        Ok(Decided { report: decided, count, alerts })
    })
    .await
}

/// What was reported, to block it: of a snap that had ended its hash is left.
async fn content_of(app: &App, report: &Model) -> Result<Option<NewEntry>, ReportsError> {
    let name = report.facts.get("name").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    match ledger::find(app.db.read(), report.object_id).await? {
        Some(object) => Ok(Some(entry_of(app, &object, name).await?)),
        None => Ok(None),
    }
}

/// The report without the hold that it has placed, and without the words that went with the picture.
pub(super) async fn let_go(app: &App, tx: &Tx, mut report: Model) -> Result<Model, ReportsError> {
    if report.evidence == Evidence::Held {
        ledger::release(app, tx, &[report.object_id]).await?;
        report.evidence = Evidence::Released;
        if let Some(facts) = report.facts.as_object_mut() {
            facts.remove("caption");
        }
    }
    Ok(report)
}

/// What is gone already needs no removal.
async fn remove(
    app: &App,
    tx: &Tx,
    viewer: &Viewer,
    report: &Model,
    reason: &str,
) -> Result<Option<alert::Model>, ReportsError> {
    match report.kind {
        Kind::File => match files::remove_in(app, tx, viewer, &[report.subject_id], reason).await {
            Ok(removed) => Ok(removed.alert),
            Err(FilesError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        },
        Kind::Snap => {
            snaps::remove(app, tx, report.subject_id).await?;
            Ok(None)
        }
    }
}

/// Who closes the account, or has, needs no suspension.
async fn suspend(
    app: &App,
    tx: &Tx,
    viewer: &Viewer,
    person: Uuid,
    reason: &str,
) -> Result<Option<alert::Model>, ReportsError> {
    match accounts::suspend_in(app, tx, viewer, person, reason).await {
        Ok(suspended) => Ok(suspended.alert),
        Err(AccountsError::Refused(problems))
            if matches!(problems.as_slice(), [Problem::AccountClosing | Problem::NoSuchAccount]) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
