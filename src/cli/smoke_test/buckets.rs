//! The witness: what the buckets themselves say is left, over the S3 protocol and past the server.

use super::report::unexpected;
use crate::{
    adapters::objects::{ObjectStore, Presence, StoreError},
    app::Stores,
    cli::{Failure, s3_address, s3_address::S3Address, serve},
    config::{Backend, Loaded},
};

/// As many of others' objects as one listing shows.
const PAGE: u16 = 1000;

/// The buckets of the server under test.
pub struct Buckets(Stores);

impl Buckets {
    /// Those that the settings lead to: the embedded ones of a given data folder, or S3's. `None` without either.
    ///
    /// # Errors
    /// Where no server runs over the data folder, or a bucket does not answer.
    pub async fn of(settings: &Loaded) -> Result<Option<Self>, Failure> {
        let config = &settings.config;
        if config.objects.backend == Backend::Embedded {
            if !settings.is_given("data_dir") {
                return Ok(None);
            }
            let dir = &config.data_dir;
            // Looked for first: reading the keys would make some in a folder that has none.
            if S3Address::read(dir).is_none() || !serve::credentials_file(config).exists() {
                let missing = s3_address::file(dir);
                return Err(Failure::usage(
                    format!("no server runs over the data folder {}: {} is missing", dir.display(), missing.display()),
                    "give the --data-dir of the server under test, or leave it out to skip the buckets",
                ));
            }
        }
        let stores = serve::remote_stores(config).await?;
        for store in [&stores.first, &stores.second] {
            store.check().await.map_err(unanswered(store.as_ref()))?;
        }
        Ok(Some(Self(stores)))
    }

    /// Shows that nothing of these keys is left in either bucket, and says what else there is.
    pub async fn hold_none_of(&self, keys: &[String]) -> Result<String, Failure> {
        let mut said = Vec::new();
        for store in [&self.0.first, &self.0.second] {
            let unanswered = unanswered(store.as_ref());
            for key in keys {
                let left = store.look(key).await.map_err(&unanswered)?;
                if let Presence::Present { versions, markers, uploads } = left {
                    let got = format!("{versions} versions, {markers} markers, {uploads} unfinished uploads");
                    return Err(unexpected(format!("{key} in bucket {}", store.bucket()), "nothing left", got));
                }
            }
            let left = store.list("", None, PAGE).await.map_err(&unanswered)?;
            // What was signed of the audit log stays, whatever people delete.
            let others = left.iter().filter(|listed| !listed.key.starts_with("checkpoint/")).count();
            said.push(match others {
                0 if left.is_empty() => format!("{} is empty", store.bucket()),
                0 => format!("{} is empty but for checkpoints of the audit log", store.bucket()),
                _ => {
                    let more = if left.len() == usize::from(PAGE) { " or more" } else { "" };
                    format!("{} has nothing of this test; others: {others}{more}", store.bucket())
                }
            });
        }
        Ok(said.join("; "))
    }
}

fn unanswered(store: &dyn ObjectStore) -> impl Fn(StoreError) -> Failure {
    let bucket = store.bucket().to_owned();
    move |error| Failure::fault(format!("bucket {bucket} does not answer: {error}"))
}
