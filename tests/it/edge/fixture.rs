//! A running edge over stores and a ledger in memory that fail on demand, and a client that sees raw bytes.

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use entity::{Timestamp, object::Kind};
use futures::{StreamExt as _, stream};
use snaphaven::{
    adapters::{
        cdn::{SigningKey, UrlSigner, UrlVerifier},
        objects::{
            CopyObject, Listed, NewPart, Object, ObjectMeta, ObjectStore, Part, Presence, PutObject, SignedPart,
            StoreError, StoreErrorKind, Stored, keys::ObjectKey,
        },
    },
    clock::Clock,
    embedded::edge::{self, Catalog, CatalogEntry, CatalogError, EdgeCache, EdgeState},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

pub const KEY_PAIR_ID: &str = "KTEST";
pub const START: Timestamp = Timestamp(1_800_000_000_000_000);
/// What the edge keeps in memory; larger objects are streamed.
pub const SMALL: u64 = 64 * 1024;

/// How a store misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Refuses to answer.
    Unavailable,
    /// Announces the whole and sends this many bytes.
    Truncate(usize),
    /// Fails after this many bytes.
    Reset(usize),
    /// Sends one wrong byte.
    Flip(usize),
    /// Another object, as long as the ledger's plus one.
    Longer,
    /// Says that the object has another SHA-256.
    Checksum,
}

#[derive(Debug)]
pub struct TestStore {
    name: &'static str,
    objects: Mutex<HashMap<String, Bytes>>,
    fault: Mutex<Fault>,
    pub reads: AtomicUsize,
}

impl TestStore {
    fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, objects: Mutex::default(), fault: Mutex::new(Fault::None), reads: AtomicUsize::new(0) })
    }

    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    pub fn remove(&self, key: &str) {
        self.objects.lock().unwrap().remove(key);
    }

    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    fn error(&self, key: &str) -> StoreError {
        StoreError {
            kind: StoreErrorKind::Unavailable,
            operation: "GetObject",
            bucket: self.name.to_owned(),
            key: key.to_owned(),
            message: "told to fail".to_owned(),
        }
    }
}

#[async_trait]
impl ObjectStore for TestStore {
    fn bucket(&self) -> &str {
        self.name
    }

    fn region(&self) -> &str {
        "test"
    }

    async fn get(&self, key: &str, range: Option<RangeInclusive<u64>>) -> Result<Option<Object>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let fault = *self.fault.lock().unwrap();
        if fault == Fault::Unavailable {
            return Err(self.error(key));
        }
        let Some(mut bytes) = self.objects.lock().unwrap().get(key).cloned() else { return Ok(None) };
        if fault == Fault::Longer {
            bytes = [&bytes[..], b"x"].concat().into();
        }
        let meta = ObjectMeta {
            bytes: bytes.len() as u64,
            etag: "\"test\"".to_owned(),
            version_id: None,
            content_type: Some("text/html".to_owned()),
            sha256: (fault == Fault::Checksum).then_some([0; 32]),
            crc64nvme: None,
            sealed: false,
            claim: None,
        };
        let part = range.clone().map_or(0..bytes.len(), |r| *r.start() as usize..*r.end() as usize + 1);
        let mut end = None;
        let bytes = match fault {
            Fault::Flip(at) => {
                let mut changed = bytes.to_vec();
                changed[at] ^= 1;
                Bytes::from(changed).slice(part)
            }
            Fault::Truncate(length) => bytes.slice(part.start..part.end.min(part.start + length)),
            Fault::Reset(length) => {
                end = Some(Err(self.error(key)));
                bytes.slice(part.start..part.end.min(part.start + length))
            }
            _ => bytes.slice(part),
        };
        let chunks: Vec<_> = bytes.chunks(16 * 1024).map(|chunk| Ok(bytes.slice_ref(chunk))).chain(end).collect();
        Ok(Some(Object { meta, range, body: stream::iter(chunks).boxed() }))
    }

    async fn put(&self, put: PutObject, _timeout: Duration) -> Result<Stored, StoreError> {
        Err(self.error(&put.key))
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>, StoreError> {
        Err(self.error(key))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        Err(self.error(key))
    }

    async fn look(&self, key: &str) -> Result<Presence, StoreError> {
        Err(self.error(key))
    }

    async fn list(&self, prefix: &str, _after: Option<&str>, _limit: u16) -> Result<Vec<Listed>, StoreError> {
        Err(self.error(prefix))
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn create_upload(&self, key: &str, _: Option<&str>) -> Result<String, StoreError> {
        Err(self.error(key))
    }

    async fn put_part(&self, key: &str, _: &str, _: &NewPart, _: Bytes, _: Duration) -> Result<Part, StoreError> {
        Err(self.error(key))
    }

    async fn abort_uploads(&self, key: &str) -> Result<(), StoreError> {
        Err(self.error(key))
    }

    async fn sign_part(&self, key: &str, _: &str, _: &NewPart, _: Duration) -> Result<SignedPart, StoreError> {
        Err(self.error(key))
    }

    async fn parts(&self, key: &str, _: &str, _: u32, _: u16) -> Result<Option<Vec<Part>>, StoreError> {
        Err(self.error(key))
    }

    async fn complete_upload(&self, key: &str, _: &str, _: &[Part]) -> Result<Option<Stored>, StoreError> {
        Err(self.error(key))
    }

    async fn copy(&self, copy: CopyObject, _: Duration) -> Result<Stored, StoreError> {
        Err(self.error(&copy.to))
    }
}

#[derive(Debug, Default)]
pub struct TestCatalog {
    entries: Mutex<HashMap<String, CatalogEntry>>,
    pub asked: AtomicUsize,
    pub down: AtomicBool,
}

impl TestCatalog {
    pub fn remove(&self, key: &str) {
        self.entries.lock().unwrap().remove(key);
    }
}

#[async_trait]
impl Catalog for TestCatalog {
    async fn find(&self, key: &str) -> Result<Option<CatalogEntry>, CatalogError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(CatalogError("told to fail".into()));
        }
        Ok(self.entries.lock().unwrap().get(key).cloned())
    }
}

