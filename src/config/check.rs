//! What must hold between and within settings beyond their types.

use std::{net::SocketAddr, time::Duration};

use bytesize::ByteSize;
use http::Uri;
use secrecy::ExposeSecret;
use tracing_subscriber::EnvFilter;

use super::{Backend, Bucket, Config, ReplicationMode, Sink};

/// No URL may live longer: a trashed file stays readable for as long (the design's cap).
const LONGEST_TTL: Duration = Duration::from_secs(15 * 60);
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct Violation {
    pub setting: &'static str,
    pub what: String,
    pub fix: String,
}

#[derive(Default)]
struct Checks(Vec<Violation>);

impl Checks {
    fn require(&mut self, holds: bool, setting: &'static str, what: impl Into<String>, fix: impl Into<String>) {
        if !holds {
            self.0.push(Violation { setting, what: what.into(), fix: fix.into() });
        }
    }

    fn range<N: PartialOrd + Copy + std::fmt::Display>(&mut self, setting: &'static str, value: N, least: N, most: N) {
        let fix = format!("write a value from {least} to {most}");
        self.require(value >= least && value <= most, setting, "it is out of range", fix);
    }

    fn address(&mut self, setting: &'static str, value: &str) {
        let holds = value.is_empty() || value.parse::<SocketAddr>().is_ok();
        self.require(
            holds,
            setting,
            "it is not an address",
            r#"write an IP address and a port, for example "127.0.0.1:9000""#,
        );
    }

    fn url(&mut self, setting: &'static str, value: &str) {
        let holds = value.is_empty() || is_url(value);
        let fix = r#"write an http or https URL without query and user, for example "https://example.org""#;
        self.require(holds, setting, "it is not such a URL", fix);
    }

    fn key_pair(&mut self, setting: &'static str, id: &str, secret: &str) {
        let what = "only one half of the access key is set";
        self.require(
            id.is_empty() == secret.is_empty(),
            setting,
            what,
            "set both access_key_id and secret_access_key, or neither",
        );
    }
}

/// Everything that does not hold, each under the setting to change.
pub(super) fn violations(config: &Config) -> Vec<Violation> {
    let mut checks = Checks::default();
    server(&mut checks, config);
    database(&mut checks, config);
    objects(&mut checks, config);
    downloads(&mut checks, config);
    shares(&mut checks, config);
    snaps(&mut checks, config);
    alerts(&mut checks, config);
    object_events(&mut checks, config);
    replication(&mut checks, config);
    manifest(&mut checks, config);
    limits(&mut checks, config);
    durations(&mut checks, config);
    checks.0
}

