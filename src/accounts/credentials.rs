//! Passwords as people choose them, and the secrets of sessions and API tokens.

use aws_lc_rs::{digest, rand};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use entity::session::Kind;
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use super::{
    error::{Problem, Weakness},
    model::{Email, Username},
};
use crate::error::Fault;

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

/// A new secret, 256 random bits, and the hash that is kept of it. The prefix lets scanners of leaked secrets know it.
pub(super) fn mint(kind: Kind) -> Result<(SecretString, Vec<u8>), Fault> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| Fault::Internal("no randomness".to_owned()))?;
    let token = format!("{}{}", prefix(kind), URL_SAFE_NO_PAD.encode(bytes));
    let hash = sha256(&token);
    Ok((SecretString::from(token), hash))
}

/// The hash to look a token up by; `None` where it cannot be one of ours.
pub(super) fn token_hash(token: &str) -> Option<Vec<u8>> {
    let known = [Kind::Session, Kind::Token].iter().any(|kind| token.starts_with(prefix(*kind)));
    (known && token.len() == 47).then(|| sha256(token))
}

/// Without salt or stretching: the secret has 256 random bits.
pub(super) fn sha256(text: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().to_vec()
}

fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Session => "shs_",
        Kind::Token => "sht_",
    }
}
