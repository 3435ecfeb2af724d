//! What can go wrong with reports and decisions.

use crate::{
    accounts::{AccountsError, Problem},
    error::Fault,
    files::FilesError,
    module_error,
    snaps::SnapsError,
};

#[derive(Debug, thiserror::Error)]
pub enum ReportsError {
    /// What one cannot see looks the same.
    #[error("There is nothing here that you could report.")]
    NothingThere,
    #[error("There is no such report.")]
    NotFound,
    #[error("Open the snap first: only what was seen can be reported.")]
    NotOpened,
    #[error("This is your own. Delete it where you do not want it.")]
    YourOwn,
    #[error("A comment has at most {max} characters and no control characters but line breaks.", max = super::COMMENT_MAX)]
    InvalidComment,
    #[error(
        "You have reported {limit} things within a day. Try again tomorrow, or write to the people who run this server."
    )]
    TooMany { limit: u32 },
    #[error("A reason has 1 to {max} characters and no control characters but line breaks.", max = crate::text::REASON_MAX)]
    InvalidReason,
    #[error("Another decision was made on this report before. Look at it again.")]
    AlreadyResolved,
    #[error("This is about yourself. Another admin decides it.")]
    Yourself,
    /// The file is in a state in which it cannot be removed.
    #[error("{0}")]
    WrongState(String),
    #[error(transparent)]
    Fault(#[from] Fault),
}

module_error!(ReportsError);

impl From<AccountsError> for ReportsError {
    fn from(error: AccountsError) -> Self {
        match error {
            AccountsError::Fault(fault) => Self::Fault(fault),
            AccountsError::Refused(problems) => match problems.as_slice() {
                [Problem::Yourself, ..] => Self::Yourself,
                [Problem::InvalidReason, ..] => Self::InvalidReason,
                _ => Self::Fault(Fault::Internal(format!("an account could not be suspended: {problems:?}"))),
            },
        }
    }
}

impl From<FilesError> for ReportsError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::Fault(fault) => Self::Fault(fault),
            FilesError::NotFound => Self::NothingThere,
            FilesError::InvalidReason => Self::InvalidReason,
            other => Self::WrongState(other.to_string()),
        }
    }
}

impl From<SnapsError> for ReportsError {
    fn from(error: SnapsError) -> Self {
        match error {
            SnapsError::Fault(fault) => Self::Fault(fault),
            SnapsError::NotOpened => Self::NotOpened,
            _ => Self::NothingThere,
        }
    }
}
