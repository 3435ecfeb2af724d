//! The name of a view in a URL: 32 random bytes behind a prefix that the log cuts off after.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::token::TokenKind;

pub(super) const BYTES: usize = 32;

pub(super) fn encode(ticket: &[u8]) -> String {
    format!("{}{}", TokenKind::View.prefix(), URL_SAFE_NO_PAD.encode(ticket))
}

/// `None`: it cannot be one.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(TokenKind::View.prefix())?).ok()?;
    (bytes.len() == BYTES).then_some(bytes)
}
