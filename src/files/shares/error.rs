//! What can go wrong with share links: for who makes them, and for who has one.

use crate::{db::idempotency::RecallError, error::Fault, module_error};

#[derive(Debug, thiserror::Error)]
pub enum SharesError {
    /// Another person's file or link looks the same.
    #[error("There is no such file or link.")]
    NotFound,
    #[error("Only an active file can be shared. Restore it first.")]
    WrongState,
    /// In seconds.
    #[error("A link lives for 1 to {max} seconds.")]
    InvalidExpiry { max: u64 },
    #[error("A link allows 1 to {max} downloads.")]
    InvalidDownloads { max: i32 },
    #[error("This idempotency key was used for another request. Use a new one.")]
    IdempotencyKeyReused,
    #[error(transparent)]
    Fault(#[from] Fault),
}

module_error!(SharesError);

/// Why a link gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// One answer for all that is not open: unknown, revoked, expired, used up, and where the file or its owner is gone.
    #[error("This link does not work: it never did, or it was revoked, has expired or is used up.")]
    NotFound,
    /// One that breaks off gives its place back.
    #[error("Every download that this link still allows is under way. Try again in a minute.")]
    UnderWay,
    #[error(transparent)]
    Fault(#[from] Fault),
}

module_error!(DownloadError);

impl From<RecallError> for SharesError {
    fn from(error: RecallError) -> Self {
        match error {
            RecallError::Reused => Self::IdempotencyKeyReused,
            RecallError::Database(error) => error.into(),
        }
    }
}
