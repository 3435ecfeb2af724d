//! Reporting, and deciding.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::{
    Report,
    types::{ReportCategory, ReportDecision},
};
use crate::{
    alerts::graphql::Alert,
    graphql::{
        self, NodeKind,
        error::{bad_input, fault},
    },
    reports::{self, Complaint, ReportedFile, ReportsError, Verdict},
};

#[derive(InputObject)]
pub struct ReportFileInput {
    /// A file that you see.
    pub file_id: Option<ID>,
    /// Or the link by which it was shared with you.
    pub share_url: Option<String>,
    pub category: ReportCategory,
    /// What is wrong with it, in your words; up to `limits.reportCommentLength` characters.
    #[graphql(default)]
    pub comment: String,
}

#[derive(InputObject)]
pub struct ReportSnapInput {
    /// A snap that you have opened.
    pub id: ID,
    pub category: ReportCategory,
    /// What is wrong with it, in your words; up to `limits.reportCommentLength` characters.
    #[graphql(default)]
    pub comment: String,
}

#[derive(InputObject)]
pub struct ResolveReportInput {
    pub id: ID,
    pub decision: ReportDecision,
    /// For admins and the audit log; the owner of a removed file reads it too. 1 to 500 characters.
    pub reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum ReportErrorCode {
    /// Not there, or not yours to see.
    NotFound,
    /// Only what was seen can be reported.
    NotOpened,
    YourOwn,
    InvalidComment,
    InvalidReason,
    /// Too many reports within a day.
    TooManyReports,
    /// By another decision.
    AlreadyResolved,
    /// It is about whoever decides.
    Yourself,
    /// The file is in no state to be removed.
    WrongState,
}

/// Something the user can mend.
#[derive(SimpleObject)]
pub struct ReportUserError {
    code: ReportErrorCode,
    /// The input field it is about.
    field: Option<&'static str>,
    /// For people.
    message: String,
}

#[derive(SimpleObject)]
pub struct ReportFilePayload {
    report: Option<Report>,
    user_errors: Vec<ReportUserError>,
}

#[derive(SimpleObject)]
pub struct ReportSnapPayload {
    report: Option<Report>,
    user_errors: Vec<ReportUserError>,
}

#[derive(SimpleObject)]
pub struct ResolveReportPayload {
    report: Option<Report>,
    /// How many reports this decided: all open ones of the same thing; 0 where it was decided before.
    resolved_count: i32,
    /// What the decision raised.
    alerts: Vec<Alert>,
    user_errors: Vec<ReportUserError>,
}

#[derive(Default)]
pub struct ReportsMutation;

#[Object]
impl ReportsMutation {
    /// Tells the admins what is wrong with a file that you see or that was shared with you. A repeat returns the first report
    /// while that is open.
    async fn report_file(&self, ctx: &Context<'_>, input: ReportFileInput) -> async_graphql::Result<ReportFilePayload> {
        let file = match (input.file_id, input.share_url) {
            (Some(id), None) => ReportedFile::Id(NodeKind::File.parse(&id).unwrap_or_default()),
            (None, Some(url)) => ReportedFile::Shared(token(&url).to_owned()),
            _ => return Err(bad_input("Give `fileId` or `shareUrl`, one of them.")),
        };
        let complaint = Complaint { category: input.category.into(), comment: input.comment };
        let made = reports::report_file(graphql::app(ctx), graphql::viewer(ctx), file, complaint).await;
        let (report, user_errors) = outcome(made)?;
        Ok(ReportFilePayload { report: report.map(Report), user_errors })
    }

    /// Tells the admins what is wrong with a snap that you have opened. While you may look at it, its picture is kept until
    /// they decide; afterwards they get its hash and what it was, and no picture. Whoever sent it is not told.
    async fn report_snap(&self, ctx: &Context<'_>, input: ReportSnapInput) -> async_graphql::Result<ReportSnapPayload> {
        let snap = NodeKind::Snap.parse(&input.id).unwrap_or_default();
        let complaint = Complaint { category: input.category.into(), comment: input.comment };
        let made = reports::report_snap(graphql::app(ctx), graphql::viewer(ctx), snap, complaint).await;
        let (report, user_errors) = outcome(made)?;
        Ok(ReportSnapPayload { report: report.map(Report), user_errors })
    }

    /// Decides a report, and with it all open ones of the same thing. A repeat changes nothing. Admins.
    async fn resolve_report(
        &self,
        ctx: &Context<'_>,
        input: ResolveReportInput,
    ) -> async_graphql::Result<ResolveReportPayload> {
        let id = NodeKind::Report.parse(&input.id).unwrap_or_default();
        let verdict = Verdict { decision: input.decision.into(), reason: input.reason };
        let decided = reports::decide(graphql::app(ctx), graphql::viewer(ctx), id, &verdict).await;
        let (decided, user_errors) = outcome(decided)?;
        Ok(match decided {
            Some(decided) => ResolveReportPayload {
                report: Some(Report(decided.report)),
                resolved_count: i32::try_from(decided.count).unwrap_or(i32::MAX),
                alerts: decided.alerts.into_iter().map(Alert).collect(),
                user_errors,
            },
            None => ResolveReportPayload { report: None, resolved_count: 0, alerts: Vec::new(), user_errors },
        })
    }
}

/// The last part of a share link's URL.
fn token(url: &str) -> &str {
    let path = url.trim().split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

fn outcome<T>(answer: Result<T, ReportsError>) -> async_graphql::Result<(Option<T>, Vec<ReportUserError>)> {
    use ReportErrorCode as Code;
    let error = match answer {
        Ok(value) => return Ok((Some(value), Vec::new())),
        Err(error) => error,
    };
    let (code, field) = match &error {
        ReportsError::NothingThere | ReportsError::NotFound => (Code::NotFound, None),
        ReportsError::NotOpened => (Code::NotOpened, Some("id")),
        ReportsError::YourOwn => (Code::YourOwn, None),
        ReportsError::InvalidComment => (Code::InvalidComment, Some("comment")),
        ReportsError::TooMany { .. } => (Code::TooManyReports, None),
        ReportsError::InvalidReason => (Code::InvalidReason, Some("reason")),
        ReportsError::AlreadyResolved => (Code::AlreadyResolved, Some("id")),
        ReportsError::Yourself => (Code::Yourself, None),
        ReportsError::WrongState(_) => (Code::WrongState, None),
        ReportsError::Fault(cause) => return Err(fault(cause)),
    };
    Ok((None, vec![ReportUserError { code, field, message: error.to_string() }]))
}
