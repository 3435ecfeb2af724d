//! Sessions and API tokens: opening, authenticating, listing, ending.

use std::{collections::HashMap, time::Duration};

use entity::{
    Timestamp,
    session::{Kind, Model},
    user,
};
use sea_orm::ConnectionTrait;
use secrecy::SecretString;
use uuid::Uuid;

use super::{
    credentials,
    error::{AccountsError, Problem},
    model, store,
};
use crate::{
    app::App,
    db::{
        Tx,
        page::{Page, PageRequest, Position},
    },
    error::Fault,
    viewer::{Denied, Identity, RequestInfo, Viewer},
};

/// A use is written down at most this often.
pub(super) const TOUCH_INTERVAL: Duration = Duration::from_secs(60);
const USER_AGENT_MAX: usize = 255;
const TOKEN_LIFE_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A session just opened; the only time its token is seen.
#[derive(Debug)]
pub struct LoggedIn {
    pub user: user::Model,
    /// Who the rest of this request is for.
    pub viewer: Viewer,
    pub token: SecretString,
    /// Moves on with every use.
    pub expires_at: Timestamp,
}

/// What an API token is made from.
#[derive(Clone, Debug)]
pub struct NewApiToken {
    pub name: String,
    /// `None`: no end.
    pub expires_in: Option<Duration>,
}

/// An API token just made; the only time the token itself is seen.
#[derive(Debug)]
pub struct ApiTokenCreated {
    pub row: Model,
    pub token: SecretString,
}

/// A session row to be written, with its secret.
pub(super) struct NewSession {
    pub row: Model,
    token: SecretString,
    expires_at: Timestamp,
}

impl NewSession {
    pub async fn log_in(
        app: &App,
        connection: &impl ConnectionTrait,
        user_id: Uuid,
        request: &RequestInfo,
    ) -> Result<Self, Fault> {
        let (token, token_hash) = credentials::mint(Kind::Session)?;
        let now = app.db.now(connection).await?;
        let expires_at = now.plus(app.config.accounts.session_ttl);
        let user_agent = request.user_agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_MAX).collect();
        let row = Model {
            id: Uuid::now_v7(),
            user_id,
            kind: Kind::Session,
            token_hash,
            name: String::new(),
            user_agent,
            address: request.address.map(|address| address.to_canonical().to_string()).unwrap_or_default(),
            created_at: now,
            last_used_at: now,
            expires_at: Some(expires_at),
        };
        Ok(Self { row, token, expires_at })
    }

    pub fn of(self, user: user::Model) -> LoggedIn {
        let identity = Identity::new(user.clone(), self.row.id);
        LoggedIn { user, viewer: Viewer::User(identity), token: self.token, expires_at: self.expires_at }
    }
}

/// Who holds this token. `None`: unknown, expired, or of an account that is not active.
///
/// Nothing is cached, so that a suspension or a revocation holds from the next request on.
pub async fn authenticate(app: &App, token: &str) -> Result<Option<Viewer>, Fault> {
    let Some(hash) = credentials::token_hash(token) else { return Ok(None) };
    let Some(bearer) = store::bearer(&app.db, hash).await? else { return Ok(None) };
    let now = app.db.at(bearer.now);
    let valid =
        bearer.account.status == user::Status::Active && bearer.expires_at.is_none_or(|expires_at| expires_at > now);
    if !valid {
        return Ok(None);
    }
    if now.since(bearer.last_used_at) >= TOUCH_INTERVAL {
        touch(app, &bearer, now).await;
    }
    Ok(Some(Viewer::User(Identity::new(bearer.account, bearer.session_id))))
}

/// Those of these sessions and tokens that [`authenticate`] would still take, with their people's roles.
pub async fn standing(app: &App, sessions: &[Uuid]) -> Result<HashMap<Uuid, user::Role>, Fault> {
    let standing = store::bearers(&app.db, sessions).await?.into_iter().filter(|bearer| {
        bearer.status == user::Status::Active && bearer.expires_at.is_none_or(|end| end > app.db.at(bearer.now))
    });
    Ok(standing.map(|bearer| (bearer.session_id, bearer.role)).collect())
}

/// A session that is used lives on; a token keeps its end. A request does not fail for this.
async fn touch(app: &App, bearer: &store::Bearer, now: Timestamp) {
    let expires_at = match bearer.kind {
        Kind::Session => Some(now.plus(app.config.accounts.session_ttl)),
        Kind::Token => bearer.expires_at,
    };
    let outcome = app
        .db
        .transaction::<_, sea_orm::DbErr, _, _>(async |tx| {
            // The account comes before its sessions in the order of locks.
            if bearer.account.shows_last_seen {
                store::note_seen(&tx, bearer.account.id, now, TOUCH_INTERVAL).await?;
            }
            store::touch(&tx, bearer.session_id, bearer.last_used_at, now, expires_at).await
        })
        .await;
    if let Err(error) = outcome {
        tracing::warn!(%error, session.id = %bearer.session_id, "cannot note the use of a session");
    }
}

