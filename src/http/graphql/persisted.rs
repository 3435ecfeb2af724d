//! Automatic persisted queries: a client sends a query's hash, and the query itself only where the hash is not known.
//!
//! After [Apollo's protocol](https://www.apollographql.com/docs/apollo-server/performance/apq). What a hash stands for
//! goes the same way as a query that was sent: same limits, no mutation by GET.

use std::sync::Arc;

use async_graphql::{ErrorExtensionValues, ServerError};
use aws_lc_rs::digest::{SHA256, digest};
use moka::sync::Cache;
use serde::Deserialize;

use super::{super::HttpError, operation::Operation};

/// Bytes of all queries kept in one process.
const CAPACITY: u64 = 4 << 20;
/// What an entry takes beside its text.
const OVERHEAD: usize = 256;

type Hash = [u8; 32];

#[derive(Clone, Debug)]
pub struct PersistedQueries(Cache<Hash, Arc<str>>);

/// The query of this operation, to be kept once it has proven sound.
#[derive(Debug)]
pub struct Fresh(Hash, Arc<str>);

#[derive(Deserialize)]
struct PersistedQuery {
    version: u32,
    #[serde(rename = "sha256Hash")]
    sha256_hash: String,
}

impl Default for PersistedQueries {
    fn default() -> Self {
        let weigh = |_: &Hash, query: &Arc<str>| u32::try_from(query.len() + OVERHEAD).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(CAPACITY).weigher(weigh).build())
    }
}

impl PersistedQueries {
    /// Puts the query in the place of its hash. The inner error is one of GraphQL: the client sends the query then.
    pub fn resolve(&self, operation: &mut Operation) -> Result<Result<Option<Fresh>, ServerError>, HttpError> {
        let Some(extension) = operation.take_persisted_query() else { return Ok(Ok(None)) };
        let PersistedQuery { version, sha256_hash } = serde_json::from_value(extension).map_err(|_| {
            HttpError::bad_request(r#"The extension persistedQuery must be {"version": 1, "sha256Hash": "…"}."#)
        })?;
        if version != 1 {
            return Err(HttpError::bad_request("Only version 1 of the extension persistedQuery is known."));
        }
        let hash = hex::decode(&sha256_hash).ok().and_then(|bytes| Hash::try_from(bytes).ok());
        let hash = hash.ok_or_else(|| HttpError::bad_request("The sha256Hash must have 64 hex digits."))?;
        if operation.query.is_empty() {
            return Ok(match self.0.get(&hash) {
                Some(query) => {
                    operation.query = query.as_ref().to_owned();
                    Ok(None)
                }
                None => Err(not_found()),
            });
        }
        if digest(&SHA256, operation.query.as_bytes()).as_ref() != hash {
            return Err(HttpError::bad_request("The provided sha256Hash is not that of the query."));
        }
        Ok(Ok(Some(Fresh(hash, operation.query.as_str().into()))))
    }

    pub fn keep(&self, Fresh(hash, query): Fresh) {
        self.0.insert(hash, query);
    }
}

/// The message and the code that clients wait for.
fn not_found() -> ServerError {
    let mut error = ServerError::new("PersistedQueryNotFound", None);
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", "PERSISTED_QUERY_NOT_FOUND");
    error.extensions = Some(extensions);
    error
}
