//! A server of its own for each test.

use std::path::{Path, PathBuf};

use aws_credential_types::Credentials as AwsKey;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Region, http::HttpResponse},
    error::{ProvideErrorMetadata, SdkError},
};
use secrecy::ExposeSecret;
use snaphaven::{
    adapters::objects::s3::S3Store,
    clock::Clock,
    embedded::s3::{Credentials, Durability, EmbeddedS3, EmbeddedS3Options, OpenError},
};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

pub const FIRST: &str = "first-bucket";
pub const SECOND: &str = "second-bucket";
pub const REGION: &str = "eu-central-1";
pub const ORIGIN: &str = "https://app.example.org";

/// An embedded store in a temporary folder. Its listeners end with it.
pub struct TestS3 {
    embedded: EmbeddedS3,
    shutdown: CancellationToken,
    _stop: DropGuard,
    folder: TempDir,
}

pub fn options(dir: &Path, durability: Durability) -> EmbeddedS3Options {
    EmbeddedS3Options {
        dir: dir.join("s3"),
        buckets: vec![(FIRST.to_owned(), REGION.to_owned()), (SECOND.to_owned(), "eu-west-1".to_owned())],
        credentials: Credentials::load_or_create(&dir.join("s3-credentials.env")).unwrap(),
        cors_origins: vec![ORIGIN.to_owned()],
        durability,
        clock: Clock::system(),
    }
}

pub fn open(dir: &Path) -> Result<EmbeddedS3, OpenError> {
    EmbeddedS3::open(options(dir, Durability::Relaxed))
}

impl TestS3 {
    pub fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    /// In memory where the system has a place for that: for tests of many files.
    pub fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        Self::in_folder(if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap())
    }

    fn in_folder(folder: TempDir) -> Self {
        let embedded = open(folder.path()).unwrap();
        let shutdown = CancellationToken::new();
        Self { embedded, _stop: shutdown.clone().drop_guard(), shutdown, folder }
    }

    /// A server with a client that speaks to it over HTTP.
    pub async fn new_over_http() -> (Self, Client) {
        let server = Self::new();
        let client = server.client_over_http().await;
        (server, client)
    }

    pub fn embedded(&self) -> &EmbeddedS3 {
        &self.embedded
    }

    /// The folder of the first bucket.
    pub fn bucket_folder(&self) -> PathBuf {
        self.folder.path().join("s3").join(FIRST)
    }

    pub fn credentials(&self) -> &Credentials {
        self.embedded.credentials()
    }

    /// Serves on a free port; the address of it.
    pub async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(self.embedded.clone().serve(listener, self.shutdown.clone()));
        endpoint
    }

    /// The first bucket, without a socket.
    pub fn store(&self) -> S3Store {
        let Credentials { access_key_id, secret_access_key } = self.credentials();
        S3Store::in_process(self.embedded.service(), FIRST, REGION, access_key_id, secret_access_key)
    }

    /// Serves, and gives a client.
    pub async fn client_over_http(&self) -> Client {
        self.client(&self.listen().await)
    }

    /// The SDK with its defaults, as any client would use it.
    pub fn client(&self, endpoint: &str) -> Client {
        let key = self.credentials();
        let key = AwsKey::new(&key.access_key_id, key.secret_access_key.expose_secret(), None, None, "test");
        client(endpoint, key)
    }
}

pub fn client(endpoint: &str, key: AwsKey) -> Client {
    Client::from_conf(
        aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(endpoint)
            .credentials_provider(key)
            .force_path_style(true)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build(),
    )
}

/// Bytes without a pattern that a block size could hide.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(length)
    .collect()
}

/// The S3 error code of a refused call.
pub fn code<T: std::fmt::Debug, E, R>(result: Result<T, SdkError<E, R>>) -> String
where
    E: ProvideErrorMetadata + std::fmt::Debug,
    R: std::fmt::Debug,
{
    match result.unwrap_err() {
        SdkError::ServiceError(error) => error.err().code().unwrap_or("(no code)").to_owned(),
        error => panic!("no answer of the service: {error:?}"),
    }
}

/// The HTTP status of a refused call.
pub fn status<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, SdkError<E, HttpResponse>>) -> u16 {
    result.unwrap_err().raw_response().unwrap().status().as_u16()
}

/// The whole body of an object.
pub async fn bytes(client: &Client, key: &str) -> Vec<u8> {
    let object = client.get_object().bucket(FIRST).key(key).send().await.unwrap();
    object.body.collect().await.unwrap().to_vec()
}

/// All regular files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect()
}

/// A server that can be stopped and waited for, as a process would.
pub struct Serving {
    pub client: Client,
    shutdown: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Serving {
    pub async fn start(embedded: EmbeddedS3) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let key = embedded.credentials();
        let key = AwsKey::new(&key.access_key_id, key.secret_access_key.expose_secret(), None, None, "test");
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(embedded.serve(listener, shutdown.clone()));
        Self { client: client(&endpoint, key), shutdown, running }
    }

    /// Returns when the store is closed.
    pub async fn stop(self) {
        drop(self.client);
        self.shutdown.cancel();
        self.running.await.unwrap();
    }
}
