//! The audit log in the schema. What an entry is about is a node of any module, so it stands here.

use async_graphql::{Context, ID, InputObject, Json, Object};
use chrono::{DateTime, Utc};
use entity::Timestamp;

use super::{Node, node};
use crate::{
    accounts::graphql::{User, load_user},
    audit::{self, Entry, Filter},
    db::page::Position,
    graphql::{
        self, Connection, FaultExt as _, GlobalId, NodeKind, PageArguments,
        connection::{connection, page_cost},
        error::bad_input,
        scalars::{Long, date_time},
    },
};

/// Something that was done, written down in the transaction that did it.
pub struct AuditEntry(pub Entry);

impl AuditEntry {
    /// The type of what it is about is the first word of the action.
    fn subject(&self) -> Option<GlobalId> {
        let kind = self.0.row.action.split('.').next()?;
        format!("{kind}_{}", self.0.row.subject_id.simple()).parse().ok()
    }
}

#[Object]
impl AuditEntry {
    pub async fn id(&self) -> ID {
        NodeKind::AuditEntry.id(self.0.row.id).into()
    }

    async fn at(&self) -> DateTime<Utc> {
        date_time(self.0.row.created_at)
    }

    /// What was done, such as `snap.opened`.
    async fn action(&self) -> &str {
        &self.0.row.action
    }

    /// Who did it; null for the server itself, and for who is no more.
    async fn actor(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.0.row.actor_id).await
    }

    /// What it was done to, as it is now; null where that is gone, or not the viewer's to see.
    #[graphql(name = "subject")]
    async fn subject_node(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Node>> {
        match self.subject() {
            Some(id) => node(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Its id, also once it is gone.
    async fn subject_id(&self) -> ID {
        self.subject().map_or_else(|| ID::from(self.0.row.subject_id), ID::from)
    }

    /// What else is known of it.
    async fn details(&self) -> Json<serde_json::Value> {
        Json(audit::details(&self.0.row))
    }

    /// Its number in the chain; null until it is sealed.
    async fn seq(&self) -> Option<Long> {
        self.0.seal.as_ref().map(|seal| Long(seal.seq))
    }

    async fn sealed_at(&self) -> Option<DateTime<Utc>> {
        self.0.seal.as_ref().map(|seal| date_time(seal.sealed_at))
    }
}

/// Entries that fit everything that is given.
#[derive(InputObject, Default)]
pub struct AuditLogFilter {
    /// Exactly this action.
    pub action: Option<String>,
    pub actor_id: Option<ID>,
    pub subject_id: Option<ID>,
    /// At this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub to: Option<DateTime<Utc>>,
}

impl AuditLogFilter {
    fn checked(self) -> async_graphql::Result<Filter> {
        let actor = |id: ID| NodeKind::User.parse(&id).ok_or_else(|| bad_input("`actorId` is not the id of a user."));
        let subject = |id: ID| id.parse::<GlobalId>().map_err(|_| bad_input("`subjectId` is not an id."));
        Ok(Filter {
            action: self.action,
            actor_id: self.actor_id.map(actor).transpose()?,
            subject_id: self.subject_id.map(subject).transpose()?.map(|id| id.key),
            from: self.from.map(Timestamp::from_utc),
            to: self.to.map(Timestamp::from_utc),
        })
    }
}

#[derive(Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// Who did what to what, newest first. Admins.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        filter: Option<AuditLogFilter>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> async_graphql::Result<Connection<AuditEntry>> {
        let app = graphql::app(ctx);
        let filter = filter.unwrap_or_default().checked()?;
        let page = PageArguments { first, after, last, before }.page(app.config.graphql.max_page_size)?;
        let found = audit::list(app, graphql::viewer(ctx), &filter, &page).await.or_fault()?;
        Ok(connection(found.map(AuditEntry), Default::default(), |entry| Position {
            key: entry.0.row.created_at,
            id: entry.0.row.id,
        }))
    }
}
