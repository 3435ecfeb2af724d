//! The module's `userErrors`.

use async_graphql::{Enum, SimpleObject};

use crate::{
    accounts::{AccountsError, Problem},
    graphql::fault,
};

/// Why an account mutation was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum AccountErrorCode {
    InvalidUsername,
    InvalidEmail,
    InvalidName,
    InvalidAbout,
    InvalidExpiry,
    /// Too short or long, too common, or the same as the name.
    WeakPassword,
    NameTaken,
    EmailTaken,
    SignUpClosed,
    /// Unknown user or wrong password.
    BadCredentials,
    /// Wait `retryAfter` seconds.
    TooManyAttempts,
    AccountSuspended,
    /// The current password.
    WrongPassword,
    NotFound,
    /// An API token cannot do this; log in.
    SessionRequired,
    /// The last admin can neither close the account nor be given another role.
    LastAdmin,
    /// Nobody suspends themselves.
    Yourself,
    /// It was closed by its owner.
    AccountClosing,
    AccountNotActive,
    InvalidReason,
    /// Not a receipt, or one of another account.
    InvalidReceipt,
}

/// What stands in the way, and where.
#[derive(Debug, SimpleObject)]
pub struct AccountUserError {
    pub code: AccountErrorCode,
    /// The input's field; null where no single one is at fault.
    pub field: Option<&'static str>,
    /// For people.
    pub message: String,
    /// Seconds until the same request may succeed; with TOO_MANY_ATTEMPTS.
    pub retry_after: Option<i32>,
}

impl From<&Problem> for AccountUserError {
    fn from(problem: &Problem) -> Self {
        Self {
            code: code(problem),
            field: problem.field(),
            message: problem.to_string(),
            retry_after: problem.retry_after().map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX)),
        }
    }
}

fn code(problem: &Problem) -> AccountErrorCode {
    match problem {
        Problem::InvalidUsername => AccountErrorCode::InvalidUsername,
        Problem::InvalidEmail => AccountErrorCode::InvalidEmail,
        Problem::InvalidName { .. } => AccountErrorCode::InvalidName,
        Problem::InvalidAbout => AccountErrorCode::InvalidAbout,
        Problem::InvalidExpiry => AccountErrorCode::InvalidExpiry,
        Problem::WeakPassword { .. } => AccountErrorCode::WeakPassword,
        Problem::NameTaken => AccountErrorCode::NameTaken,
        Problem::EmailTaken => AccountErrorCode::EmailTaken,
        Problem::SignUpClosed => AccountErrorCode::SignUpClosed,
        Problem::BadCredentials => AccountErrorCode::BadCredentials,
        Problem::TooManyAttempts { .. } => AccountErrorCode::TooManyAttempts,
        Problem::AccountSuspended => AccountErrorCode::AccountSuspended,
        Problem::WrongPassword => AccountErrorCode::WrongPassword,
        Problem::NotFound | Problem::NoSuchAccount => AccountErrorCode::NotFound,
        Problem::SessionRequired => AccountErrorCode::SessionRequired,
        Problem::LastAdmin => AccountErrorCode::LastAdmin,
        Problem::Yourself => AccountErrorCode::Yourself,
        Problem::AccountClosing => AccountErrorCode::AccountClosing,
        Problem::AccountNotActive => AccountErrorCode::AccountNotActive,
        Problem::InvalidReason => AccountErrorCode::InvalidReason,
        Problem::InvalidReceipt => AccountErrorCode::InvalidReceipt,
    }
}

/// A service's answer as a payload's parts: the result or the user errors; a fault ends the request.
pub fn outcome<T>(answer: Result<T, AccountsError>) -> async_graphql::Result<(Option<T>, Vec<AccountUserError>)> {
    match answer {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(AccountsError::Refused(problems)) => Ok((None, problems.iter().map(Into::into).collect())),
        Err(AccountsError::Fault(error)) => Err(fault(&error)),
    }
}
