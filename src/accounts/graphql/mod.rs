//! People in GraphQL: accounts and friends.

mod errors;
mod friends;
mod moderation;
mod mutation;
mod types;

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Context, Object,
    dataloader::{DataLoader, Loader},
    runtime::{TokioSpawner, TokioTimer},
};
use uuid::Uuid;

pub use errors::{AccountErrorCode, AccountUserError, outcome};
pub use friends::{FriendsMutation, FriendsQuery, Friendship, friend_loader, friendship_node};
pub use moderation::ModerationMutation;
pub use mutation::AccountsMutation;
pub use types::{ApiToken, Role, Session, User, UserStatus};

use crate::{
    app::App,
    db::page::Position,
    error::Fault,
    graphql::{
        self, Connection, FaultExt, PageArguments,
        connection::{connection, page_cost},
        fault,
    },
    viewer::Viewer,
};

#[derive(Default)]
pub struct AccountsQuery;

#[Object]
impl AccountsQuery {
    /// Your own account; null while you are not logged in.
    async fn viewer(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        Ok(super::current(graphql::viewer(ctx)).map(User::from))
    }

    /// A person by user name, in upper or lower case.
    async fn user(&self, ctx: &Context<'_>, username: String) -> async_graphql::Result<Option<User>> {
        let found = super::find_by_username(graphql::app(ctx), graphql::viewer(ctx), &username).await;
        Ok(found.or_fault()?.map(User::from))
    }

    /// People by user name; those found by a search in the order of what they were found by.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The beginning of the user name, or of the name from any of its words on, whatever its case and accents."
        )]
        search: Option<String>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> async_graphql::Result<Connection<User>> {
        let app = graphql::app(ctx);
        let page = PageArguments { first, after, last, before }.page(app.config.graphql.max_page_size)?;
        let users = super::list(app, graphql::viewer(ctx), search.as_deref(), &page).await.or_fault()?;
        let keys: HashMap<Uuid, String> = users.items.iter().map(|(key, row)| (row.id, key.clone())).collect();
        Ok(connection(users.map(|(_, row)| User::from(row)), Default::default(), |user| Position {
            key: keys.get(&user.row.id).cloned().unwrap_or_default(),
            id: user.row.id,
        }))
    }
}

/// For `node(id)`: a person, where the viewer may look.
pub async fn user_node(ctx: &Context<'_>, id: Uuid) -> async_graphql::Result<Option<User>> {
    Ok(super::find(graphql::app(ctx), graphql::viewer(ctx), id).await.or_fault()?.map(User::from))
}

/// People by id, gathered over a request into one query. Add one to the schema's data: see [`user_loader`].
pub struct UserLoader(App);

impl Loader<Uuid> for UserLoader {
    type Value = User;
    type Error = Arc<Fault>;

    async fn load(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, User>, Arc<Fault>> {
        // The objects that name these people were found for a viewer already, and a person's own fields look at theirs.
        let found = super::find_many(&self.0, &Viewer::System("user loader"), ids).await.map_err(Arc::new)?;
        Ok(found.into_iter().map(|(id, row)| (id, User::from(row))).collect())
    }
}

/// The loader for a schema's data; it keeps nothing between requests. Call it within a Tokio runtime.
#[must_use]
pub fn user_loader(app: &App) -> DataLoader<UserLoader> {
    DataLoader::new(UserLoader(app.clone()), TokioSpawner::current(), TokioTimer::default())
}

/// The person that another module's object refers to, where it does; `None` where the viewer may not look at them, or no longer.
pub async fn load_user(ctx: &Context<'_>, id: impl Into<Option<Uuid>>) -> async_graphql::Result<Option<User>> {
    let Some(id) = id.into() else { return Ok(None) };
    let found = ctx.data_unchecked::<DataLoader<UserLoader>>().load_one(id).await.map_err(|error| fault(&error))?;
    Ok(found.filter(|user| super::sees(graphql::viewer(ctx), &user.row)))
}
