//! Reports in GraphQL: the queue.

mod blocking;
mod mutation;
mod types;

use async_graphql::{Context, Object};
use uuid::Uuid;

pub use blocking::{BlockListMutation, BlockListQuery, BlockedContent, blocked_content_node};
pub use mutation::ReportsMutation;
pub use types::{Report, ReportState};

use crate::{
    db::page::Position,
    graphql::{
        self, Connection, FaultExt as _, PageArguments,
        connection::{connection, page_cost},
    },
};

/// What a connection of reports has beside its edges.
pub struct ReportConnectionFields {
    state: ReportState,
}

#[Object]
impl ReportConnectionFields {
    /// All reports of this state; it counts up to a thousand.
    async fn total_count(&self, ctx: &Context<'_>) -> async_graphql::Result<i32> {
        let count = super::count(graphql::app(ctx), graphql::viewer(ctx), self.state.into()).await.or_fault()?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

#[derive(Default)]
pub struct ReportsQuery;

#[Object]
impl ReportsQuery {
    /// What people reported: open reports, the oldest first, or resolved ones, the newest first. Admins.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn reports(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "ReportState::Open")] state: ReportState,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection<Report, ReportConnectionFields>> {
        let app = graphql::app(ctx);
        let page = PageArguments::forward(first, after).page(app.config.graphql.max_page_size)?;
        let found = super::list(app, graphql::viewer(ctx), state.into(), &page).await.or_fault()?;
        Ok(connection(found.map(Report), ReportConnectionFields { state }, |report| Position {
            key: report.0.created_at,
            id: report.0.id,
        }))
    }
}

/// For `node(id)`.
pub async fn report_node(ctx: &Context<'_>, id: Uuid) -> async_graphql::Result<Option<Report>> {
    Ok(super::find(graphql::app(ctx), graphql::viewer(ctx), id).await.or_fault()?.map(Report))
}
