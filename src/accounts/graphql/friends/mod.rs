//! Friends in GraphQL, beside people: either type has a field of the other.

mod loader;
mod mutation;
mod types;

use std::collections::HashMap;

use async_graphql::{Context, Object};
use uuid::Uuid;

pub use loader::{friend_loader, relation};
pub use mutation::FriendsMutation;
pub use types::{Friendship, FriendshipDirection, FriendshipState};

use super::{User, load_user};
use crate::{
    db::page::{Page, Position},
    friends::{self, Filter},
    graphql::{
        self, Connection, FaultExt, PageArguments,
        connection::{connection, page_cost},
        scalars::Long,
    },
};

/// A list of friendships as a whole.
pub struct FriendshipConnectionFields {
    filter: Filter,
}

#[Object]
impl FriendshipConnectionFields {
    /// All of this list, whatever the page.
    async fn total_count(&self, ctx: &Context<'_>) -> async_graphql::Result<Long> {
        let count = friends::count(graphql::app(ctx), graphql::viewer(ctx), self.filter).await.or_fault()?;
        Ok(Long(i64::try_from(count).unwrap_or(i64::MAX)))
    }
}

#[derive(Default)]
pub struct FriendsQuery;

#[Object]
impl FriendsQuery {
    /// Your friends and the requests of and to you, the last change first.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn friendships(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "All of these where it is not given. What was cancelled or removed is in no list.")]
        state: Option<FriendshipState>,
        #[graphql(desc = "Whether the other one asked, or you.")] direction: Option<FriendshipDirection>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection<Friendship, FriendshipConnectionFields>> {
        let app = graphql::app(ctx);
        let filter = Filter { state: state.map(Into::into), direction: direction.map(Into::into) };
        let page = PageArguments::forward(first, after).page(app.config.graphql.max_page_size)?;
        let found = friends::list(app, graphql::viewer(ctx), filter, &page).await.or_fault()?;
        Ok(connection(found.map(Friendship), FriendshipConnectionFields { filter }, |friendship| Position {
            key: friendship.0.row().changed_at,
            id: friendship.0.row().id,
        }))
    }

    /// Whom you have blocked, the last one first. They are not told.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn blocked_users(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection<User>> {
        let app = graphql::app(ctx);
        let page = PageArguments::forward(first, after).page(app.config.graphql.max_page_size)?;
        let blocks = friends::blocked(app, graphql::viewer(ctx), &page).await.or_fault()?;
        let mut users = Vec::new();
        for id in blocks.items.iter().map(|block| block.blocked_id) {
            users.push(load_user(ctx, id));
        }
        // Who has closed the account is there no more.
        let users: Vec<_> = futures::future::try_join_all(users).await?.into_iter().flatten().collect();
        let times: HashMap<Uuid, _> = blocks.items.iter().map(|block| (block.blocked_id, block.created_at)).collect();
        let page = Page { items: users, has_previous: blocks.has_previous, has_next: blocks.has_next };
        Ok(connection(page, Default::default(), |user| Position {
            key: times.get(&user.row.id).copied(),
            id: user.row.id,
        }))
    }
}

/// For `node(id)`: a friendship, for its two people alone.
pub async fn friendship_node(ctx: &Context<'_>, id: Uuid) -> async_graphql::Result<Option<Friendship>> {
    Ok(friends::find(graphql::app(ctx), graphql::viewer(ctx), id).await.or_fault()?.map(Friendship))
}