fn server(checks: &mut Checks, config: &Config) {
    let server = &config.server;
    let origin_fix = r#"write scheme, host and port only, for example "https://app.example.org""#;
    let public = server.public_url.trim_end_matches('/');
    checks.require(
        public.is_empty() || is_origin(public),
        "server.public_url",
        "it is not the root of an http or https site",
        origin_fix,
    );
    let unfit = server.allowed_origins.iter().find(|origin| !is_origin(origin));
    let what = unfit.map(|origin| format!("{origin:?} is not an origin")).unwrap_or_default();
    checks.require(unfit.is_none(), "server.allowed_origins", what, origin_fix);
    checks.range("server.trusted_proxy_hops", server.trusted_proxy_hops, 0, 10);
    checks.address("server.metrics_listen", &server.metrics_listen);
    checks.address("embedded.s3_listen", &config.embedded.s3_listen);
    checks.address("embedded.edge_listen", &config.embedded.edge_listen);
    let filter = EnvFilter::try_new(&config.log.filter);
    let what = filter.as_ref().err().map(ToString::to_string).unwrap_or_default();
    checks.require(filter.is_ok(), "log.filter", what, r#"write levels, for example "info" or "snaphaven=debug,info""#);
    let mut taken = vec![server.listen];
    for (setting, address) in [
        ("server.metrics_listen", server.metrics_listen()),
        ("embedded.s3_listen", config.embedded.s3_listen()),
        ("embedded.edge_listen", config.embedded.edge_listen()),
    ] {
        let Some(address) = address else { continue };
        let free = address.port() == 0 || !taken.contains(&address);
        checks.require(free, setting, "another listener has this address", "give each listener an address of its own");
        taken.push(address);
    }
}

fn database(checks: &mut Checks, config: &Config) {
    let url = config.database.url.expose_secret();
    let known = ["sqlite:", "postgres://", "postgresql://", "mysql://"];
    let holds = url.is_empty() || known.iter().any(|scheme| url.starts_with(scheme));
    let fix = r#"write sqlite://…, postgres://… or mysql://… (MariaDB too), or "" for SQLite in data_dir"#;
    checks.require(holds, "database.url", "its scheme is not one of a supported database", fix);
    checks.range("database.max_connections", config.database.max_connections, 1, 1000);
}

fn objects(checks: &mut Checks, config: &Config) {
    let objects = &config.objects;
    let (first, second) = (&objects.first, &objects.second);
    let fix = "write 3 to 63 lower-case letters, digits, dots and hyphens, with a letter or digit at both ends";
    checks.require(is_bucket_name(&first.bucket), "objects.first.bucket", "it is not a bucket name", fix);
    checks.require(is_bucket_name(&second.bucket), "objects.second.bucket", "it is not a bucket name", fix);
    let twice =
        first.bucket == second.bucket && (objects.backend == Backend::Embedded || first.endpoint == second.endpoint);
    checks.require(
        !twice,
        "objects.second.bucket",
        "both sites are one bucket",
        "name a bucket of another region or store",
    );
    if objects.backend == Backend::Embedded {
        let fix = r#"write "managed", or set objects.backend = "s3""#;
        checks.require(
            objects.replication == ReplicationMode::Managed,
            "objects.replication",
            "the embedded store does not replicate by itself",
            fix,
        );
        return;
    }
    let mut site = |bucket: &Bucket, region, endpoint, key| {
        checks.require(
            !bucket.region.is_empty(),
            region,
            "it is empty",
            r#"name the bucket's region, for example "eu-central-1""#,
        );
        checks.url(endpoint, &bucket.endpoint);
        checks.key_pair(key, &bucket.access_key_id, bucket.secret_access_key.expose_secret());
    };
    site(first, "objects.first.region", "objects.first.endpoint", "objects.first.access_key_id");
    site(second, "objects.second.region", "objects.second.endpoint", "objects.second.access_key_id");
}

fn replication(checks: &mut Checks, config: &Config) {
    let settings = &config.replication;
    checks.range("replication.ranges_at_once", settings.ranges_at_once, 1, 256);
    checks.range("replication.repairs_per_second", settings.repairs_per_second, 1, 100_000);
    let copied = settings.copied_per_second;
    checks.require(
        copied == ByteSize::b(0) || copied >= ByteSize::kib(64),
        "replication.copied_per_second",
        "it is too little: no copy would come to its end in time",
        r#"write at least "64 KiB", or "0 B" for no limit"#,
    );
    checks.require(
        settings.repair_limit > 0.0 && settings.repair_limit <= 1.0,
        "replication.repair_limit",
        "it is no share of all objects",
        "write more than 0 and at most 1, for example 0.1",
    );
}

fn manifest(checks: &mut Checks, config: &Config) {
    checks.range("manifest.keep", config.manifest.keep, 1, 10_000);
    let soon = Duration::from_secs(60);
    let interval = config.manifest.interval;
    checks.require(
        interval.is_zero() || interval >= soon,
        "manifest.interval",
        "it is too short: all of the database is written each time",
        r#"write at least "1m", or "0s" for never"#,
    );
}

fn downloads(checks: &mut Checks, config: &Config) {
    let downloads = &config.downloads;
    checks.url("downloads.base_url", &downloads.base_url);
    let fix = r#"write at most "15m": a trashed file stays readable by the URLs already issued"#;
    checks.require(downloads.max_ttl <= LONGEST_TTL, "downloads.max_ttl", "it is longer than 15 minutes", fix);
    let fix = "write at most downloads.max_ttl";
    checks.require(
        downloads.default_ttl <= downloads.max_ttl,
        "downloads.default_ttl",
        "it is longer than downloads.max_ttl",
        fix,
    );
    checks.require(
        downloads.window <= downloads.max_ttl,
        "downloads.window",
        "it is longer than downloads.max_ttl",
        fix,
    );
}

fn shares(checks: &mut Checks, config: &Config) {
    let shares = &config.shares;
    checks.require(
        shares.default_ttl <= shares.max_ttl,
        "shares.default_ttl",
        "it is longer than shares.max_ttl",
        "write at most shares.max_ttl",
    );
    checks.range("shares.max_downloads", shares.max_downloads, 1, 1_000_000_000);
    checks.range("shares.default_downloads", shares.default_downloads, 1, shares.max_downloads.max(1));
}

fn snaps(checks: &mut Checks, config: &Config) {
    let snaps = &config.snaps;
    for (setting, ttl) in [("snaps.default_ttl", snaps.default_ttl), ("snaps.group_ttl", snaps.group_ttl)] {
        checks.require(ttl <= snaps.max_ttl, setting, "it is longer than snaps.max_ttl", "write at most snaps.max_ttl");
    }
    checks.range("snaps.max_side", snaps.max_side, 64, 8192);
    checks.range("reports.per_day", config.reports.per_day, 1, 1_000_000);
}

fn alerts(checks: &mut Checks, config: &Config) {
    let alerts = &config.alerts;
    if alerts.sink == Sink::Log {
        return;
    }
    let is_topic = alerts.topic_arn.split(':').count() == 6
        && alerts.topic_arn.starts_with("arn:")
        && alerts.topic_arn.contains(":sns:");
    let fix = r#"name the topic, for example "arn:aws:sns:eu-central-1:123456789012:alerts""#;
    checks.require(is_topic, "alerts.topic_arn", r#"the sink "sns" needs the ARN of a topic"#, fix);
    checks.url("alerts.endpoint", &alerts.endpoint);
    checks.key_pair("alerts.access_key_id", &alerts.access_key_id, alerts.secret_access_key.expose_secret());
}

fn object_events(checks: &mut Checks, config: &Config) {
    let events = &config.object_events;
    if events.queue_url.is_empty() {
        return;
    }
    let named = is_url(&events.queue_url) && events.queue_url.split('/').nth(3).is_some_and(|path| !path.is_empty());
    let fix = r#"write the whole URL, for example "https://sqs.eu-central-1.amazonaws.com/123456789012/snaphaven""#;
    checks.require(named, "object_events.queue_url", "it is not the URL of a queue", fix);
    checks.require(
        config.objects.backend == Backend::S3,
        "object_events.queue_url",
        "the embedded store sends no notifications",
        r#"leave it empty, or set objects.backend = "s3""#,
    );
    checks.url("object_events.endpoint", &events.endpoint);
    checks.key_pair("object_events.access_key_id", &events.access_key_id, events.secret_access_key.expose_secret());
}

fn limits(checks: &mut Checks, config: &Config) {
    let accounts = &config.accounts;
    checks.range("accounts.password_min_length", accounts.password_min_length, 8, 128);
    checks.range("accounts.hash_memory", accounts.hash_memory, ByteSize::mib(7), ByteSize::gib(4));
    checks.range("accounts.hash_passes", accounts.hash_passes, 1, 100);
    checks.range("accounts.hash_lanes", accounts.hash_lanes, 1, 64);
    checks.range("accounts.hash_concurrency", accounts.hash_concurrency, 1, 1024);
    checks.range("accounts.log_in_failures_per_account", accounts.log_in_failures_per_account, 1, 1_000_000);
    checks.range("accounts.log_in_failures_per_address", accounts.log_in_failures_per_address, 1, 1_000_000);
    checks.range("friends.max_friends", config.friends.max_friends, 1, 1_000_000);
    checks.range("friends.max_pending", config.friends.max_pending, 1, 100_000);
    checks.range("friends.max_blocks", config.friends.max_blocks, 1, 1_000_000);
    // One PutObject takes at most 5 GiB (S3 user guide, "Uploading objects").
    checks.range("uploads.max_size", config.uploads.max_size, ByteSize::b(1), ByteSize::gib(5));
    // An object has at most 5 TiB (S3 user guide, "Multipart upload limits").
    checks.range("uploads.max_direct_size", config.uploads.max_direct_size, ByteSize::b(1), ByteSize::tib(5));
    checks.url("uploads.endpoint", &config.uploads.endpoint);
    checks.range("uploads.max_open", config.uploads.max_open, 1, 100_000);
    checks.range("files.max_versions", config.files.max_versions, 1, 100_000);
    checks.range("quotas.bytes", config.quotas.bytes, ByteSize::b(0), ByteSize::pib(4096));
    checks.range("images.max_pixels", config.images.max_pixels, 1, 10_000_000_000);
    checks.range("images.max_side", config.images.max_side, 1, 1_000_000);
    checks.range("images.max_memory", config.images.max_memory, ByteSize::mib(1), ByteSize::gib(64));
    checks.range("images.concurrency", config.images.concurrency, 1, 1024);
    checks.range("jobs.concurrency", config.jobs.concurrency, 1, 1024);
    checks.range("live.max_sockets", config.live.max_sockets, 1, 100_000);
    checks.range("live.max_operations", config.live.max_operations, 1, 10_000);
    checks.range("graphql.max_document", config.graphql.max_document, ByteSize::kib(1), ByteSize::mib(4));
    checks.range("graphql.max_tokens", config.graphql.max_tokens, 100, 100_000);
    // The parser takes 64 levels of selection sets.
    checks.range("graphql.max_recursion", config.graphql.max_recursion, 1, 64);
    checks.range("graphql.max_depth", config.graphql.max_depth, 1, 100);
    checks.range("graphql.max_aliases", config.graphql.max_aliases, 1, 10_000);
    checks.range("graphql.max_complexity", config.graphql.max_complexity, 1, 10_000_000);
    checks.range("graphql.max_directives", config.graphql.max_directives, 1, 10_000);
    checks.range("graphql.max_page_size", config.graphql.max_page_size, 1, 1000);
    checks.range("graphql.max_body", config.graphql.max_body, ByteSize::kib(1), ByteSize::mib(64));
    let cache = config.embedded.edge_cache;
    let fix = "write at most embedded.edge_cache";
    checks.require(
        config.embedded.edge_cache_object <= cache,
        "embedded.edge_cache_object",
        "it is larger than the whole cache",
        fix,
    );
    let fix = "write at most jobs.backoff_max";
    checks.require(
        config.jobs.backoff_min <= config.jobs.backoff_max,
        "jobs.backoff_min",
        "it is longer than jobs.backoff_max",
        fix,
    );
}

fn durations(checks: &mut Checks, config: &Config) {
    let far = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    for (setting, value, most) in [
        ("server.request_timeout", config.server.request_timeout, A_DAY),
        ("server.shutdown_deadline", config.server.shutdown_deadline, A_DAY),
        ("database.acquire_timeout", config.database.acquire_timeout, A_DAY),
        ("database.statement_timeout", config.database.statement_timeout, A_DAY),
        ("objects.write_timeout", config.objects.write_timeout, A_DAY),
        ("downloads.default_ttl", config.downloads.default_ttl, far),
        ("downloads.max_ttl", config.downloads.max_ttl, far),
        ("downloads.window", config.downloads.window, far),
        ("accounts.session_ttl", config.accounts.session_ttl, far),
        ("accounts.log_in_window", config.accounts.log_in_window, far),
        ("alerts.storm_window", config.alerts.storm_window, far),
        ("friends.request_pause", config.friends.request_pause, far),
        ("uploads.session_ttl", config.uploads.session_ttl, far),
        // Signature Version 4 signs for a week at the most.
        ("uploads.part_url_ttl", config.uploads.part_url_ttl, 7 * A_DAY),
        ("uploads.idle_after", config.uploads.idle_after, far),
        ("images.timeout", config.images.timeout, A_DAY),
        ("files.trash_retention", config.files.trash_retention, far),
        ("files.version_retention", config.files.version_retention, far),
        ("shares.default_ttl", config.shares.default_ttl, far),
        ("shares.max_ttl", config.shares.max_ttl, far),
        ("snaps.default_ttl", config.snaps.default_ttl, far),
        ("snaps.group_ttl", config.snaps.group_ttl, far),
        ("snaps.max_ttl", config.snaps.max_ttl, far),
        ("snaps.fetch_within", config.snaps.fetch_within, A_DAY),
        ("snaps.view_cap", config.snaps.view_cap, A_DAY),
        ("snaps.replay_within", config.snaps.replay_within, far),
        ("snaps.retention", config.snaps.retention, far),
        ("reports.evidence_for", config.reports.evidence_for, far),
        ("ledger.erase_margin", config.ledger.erase_margin, far),
        ("ledger.abandoned_after", config.ledger.abandoned_after, far),
        ("ledger.late_writes", config.ledger.late_writes, far),
        ("ledger.sweep_interval", config.ledger.sweep_interval, A_DAY),
        ("replication.rpo", config.replication.rpo, far),
        ("replication.check_interval", config.replication.check_interval, A_DAY),
        ("replication.in_flight_for", config.replication.in_flight_for, far),
        ("replication.remind_after", config.replication.remind_after, far),
        ("jobs.poll_interval", config.jobs.poll_interval, A_DAY),
        ("jobs.lease", config.jobs.lease, A_DAY),
        ("jobs.backoff_min", config.jobs.backoff_min, A_DAY),
        ("jobs.backoff_max", config.jobs.backoff_max, far),
        ("audit.seal_interval", config.audit.seal_interval, A_DAY),
        ("audit.checkpoint_interval", config.audit.checkpoint_interval, far),
        ("events.retention", config.events.retention, far),
        ("events.poll_interval", config.events.poll_interval, A_DAY),
        ("live.init_timeout", config.live.init_timeout, A_DAY),
        ("live.keep_alive", config.live.keep_alive, A_DAY),
        ("live.write_timeout", config.live.write_timeout, A_DAY),
        ("live.session_check", config.live.session_check, A_DAY),
    ] {
        checks.require(!value.is_zero(), setting, "it is zero", r#"write a time, for example "10s""#);
        checks.require(
            value <= most,
            setting,
            "it is too long",
            "write a time of at most a day, or a century where it is kept in the database",
        );
    }
}

/// http or https with a host, without user, query or fragment.
fn is_url(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.query().is_none()
            && !text.contains('#')
    })
}

/// An origin as browsers send it: lower-case scheme, host and port, nothing after (RFC 6454, section 6.1).
fn is_origin(text: &str) -> bool {
    is_url(text) && text.matches('/').count() == 2 && text == text.to_lowercase()
}

/// The rules for general-purpose buckets (S3 user guide, "Bucket naming rules").
fn is_bucket_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.chars().all(|c| fits(c) || matches!(c, '-' | '.'))
        && name.starts_with(fits)
        && name.ends_with(fits)
        && !name.contains("..")
}
