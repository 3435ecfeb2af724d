//! Faults: what ends a request whatever the module. What a user can mend is data of each module's own error.

use sea_orm::DbErr;

use crate::{
    adapters::objects::{StoreError, StoreErrorKind},
    db::AsDbErr,
    viewer::Denied,
};

/// The display text is for logs; clients see only the kind and a request id.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("database: {0}")]
    Database(#[from] DbErr),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server is at a limit or a part of it is away: the same request may succeed later.
    #[error("busy: {0}")]
    Busy(String),
    #[error("{0}")]
    Internal(String),
}

impl Fault {
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Denied(_) | Self::Internal(_) => false,
            Self::Busy(_) => true,
            Self::Database(error) => crate::db::is_unavailable(error) || crate::db::is_transient(error),
            // A digest that does not fit tells of bytes altered on their way.
            Self::Store(error) => !error.is_definite() || error.kind == StoreErrorKind::BadDigest,
        }
    }
}

impl AsDbErr for Fault {
    fn as_db_err(&self) -> Option<&DbErr> {
        match self {
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}

/// Implements the conversions that a module's error with a `Fault(Fault)` variant needs.
#[macro_export]
macro_rules! module_error {
    ($error:ty) => {
        impl From<sea_orm::DbErr> for $error {
            fn from(error: sea_orm::DbErr) -> Self {
                Self::Fault(error.into())
            }
        }
        impl From<$crate::viewer::Denied> for $error {
            fn from(denied: $crate::viewer::Denied) -> Self {
                Self::Fault(denied.into())
            }
        }
        impl $crate::db::AsDbErr for $error {
            fn as_db_err(&self) -> Option<&sea_orm::DbErr> {
                match self {
                    Self::Fault(fault) => fault.as_db_err(),
                    _ => None,
                }
            }
        }
    };
}