/// The edge under test, on a free port.
pub struct Edge {
    pub address: String,
    pub base: String,
    pub signer: UrlSigner,
    pub primary: Arc<TestStore>,
    pub replica: Arc<TestStore>,
    pub catalog: Arc<TestCatalog>,
    pub cache: EdgeCache,
    now: Arc<AtomicI64>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Edge {
    pub async fn start() -> Self {
        Self::start_with(SigningKey::generate().unwrap()).await
    }

    pub async fn start_with(key: SigningKey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let base = format!("http://{address}");
        let verifier = UrlVerifier::new(&base, [(KEY_PAIR_ID.to_owned(), key.verifying_key().unwrap())]).unwrap();
        let (window, cap) = (Duration::from_secs(300), Duration::from_secs(900));
        let signer = UrlSigner::new(key, KEY_PAIR_ID, &base, window, cap).unwrap();
        let now = Arc::new(AtomicI64::new(START.0));
        let clock = {
            let now = Arc::clone(&now);
            Clock::from_fn(move || Timestamp(now.load(Ordering::SeqCst)))
        };
        let (primary, replica) = (TestStore::new("primary"), TestStore::new("replica"));
        let catalog = Arc::new(TestCatalog::default());
        let cache = EdgeCache::new(16 << 20, SMALL);
        let stores: Vec<Arc<dyn ObjectStore>> = vec![primary.clone(), replica.clone()];
        let sources = edge::Sources::new(stores, edge::Primary::new(0));
        let state = EdgeState::new(verifier, catalog.clone(), sources, cache.clone(), clock, cap);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(edge::serve(listener, edge::router(state), async {
            let _ = stopped.await;
        }));
        Self { address, base, signer, primary, replica, catalog, cache, now, stop: Some(stop), task }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    pub fn pass(&self, time: Duration) {
        self.now.store(self.now().plus(time).0, Ordering::SeqCst);
    }

    /// Puts an object into the ledger and both stores; its key.
    pub fn add(&self, kind: Kind, content_type: &str, bytes: impl Into<Bytes>) -> String {
        let (key, bytes) = (ObjectKey::new(kind).to_string(), bytes.into());
        let entry = CatalogEntry {
            bytes: bytes.len() as u64,
            sha256: digest(&SHA256, &bytes).as_ref().try_into().unwrap(),
            content_type: content_type.to_owned(),
            cacheable: kind != Kind::Snap,
        };
        self.catalog.entries.lock().unwrap().insert(key.clone(), entry);
        for store in [&self.primary, &self.replica] {
            store.objects.lock().unwrap().insert(key.clone(), bytes.clone());
        }
        key
    }

    /// Path and query of a URL that lives ten minutes.
    pub fn url(&self, key: &str, query: &[(&str, &str)]) -> String {
        let url = self.signer.sign(key, query, self.now().plus(Duration::from_secs(600))).unwrap();
        url.strip_prefix(&self.base).unwrap().to_owned()
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[]).await
    }

    /// Sends exactly this target, whatever is in it.
    pub async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        // A cut connection may end in a reset; what arrived counts.
        let _ = stream.read_to_end(&mut bytes).await;
        Answer::parse(&bytes)
    }

    /// Ends the edge and waits for it.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        self.task.await.unwrap().unwrap();
    }
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let (line, lines) = head.split_once("\r\n").unwrap_or((head, ""));
        let headers = lines.lines().filter_map(|line| line.split_once(": "));
        Self {
            status: line.split(' ').nth(1).unwrap().parse().unwrap(),
            headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether as many bytes came as were announced.
    pub fn is_whole(&self) -> bool {
        self.header("content-length") == Some(self.body.len().to_string().as_str())
    }

    pub fn source(&self) -> Option<&str> {
        self.header("x-snaphaven-source")
    }
}
