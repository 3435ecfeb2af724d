//! Credentials in, cookies out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use entity::{Timestamp, user::Role};
use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::{clock::Clock, viewer::Viewer};

/// How a request says who asks.
#[derive(Clone, Debug)]
pub enum Credentials {
    None,
    /// `Authorization: Bearer …`: an API token, or a session's token.
    Bearer(SecretString),
    /// The session cookie of a browser.
    Cookie(SecretString),
}

/// Why credentials were not turned into a viewer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("the credentials are unknown, expired or revoked")]
    Invalid,
    /// With the cause, for the log.
    #[error("credentials cannot be checked now: {0}")]
    Unavailable(String),
}

/// Turns credentials into who asks. `Credentials::None` is the anonymous viewer.
#[async_trait]
pub trait Authenticate: Send + Sync + 'static {
    async fn authenticate(&self, credentials: Credentials) -> Result<Viewer, AuthError>;

    /// Those of these sessions and tokens that are still good, with their people's roles.
    async fn standing(&self, sessions: &[Uuid]) -> Result<HashMap<Uuid, Role>, AuthError>;
}

/// The name and the attributes of the session cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionCookie {
    /// On https: `Secure`, and the `__Host-` prefix, which keeps other hosts of the domain from setting it.
    pub secure: bool,
}

impl SessionCookie {
    #[must_use]
    pub fn name(self) -> &'static str {
        if self.secure { "__Host-snaphaven_session" } else { "snaphaven_session" }
    }

    fn set(self, token: &str, max_age: u64) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let line = format!("{}={token}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}", self.name());
        let mut value = HeaderValue::from_str(&line).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// A bearer token wins over a cookie: whoever sends one means it.
    #[must_use]
    pub fn credentials(self, headers: &HeaderMap) -> Credentials {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = authorization
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        if let Some((_, token)) = bearer {
            return Credentials::Bearer(token.trim().into());
        }
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        match pairs.find(|(name, token)| *name == self.name() && !token.is_empty()) {
            Some((_, token)) => Credentials::Cookie(token.into()),
            None => Credentials::None,
        }
    }
}

/// In each GraphQL request's data: resolvers of log-in and log-out say here what becomes of the session cookie.
#[derive(Clone, Debug, Default)]
pub struct CookieJar(Arc<Mutex<Option<Change>>>);

#[derive(Clone, Debug)]
enum Change {
    Set { token: SecretString, max_age: u64 },
    Clear,
}

impl CookieJar {
    /// Log-in: the browser keeps `token` for `max_age` seconds. The last change of a request wins.
    pub fn set(&self, token: SecretString, max_age: u64) {
        self.change(Change::Set { token, max_age });
    }

    /// Log-out: the browser forgets the token.
    pub fn clear(&self) {
        self.change(Change::Clear);
    }

    fn change(&self, change: Change) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(change);
    }

    /// The `Set-Cookie` header, where there is a change.
    pub(super) fn header(&self, cookie: SessionCookie) -> Option<HeaderValue> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take()? {
            Change::Set { token, max_age } => cookie.set(token.expose_secret(), max_age),
            Change::Clear => cookie.set("", 0),
        }
    }
}

impl crate::graphql::session::SessionCookie for CookieJar {
    fn set(&self, token: &str, expires_at: Timestamp) {
        Self::set(self, token.into(), expires_at.since(Clock::system().now()).as_secs());
    }

    fn clear(&self) {
        Self::clear(self);
    }
}
