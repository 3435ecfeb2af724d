//! What admins do to accounts, in GraphQL.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::alert;

use super::{
    errors::{AccountUserError, outcome},
    types::{Role, User},
};
use crate::{
    accounts::{self, AccountsError, Moderated, Problem},
    alerts::graphql::Alert,
    graphql::{self, NodeKind},
};

#[derive(InputObject)]
pub struct SuspendUserInput {
    id: ID,
    /// Shown to admins, and in the alert and the audit log; 1 to 500 characters.
    reason: String,
}

#[derive(InputObject)]
pub struct ReinstateUserInput {
    id: ID,
}

#[derive(InputObject)]
pub struct SetUserRoleInput {
    id: ID,
    role: Role,
}

#[derive(SimpleObject)]
pub struct SuspendUserPayload {
    user: Option<User>,
    /// Null where the account was suspended already.
    alert: Option<Alert>,
    user_errors: Vec<AccountUserError>,
}

#[derive(SimpleObject)]
pub struct ReinstateUserPayload {
    user: Option<User>,
    user_errors: Vec<AccountUserError>,
}

#[derive(SimpleObject)]
pub struct SetUserRolePayload {
    user: Option<User>,
    /// Where somebody became an admin.
    alert: Option<Alert>,
    user_errors: Vec<AccountUserError>,
}

#[derive(Default)]
pub struct ModerationMutation;

#[Object]
impl ModerationMutation {
    /// Ends every session, token and open subscription of an account within seconds, and lets nobody log in to it. Admins.
    async fn suspend_user(
        &self,
        ctx: &Context<'_>,
        input: SuspendUserInput,
    ) -> async_graphql::Result<SuspendUserPayload> {
        let answer = match NodeKind::User.parse(&input.id) {
            Some(id) => accounts::suspend(graphql::app(ctx), graphql::viewer(ctx), id, &input.reason).await,
            None => missing(ctx),
        };
        let (user, alert, user_errors) = parts(answer)?;
        Ok(SuspendUserPayload { user, alert: alert.map(Alert), user_errors })
    }

    /// Lets a suspended person log in again. Admins.
    async fn reinstate_user(
        &self,
        ctx: &Context<'_>,
        input: ReinstateUserInput,
    ) -> async_graphql::Result<ReinstateUserPayload> {
        let answer = match NodeKind::User.parse(&input.id) {
            Some(id) => accounts::reinstate(graphql::app(ctx), graphql::viewer(ctx), id).await,
            None => missing(ctx),
        };
        let (user, _, user_errors) = parts(answer)?;
        Ok(ReinstateUserPayload { user, user_errors })
    }

    /// Gives an active account another role. Admins, logged in with their password; one admin stays.
    async fn set_user_role(
        &self,
        ctx: &Context<'_>,
        input: SetUserRoleInput,
    ) -> async_graphql::Result<SetUserRolePayload> {
        let answer = match NodeKind::User.parse(&input.id) {
            Some(id) => accounts::set_role(graphql::app(ctx), graphql::viewer(ctx), id, input.role.into()).await,
            None => missing(ctx),
        };
        let (user, alert, user_errors) = parts(answer)?;
        Ok(SetUserRolePayload { user, alert: alert.map(Alert), user_errors })
    }
}

/// What is not the id of a person, for those who may ask.
fn missing(ctx: &Context<'_>) -> Result<Moderated, AccountsError> {
    graphql::viewer(ctx).admin()?;
    Err(Problem::NoSuchAccount.into())
}

type Parts = (Option<User>, Option<alert::Model>, Vec<AccountUserError>);

fn parts(answer: Result<Moderated, AccountsError>) -> async_graphql::Result<Parts> {
    let (moderated, user_errors) = outcome(answer)?;
    Ok(match moderated {
        Some(Moderated { user, alert }) => (Some(user.into()), alert, user_errors),
        None => (None, None, user_errors),
    })
}
