//! Account mutations: inputs, payloads, and one call of the service each.

use std::time::Duration;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{
    errors::{AccountUserError, outcome},
    types::{ApiToken, User},
};
use crate::{
    accounts::{self, AccountsError, LoggedIn, NewAccount, NewApiToken, PasswordChange, ProfileChange},
    graphql::{
        self, NodeKind,
        error::bad_input,
        request::request_info,
        scalars::date_time,
        session::{SessionCookie, session_cookie},
    },
};

/// How the session reaches the client.
#[derive(Clone, Copy, Default, PartialEq, Eq, Enum)]
pub enum SessionTransport {
    /// In the payload, to be sent as `Authorization: Bearer …`.
    #[default]
    Token,
    /// As an HttpOnly cookie, which scripts of a page cannot read; the payload's `token` is null.
    Cookie,
}

#[derive(InputObject)]
pub struct SignUpInput {
    /// 3 to 32 letters, digits, dots, underscores or hyphens. Unique, whatever the case.
    username: String,
    /// Unique.
    email: String,
    first_name: String,
    /// May be empty.
    last_name: String,
    #[graphql(secret)]
    password: String,
    #[graphql(default)]
    session: SessionTransport,
}

#[derive(InputObject)]
pub struct LogInInput {
    /// User name or e-mail address.
    login: String,
    #[graphql(secret)]
    password: String,
    #[graphql(default)]
    session: SessionTransport,
}

#[derive(InputObject)]
pub struct ChangePasswordInput {
    #[graphql(secret)]
    current_password: String,
    #[graphql(secret)]
    new_password: String,
    /// Ends all API tokens too.
    #[graphql(default)]
    revoke_api_tokens: bool,
}

/// Fields that are left out stay as they are.
#[derive(InputObject)]
pub struct UpdateProfileInput {
    email: Option<String>,
    first_name: Option<String>,
    /// May be empty.
    last_name: Option<String>,
    /// At most 2,000 characters; may be empty.
    about: Option<String>,
    /// Whether your friends see when you were last here; not unless you say so.
    shows_last_seen: Option<bool>,
}

#[derive(InputObject)]
pub struct CreateApiTokenInput {
    /// What it is for, at most 100 characters.
    name: String,
    /// Seconds, up to 10 years; without it the token has no end.
    expires_in: Option<i32>,
}

#[derive(InputObject)]
pub struct RevokeApiTokenInput {
    id: ID,
}

#[derive(InputObject)]
pub struct RevokeSessionInput {
    id: ID,
}

#[derive(SimpleObject)]
pub struct SignUpPayload {
    user: Option<User>,
    /// Shown once; null where the session is a cookie.
    token: Option<String>,
    /// Moves on with every use.
    expires_at: Option<DateTime<Utc>>,
    user_errors: Vec<AccountUserError>,
}

#[derive(SimpleObject)]
pub struct LogInPayload {
    user: Option<User>,
    /// Shown once; null where the session is a cookie.
    token: Option<String>,
    /// Moves on with every use.
    expires_at: Option<DateTime<Utc>>,
    user_errors: Vec<AccountUserError>,
}

#[derive(SimpleObject)]
pub struct LogOutPayload {
    /// The session that ended.
    session_id: Option<ID>,
    user_errors: Vec<AccountUserError>,
}

#[derive(SimpleObject)]
pub struct ChangePasswordPayload {
    user: Option<User>,
    /// How many other sessions, and API tokens if asked, were ended.
    revoked: Option<i32>,
    user_errors: Vec<AccountUserError>,
}

#[derive(SimpleObject)]
pub struct UpdateProfilePayload {
    user: Option<User>,
    user_errors: Vec<AccountUserError>,
}

#[derive(SimpleObject)]
pub struct CreateApiTokenPayload {
    api_token: Option<ApiToken>,
    /// To be sent as `Authorization: Bearer …`. Shown once.
    token: Option<String>,
    user_errors: Vec<AccountUserError>,
}

#[derive(SimpleObject)]
pub struct RevokeApiTokenPayload {
    api_token_id: Option<ID>,
    user_errors: Vec<AccountUserError>,
}

#[derive(SimpleObject)]
pub struct RevokeSessionPayload {
    session_id: Option<ID>,
    user_errors: Vec<AccountUserError>,
}

#[derive(Default)]
pub struct AccountsMutation;

#[Object]
impl AccountsMutation {
    /// Makes an account and logs it in.
    async fn sign_up(&self, ctx: &Context<'_>, input: SignUpInput) -> async_graphql::Result<SignUpPayload> {
        let cookie = cookie(ctx, input.session)?;
        let account = NewAccount {
            username: input.username,
            email: input.email,
            first_name: input.first_name,
            last_name: input.last_name,
            password: SecretString::from(input.password),
        };
        let answer = accounts::sign_up(graphql::app(ctx), account, &request_info(ctx)).await;
        let Handed { user, token, expires_at, user_errors } = hand_over(answer, cookie)?;
        Ok(SignUpPayload { user, token, expires_at, user_errors })
    }

    /// Opens a new session. Unknown users and wrong passwords get the same answer.
    async fn log_in(&self, ctx: &Context<'_>, input: LogInInput) -> async_graphql::Result<LogInPayload> {
        let cookie = cookie(ctx, input.session)?;
        let password = SecretString::from(input.password);
        let answer = accounts::log_in(graphql::app(ctx), &input.login, &password, &request_info(ctx)).await;
        let Handed { user, token, expires_at, user_errors } = hand_over(answer, cookie)?;
        Ok(LogInPayload { user, token, expires_at, user_errors })
    }

