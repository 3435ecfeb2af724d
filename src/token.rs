//! Bearer tokens: a prefix, 256 random bits, and the hash that is all the database keeps of them.

use std::borrow::Cow;

use aws_lc_rs::{digest, rand};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;

use crate::error::Fault;

/// What a token opens. The prefix lets scanners of leaked secrets know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    Session,
    Api,
    ShareLink,
    /// The receipt of a closed account.
    Closure,
    /// One view of a snap.
    View,
}

/// Of every kind, in bytes.
const PREFIX: usize = 4;
/// A prefix and 32 bytes in base64.
const LENGTH: usize = PREFIX + 43;

impl TokenKind {
    const ALL: [Self; 5] = [Self::Session, Self::Api, Self::ShareLink, Self::Closure, Self::View];

    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "shs_",
            Self::Api => "sht_",
            Self::ShareLink => "shl_",
            Self::Closure => "shc_",
            Self::View => "shv_",
        }
    }
}

/// A new token, and the hash that is kept of it.
pub fn mint(kind: TokenKind) -> Result<(SecretString, Vec<u8>), Fault> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| Fault::Internal("no randomness".to_owned()))?;
    let token = format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(bytes));
    let hash = sha256(&token);
    Ok((SecretString::from(token), hash))
}

/// The hash to look a token up by; `None` where it cannot be one of these kinds.
#[must_use]
pub fn hash(token: &str, kinds: &[TokenKind]) -> Option<Vec<u8>> {
    let known = kinds.iter().any(|kind| token.starts_with(kind.prefix()));
    (known && token.len() == LENGTH && token.chars().all(is_letter)).then(|| sha256(token))
}

/// Of a prefix, and of base64 as URLs have it.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// Without salt or stretching: a token has 256 random bits.
#[must_use]
pub fn sha256(text: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().to_vec()
}

/// A text for logs: what looks like a token ends after its prefix.
#[must_use]
pub fn redacted(text: &str) -> Cow<'_, str> {
    let next = |text: &str| TokenKind::ALL.iter().filter_map(|kind| text.find(kind.prefix())).min();
    if next(text).is_none() {
        return Cow::Borrowed(text);
    }
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = next(rest) {
        let (before, token) = rest.split_at(at + PREFIX);
        let end = token.find(|c| !is_letter(c)).unwrap_or(token.len());
        shown.push_str(before);
        shown.push('…');
        rest = &token[end..];
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}
