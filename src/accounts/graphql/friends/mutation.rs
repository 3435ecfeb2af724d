//! Mutations between two people: inputs, payloads, errors, and one call of the service each.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use uuid::Uuid;

use super::{Friendship, User, load_user};
use crate::{
    friends::{self, FriendsError},
    graphql::{self, NodeKind, error::fault},
};

#[derive(InputObject)]
pub struct RequestFriendshipInput {
    user_id: ID,
}

#[derive(InputObject)]
pub struct AcceptFriendshipInput {
    /// The friendship's.
    id: ID,
}

#[derive(InputObject)]
pub struct DeclineFriendshipInput {
    /// The friendship's.
    id: ID,
}

#[derive(InputObject)]
pub struct CancelFriendshipInput {
    /// The friendship's.
    id: ID,
}

#[derive(InputObject)]
pub struct RemoveFriendInput {
    user_id: ID,
}

#[derive(InputObject)]
pub struct BlockUserInput {
    user_id: ID,
}

#[derive(InputObject)]
pub struct UnblockUserInput {
    user_id: ID,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum FriendErrorCode {
    /// Not there, or not yours.
    NotFound,
    /// It is you.
    Oneself,
    /// Cannot be asked at the moment.
    Unavailable,
    /// By you: unblock them first.
    Blocked,
    /// There is no open request to do this with.
    WrongState,
    /// They declined: wait `retryAfter` seconds.
    RequestPaused,
    /// Of your requests too many wait.
    TooManyPending,
    /// You have, or the other one has, as many friends as one can have.
    TooManyFriends,
    TooManyBlocks,
}

/// Something the user can mend.
#[derive(SimpleObject)]
pub struct FriendUserError {
    code: FriendErrorCode,
    /// The input field it is about.
    field: Option<&'static str>,
    /// For people.
    message: String,
    /// Seconds until the same request may succeed; with REQUEST_PAUSED.
    retry_after: Option<i32>,
}

#[derive(SimpleObject)]
pub struct RequestFriendshipPayload {
    friendship: Option<Friendship>,
    user_errors: Vec<FriendUserError>,
}

#[derive(SimpleObject)]
pub struct AcceptFriendshipPayload {
    friendship: Option<Friendship>,
    user_errors: Vec<FriendUserError>,
}

#[derive(SimpleObject)]
pub struct DeclineFriendshipPayload {
    friendship: Option<Friendship>,
    user_errors: Vec<FriendUserError>,
}

#[derive(SimpleObject)]
pub struct CancelFriendshipPayload {
    friendship: Option<Friendship>,
    user_errors: Vec<FriendUserError>,
}

#[derive(SimpleObject)]
pub struct RemoveFriendPayload {
    /// Who is no friend now.
    user: Option<User>,
    user_errors: Vec<FriendUserError>,
}

#[derive(SimpleObject)]
pub struct BlockUserPayload {
    user: Option<User>,
    user_errors: Vec<FriendUserError>,
}

#[derive(SimpleObject)]
pub struct UnblockUserPayload {
    user: Option<User>,
    user_errors: Vec<FriendUserError>,
}

#[derive(Default)]
pub struct FriendsMutation;

#[Object]
impl FriendsMutation {
    /// Asks somebody to be your friend. Where they have asked you, you are friends then. A repeat changes nothing.
    async fn request_friendship(
        &self,
        ctx: &Context<'_>,
        input: RequestFriendshipInput,
    ) -> async_graphql::Result<RequestFriendshipPayload> {
        let answer = friends::request(graphql::app(ctx), graphql::viewer(ctx), user(&input.user_id)).await;
        let (friendship, user_errors) = outcome(answer, "userId")?;
        Ok(RequestFriendshipPayload { friendship: friendship.map(Friendship), user_errors })
    }

    /// Agrees to be a friend of whoever asked. A repeat changes nothing.
    async fn accept_friendship(
        &self,
        ctx: &Context<'_>,
        input: AcceptFriendshipInput,
    ) -> async_graphql::Result<AcceptFriendshipPayload> {
        let answer = friends::accept(graphql::app(ctx), graphql::viewer(ctx), friendship(&input.id)).await;
        let (friendship, user_errors) = outcome(answer, "id")?;
        Ok(AcceptFriendshipPayload { friendship: friendship.map(Friendship), user_errors })
    }

    /// Who asked is told, and waits for `limits.friendRequestPause` before they may ask you again. A repeat changes nothing.
    async fn decline_friendship(
        &self,
        ctx: &Context<'_>,
        input: DeclineFriendshipInput,
    ) -> async_graphql::Result<DeclineFriendshipPayload> {
        let answer = friends::decline(graphql::app(ctx), graphql::viewer(ctx), friendship(&input.id)).await;
        let (friendship, user_errors) = outcome(answer, "id")?;
        Ok(DeclineFriendshipPayload { friendship: friendship.map(Friendship), user_errors })
    }

