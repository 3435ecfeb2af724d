//! A store that may be away: once it no longer answers, whatever is asked of it fails at once instead of at the end of its time,
//! until it answers again.
//!
//! Nothing is sent while all is well. A call that fails without a definite answer, or waits long, raises the suspicion; then the
//! bucket itself is asked, and where it does not answer twice, it is away.

use std::{
    fmt,
    future::Future,
    ops::RangeInclusive,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval_at, sleep, timeout},
};

use super::{
    CopyObject, Facts, Listed, NewPart, Object, ObjectMeta, ObjectStore, Part, Presence, PutObject, SignedPart,
    StoreError, StoreErrorKind, Stored, Surveyed,
};

/// A call that waits for so long is a reason to ask whether the bucket still answers.
const LONG: Duration = Duration::from_millis(1_500);
/// A bucket that takes longer to say that it is there is not there. Twice this, and [`LONG`], is how soon calls fail.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between the two looks that decide, and between those at a store that is away.
const AGAIN: Duration = Duration::from_millis(200);
const AWAY: Duration = Duration::from_secs(1);

/// Clones share what they know.
#[derive(Clone)]
pub struct Breaker(Arc<Shared>);

struct Shared {
    store: Arc<dyn ObjectStore>,
    away: watch::Sender<bool>,
    /// Whether somebody is asking the bucket.
    asking: AtomicBool,
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("store", &self.0.store).field("away", &self.is_away()).finish()
    }
}

impl Breaker {
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self(Arc::new(Shared { store, away: watch::Sender::new(false), asking: AtomicBool::new(false) }))
    }

    async fn guard<T>(
        &self,
        operation: &'static str,
        key: &str,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let mut away = self.0.away.subscribe();
        let error = || StoreError {
            kind: StoreErrorKind::Unavailable,
            operation,
            bucket: self.bucket().to_owned(),
            key: key.to_owned(),
            message: "the bucket does not answer".to_owned(),
        };
        if *away.borrow_and_update() {
            return Err(error());
        }
        let mut call = pin!(call);
        let mut long = interval_at(tokio::time::Instant::now() + LONG, LONG);
        long.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut call => break outcome,
                // The sender lives as long as `self`.
                _ = away.wait_for(|away| *away) => return Err(error()),
                _ = long.tick() => self.suspect(),
            }
        };
        if let Err(error) = &outcome
            && !error.is_definite()
        {
            self.suspect();
        }
        outcome
    }

    /// Asks the bucket until it answers, unless somebody does.
    fn suspect(&self) {
        if self.0.asking.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            let mut missed = 0_u32;
            // Ends with the store's last user too.
            while let Some(shared) = shared.upgrade() {
                match timeout(PATIENCE, shared.store.check()).await {
                    Ok(Err(error)) if !error.is_definite() => missed += 1,
                    Err(_) => missed += 1,
                    // A refusal is an answer.
                    Ok(_) => {
                        if shared.away.send_replace(false) {
                            tracing::info!(bucket = shared.store.bucket(), "the bucket answers again");
                        }
                        shared.asking.store(false, Ordering::Release);
                        return;
                    }
                }
                if missed == 2 {
                    tracing::warn!(bucket = shared.store.bucket(), "the bucket does not answer; calls fail at once");
                    shared.away.send_replace(true);
                }
                drop(shared);
                sleep(if missed < 2 { AGAIN } else { AWAY }).await;
            }
        });
    }
}

#[async_trait]
impl ObjectStore for Breaker {
    fn bucket(&self) -> &str {
        self.0.store.bucket()
    }

    fn region(&self) -> &str {
        self.0.store.region()
    }

    fn is_away(&self) -> bool {
        *self.0.away.borrow()
    }

    async fn put(&self, put: PutObject, timeout: Duration) -> Result<Stored, StoreError> {
        let key = put.key.clone();
        self.guard("PutObject", &key, self.0.store.put(put, timeout)).await
    }

    async fn get(&self, key: &str, range: Option<RangeInclusive<u64>>) -> Result<Option<Object>, StoreError> {
        let found = self.guard("GetObject", key, self.0.store.get(key, range)).await?;
        // The body may stop on its way too.
        Ok(found.map(|object| {
            let (breaker, key) = (self.clone(), key.to_owned());
            let body = stream::unfold((object.body, breaker, key), |(mut body, breaker, key)| async move {
                let next = breaker.guard("GetObject", &key, async { body.next().await.transpose() }).await;
                next.transpose().map(|chunk| (chunk, (body, breaker, key)))
            });
            // A stream that has failed ends.
            let body = body.scan(false, |failed, chunk| {
                let over = std::mem::replace(failed, chunk.is_err());
                std::future::ready((!over).then_some(chunk))
            });
            Object { body: body.boxed(), ..object }
        }))
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError> {
        self.guard("HeadObject", key, self.0.store.head(key)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.guard("DeleteObject", key, self.0.store.delete(key)).await
    }

    async fn look(&self, key: &str) -> Result<Presence, StoreError> {
        self.guard("ListObjectVersions", key, self.0.store.look(key)).await
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: u16) -> Result<Vec<Listed>, StoreError> {
        self.guard("ListObjectsV2", prefix, self.0.store.list(prefix, start_after, limit)).await
    }

    async fn survey(&self, start_after: Option<&str>, limit: u16) -> Result<Vec<Surveyed>, StoreError> {
        self.guard("ListObjectVersions", "", self.0.store.survey(start_after, limit)).await
    }

    /// Asks, whatever is known.
    async fn check(&self) -> Result<(), StoreError> {
        self.0.store.check().await
    }

    async fn facts(&self) -> Facts {
        self.0.store.facts().await
    }

    async fn create_upload(&self, key: &str, content_type: Option<&str>) -> Result<String, StoreError> {
        self.guard("CreateMultipartUpload", key, self.0.store.create_upload(key, content_type)).await
    }

    async fn put_part(
        &self,
        key: &str,
        upload: &str,
        part: &NewPart,
        bytes: Bytes,
        timeout: Duration,
    ) -> Result<Part, StoreError> {
        self.guard("UploadPart", key, self.0.store.put_part(key, upload, part, bytes, timeout)).await
    }

    async fn abort_uploads(&self, key: &str) -> Result<(), StoreError> {
        self.guard("AbortMultipartUpload", key, self.0.store.abort_uploads(key)).await
    }

    /// Calls nobody.
    async fn sign_part(
        &self,
        key: &str,
        upload: &str,
        part: &NewPart,
        life: Duration,
    ) -> Result<SignedPart, StoreError> {
        self.0.store.sign_part(key, upload, part, life).await
    }

    async fn parts(&self, key: &str, upload: &str, after: u32, limit: u16) -> Result<Option<Vec<Part>>, StoreError> {
        self.guard("ListParts", key, self.0.store.parts(key, upload, after, limit)).await
    }

    async fn complete_upload(&self, key: &str, upload: &str, parts: &[Part]) -> Result<Option<Stored>, StoreError> {
        self.guard("CompleteMultipartUpload", key, self.0.store.complete_upload(key, upload, parts)).await
    }

    async fn copy(&self, copy: CopyObject, timeout: Duration) -> Result<Stored, StoreError> {
        let key = copy.to.clone();
        self.guard("CopyObject", &key, self.0.store.copy(copy, timeout)).await
    }
}
