//! What can go wrong with snaps: for who sends and opens them, and for who fetches a picture.

use uuid::Uuid;

use crate::{
    db::idempotency::RecallError, embedded::edge::ReadError, error::Fault, files::FilesError, images::ImageError,
    module_error,
};

#[derive(Debug, thiserror::Error)]
pub enum SnapsError {
    /// Another person's snap looks the same.
    #[error("There is no such snap.")]
    NotFound,
    #[error("Choose 1 to {max} friends.")]
    BadRecipientCount { max: usize },
    #[error("A friend was named twice.")]
    DuplicateRecipient,
    /// None of these is a friend; unknown people look the same.
    #[error("Only friends receive snaps.")]
    NotFriends(Vec<Uuid>),
    #[error("A snap is a picture; this is none that can be shown: {0}.")]
    NotAPicture(String),
    #[error("The picture is too large: {0}.")]
    TooLarge(String),
    #[error("A caption has at most {max} characters, and no control characters but line breaks and tabs.")]
    InvalidCaption { max: usize },
    #[error("A snap is shown for 1 to {max} seconds, or until it is closed.")]
    InvalidViewSeconds { max: i32 },
    /// In seconds.
    #[error("A snap waits for 1 to {max} seconds.")]
    InvalidExpiry { max: u64 },
    #[error("This snap was opened already.")]
    AlreadyOpened,
    #[error("This snap waited too long and is gone.")]
    Expired,
    #[error("This snap has not been opened.")]
    NotOpened,
    #[error("This snap cannot be looked at again.")]
    NoReplay,
    #[error("This idempotency key was used for another request. Use a new one.")]
    IdempotencyKeyReused,
    /// By this entry of the block list.
    #[error("This picture is blocked here: it cannot be sent. Ask an admin if you think that this is wrong.")]
    ContentBlocked(Uuid),
    /// Of the picture: an upload or a file that is not there, not ready, or not sent whole.
    #[error(transparent)]
    Source(FilesError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

module_error!(SnapsError);

impl From<RecallError> for SnapsError {
    fn from(error: RecallError) -> Self {
        match error {
            RecallError::Reused => Self::IdempotencyKeyReused,
            RecallError::Database(error) => error.into(),
        }
    }
}

impl From<FilesError> for SnapsError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::Fault(fault) => Self::Fault(fault),
            error => Self::Source(error),
        }
    }
}

impl From<ImageError> for SnapsError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::TooLarge { .. } => Self::TooLarge(error.to_string()),
            ImageError::Io(cause) => Fault::internal(cause).into(),
            error => Self::NotAPicture(error.to_string()),
        }
    }
}

/// Why a ticket gives no picture.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// One answer for all that is not this session's open view: unknown, another's, looked at already, or over.
    #[error("This picture cannot be fetched: it was looked at already, its time is over, or it is not yours.")]
    NotFound,
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

module_error!(ViewError);
