//! Reading objects from the stores: the primary first, the replica where it fails, and never a wrong byte as a whole.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::{Bytes, BytesMut};
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use moka::sync::Cache;
use tokio::sync::Notify;

use super::{
    CatalogEntry,
    request::Span,
    sums::{Check, Sums},
};
use crate::adapters::objects::{Object, ObjectStore, StoreError};

/// How long a copy that failed its check is asked last.
const SUSPECT: Duration = Duration::from_secs(300);

/// Where the bytes came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Memory,
    Primary,
    Replica,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Primary => "primary",
            Self::Replica => "replica",
        }
    }

    fn of(store: usize, primary: usize) -> Self {
        if store == primary { Self::Primary } else { Self::Replica }
    }
}

/// Why no store could serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// At least one store did not answer: a retry can help.
    #[error("no store could be read")]
    Unavailable,
    /// Every store answered, and none has the bytes that the ledger names.
    #[error("no store has a good copy")]
    NoGoodCopy,
}

/// What is wrong with one store's copy.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("missing")]
    Missing,
    #[error("{0} bytes, where the ledger has {1}")]
    Length(u64, u64),
    #[error("the bytes end early or late")]
    Truncated,
    #[error("the hash differs from the ledger's")]
    Hash,
}

impl Fault {
    fn passes(&self) -> bool {
        matches!(self, Self::Store(error) if !error.is_definite())
    }
}

/// The index of the store that is asked first. It may change: reads wake whoever keeps it right, and nobody else does.
#[derive(Clone, Debug)]
pub struct Primary(Arc<(AtomicUsize, Notify)>);

impl Primary {
    #[must_use]
    pub fn new(index: usize) -> Self {
        Self(Arc::new((AtomicUsize::new(index), Notify::new())))
    }

    /// Waits until somebody has read since the last time.
    pub async fn wanted(&self) {
        self.0.1.notified().await;
    }

    pub fn set(&self, index: usize) {
        self.0.0.store(index, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.0.load(Ordering::Relaxed)
    }
}

/// The stores, and which of them is asked first.
#[derive(Clone, Debug)]
pub struct Sources {
    stores: Arc<[Arc<dyn ObjectStore>]>,
    primary: Primary,
    /// Copies whose bytes were wrong, by store and key: a client's next attempt is served by the other store.
    suspects: Cache<(usize, String), ()>,
    sums: Sums,
}

impl Sources {
    #[must_use]
    pub fn new(stores: Vec<Arc<dyn ObjectStore>>, primary: Primary) -> Self {
        let suspects = Cache::builder().max_capacity(10_000).time_to_live(SUSPECT).build();
        Self { stores: stores.into(), primary, suspects, sums: Sums::default() }
    }

    fn source(&self, store: usize) -> Source {
        Source::of(store, self.primary.get())
    }

    /// The whole object in memory, hash checked.
    pub(super) async fn whole(&self, key: &str, entry: &CatalogEntry) -> Result<(Bytes, Source), ReadError> {
        let mut error = ReadError::NoGoodCopy;
        for store in self.order(key) {
            match self.whole_from(store, key, entry).await {
                Ok(bytes) => return Ok((bytes, self.source(store))),
                Err(fault) => self.note(&mut error, store, key, &fault),
            }
        }
        Err(error)
    }

