//! People, their sessions and tokens as GraphQL objects.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{session, user};

use super::friends::{Friendship, relation};
use crate::{
    accounts,
    db::page::{PageRequest, Position},
    graphql::{
        self, Connection, FaultExt, NodeKind, PageArguments,
        connection::{connection, page_cost},
        scalars::date_time,
    },
    viewer::Viewer,
};

/// What a person may do beyond their own things.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "user::Role")]
pub enum Role {
    User,
    /// Watches replication, jobs and alerts; sees no files.
    Operator,
    Admin,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "user::Status")]
pub enum UserStatus {
    Active,
    /// Cannot log in.
    Suspended,
    /// Closed by its owner, and being erased. For everybody but admins it is gone.
    Closing,
}

/// Since when and why nobody can log in to an account.
#[derive(SimpleObject)]
pub struct Suspension {
    suspended_at: DateTime<Utc>,
    /// In the words of the admin.
    reason: String,
}

/// A person with an account.
#[derive(Clone)]
pub struct User {
    pub row: Arc<user::Model>,
    /// Who looks, where it is not who sent the request: after a log-in, the person who has just come in.
    seen_by: Option<Viewer>,
}

impl From<Arc<user::Model>> for User {
    fn from(row: Arc<user::Model>) -> Self {
        Self { row, seen_by: None }
    }
}

impl From<user::Model> for User {
    fn from(row: user::Model) -> Self {
        Arc::new(row).into()
    }
}

#[Object]
impl User {
    pub async fn id(&self) -> ID {
        NodeKind::User.id(self.row.id).into()
    }

    async fn username(&self) -> &str {
        &self.row.username
    }

    async fn first_name(&self) -> &str {
        &self.row.first_name
    }

    async fn last_name(&self) -> &str {
        &self.row.last_name
    }

    /// First and last name.
    async fn display_name(&self) -> String {
        format!("{} {}", self.row.first_name, self.row.last_name).trim().to_owned()
    }

    /// What the person says of themselves; may be empty.
    async fn about(&self) -> &str {
        &self.row.about
    }

    async fn created_at(&self) -> DateTime<Utc> {
        date_time(self.row.created_at)
    }

    /// When they were last here, to the minute: where they show it, for friends of theirs and themselves; else null.
    async fn last_seen_at(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<DateTime<Utc>>> {
        // Of most there is nothing to ask for.
        if !self.row.shows_last_seen {
            return Ok(None);
        }
        let is_friend = self.friendship(ctx).await?.is_some_and(|friendship| friendship.is_accepted());
        Ok(accounts::last_seen(self.viewer(ctx), &self.row, is_friend).map(date_time))
    }

    /// What there is between you and them: a request, an answer to one, or friends. Null where there is nothing, and of
    /// yourself.
    async fn friendship(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Friendship>> {
        let found = relation(ctx, self.viewer(ctx).user_id(), self.row.id).await?;
        Ok(found.friendship.map(Friendship))
    }

    /// Whether you block them. Whether they block you nobody says.
    async fn viewer_has_blocked(&self, ctx: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(relation(ctx, self.viewer(ctx).user_id(), self.row.id).await?.blocks)
    }

    /// Whether friends see `lastSeenAt`. Your own, or any as an admin; else null.
    async fn shows_last_seen(&self, ctx: &Context<'_>) -> Option<bool> {
        self.private(ctx).map(|row| row.shows_last_seen)
    }

    /// Your own, or any as an admin; else null.
    async fn email<'a>(&'a self, ctx: &Context<'_>) -> Option<&'a str> {
        self.private(ctx).map(|row| row.email.as_str())
    }

    /// Your own, or any as an admin; else null.
    async fn role(&self, ctx: &Context<'_>) -> Option<Role> {
        self.private(ctx).map(|row| row.role.into())
    }

    /// Your own, or any as an admin; else null.
    async fn status(&self, ctx: &Context<'_>) -> Option<UserStatus> {
        self.private(ctx).map(|row| row.status.into())
    }

    /// For admins, while the account is suspended; else null.
    async fn suspension(&self, ctx: &Context<'_>) -> Option<Suspension> {
        let row = graphql::viewer(ctx).is_admin().then_some(&self.row)?;
        Some(Suspension {
            suspended_at: date_time(row.suspended_at?),
            reason: row.suspension_reason.clone().unwrap_or_default(),
        })
    }

    /// Your own log-ins, newest first; null for others.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Option<Connection<Session>>> {
        let Some(page) = self.own_page(ctx, first, after)? else { return Ok(None) };
        let sessions = accounts::sessions(graphql::app(ctx), self.viewer(ctx), &page).await.or_fault()?;
        let current = self.viewer(ctx).person().ok().map(|me| me.session_id);
        let sessions = sessions.map(|row| Session { current: current == Some(row.id), row });
        Ok(Some(connection(sessions, Default::default(), |session| position(&session.row))))
    }

    /// Your own API tokens, newest first; null for others.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn api_tokens(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Option<Connection<ApiToken>>> {
        let Some(page) = self.own_page(ctx, first, after)? else { return Ok(None) };
        let tokens = accounts::api_tokens(graphql::app(ctx), self.viewer(ctx), &page).await.or_fault()?;
        Ok(Some(connection(tokens.map(ApiToken), Default::default(), |token| position(&token.0))))
    }
}

