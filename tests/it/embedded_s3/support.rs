//! A server of its own for each test.

use std::path::Path;

use aws_credential_types::Credentials as AwsKey;
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Region},
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
    _folder: TempDir,
}

pub fn options(dir: &Path, durability: Durability) -> EmbeddedS3Options {
    EmbeddedS3Options {
        dir: dir.join("s3"),
        buckets: [(FIRST.to_owned(), REGION.to_owned()), (SECOND.to_owned(), "eu-west-1".to_owned())],
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
        let folder = tempfile::tempdir().unwrap();
        let embedded = open(folder.path()).unwrap();
        let shutdown = CancellationToken::new();
        Self { embedded, _stop: shutdown.clone().drop_guard(), shutdown, _folder: folder }
    }

    pub fn embedded(&self) -> &EmbeddedS3 {
        &self.embedded
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
