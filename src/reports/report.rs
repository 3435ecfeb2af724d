//! Reporting a file or a snap.

use std::time::Duration;

use entity::{
    Timestamp,
    file::State as FileState,
    report::{Category, Evidence, Kind, Model, State},
};
use sea_orm::ActiveEnum as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{COMMENT_MAX, ReportsError, store};
use crate::{
    accounts,
    app::App,
    audit,
    db::Tx,
    files::{self, shares::DownloadError},
    snaps, text,
    viewer::{Denied, Viewer},
};

const A_DAY: Duration = Duration::from_secs(86_400);

/// What somebody says is wrong.
#[derive(Clone, Debug)]
pub struct Complaint {
    pub category: Category,
    pub comment: String,
}

/// Which file is meant.
#[derive(Clone, Debug)]
pub enum ReportedFile {
    /// One that the viewer sees.
    Id(Uuid),
    /// The token of a share link that the viewer was given.
    Shared(String),
}

/// Reports a file that the viewer sees. A repeat returns the first report while that is open.
pub async fn report_file(
    app: &App,
    viewer: &Viewer,
    file: ReportedFile,
    complaint: Complaint,
) -> Result<Model, ReportsError> {
    viewer.person()?;
    let complaint = checked(complaint)?;
    let file = match file {
        ReportedFile::Id(id) => files::find(app, viewer, id).await?,
        ReportedFile::Shared(token) => match files::shares::look(app, &token).await {
            Ok(file) => Some(file),
            Err(DownloadError::NotFound | DownloadError::UnderWay) => None,
            Err(DownloadError::Fault(fault)) => return Err(fault.into()),
        },
    };
    let file = file.filter(|file| !matches!(file.state, FileState::Processing | FileState::Rejected));
    let file = file.ok_or(ReportsError::NothingThere)?;
    app.transaction(async |tx| {
        let now = begin(app, &tx, viewer).await?;
        let subject = Subject {
            kind: Kind::File,
            id: file.id,
            accused: file.owner_id,
            object: file.object_id,
            sha256: file.sha256.clone(),
            facts: json!({
                "name": file.name, "contentType": file.content_type, "size": file.bytes,
                "width": file.width, "height": file.height,
            }),
            evidence: Evidence::File,
        };
        add(app, &tx, viewer, subject, &complaint, now).await
    })
    .await
}

/// Reports a snap that the viewer has opened. While they may look at it, its picture is held for the decision; afterwards its
/// hash and its facts are all that is left. A repeat returns the first report while that is open.
pub async fn report_snap(app: &App, viewer: &Viewer, snap: Uuid, complaint: Complaint) -> Result<Model, ReportsError> {
    let me = viewer.person()?.user_id;
    let complaint = checked(complaint)?;
    app.transaction(async |tx| {
        let now = begin(app, &tx, viewer).await?;
        if let Some(first) = store::open_by(&tx, me, snap).await? {
            return Ok(first);
        }
        let reported = snaps::report(app, &tx, me, snap).await?;
        let subject = Subject {
            kind: Kind::Snap,
            id: snap,
            accused: reported.snap.sender_id,
            object: reported.object.id,
            sha256: reported.object.sha256,
            facts: reported.facts,
            evidence: if reported.is_held { Evidence::Held } else { Evidence::Gone },
        };
        add(app, &tx, viewer, subject, &complaint, now).await
    })
    .await
}

fn checked(complaint: Complaint) -> Result<Complaint, ReportsError> {
    let comment = text::lines(&complaint.comment, COMMENT_MAX).ok_or(ReportsError::InvalidComment)?;
    Ok(Complaint { comment, ..complaint })
}

/// The account of who reports, locked: of two reports at once the second sees the first. The database's time.
async fn begin(app: &App, tx: &Tx, viewer: &Viewer) -> Result<Timestamp, ReportsError> {
    let me = viewer.person()?.user_id;
    let account = accounts::lock(tx, me).await?.filter(|row| row.status == entity::user::Status::Active);
    account.ok_or(Denied::Unauthenticated)?;
    Ok(app.db.now(tx).await?)
}

/// What is reported, as it is now.
struct Subject {
    kind: Kind,
    id: Uuid,
    accused: Uuid,
    object: Uuid,
    sha256: Vec<u8>,
    facts: Value,
    evidence: Evidence,
}

async fn add(
    app: &App,
    tx: &Tx,
    viewer: &Viewer,
    subject: Subject,
    complaint: &Complaint,
    now: Timestamp,
) -> Result<Model, ReportsError> {
    let me = viewer.person()?.user_id;
    if subject.accused == me {
        return Err(ReportsError::YourOwn);
    }
    if let Some(first) = store::open_by(tx, me, subject.id).await? {
        return Ok(first);
    }
    let limit = app.config.reports.per_day;
    if store::count_since(tx, me, now.minus(A_DAY), limit.into()).await? >= limit.into() {
        return Err(ReportsError::TooMany { limit });
    }
    let row = Model {
        id: Uuid::now_v7(),
        state: State::Open,
        kind: subject.kind,
        subject_id: subject.id,
        reporter_id: Some(me),
        accused_id: subject.accused,
        category: complaint.category,
        comment: complaint.comment.clone(),
        object_id: subject.object,
        sha256: Some(subject.sha256).filter(|hash| !hash.is_empty()),
        facts: subject.facts,
        evidence: subject.evidence,
        created_at: now,
        decision: None,
        decision_reason: None,
        decided_by: None,
        decided_at: None,
    };
    store::insert(tx, row.clone()).await?;
    let details = json!({
        "kind": row.kind.to_value(), "subject": row.subject_id, "category": row.category.to_value(),
        "evidence": row.evidence.to_value(),
    });
    audit::record(tx, viewer, "report.made", row.id, details, now).await?;
    Ok(row)
}
