//! A friendship as a GraphQL object.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::friendship::State;

use super::{User, load_user};
use crate::{
    friends::{self, Act},
    graphql::{self, NodeKind, scalars::date_time},
};

/// How far two people are.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum FriendshipState {
    /// Asked, and not answered.
    Pending,
    /// Friends.
    Accepted,
    /// By whoever was asked.
    Declined,
    /// By whoever asked.
    Cancelled,
    /// Friends no more.
    Removed,
}

impl From<State> for FriendshipState {
    fn from(state: State) -> Self {
        match state {
            State::Pending | State::Withheld => Self::Pending,
            State::Accepted => Self::Accepted,
            State::Declined => Self::Declined,
            State::Cancelled => Self::Cancelled,
            State::Removed | State::Closing => Self::Removed,
        }
    }
}

impl From<FriendshipState> for State {
    fn from(state: FriendshipState) -> Self {
        match state {
            FriendshipState::Pending => Self::Pending,
            FriendshipState::Accepted => Self::Accepted,
            FriendshipState::Declined => Self::Declined,
            FriendshipState::Cancelled => Self::Cancelled,
            FriendshipState::Removed => Self::Removed,
        }
    }
}

/// Who asked.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "friends::Direction")]
pub enum FriendshipDirection {
    /// The other one.
    Incoming,
    /// You.
    Outgoing,
}

/// You and another person: a request, an answer to one, or friends.
pub struct Friendship(pub friends::Friendship);

impl Friendship {
    pub(in crate::accounts::graphql) fn is_accepted(&self) -> bool {
        self.0.state() == State::Accepted
    }
}

#[Object]
impl Friendship {
    pub async fn id(&self) -> ID {
        NodeKind::Friendship.id(self.0.row().id).into()
    }

    /// The other one; null where they have just closed their account.
    async fn user(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        load_user(ctx, self.0.other()).await
    }

    async fn state(&self) -> FriendshipState {
        self.0.state().into()
    }

    async fn direction(&self) -> FriendshipDirection {
        self.0.direction().into()
    }

    /// When one of you asked.
    async fn created_at(&self) -> DateTime<Utc> {
        date_time(self.0.row().created_at)
    }

    /// Since when it is in this state.
    async fn changed_at(&self) -> DateTime<Utc> {
        date_time(self.0.row().changed_at)
    }

    /// From when on you may ask again whoever has declined; null where nothing is to be waited for.
    async fn requestable_at(&self, ctx: &Context<'_>) -> Option<DateTime<Utc>> {
        self.0.requestable_at(graphql::app(ctx).config.friends.request_pause).map(date_time)
    }

    /// What you may do with it now.
    async fn viewer_can(&self, ctx: &Context<'_>) -> FriendshipPermissions {
        let app = graphql::app(ctx);
        let waits = self.0.requestable_at(app.config.friends.request_pause).is_some_and(|from| app.now() < from);
        FriendshipPermissions {
            // Whoever was asked accepts.
            request: self.0.allows(Act::Request) && self.0.state() != State::Pending && !waits,
            accept: self.0.allows(Act::Accept),
            decline: self.0.allows(Act::Decline),
            cancel: self.0.allows(Act::Cancel),
            remove: self.0.allows(Act::Remove),
        }
    }
}

/// What a person may do with a friendship of theirs.
#[derive(SimpleObject)]
pub struct FriendshipPermissions {
    request: bool,
    accept: bool,
    decline: bool,
    cancel: bool,
    remove: bool,
}
