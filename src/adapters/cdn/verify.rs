//! Checking signed URLs as CloudFront does: the local edge's half of the algorithm.

use std::{collections::HashMap, fmt, sync::Arc};

use entity::Timestamp;
use moka::sync::Cache;

use super::{BadBaseUrl, SHA256, VerifyingKey, canned_policy, decode_signature, origin_of, param};

/// Bytes of verified URLs remembered, a few thousand of them: a check costs a hash look-up instead of a signature.
const CACHE_BYTES: u64 = 4 << 20;
/// The longest URL CloudFront takes.
const MAX_URL: usize = 8192;

/// What a signed URL allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Seconds since 1970; refused from then on.
    pub expires: i64,
    /// The query that was signed, raw, without the signature's own parameters.
    pub query: String,
}

/// Why a URL is refused. All are 403 to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the URL is not signed")]
    Unsigned,
    #[error("the URL's signature parameters are malformed")]
    Malformed,
    #[error("the URL is signed by an unknown key")]
    UnknownKey,
    #[error("the URL's signature does not match")]
    BadSignature,
    #[error("the URL has expired")]
    Expired,
}

/// Verifies URLs against a set of public keys.
pub struct UrlVerifier {
    origin: String,
    keys: HashMap<String, VerifyingKey>,
    verified: Cache<Arc<str>, Arc<Grant>>,
}

impl UrlVerifier {
    /// `base_url` is the origin that URLs were signed for. Requests are checked against it and never against their
    /// Host header, which the client chooses.
    ///
    /// # Errors
    /// [`BadBaseUrl`] where that is no http(s) origin.
    pub fn new(base_url: &str, keys: impl IntoIterator<Item = (String, VerifyingKey)>) -> Result<Self, BadBaseUrl> {
        let verified = Cache::builder()
            .max_capacity(CACHE_BYTES)
            .weigher(|url: &Arc<str>, grant: &Arc<Grant>| {
                u32::try_from(url.len() + grant.query.len()).unwrap_or(u32::MAX)
            })
            .build();
        Ok(Self { origin: origin_of(base_url)?, keys: keys.into_iter().collect(), verified })
    }

    /// Checks the path and query of a request, raw as the client sent them.
    ///
    /// The signature's parameters must stand at the end of the query, each exactly once and in any order; whatever
    /// stands before them is compared byte for byte.
    ///
    /// # Errors
    /// The [`Refusal`].
    pub fn verify(&self, path_and_query: &str, now: Timestamp) -> Result<Arc<Grant>, Refusal> {
        let grant = match self.verified.get(path_and_query) {
            Some(grant) => grant,
            None => {
                let grant = Arc::new(self.check(path_and_query)?);
                self.verified.insert(path_and_query.into(), Arc::clone(&grant));
                grant
            }
        };
        if now.0 < grant.expires.saturating_mul(1_000_000) { Ok(grant) } else { Err(Refusal::Expired) }
    }

    fn check(&self, path_and_query: &str) -> Result<Grant, Refusal> {
        // A quote or a backslash could end the policy's JSON string early; no URL of ours holds one.
        if path_and_query.len() > MAX_URL
            || !path_and_query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
        {
            return Err(Refusal::Malformed);
        }
        let (path, query) = path_and_query.split_once('?').ok_or(Refusal::Unsigned)?;
        let signed = Signed::parse(query)?;
        let key = self.keys.get(signed.key_pair_id).ok_or(Refusal::UnknownKey)?;
        if signed.hash_algorithm != SHA256 {
            return Err(Refusal::Malformed);
        }
        let expires: i64 = signed.expires.parse().map_err(|_| Refusal::Malformed)?;
        if expires.to_string() != signed.expires {
            return Err(Refusal::Malformed);
        }
        let signature = decode_signature(signed.signature).ok_or(Refusal::Malformed)?;
        let resource = match signed.rest {
            None => format!("{}{path}", self.origin),
            Some(rest) => format!("{}{path}?{rest}", self.origin),
        };
        if !key.verifies(canned_policy(&resource, expires).as_bytes(), &signature) {
            return Err(Refusal::BadSignature);
        }
        Ok(Grant { expires, query: signed.rest.unwrap_or_default().to_owned() })
    }
}

impl fmt::Debug for UrlVerifier {
    /// Without the cache: its URLs open doors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlVerifier")
            .field("origin", &self.origin)
            .field("keys", &self.keys.keys())
            .finish_non_exhaustive()
    }
}

/// The query, taken apart.
struct Signed<'a> {
    /// What stands before the signature's parameters; `None` where they are all.
    rest: Option<&'a str>,
    expires: &'a str,
    signature: &'a str,
    key_pair_id: &'a str,
    hash_algorithm: &'a str,
}

impl<'a> Signed<'a> {
    fn parse(query: &'a str) -> Result<Self, Refusal> {
        let mut rest = Some(query);
        let (mut expires, mut signature, mut key_pair_id, mut hash_algorithm) = (None, None, None, None);
        while let Some(text) = rest {
            let (before, last) = match text.rsplit_once('&') {
                Some((before, last)) => (Some(before), last),
                None => (None, text),
            };
            let Some((name, value)) = last.split_once('=') else { break };
            let slot = match name {
                param::EXPIRES => &mut expires,
                param::SIGNATURE => &mut signature,
                param::KEY_PAIR_ID => &mut key_pair_id,
                param::HASH_ALGORITHM => &mut hash_algorithm,
                _ => break,
            };
            if slot.replace(value).is_some() {
                return Err(Refusal::Malformed);
            }
            rest = before;
        }
        let reserved = |name: &str| {
            [param::EXPIRES, param::SIGNATURE, param::KEY_PAIR_ID, param::HASH_ALGORITHM, param::POLICY].contains(&name)
        };
        if rest.is_some_and(|rest| rest.split('&').any(|pair| reserved(pair.split('=').next().unwrap_or(pair)))) {
            return Err(Refusal::Malformed);
        }
        match (expires, signature, key_pair_id, hash_algorithm) {
            (Some(expires), Some(signature), Some(key_pair_id), Some(hash_algorithm)) => {
                Ok(Self { rest, expires, signature, key_pair_id, hash_algorithm })
            }
            (None, None, None, None) => Err(Refusal::Unsigned),
            _ => Err(Refusal::Malformed),
        }
    }
}
