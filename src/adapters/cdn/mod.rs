//! Signed download URLs as CloudFront defines them, and the purging of caches.
//!
//! The format is the canned policy of the CloudFront Developer Guide ("Create a signed URL using a canned policy"),
//! always with SHA-256; `docs/adr/0004-url-signing.md` says why.

pub mod disposition;
pub mod key;
pub mod purge;
pub mod sign;
pub mod verify;

pub use disposition::{Disposition, content_disposition};
pub use key::{KeyError, SigningKey, VerifyingKey};
pub use purge::{CachePurger, CloudFrontPurger, NoPurger, PurgeError};
pub use sign::{SignError, SignedUrl, UrlSigner};
pub use verify::{Grant, Refusal, UrlVerifier};

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The query parameters that carry the signature; everything before them is part of what is signed.
mod param {
    pub const EXPIRES: &str = "Expires";
    pub const SIGNATURE: &str = "Signature";
    pub const KEY_PAIR_ID: &str = "Key-Pair-Id";
    pub const HASH_ALGORITHM: &str = "Hash-Algorithm";
    /// Of custom policies, which are not spoken here.
    pub const POLICY: &str = "Policy";
}

/// The only hash spoken here; without the parameter CloudFront takes SHA-1.
const SHA256: &str = "SHA256";

/// The canned policy, byte for byte: its text is what is signed. `expires` in seconds since 1970.
fn canned_policy(resource: &str, expires: i64) -> String {
    format!(
        r#"{{"Statement":[{{"Resource":"{resource}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
    )
}

/// Where the base URL ends and the object's path begins: `https://host[:port]`, without a slash at the end.
///
/// # Errors
/// [`BadBaseUrl`] for anything but an http(s) origin: a path, a query or a user name would be signed wrongly.
fn origin_of(base_url: &str) -> Result<String, BadBaseUrl> {
    let refuse = || BadBaseUrl(base_url.to_owned());
    let origin = base_url.strip_suffix('/').unwrap_or(base_url);
    let uri: http::Uri = origin.parse().map_err(|_| refuse())?;
    let plain = matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && uri.path() == "/"
        && uri.query().is_none()
        && !origin.ends_with('/');
    if plain { Ok(origin.to_owned()) } else { Err(refuse()) }
}

/// The base of download URLs is not an origin.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an origin such as https://d111111abcdef8.cloudfront.net: {0:?}")]
pub struct BadBaseUrl(pub String);

/// CloudFront's base64: `+`, `/` and `=` become `-`, `~` and `_`.
fn encode_signature(signature: &[u8]) -> String {
    STANDARD
        .encode(signature)
        .chars()
        .map(|c| match c {
            '+' => '-',
            '/' => '~',
            '=' => '_',
            other => other,
        })
        .collect()
}

/// The reverse of [`encode_signature`]; `None` for any other spelling, so that one signature has one text.
fn decode_signature(text: &str) -> Option<Vec<u8>> {
    let standard: Option<String> = text
        .chars()
        .map(|c| match c {
            '-' => Some('+'),
            '~' => Some('/'),
            '_' => Some('='),
            '+' | '/' | '=' => None,
            other => Some(other),
        })
        .collect();
    STANDARD.decode(standard?).ok()
}
