//! Every setting, typed. `config.default.toml` is the reference of what each one means.

mod check;
mod layers;
mod load;
mod problem;
mod show;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use entity::replica_finding;
use secrecy::SecretString;
use serde::Deserialize;

pub use layers::{FILE_VARIABLE, Origin};
pub use load::{Loaded, Sources};
pub use problem::{Invalid, Problem};

/// The defaults, and the reference of every setting: its text is the file in the repository.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub data_dir: PathBuf,
    pub server: Server,
    pub log: Log,
    pub database: Database,
    pub objects: Objects,
    pub object_events: ObjectEvents,
    pub embedded: Embedded,
    pub downloads: Downloads,
    pub alerts: Alerts,
    pub accounts: Accounts,
    pub friends: Friends,
    pub uploads: Uploads,
    pub images: Images,
    pub files: Files,
    pub quotas: Quotas,
    pub shares: Shares,
    pub snaps: Snaps,
    pub reports: Reports,
    pub ledger: Ledger,
    pub replication: Replication,
    pub manifest: Manifest,
    pub jobs: Jobs,
    pub audit: Audit,
    pub events: Events,
    pub live: Live,
    pub graphql: Graphql,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub listen: SocketAddr,
    pub public_url: String,
    pub allowed_origins: Vec<String>,
    pub trusted_proxy_hops: usize,
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub shutdown_deadline: Duration,
    pub graphiql: bool,
    pub metrics_listen: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    pub filter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: SecretString,
    pub max_connections: u32,
    #[serde(with = "humantime_serde")]
    pub acquire_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub statement_timeout: Duration,
    pub migrate: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    pub backend: Backend,
    pub replication: ReplicationMode,
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    pub first: Bucket,
    pub second: Bucket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    Embedded,
    S3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplicationMode {
    Managed,
    S3Crr,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    pub bucket: String,
    pub region: String,
    pub endpoint: String,
    pub access_key_id: String,
    pub secret_access_key: SecretString,
    pub path_style: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectEvents {
    pub queue_url: String,
    pub region: String,
    pub endpoint: String,
    pub access_key_id: String,
    pub secret_access_key: SecretString,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedded {
    pub s3_listen: String,
    pub edge_listen: String,
    pub edge_cache: ByteSize,
    pub edge_cache_object: ByteSize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Downloads {
    pub base_url: String,
    pub key_pair_id: String,
    pub private_key_file: String,
    #[serde(with = "humantime_serde")]
    pub default_ttl: Duration,
    #[serde(with = "humantime_serde")]
    pub max_ttl: Duration,
    #[serde(with = "humantime_serde")]
    pub window: Duration,
    pub distribution_id: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    pub sink: Sink,
    #[serde(with = "humantime_serde")]
    pub storm_window: Duration,
    pub topic_arn: String,
    pub region: String,
    pub endpoint: String,
    pub access_key_id: String,
    pub secret_access_key: SecretString,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sink {
    Log,
    Sns,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    pub sign_up: bool,
    pub password_min_length: usize,
    #[serde(with = "humantime_serde")]
    pub session_ttl: Duration,
    pub hash_memory: ByteSize,
    pub hash_passes: u32,
    pub hash_lanes: u32,
    pub hash_concurrency: usize,
    pub log_in_failures_per_account: u32,
    pub log_in_failures_per_address: u32,
    #[serde(with = "humantime_serde")]
    pub log_in_window: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Friends {
    pub max_friends: u32,
    pub max_pending: u32,
    pub max_blocks: u32,
    #[serde(with = "humantime_serde")]
    pub request_pause: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uploads {
    pub max_size: ByteSize,
    pub max_direct_size: ByteSize,
    #[serde(with = "humantime_serde")]
    pub session_ttl: Duration,
    #[serde(with = "humantime_serde")]
    pub part_url_ttl: Duration,
    pub max_open: u32,
    #[serde(with = "humantime_serde")]
    pub idle_after: Duration,
    pub endpoint: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    pub max_pixels: u64,
    pub max_side: u32,
    pub max_memory: ByteSize,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    pub concurrency: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    #[serde(with = "humantime_serde")]
    pub trash_retention: Duration,
    pub max_versions: u32,
    #[serde(with = "humantime_serde")]
    pub version_retention: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    pub bytes: ByteSize,
    pub files: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    #[serde(with = "humantime_serde")]
    pub default_ttl: Duration,
    #[serde(with = "humantime_serde")]
    pub max_ttl: Duration,
    pub default_downloads: i32,
    pub max_downloads: i32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snaps {
    pub max_side: u32,
    #[serde(with = "humantime_serde")]
    pub default_ttl: Duration,
    #[serde(with = "humantime_serde")]
    pub group_ttl: Duration,
    #[serde(with = "humantime_serde")]
    pub max_ttl: Duration,
    #[serde(with = "humantime_serde")]
    pub fetch_within: Duration,
    #[serde(with = "humantime_serde")]
    pub view_cap: Duration,
    #[serde(with = "humantime_serde")]
    pub replay_within: Duration,
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reports {
    pub per_day: u32,
    #[serde(with = "humantime_serde")]
    pub evidence_for: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replication {
    #[serde(with = "humantime_serde")]
    pub rpo: Duration,
    #[serde(with = "humantime_serde")]
    pub sweep_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub scrub_interval: Duration,
    pub scrub_per_day: ByteSize,
    #[serde(with = "humantime_serde")]
    pub canary_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub check_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub in_flight_for: Duration,
    #[serde(with = "humantime_serde")]
    pub orphan_grace: Duration,
    #[serde(with = "humantime_serde")]
    pub remind_after: Duration,
    pub copied_per_second: ByteSize,
    pub ranges_at_once: usize,
    pub repair_by_itself: Vec<replica_finding::Kind>,
    pub repair_limit: f64,
    pub repairs_per_second: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    #[serde(with = "humantime_serde")]
    pub interval: Duration,
    pub keep: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    #[serde(with = "humantime_serde")]
    pub erase_margin: Duration,
    #[serde(with = "humantime_serde")]
    pub abandoned_after: Duration,
    #[serde(with = "humantime_serde")]
    pub late_writes: Duration,
    #[serde(with = "humantime_serde")]
    pub sweep_interval: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    pub concurrency: usize,
    #[serde(with = "humantime_serde")]
    pub poll_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    #[serde(with = "humantime_serde")]
    pub backoff_min: Duration,
    #[serde(with = "humantime_serde")]
    pub backoff_max: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    #[serde(with = "humantime_serde")]
    pub seal_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub checkpoint_interval: Duration,
    pub signing_key_file: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    #[serde(with = "humantime_serde")]
    pub poll_interval: Duration,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Live {
    #[serde(with = "humantime_serde")]
    pub init_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub keep_alive: Duration,
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub session_check: Duration,
    pub max_sockets: usize,
    pub max_operations: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graphql {
    pub max_document: ByteSize,
    pub max_tokens: usize,
    pub max_depth: usize,
    pub max_recursion: usize,
    pub max_aliases: usize,
    pub max_complexity: usize,
    pub max_directives: usize,
    pub max_page_size: usize,
    pub max_body: ByteSize,
}

impl Server {
    /// `public_url` without its trailing slash, or nothing where people use the listener's own address.
    #[must_use]
    pub fn public_url(&self) -> Option<&str> {
        non_empty(self.public_url.trim_end_matches('/'))
    }

    /// Where people reach the app, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.public_url().map_or_else(|| format!("http://{}", self.listen), str::to_owned)
    }

    /// The listener of `/metrics`, where it has one of its own.
    #[must_use]
    pub fn metrics_listen(&self) -> Option<SocketAddr> {
        self.metrics_listen.parse().ok()
    }
}

impl Embedded {
    #[must_use]
    pub fn s3_listen(&self) -> Option<SocketAddr> {
        self.s3_listen.parse().ok()
    }

    #[must_use]
    pub fn edge_listen(&self) -> Option<SocketAddr> {
        self.edge_listen.parse().ok()
    }
}

fn non_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
