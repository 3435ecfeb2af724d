//! Dropping objects from the caches in front of the buckets.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use aws_sdk_cloudfront::{
    Client,
    types::{InvalidationBatch, Paths},
};

use crate::adapters::aws::{self, Access};

/// The whole of one call to CloudFront.
const TIMEOUT: Duration = Duration::from_secs(20);
/// A wildcard is needed, because every query is cached apart; CloudFront works on 15 of them at once.
const PATHS_A_REQUEST: usize = 15;

/// Something that caches objects by key.
#[async_trait]
pub trait CachePurger: Send + Sync + fmt::Debug {
    /// Makes the cache forget these objects, whatever query they were asked with. `paths` are object keys (without a
    /// slash in front). `reference` names this purge for good: a repeat with the same paths does no second one.
    async fn purge(&self, paths: &[String], reference: &str) -> Result<(), PurgeError>;
}

#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// A later attempt can succeed.
    #[error("the CDN is unavailable: {0}")]
    Unavailable(String),
    /// No attempt will: no such distribution, no permission.
    #[error("the CDN refused: {0}")]
    Refused(String),
}

/// Where nothing caches.
#[derive(Clone, Copy, Debug)]
pub struct NoPurger;

#[async_trait]
impl CachePurger for NoPurger {
    async fn purge(&self, _paths: &[String], _reference: &str) -> Result<(), PurgeError> {
        Ok(())
    }
}

/// CloudFront's CreateInvalidation.
#[derive(Clone, Debug)]
pub struct CloudFrontPurger {
    client: Client,
    distribution_id: String,
}

impl CloudFrontPurger {
    /// Sets up the client; nothing is called yet. CloudFront's API lives in us-east-1, whatever region `access` names.
    pub async fn connect(access: &Access, distribution_id: impl Into<String>) -> Self {
        let access = Access { region: "us-east-1".to_owned(), ..access.clone() };
        let client = Client::new(&aws::sdk_config(&access, TIMEOUT).await);
        Self { client, distribution_id: distribution_id.into() }
    }

    async fn invalidate(&self, keys: &[String], reference: String) -> Result<(), PurgeError> {
        let refused = |error: aws_sdk_cloudfront::error::BuildError| PurgeError::Refused(error.to_string());
        let items: Vec<String> = keys.iter().map(|key| format!("/{key}*")).collect();
        let quantity = i32::try_from(items.len()).map_err(|error| PurgeError::Refused(error.to_string()))?;
        let paths = Paths::builder().quantity(quantity).set_items(Some(items)).build().map_err(refused)?;
        let batch = InvalidationBatch::builder().paths(paths).caller_reference(reference).build().map_err(refused)?;
        let call = self.client.create_invalidation().distribution_id(&self.distribution_id).invalidation_batch(batch);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let failure = aws::failure(error);
                let kind = if failure.retryable { PurgeError::Unavailable } else { PurgeError::Refused };
                Err(kind(failure.message))
            }
        }
    }
}

#[async_trait]
impl CachePurger for CloudFrontPurger {
    async fn purge(&self, paths: &[String], reference: &str) -> Result<(), PurgeError> {
        // CloudFront takes a repeated reference with the same paths for the first request, so a retry of the whole
        // purge skips the parts that were done. More than one part meets CloudFront's limit and needs such retries.
        for (part, keys) in paths.chunks(PATHS_A_REQUEST).enumerate() {
            self.invalidate(keys, format!("{reference}-{part}")).await?;
        }
        Ok(())
    }
}
