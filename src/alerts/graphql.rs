//! Alerts in GraphQL.

use async_graphql::{Context, Enum, ID, Json, Object};
use chrono::{DateTime, Utc};
use entity::alert::{Kind, Model, State};

use crate::{
    db::page::Position,
    graphql::{
        self, Connection, FaultExt, NodeKind, PageArguments,
        connection::{connection, page_cost},
        scalars::{Long, date_time},
    },
};

/// What an alert tells of.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Kind")]
pub enum AlertKind {
    /// Files moved to the trash by their owner.
    FilesTrashed,
    /// Files deleted for good by their owner.
    FilesPurged,
    /// Files trashed or deleted for good by an admin.
    FilesRemoved,
    /// Trashed files whose retention ran out.
    FilesExpired,
    /// An account closed by its owner, and its files deleted for good with it.
    AccountClosed,
    /// An account suspended by an admin.
    UserSuspended,
    /// Somebody was given the role ADMIN.
    AdminMade,
    /// Log-ins to an account, or from an address, that were refused because too many had failed. Told in sums: `count` is how
    /// many were refused since the alert before, and `details.total` how many in all.
    LogInThrottled,
    /// Something is wrong with the copies, or it is not known.
    ReplicationFault,
    /// What a ReplicationFault told of is over.
    ReplicationWell,
    /// Another site became the primary.
    PrimaryChanged,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "State")]
pub enum AlertState {
    /// Waits for its delivery.
    Pending,
    Delivered,
    /// Out of attempts; an operator can retry it.
    Failed,
}

/// A message to the admins, raised by an act and delivered at least once under one id.
pub struct Alert(pub Model);

#[Object]
impl Alert {
    pub async fn id(&self) -> ID {
        NodeKind::Alert.id(self.0.id).into()
    }

    async fn kind(&self) -> AlertKind {
        self.0.kind.into()
    }

    async fn state(&self) -> AlertState {
        self.0.state.into()
    }

    /// The fixed subject of the notification.
    async fn subject(&self) -> &'static str {
        super::jobs::subject(self.0.kind)
    }

    /// What happened, for people.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// The same for machines.
    async fn details(&self) -> Json<&serde_json::Value> {
        Json(&self.0.details)
    }

    /// How many things the act touched.
    async fn count(&self) -> Long {
        Long(self.0.count)
    }

    /// Who acted; null for the system.
    async fn actor_id(&self) -> Option<ID> {
        self.0.actor_id.map(|id| NodeKind::User.id(id).into())
    }

    /// Delivery attempts so far.
    async fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// Why the last failed delivery did, for operators and admins; else null.
    async fn last_error(&self, ctx: &Context<'_>) -> Option<&str> {
        self.0.last_error.as_deref().filter(|_| super::sees_delivery(graphql::viewer(ctx)))
    }

    async fn created_at(&self) -> DateTime<Utc> {
        date_time(self.0.created_at)
    }

    async fn delivered_at(&self) -> Option<DateTime<Utc>> {
        self.0.delivered_at.map(date_time)
    }
}

#[derive(Default)]
pub struct AlertsQuery;

#[Object]
impl AlertsQuery {
    /// Every alert, newest first. Operators and admins.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn alerts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> async_graphql::Result<Connection<Alert>> {
        let app = graphql::app(ctx);
        let page = PageArguments { first, after, last, before }.page(app.config.graphql.max_page_size)?;
        let alerts = super::list(app, graphql::viewer(ctx), &page).await.or_fault()?;
        Ok(connection(alerts.map(Alert), Default::default(), |alert| Position {
            key: alert.0.created_at,
            id: alert.0.id,
        }))
    }
}
