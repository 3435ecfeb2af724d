//! What can go wrong with an account, in the words that people see.

use std::time::Duration;

use crate::error::Fault;

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// What the caller can mend; every problem of the input, not only the first.
    #[error("{}", list(.0))]
    Refused(Vec<Problem>),
    #[error(transparent)]
    Fault(Fault),
}

crate::module_error!(AccountsError);

impl From<Problem> for AccountsError {
    fn from(problem: Problem) -> Self {
        Self::Refused(vec![problem])
    }
}

impl From<Fault> for AccountsError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// One problem that the caller can mend; the display text is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error(
        "A user name has 3 to 32 letters, digits, dots, underscores or hyphens, and starts with a letter or digit."
    )]
    InvalidUsername,
    #[error("This is not an e-mail address: write it like name@example.org.")]
    InvalidEmail,
    #[error("A name has 1 to 100 characters and no control characters.")]
    InvalidName { field: &'static str },
    #[error("The text has at most {max} characters and no control characters but line breaks.", max = super::model::ABOUT_MAX)]
    InvalidAbout,
    #[error("A token lives for 1 second to 10 years.")]
    InvalidExpiry,
    #[error("{weakness}")]
    WeakPassword { field: &'static str, weakness: Weakness },
    #[error("This user name is taken. Choose another.")]
    NameTaken,
    #[error("There is an account with this e-mail address. Log in, or use another address.")]
    EmailTaken,
    #[error("Sign-up is closed on this server. Ask an admin for an account.")]
    SignUpClosed,
    /// Unknown user or wrong password: one answer for both.
    #[error("The user name or the password is wrong.")]
    BadCredentials,
    #[error("Too many failed attempts. Try again in {} seconds.", whole_seconds(*.retry_after))]
    TooManyAttempts { retry_after: Duration },
    /// Said only to who knows the password.
    #[error("This account is suspended. Ask an admin.")]
    AccountSuspended,
    #[error("The current password is wrong.")]
    WrongPassword,
    /// Missing, or another person's.
    #[error("There is no such session or token of yours.")]
    NotFound,
    #[error("There is no account with this name or address.")]
    NoSuchAccount,
    #[error("An API token cannot do this. Log in with your password.")]
    SessionRequired,
    #[error("This is the last admin of this server. Make another one first.")]
    LastAdmin,
    #[error("You cannot suspend yourself. Another admin can.")]
    Yourself,
    #[error("This account was closed by its owner and is being erased.")]
    AccountClosing,
    #[error("Only an active account can be given a role. Reinstate it first.")]
    AccountNotActive,
    #[error("A reason has 1 to {max} characters and no control characters but line breaks.", max = crate::text::REASON_MAX)]
    InvalidReason,
    #[error("A receipt is `shc_` and 32 random bytes in base64url, and is used once.")]
    InvalidReceipt,
}

/// Why a password is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    #[error("A password has at least {min} characters.")]
    TooShort { min: usize },
    #[error("A password has at most {max} bytes.", max = super::credentials::PASSWORD_MAX_BYTES)]
    TooLong,
    #[error("This password is one of the first that attackers try. Choose another.")]
    Common,
    #[error("The password must not be your user name or e-mail address.")]
    SameAsAccount,
}

impl Problem {
    /// The input's field, as GraphQL names it; `None` where no single field is at fault.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::InvalidUsername | Self::NameTaken => Some("username"),
            Self::InvalidEmail | Self::EmailTaken => Some("email"),
            Self::InvalidAbout => Some("about"),
            Self::InvalidExpiry => Some("expiresIn"),
            Self::InvalidName { field } | Self::WeakPassword { field, .. } => Some(field),
            Self::WrongPassword => Some("currentPassword"),
            Self::NotFound => Some("id"),
            Self::InvalidReceipt => Some("receipt"),
            Self::InvalidReason => Some("reason"),
            Self::SignUpClosed
            | Self::BadCredentials
            | Self::TooManyAttempts { .. }
            | Self::AccountSuspended
            | Self::NoSuchAccount
            | Self::SessionRequired
            | Self::LastAdmin
            | Self::Yourself
            | Self::AccountClosing
            | Self::AccountNotActive => None,
        }
    }

    /// Seconds until the same request may succeed.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyAttempts { retry_after } => Some(whole_seconds(*retry_after)),
            _ => None,
        }
    }
}

/// Rounded up, so that who waits so long has waited long enough.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_micros().div_ceil(1_000_000).try_into().unwrap_or(u64::MAX)
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
