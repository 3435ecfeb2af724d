//! Top-level errors: log-in, permission, faults. What a user can mend is `userErrors` in a payload.

use async_graphql::{Error, ErrorExtensions};

use crate::{error::Fault, viewer::Denied};

/// A fault as clients see it: a code and a fixed text, with no SQL, path or key. The cause is logged here, once.
pub fn fault(fault: &Fault) -> Error {
    let (code, message) = match fault {
        Fault::Denied(Denied::Unauthenticated) => ("UNAUTHENTICATED", "Log in first."),
        Fault::Denied(Denied::Forbidden) => ("FORBIDDEN", "Your role does not allow this."),
        fault if fault.is_temporary() => {
            tracing::warn!(error = %fault, "a part of the server is unavailable");
            ("UNAVAILABLE", "The server cannot do this right now. Try again in a moment.")
        }
        fault => {
            tracing::error!(error = %fault, "request failed");
            ("INTERNAL", "Something went wrong on the server. Report the requestId if it happens again.")
        }
    };
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}

/// An argument that is out of range.
pub fn bad_input(message: impl Into<String>) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", "BAD_USER_INPUT"))
}

/// What a subscription is about is not there, or not for the viewer.
pub fn not_found(message: impl Into<String>) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", "NOT_FOUND"))
}

/// `?` from a service into a resolver that has no `userErrors`.
pub trait FaultExt<T> {
    fn or_fault(self) -> async_graphql::Result<T>;
}

impl<T, E: Into<Fault>> FaultExt<T> for Result<T, E> {
    fn or_fault(self) -> async_graphql::Result<T> {
        self.map_err(|error| fault(&error.into()))
    }
}
