//! Passwords as people choose them, and the secrets of sessions and API tokens.

use entity::session::Kind;
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use super::{
    error::{Problem, Weakness},
    model::{Email, Username},
};
pub(super) use crate::token::sha256;
use crate::{
    error::Fault,
    token::{self, TokenKind},
};

/// Longer ones are refused before they are hashed.
pub(super) const PASSWORD_MAX_BYTES: usize = 1024;

/// Lower case, one a line, sorted as attackers try them.
const COMMON: &str = include_str!("common_passwords.txt");

/// NFC, so that keyboards which compose differently give the same password (RFC 8265, section 4.2).
pub(super) fn normalise(password: &SecretString) -> SecretString {
    SecretString::from(password.expose_secret().nfc().collect::<String>())
}

/// The normalised password, or why it is too weak for this account.
pub(super) fn choose(
    field: &'static str,
    password: &SecretString,
    min_length: usize,
    username: Option<&Username>,
    email: Option<&Email>,
) -> Result<SecretString, Problem> {
    let weak = |weakness| Err(Problem::WeakPassword { field, weakness });
    if password.expose_secret().len() > PASSWORD_MAX_BYTES {
        return weak(Weakness::TooLong);
    }
    let normalised = normalise(password);
    let text = normalised.expose_secret();
    if text.len() > PASSWORD_MAX_BYTES {
        return weak(Weakness::TooLong);
    }
    if text.chars().count() < min_length {
        return weak(Weakness::TooShort { min: min_length });
    }
    let lower = text.to_lowercase();
    if username.is_some_and(|username| username.key == lower) || email.is_some_and(|email| email.key == lower) {
        return weak(Weakness::SameAsAccount);
    }
    let one_character = text.chars().all(|c| text.starts_with(c));
    if one_character || COMMON.lines().any(|common| common == lower) {
        return weak(Weakness::Common);
    }
    Ok(normalised)
}

/// A password given to be compared: an overlong one is as wrong as any, and costs nothing to hash.
pub(super) fn candidate(password: &SecretString) -> SecretString {
    if password.expose_secret().len() > PASSWORD_MAX_BYTES { SecretString::from("") } else { normalise(password) }
}

/// A new secret, and the hash that is kept of it.
pub(super) fn mint(kind: Kind) -> Result<(SecretString, Vec<u8>), Fault> {
    token::mint(match kind {
        Kind::Session => TokenKind::Session,
        Kind::Token => TokenKind::Api,
    })
}

/// The hash to look a token up by; `None` where it cannot be one of ours.
pub(super) fn token_hash(token: &str) -> Option<Vec<u8>> {
    token::hash(token, &[TokenKind::Session, TokenKind::Api])
}
