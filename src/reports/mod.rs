//! Reports: what people say is wrong, a queue of it for admins, and what they decide.
//!
//! It stands after files and snaps, since a decision removes them. A snap's picture is private: an admin sees it only where
//! its recipient reported it while they could look at it themselves, and then it is held as evidence until the decision, or
//! until `reports.evidence_for` is over.

mod blocking;
mod decide;
mod error;
mod evidence;
pub mod graphql;
mod jobs;
mod report;
mod store;

use entity::{
    Timestamp,
    report::{Decision, Model, State},
};
use sea_orm::DbErr;
use uuid::Uuid;

pub use blocking::{Blocked, Subject, block};
pub use decide::{Decided, Verdict, decide};
pub use error::ReportsError;
pub use evidence::evidence;
pub use report::{Complaint, ReportedFile, report_file, report_snap};

use crate::{
    app::App,
    config::Config,
    db::{
        Tx,
        page::{Page, PageRequest, Position},
    },
    error::Fault,
    jobs::Registry,
    viewer::Viewer,
};

/// Characters of a comment.
pub const COMMENT_MAX: usize = 1000;
/// Open reports are counted up to this.
pub const COUNTED: u64 = 1000;

pub fn register(registry: &mut Registry, config: &Config) -> Result<(), serde_json::Error> {
    registry.schedule(config.ledger.sweep_interval, &jobs::LetGo {})
}

/// Reports: open ones the oldest first, resolved ones the latest first. Admins.
pub async fn list(
    app: &App,
    viewer: &Viewer,
    state: State,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<Model>, Fault> {
    viewer.admin()?;
    Ok(page.finish(store::list(app.db.read(), state, page).await?))
}

/// How many reports of a state there are, up to [`COUNTED`]. Admins.
pub async fn count(app: &App, viewer: &Viewer, state: State) -> Result<u64, Fault> {
    viewer.admin()?;
    Ok(store::count(app.db.read(), state, COUNTED).await?)
}

/// The rule of single reports: one's own, and every one for admins.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Model>, Fault> {
    let found = store::find(app.db.read(), id).await?;
    let own = |row: &Model| viewer.user_id().is_some() && viewer.user_id() == row.reporter_id;
    Ok(found.filter(|row| viewer.is_admin() || own(row)))
}

/// What an admin has to know about a report beside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Open reports of the same thing, this one too; up to [`COUNTED`].
    pub same: u64,
    /// Reports of things of the same person that were decided against them; up to [`COUNTED`].
    pub upheld: u64,
}

/// What stands around a report. Admins.
pub async fn context(app: &App, viewer: &Viewer, report: &Model) -> Result<Context, Fault> {
    viewer.admin()?;
    let db = app.db.read();
    Ok(Context {
        same: store::count_open_of(db, report.subject_id, COUNTED).await?,
        upheld: store::count_upheld(db, report.accused_id, &UPHELD, COUNTED).await?,
    })
}

const UPHELD: [Decision; 3] = [Decision::Removed, Decision::RemovedAndSuspended, Decision::RemovedAndBlocked];

/// Deletes the reports about a person whose things are all gone, and what those had said whom they made.
pub async fn forget(tx: &Tx, person: Uuid) -> Result<(), DbErr> {
    store::forget(tx, person).await
}