    /// Takes your own request back. The other one is not told. A repeat changes nothing.
    async fn cancel_friendship(
        &self,
        ctx: &Context<'_>,
        input: CancelFriendshipInput,
    ) -> async_graphql::Result<CancelFriendshipPayload> {
        let answer = friends::cancel(graphql::app(ctx), graphql::viewer(ctx), friendship(&input.id)).await;
        let (friendship, user_errors) = outcome(answer, "id")?;
        Ok(CancelFriendshipPayload { friendship: friendship.map(Friendship), user_errors })
    }

    /// Ends a friendship. The other one is not told. Done too where you are no friends.
    async fn remove_friend(
        &self,
        ctx: &Context<'_>,
        input: RemoveFriendInput,
    ) -> async_graphql::Result<RemoveFriendPayload> {
        let id = user(&input.user_id);
        let answer = friends::remove(graphql::app(ctx), graphql::viewer(ctx), id).await;
        let (user, user_errors) = with_user(ctx, id, answer).await?;
        Ok(RemoveFriendPayload { user, user_errors })
    }

    /// Ends what there is between you, and lets no request of theirs arrive. They are not told. A repeat changes nothing.
    async fn block_user(&self, ctx: &Context<'_>, input: BlockUserInput) -> async_graphql::Result<BlockUserPayload> {
        let id = user(&input.user_id);
        let answer = friends::block(graphql::app(ctx), graphql::viewer(ctx), id).await;
        let (user, user_errors) = with_user(ctx, id, answer).await?;
        Ok(BlockUserPayload { user, user_errors })
    }

    /// Ends your block of somebody. You are no friends then. A repeat changes nothing.
    async fn unblock_user(
        &self,
        ctx: &Context<'_>,
        input: UnblockUserInput,
    ) -> async_graphql::Result<UnblockUserPayload> {
        let id = user(&input.user_id);
        let answer = friends::unblock(graphql::app(ctx), graphql::viewer(ctx), id).await;
        let (user, user_errors) = with_user(ctx, id, answer).await?;
        Ok(UnblockUserPayload { user, user_errors })
    }
}

/// The nil id, which nobody has, where it is not one of ours.
fn user(id: &ID) -> Uuid {
    NodeKind::User.parse(id).unwrap_or_default()
}

fn friendship(id: &ID) -> Uuid {
    NodeKind::Friendship.parse(id).unwrap_or_default()
}

/// A service's answer as a payload's parts: the result or the user error; a fault ends the request.
fn outcome<T>(
    answer: Result<T, FriendsError>,
    field: &'static str,
) -> async_graphql::Result<(Option<T>, Vec<FriendUserError>)> {
    match answer {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(error) => Ok((None, vec![user_error(&error, field)?])),
    }
}

/// Whom it was about, where it was done.
async fn with_user(
    ctx: &Context<'_>,
    id: Uuid,
    answer: Result<(), FriendsError>,
) -> async_graphql::Result<(Option<User>, Vec<FriendUserError>)> {
    let (done, user_errors) = outcome(answer, "userId")?;
    let user = if done.is_some() { load_user(ctx, id).await? } else { None };
    Ok((user, user_errors))
}

fn user_error(error: &FriendsError, input: &'static str) -> async_graphql::Result<FriendUserError> {
    use FriendErrorCode as Code;
    let (code, field) = match error {
        FriendsError::NotFound => (Code::NotFound, Some(input)),
        FriendsError::Oneself => (Code::Oneself, Some(input)),
        FriendsError::Unavailable => (Code::Unavailable, Some(input)),
        FriendsError::Blocked => (Code::Blocked, Some(input)),
        FriendsError::WrongState => (Code::WrongState, Some(input)),
        FriendsError::Paused { .. } => (Code::RequestPaused, Some(input)),
        FriendsError::TooManyPending { .. } => (Code::TooManyPending, None),
        FriendsError::TooManyFriends { .. } | FriendsError::TheyHaveTooMany => (Code::TooManyFriends, None),
        FriendsError::TooManyBlocks { .. } => (Code::TooManyBlocks, None),
        FriendsError::Fault(error) => return Err(fault(error)),
    };
    let retry_after = match error {
        FriendsError::Paused { retry_after } => Some(i32::try_from(retry_after.as_secs()).unwrap_or(i32::MAX)),
        _ => None,
    };
    Ok(FriendUserError { code, field, message: error.to_string(), retry_after })
}
