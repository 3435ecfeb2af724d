//! What the server does to many files on an admin's word, and how far it is.

use async_graphql::{Context, Enum, ID, Object};
use chrono::{DateTime, Utc};
use entity::action;
use uuid::Uuid;

use crate::{
    accounts::graphql::{User, load_user},
    alerts::{self, graphql::Alert},
    app::App,
    db::page::Position,
    error::Fault,
    files::bulk,
    graphql::{
        self, Connection, FaultExt, NodeKind, PageArguments,
        connection::{connection, page_cost},
        scalars::{Long, date_time},
    },
    viewer::Viewer,
};

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "action::Kind")]
pub enum BulkActionKind {
    RemoveFiles,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "action::State")]
pub enum BulkActionState {
    Running,
    /// Everything was done or skipped.
    Completed,
    /// Its admin was suspended, or is an admin no more: the rest was not done.
    Stopped,
    /// The server could not go on: the rest was not done.
    Failed,
}

/// Something that is done to many files on an admin's word. Which files was settled when it was ordered.
pub struct BulkAction(pub action::Model);

#[Object]
impl BulkAction {
    pub async fn id(&self) -> ID {
        NodeKind::BulkAction.id(self.0.id).into()
    }

    async fn kind(&self) -> BulkActionKind {
        self.0.kind.into()
    }

    async fn state(&self) -> BulkActionState {
        self.0.state.into()
    }

    /// Files that it was ordered for.
    async fn total(&self) -> Long {
        Long(self.0.total)
    }

    /// Those it was done to so far.
    async fn done(&self) -> Long {
        Long(self.0.done)
    }

    /// Those it was done to before by somebody else, and those that are gone or in a state that does not allow it.
    async fn skipped(&self) -> Long {
        Long(self.0.skipped)
    }

    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Why it STOPPED or FAILED.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }

    /// The admin; null where they have closed the account.
    async fn actor(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.0.actor_id).await
    }

    /// The one that it raised at its end, with what was done until then.
    async fn alert(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Alert>> {
        match self.0.alert_id {
            Some(id) => Ok(alerts::find(graphql::app(ctx), graphql::viewer(ctx), id).await.or_fault()?.map(Alert)),
            None => Ok(None),
        }
    }

    async fn created_at(&self) -> DateTime<Utc> {
        date_time(self.0.created_at)
    }

    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.finished_at.map(date_time)
    }
}

/// For `node(id)`.
pub async fn action_node(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<BulkAction>, Fault> {
    Ok(bulk::find(app, viewer, id).await?.map(BulkAction))
}

#[derive(Default)]
pub struct BulkQuery;

#[Object]
impl BulkQuery {
    /// What is or was done to many files at once, newest first. Admins.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn bulk_actions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection<BulkAction>> {
        let app = graphql::app(ctx);
        let page = PageArguments::forward(first, after).page(app.config.graphql.max_page_size)?;
        let found = bulk::list(app, graphql::viewer(ctx), &page).await.or_fault()?;
        Ok(connection(found.map(BulkAction), Default::default(), |action| Position {
            key: action.0.created_at,
            id: action.0.id,
        }))
    }
}