type SessionPage = PageRequest<Position<entity::Timestamp>>;

impl User {
    /// The person who has just logged in.
    pub(super) fn logged_in(row: user::Model, viewer: Viewer) -> Self {
        Self { row: row.into(), seen_by: Some(viewer) }
    }

    fn viewer<'a>(&'a self, ctx: &Context<'a>) -> &'a Viewer {
        self.seen_by.as_ref().unwrap_or_else(|| graphql::viewer(ctx))
    }

    fn private<'a>(&'a self, ctx: &Context<'_>) -> Option<&'a user::Model> {
        accounts::sees_private(self.viewer(ctx), self.row.id).then_some(&*self.row)
    }

    /// `None` where this is not the viewer: the services list the viewer's own alone.
    fn own_page(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Option<SessionPage>> {
        let page = PageArguments::forward(first, after).page(graphql::app(ctx).config.graphql.max_page_size)?;
        Ok((self.viewer(ctx).user_id() == Some(self.row.id)).then_some(page))
    }
}

fn position(row: &session::Model) -> Position<entity::Timestamp> {
    Position { key: row.created_at, id: row.id }
}

/// A log-in.
pub struct Session {
    row: session::Model,
    current: bool,
}

#[Object]
impl Session {
    async fn id(&self) -> ID {
        NodeKind::Session.id(self.row.id).into()
    }

    /// Whether this request came with it.
    async fn current(&self) -> bool {
        self.current
    }

    /// The browser or program, as it named itself at log-in.
    async fn user_agent(&self) -> &str {
        &self.row.user_agent
    }

    /// The network address of the log-in.
    async fn address(&self) -> &str {
        &self.row.address
    }

    async fn created_at(&self) -> DateTime<Utc> {
        date_time(self.row.created_at)
    }

    /// To the minute.
    async fn last_used_at(&self) -> DateTime<Utc> {
        date_time(self.row.last_used_at)
    }

    /// Moves on with every use.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.row.expires_at.map(date_time)
    }
}

/// A bearer token for programs. The token itself is shown once, by `createApiToken`.
pub struct ApiToken(pub session::Model);

#[Object]
impl ApiToken {
    async fn id(&self) -> ID {
        NodeKind::ApiToken.id(self.0.id).into()
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn created_at(&self) -> DateTime<Utc> {
        date_time(self.0.created_at)
    }

    /// To the minute.
    async fn last_used_at(&self) -> DateTime<Utc> {
        date_time(self.0.last_used_at)
    }

    /// Null: it has no end.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.expires_at.map(date_time)
    }
}
