//! Jobs in GraphQL, and what sets jobs and alerts going again.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::{Seen, Standing};
use crate::{
    alerts::graphql::Alert,
    db::page::Position,
    graphql::{
        self, Connection, FaultExt, NodeKind, PageArguments,
        connection::{connection, page_cost},
        scalars::date_time,
    },
};

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Standing")]
pub enum JobState {
    Waiting,
    Running,
    /// Out of attempts, or failed for good. It is kept until it is retried.
    Failed,
}

/// An effect outside the database that is still to be done. One that is done is not there any more.
pub struct Job(pub Seen);

#[Object]
impl Job {
    pub async fn id(&self) -> ID {
        NodeKind::Job.id(self.0.row.id).into()
    }

    /// What it does, such as `ledger.replicate`.
    async fn kind(&self) -> &str {
        &self.0.row.kind
    }

    async fn state(&self) -> JobState {
        self.0.standing.into()
    }

    /// What it works on, as JSON.
    async fn payload(&self) -> &str {
        &self.0.row.payload
    }

    /// When it is due, or was.
    async fn run_at(&self) -> DateTime<Utc> {
        date_time(self.0.row.run_at)
    }

    /// So far; counted as each begins.
    async fn attempts(&self) -> i32 {
        self.0.row.attempts
    }

    async fn max_attempts(&self) -> i32 {
        self.0.row.max_attempts
    }

    /// Why the last attempt failed.
    async fn last_error(&self) -> Option<&str> {
        self.0.row.last_error.as_deref()
    }

    async fn created_at(&self) -> DateTime<Utc> {
        date_time(self.0.row.created_at)
    }

    /// When it failed for good.
    async fn failed_at(&self) -> Option<DateTime<Utc>> {
        self.0.row.finished_at.map(date_time)
    }
}

#[derive(Default)]
pub struct OperationsQuery;

#[Object]
impl OperationsQuery {
    /// Jobs of one state: those that wait or run by when they are due, those that failed the latest first. Operators and
    /// admins.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "JobState::Failed")] state: JobState,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection<Job>> {
        let app = graphql::app(ctx);
        let page = PageArguments::forward(first, after).page(app.config.graphql.max_page_size)?;
        let jobs = super::jobs(app, graphql::viewer(ctx), state.into(), &page).await.or_fault()?;
        Ok(connection(jobs.map(Job), Default::default(), |job| Position { key: job.0.row.run_at, id: job.0.row.id }))
    }
}

/// For `node(id)`.
pub async fn job_node(ctx: &Context<'_>, id: uuid::Uuid) -> async_graphql::Result<Option<Job>> {
    Ok(super::job(graphql::app(ctx), graphql::viewer(ctx), id).await.or_fault()?.map(Job))
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum OperationsErrorCode {
    /// There is none, or it is done.
    NotFound,
}

/// Something the user can mend.
#[derive(SimpleObject)]
pub struct OperationsUserError {
    code: OperationsErrorCode,
    /// The input field it is about.
    field: Option<&'static str>,
    /// For people.
    message: &'static str,
}

fn missing(message: &'static str) -> Vec<OperationsUserError> {
    vec![OperationsUserError { code: OperationsErrorCode::NotFound, field: Some("id"), message }]
}

#[derive(InputObject)]
pub struct RetryJobInput {
    id: ID,
}

#[derive(InputObject)]
pub struct RetryAlertInput {
    id: ID,
}

#[derive(SimpleObject)]
pub struct RetryJobPayload {
    job: Option<Job>,
    user_errors: Vec<OperationsUserError>,
}

#[derive(SimpleObject)]
pub struct RetryAlertPayload {
    alert: Option<Alert>,
    user_errors: Vec<OperationsUserError>,
}

#[derive(Default)]
pub struct OperationsMutation;

#[Object]
impl OperationsMutation {
    /// Runs a failed job again, with all its attempts. Of one that waits or runs nothing changes. Admins.
    async fn retry_job(&self, ctx: &Context<'_>, input: RetryJobInput) -> async_graphql::Result<RetryJobPayload> {
        let id = NodeKind::Job.parse(&input.id).unwrap_or_default();
        let job = super::retry_job(graphql::app(ctx), graphql::viewer(ctx), id).await.or_fault()?;
        let user_errors = if job.is_some() { Vec::new() } else { missing("There is no such job, or it is done.") };
        Ok(RetryJobPayload { job: job.map(Job), user_errors })
    }

    /// Delivers a failed alert again, under its id. Of one that waits or was delivered nothing changes. Admins.
    async fn retry_alert(&self, ctx: &Context<'_>, input: RetryAlertInput) -> async_graphql::Result<RetryAlertPayload> {
        let id = NodeKind::Alert.parse(&input.id).unwrap_or_default();
        let alert = super::retry_alert(graphql::app(ctx), graphql::viewer(ctx), id).await.or_fault()?;
        let user_errors = if alert.is_some() { Vec::new() } else { missing("There is no such alert.") };
        Ok(RetryAlertPayload { alert: alert.map(Alert), user_errors })
    }
}
