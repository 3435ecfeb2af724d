//! Who asks, and from where. Every service takes a viewer.

use std::{fmt, net::IpAddr, sync::Arc};

use entity::user::{self, Role};
use uuid::Uuid;

/// The authenticated caller of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    Anonymous,
    /// A person with an active account.
    User(Identity),
    /// The server itself, with the reason that logs and records show.
    System(&'static str),
}

/// An active account and the session it came with.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pub user_id: Uuid,
    pub role: Role,
    pub session_id: Uuid,
    /// As it was when the request began. Good for queries, which change nothing; a mutation reads the row again.
    pub account: Arc<user::Model>,
}

impl Identity {
    pub fn new(account: user::Model, session_id: Uuid) -> Self {
        Self { user_id: account.id, role: account.role, session_id, account: account.into() }
    }
}

impl fmt::Debug for Identity {
    /// Who, and nothing more of the account.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("user_id", &self.user_id)
            .field("role", &self.role)
            .field("session_id", &self.session_id)
            .finish_non_exhaustive()
    }
}

/// Where a request came from. The default is a caller in this process: no address, so nothing to throttle by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// The client's, as the configured proxies tell it.
    pub address: Option<IpAddr>,
    /// The header as sent; may be of any length.
    pub user_agent: String,
}

/// The caller may not do this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("log in first")]
    Unauthenticated,
    #[error("your role does not allow this")]
    Forbidden,
}

impl Viewer {
    /// The person asking, or a refusal.
    pub fn person(&self) -> Result<&Identity, Denied> {
        match self {
            Self::User(identity) => Ok(identity),
            Self::Anonymous | Self::System(_) => Err(Denied::Unauthenticated),
        }
    }

    /// Admins and the server itself.
    pub fn admin(&self) -> Result<(), Denied> {
        match self {
            Self::System(_) => Ok(()),
            Self::User(identity) if identity.role == Role::Admin => Ok(()),
            Self::User(_) => Err(Denied::Forbidden),
            Self::Anonymous => Err(Denied::Unauthenticated),
        }
    }

    /// Operators, admins and the server itself.
    pub fn operator(&self) -> Result<(), Denied> {
        match self {
            Self::User(identity) if identity.role == Role::Operator => Ok(()),
            _ => self.admin(),
        }
    }

    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.admin().is_ok()
    }

    #[must_use]
    pub fn user_id(&self) -> Option<Uuid> {
        self.person().ok().map(|identity| identity.user_id)
    }
}
