//! Making signed URLs: pure computation over a key and a time, with a cache so that browsers can cache too.

use std::{fmt, sync::Arc, time::Duration};

use entity::Timestamp;
use moka::sync::Cache;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{BadBaseUrl, SHA256, SigningKey, canned_policy, encode_signature, origin_of, param};

/// All but RFC 3986's unreserved characters: what every other URL library leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same within a path of several segments.
const ENCODED_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// Bytes of URLs kept, a few thousand of them.
const CACHE_BYTES: u64 = 4 << 20;
/// However long URLs may live.
const CACHE_TTL: Duration = Duration::from_secs(24 * 3600);

/// The library could not sign, which it gives no reason for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the download URL could not be signed")]
pub struct SignError;

/// A URL and the time from which it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUrl {
    pub url: Arc<str>,
    pub expires_at: Timestamp,
}

/// Signs download URLs with one key.
pub struct UrlSigner {
    key: SigningKey,
    key_pair_id: String,
    origin: String,
    window: Duration,
    max_ttl: Duration,
    cache: Cache<(String, i64), Arc<str>>,
}

impl UrlSigner {
    /// `base_url` is the origin that serves the objects: a CloudFront domain or the local edge. For `window` and
    /// `max_ttl` see [`UrlSigner::signed_url`].
    ///
    /// # Errors
    /// [`BadBaseUrl`] where that is no http(s) origin.
    pub fn new(
        key: SigningKey,
        key_pair_id: impl Into<String>,
        base_url: &str,
        window: Duration,
        max_ttl: Duration,
    ) -> Result<Self, BadBaseUrl> {
        let cache = Cache::builder()
            .max_capacity(CACHE_BYTES)
            .weigher(|(resource, _): &(String, i64), url: &Arc<str>| {
                u32::try_from(resource.len() + url.len()).unwrap_or(u32::MAX)
            })
            .time_to_live(max_ttl.clamp(Duration::from_secs(1), CACHE_TTL))
            .build();
        Ok(Self { key, key_pair_id: key_pair_id.into(), origin: origin_of(base_url)?, window, max_ttl, cache })
    }

    /// Where every signed URL points, such as `https://d111111abcdef8.cloudfront.net`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The public half of the key in use.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    #[must_use]
    pub fn key_pair_id(&self) -> &str {
        &self.key_pair_id
    }

    /// Signs the URL of an object, valid before `expires_at` (whole seconds; a fraction is cut off). `query` is
    /// percent-encoded and part of what is signed, as `response-content-disposition`.
    ///
    /// # Errors
    /// [`SignError`] where the library fails.
    pub fn sign(&self, key: &str, query: &[(&str, &str)], expires_at: Timestamp) -> Result<String, SignError> {
        self.sign_resource(&self.resource(key, query), expires_at.unix_seconds())
    }

    /// Signs the URL of an object for about `ttl`, the same URL for everyone who asks within one window.
    ///
    /// The expiry is `now` + `ttl` (at most the `max_ttl` of the settings), rounded *down* to the grid of windows, so
    /// that no URL outlives what was asked. A grid wider than half the time asked is narrowed to that half: a URL of
    /// two seconds or more keeps at least half of its life.
    ///
    /// # Errors
    /// [`SignError`] where the library fails.
    pub fn signed_url(
        &self,
        key: &str,
        query: &[(&str, &str)],
        ttl: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, SignError> {
        let expires = self.expiry(ttl, now);
        let expires_at = Timestamp(expires.saturating_mul(1_000_000));
        let entry = (self.resource(key, query), expires);
        if let Some(url) = self.cache.get(&entry) {
            return Ok(SignedUrl { url, expires_at });
        }
        let url: Arc<str> = self.sign_resource(&entry.0, expires)?.into();
        self.cache.insert(entry, Arc::clone(&url));
        Ok(SignedUrl { url, expires_at })
    }

    /// Seconds since 1970.
    fn expiry(&self, ttl: Duration, now: Timestamp) -> i64 {
        let ttl = ttl.min(self.max_ttl);
        let grid = self.window.min(ttl / 2).as_secs();
        let grid = i64::try_from(grid).unwrap_or(i64::MAX).max(1);
        now.plus(ttl).unix_seconds().div_euclid(grid) * grid
    }

    fn resource(&self, key: &str, query: &[(&str, &str)]) -> String {
        let mut resource = format!("{}/{}", self.origin, utf8_percent_encode(key, ENCODED_PATH));
        let mut separator = '?';
        for (name, value) in query {
            resource.push(separator);
            resource.extend(utf8_percent_encode(name, ENCODED));
            resource.push('=');
            resource.extend(utf8_percent_encode(value, ENCODED));
            separator = '&';
        }
        resource
    }

    fn sign_resource(&self, resource: &str, expires: i64) -> Result<String, SignError> {
        let policy = canned_policy(resource, expires);
        let signature = encode_signature(&self.key.sign(policy.as_bytes()).map_err(|_| SignError)?);
        let separator = if resource.contains('?') { '&' } else { '?' };
        Ok(format!(
            "{resource}{separator}{}={expires}&{}={signature}&{}={}&{}={SHA256}",
            param::EXPIRES,
            param::SIGNATURE,
            param::KEY_PAIR_ID,
            self.key_pair_id,
            param::HASH_ALGORITHM,
        ))
    }
}

impl fmt::Debug for UrlSigner {
    /// Without the cache: its URLs open doors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlSigner")
            .field("key", &self.key)
            .field("key_pair_id", &self.key_pair_id)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