    async fn whole_from(&self, store: usize, key: &str, entry: &CatalogEntry) -> Result<Bytes, Fault> {
        let mut body = self.open(store, key, entry, None).await?.body;
        let length = usize::try_from(entry.bytes).unwrap_or(usize::MAX);
        let mut bytes = BytesMut::with_capacity(length);
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk?);
            if bytes.len() > length {
                return Err(Fault::Truncated);
            }
        }
        if bytes.len() != length {
            return Err(Fault::Truncated);
        }
        if digest(&SHA256, &bytes).as_ref() != entry.sha256 {
            return Err(Fault::Hash);
        }
        Ok(bytes.freeze())
    }

    /// All bytes of an object, its first chunk already read. The hash is checked before the last chunk is handed out, else
    /// the stream ends in an error.
    pub async fn download(
        &self,
        key: &str,
        entry: &CatalogEntry,
    ) -> Result<BoxStream<'static, Result<Bytes, ReadError>>, ReadError> {
        if entry.bytes == 0 {
            self.whole(key, entry).await?;
            return Ok(stream::empty().boxed());
        }
        Ok(self.stream(key, entry, &Span::whole(entry.bytes)).await?.0)
    }

    /// A stream of exactly these bytes, its first chunk already read. Of a whole object the hash is checked before the
    /// last chunk is handed out, else the stream ends in an error; a part is held to the length and, where the store
    /// keeps one, to its full-object checksum. A store that fails on the way is replaced by the next one.
    pub(super) async fn stream(
        &self,
        key: &str,
        entry: &CatalogEntry,
        span: &Span,
    ) -> Result<(BoxStream<'static, Result<Bytes, ReadError>>, Source), ReadError> {
        let mut reader = Reader {
            sources: self.clone(),
            key: key.to_owned(),
            entry: entry.clone(),
            at: span.start,
            end: span.end,
            handed_out: false,
            check: span.covers_all().then(|| self.sums.check(key)),
            left: self.order(key),
            store: 0,
            body: None,
            error: ReadError::NoGoodCopy,
        };
        let first = reader.next().await?;
        let source = self.source(reader.store);
        let rest = stream::unfold(Some(reader), |reader| async {
            let mut reader = reader?;
            if reader.at == reader.end {
                return None;
            }
            match reader.next().await {
                Ok(chunk) => Some((Ok(chunk), Some(reader))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok((stream::once(async { Ok(first) }).chain(rest).boxed(), source))
    }

    /// The primary first, suspected copies and stores that are away last.
    fn order(&self, key: &str) -> Vec<usize> {
        let primary = self.primary.get();
        self.primary.0.1.notify_one();
        let mut order: Vec<usize> = (0..self.stores.len()).collect();
        order.sort_by_key(|store| {
            let suspect = self.suspects.contains_key(&(*store, key.to_owned()));
            (self.stores[*store].is_away(), suspect, *store != primary)
        });
        order
    }

    async fn open(
        &self,
        store: usize,
        key: &str,
        entry: &CatalogEntry,
        range: Option<RangeInclusive<u64>>,
    ) -> Result<Object, Fault> {
        let store = self.stores.get(store).ok_or(Fault::Missing)?;
        let object = store.get(key, range).await?.ok_or(Fault::Missing)?;
        if object.meta.bytes != entry.bytes {
            return Err(Fault::Length(object.meta.bytes, entry.bytes));
        }
        if object.meta.sha256.is_some_and(|sha256| sha256 != entry.sha256) {
            return Err(Fault::Hash);
        }
        Ok(object)
    }

    fn note(&self, error: &mut ReadError, store: usize, key: &str, fault: &Fault) {
        tracing::warn!(key, source = self.source(store).as_str(), %fault, "copy could not be served");
        if fault.passes() {
            *error = ReadError::Unavailable;
        } else {
            self.suspects.insert((store, key.to_owned()), ());
        }
    }
}

/// One download on its way.
struct Reader {
    sources: Sources,
    key: String,
    entry: CatalogEntry,
    /// The next byte, and where the download ends.
    at: u64,
    end: u64,
    handed_out: bool,
    /// Of a whole object.
    check: Option<Check>,
    /// Stores not tried yet, in order.
    left: Vec<usize>,
    store: usize,
    body: Option<BoxStream<'static, Result<Bytes, StoreError>>>,
    error: ReadError,
}

impl Reader {
    /// The next chunk; called only while bytes are missing.
    async fn next(&mut self) -> Result<Bytes, ReadError> {
        loop {
            let fault = match self.chunk().await {
                Ok(chunk) => {
                    self.handed_out = true;
                    return Ok(chunk);
                }
                Err(fault) => fault,
            };
            self.sources.note(&mut self.error, self.store, &self.key, &fault);
            self.body = None;
            // The hash covers all bytes, those handed out too: no other store can mend it, unless there are none.
            if matches!(fault, Fault::Hash) && self.at == self.end {
                if self.handed_out {
                    return Err(ReadError::NoGoodCopy);
                }
                self.at = 0;
                self.check = Some(self.sources.sums.check(&self.key));
            }
            if self.left.is_empty() {
                return Err(self.error);
            }
        }
    }

    async fn chunk(&mut self) -> Result<Bytes, Fault> {
        loop {
            let Some(body) = &mut self.body else {
                self.store = if self.left.is_empty() { return Err(Fault::Missing) } else { self.left.remove(0) };
                let all = self.at == 0 && self.end == self.entry.bytes;
                let range = (!all).then(|| self.at..=self.end - 1);
                self.body = Some(self.sources.open(self.store, &self.key, &self.entry, range).await?.body);
                continue;
            };
            let chunk = body.next().await.ok_or(Fault::Truncated)??;
            if chunk.is_empty() {
                continue;
            }
            let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            if length > self.end - self.at {
                return Err(Fault::Truncated);
            }
            self.at += length;
            if let Some(check) = &mut self.check {
                check.update(&chunk);
                if self.at == self.end && !self.sources.sums.passes(check, &self.key, &self.entry) {
                    return Err(Fault::Hash);
                }
            }
            return Ok(chunk);
        }
    }
}