    /// Ends the session that this request came with, and clears its cookie.
    async fn log_out(&self, ctx: &Context<'_>) -> async_graphql::Result<LogOutPayload> {
        if let Some(cookie) = session_cookie(ctx) {
            cookie.clear();
        }
        let (id, user_errors) = outcome(accounts::log_out(graphql::app(ctx), graphql::viewer(ctx)).await)?;
        Ok(LogOutPayload { session_id: id.map(|id| NodeKind::Session.id(id).into()), user_errors })
    }

    /// Changes your password and ends your other sessions.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        input: ChangePasswordInput,
    ) -> async_graphql::Result<ChangePasswordPayload> {
        let change = PasswordChange {
            current: SecretString::from(input.current_password),
            new: SecretString::from(input.new_password),
            revoke_api_tokens: input.revoke_api_tokens,
        };
        let answer = accounts::change_password(graphql::app(ctx), graphql::viewer(ctx), &change).await;
        let (changed, user_errors) = outcome(answer)?;
        let revoked = changed.as_ref().map(|changed| i32::try_from(changed.ended).unwrap_or(i32::MAX));
        Ok(ChangePasswordPayload { user: changed.map(|changed| changed.user.into()), revoked, user_errors })
    }

    /// Changes your names, e-mail address and text, and what is shown of you.
    async fn update_profile(
        &self,
        ctx: &Context<'_>,
        input: UpdateProfileInput,
    ) -> async_graphql::Result<UpdateProfilePayload> {
        let UpdateProfileInput { email, first_name, last_name, about, shows_last_seen } = input;
        let change = ProfileChange { email, first_name, last_name, about, shows_last_seen };
        let answer = accounts::update_profile(graphql::app(ctx), graphql::viewer(ctx), &change).await;
        let (user, user_errors) = outcome(answer)?;
        Ok(UpdateProfilePayload { user: user.map(User::from), user_errors })
    }

    /// Makes a bearer token for a program of yours.
    async fn create_api_token(
        &self,
        ctx: &Context<'_>,
        input: CreateApiTokenInput,
    ) -> async_graphql::Result<CreateApiTokenPayload> {
        // A negative time is as short as none at all, which the service refuses.
        let expires_in = input.expires_in.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
        let new = NewApiToken { name: input.name, expires_in };
        let answer = accounts::create_api_token(graphql::app(ctx), graphql::viewer(ctx), &new).await;
        let (created, user_errors) = outcome(answer)?;
        let token = created.as_ref().map(|created| created.token.expose_secret().to_owned());
        Ok(CreateApiTokenPayload { api_token: created.map(|created| ApiToken(created.row)), token, user_errors })
    }

    /// Ends an API token of yours.
    async fn revoke_api_token(
        &self,
        ctx: &Context<'_>,
        input: RevokeApiTokenInput,
    ) -> async_graphql::Result<RevokeApiTokenPayload> {
        let id = NodeKind::ApiToken.parse(&input.id);
        let answer = accounts::revoke_api_token(graphql::app(ctx), graphql::viewer(ctx), id).await;
        let (id, user_errors) = outcome(answer)?;
        Ok(RevokeApiTokenPayload { api_token_id: id.map(|id| NodeKind::ApiToken.id(id).into()), user_errors })
    }

    /// Ends a session of yours.
    async fn revoke_session(
        &self,
        ctx: &Context<'_>,
        input: RevokeSessionInput,
    ) -> async_graphql::Result<RevokeSessionPayload> {
        let id = NodeKind::Session.parse(&input.id);
        let answer = accounts::revoke_session(graphql::app(ctx), graphql::viewer(ctx), id).await;
        let (id, user_errors) = outcome(answer)?;
        Ok(RevokeSessionPayload { session_id: id.map(|id| NodeKind::Session.id(id).into()), user_errors })
    }
}

/// The slot for the cookie, where one is asked for; a transport without cookies is refused before anything happens.
fn cookie<'a>(ctx: &Context<'a>, transport: SessionTransport) -> async_graphql::Result<Option<&'a dyn SessionCookie>> {
    match transport {
        SessionTransport::Token => Ok(None),
        SessionTransport::Cookie => {
            let cookie = session_cookie(ctx);
            cookie.map(Some).ok_or_else(|| bad_input("Cookies need HTTP: ask for `session: TOKEN` here."))
        }
    }
}

/// What a client is given of an opened session.
struct Handed {
    user: Option<User>,
    token: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    user_errors: Vec<AccountUserError>,
}

fn hand_over(
    answer: Result<LoggedIn, AccountsError>,
    cookie: Option<&dyn SessionCookie>,
) -> async_graphql::Result<Handed> {
    let (logged_in, user_errors) = outcome(answer)?;
    let Some(LoggedIn { user, viewer, token, expires_at }) = logged_in else {
        return Ok(Handed { user: None, token: None, expires_at: None, user_errors });
    };
    let token = match cookie {
        Some(cookie) => {
            cookie.set(token.expose_secret(), expires_at);
            None
        }
        None => Some(token.expose_secret().to_owned()),
    };
    Ok(Handed {
        user: Some(User::logged_in(user, viewer)),
        token,
        expires_at: Some(date_time(expires_at)),
        user_errors,
    })
}