/// Ends the session that the request came with; its id.
pub async fn log_out(app: &App, viewer: &Viewer) -> Result<Uuid, AccountsError> {
    let me = viewer.person()?;
    let ended = delete(app, me.user_id, Kind::Session, me.session_id).await?;
    if ended { Ok(me.session_id) } else { Err(Problem::SessionRequired.into()) }
}

/// The viewer's log-ins, newest first.
pub async fn sessions(
    app: &App,
    viewer: &Viewer,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<Model>, Fault> {
    list(app, viewer, Kind::Session, page).await
}

/// The viewer's API tokens, newest first.
pub async fn api_tokens(
    app: &App,
    viewer: &Viewer,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<Model>, Fault> {
    list(app, viewer, Kind::Token, page).await
}

async fn list(
    app: &App,
    viewer: &Viewer,
    kind: Kind,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<Model>, Fault> {
    let me = viewer.person()?;
    let now = app.db.now(app.db.read()).await?;
    Ok(page.finish(store::list_sessions(app.db.read(), me.user_id, kind, now, page).await?))
}

/// Ends one of the viewer's own sessions. Another person's answers as a missing one.
pub async fn revoke_session(app: &App, viewer: &Viewer, id: Option<Uuid>) -> Result<Uuid, AccountsError> {
    revoke(app, viewer, Kind::Session, id).await
}

/// Ends one of the viewer's own API tokens. Another person's answers as a missing one.
pub async fn revoke_api_token(app: &App, viewer: &Viewer, id: Option<Uuid>) -> Result<Uuid, AccountsError> {
    revoke(app, viewer, Kind::Token, id).await
}

/// `None` stands for an id that is not one of ours.
async fn revoke(app: &App, viewer: &Viewer, kind: Kind, id: Option<Uuid>) -> Result<Uuid, AccountsError> {
    let me = viewer.person()?;
    let id = id.ok_or(Problem::NotFound)?;
    if delete(app, me.user_id, kind, id).await? { Ok(id) } else { Err(Problem::NotFound.into()) }
}

async fn delete(app: &App, user_id: Uuid, kind: Kind, id: Uuid) -> Result<bool, AccountsError> {
    app.transaction::<_, AccountsError, _, _>(async |tx| Ok(store::delete_session(&tx, user_id, kind, id).await?)).await
}

/// Makes an API token. Not with an API token: one that expires could otherwise make one that does not.
pub async fn create_api_token(
    app: &App,
    viewer: &Viewer,
    input: &NewApiToken,
) -> Result<ApiTokenCreated, AccountsError> {
    let me = viewer.person()?;
    let name = model::name("name", &input.name, true);
    let expiry = match input.expires_in {
        Some(life) if life.is_zero() || life > TOKEN_LIFE_MAX => Err(Problem::InvalidExpiry),
        life => Ok(life),
    };
    let (name, life) = match (name, expiry) {
        (Ok(name), Ok(life)) => (name, life),
        (name, expiry) => {
            return Err(AccountsError::Refused([name.err(), expiry.err()].into_iter().flatten().collect()));
        }
    };
    let (token, token_hash) = credentials::mint(Kind::Token)?;
    let now = app.db.now(app.db.read()).await.map_err(Fault::from)?;
    let row = Model {
        id: Uuid::now_v7(),
        user_id: me.user_id,
        kind: Kind::Token,
        token_hash,
        name,
        user_agent: String::new(),
        address: String::new(),
        created_at: now,
        last_used_at: now,
        expires_at: life.map(|life| now.plus(life)),
    };
    app.transaction::<_, AccountsError, _, _>(async |tx| {
        // The account is locked, so that no token slips in beside a change of password that ends them all.
        store::lock_user(&tx, me.user_id).await?;
        require_log_in(&tx, me).await?;
        Ok(store::insert_session(&tx, &row).await?)
    })
    .await?;
    Ok(ApiTokenCreated { row, token })
}

/// Refuses API tokens, and sessions that have ended meanwhile.
pub(super) async fn require_log_in(tx: &Tx, me: &Identity) -> Result<(), AccountsError> {
    match store::session(tx, me.user_id, me.session_id).await? {
        None => Err(Denied::Unauthenticated.into()),
        Some(session) if session.kind != Kind::Session => Err(Problem::SessionRequired.into()),
        Some(_) => Ok(()),
    }
}
