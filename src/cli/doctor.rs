//! `doctor`: whether everything is set up as it has to be, with what to do where it is not. It changes nothing, but for an object
//! of its own in each bucket, which it takes away again.

use std::{fmt::Display, fmt::Write as _, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use entity::{object::Kind, object_copy::Site};
use futures::TryStreamExt as _;
use migration::{MigrationStatus, Migrator, MigratorTrait as _};
use serde::Serialize;

use super::{Failure, args::DoctorArgs, print, serve};
use crate::{
    adapters::objects::{
        Body, Condition, CorsRule, Facts, ObjectStore, Presence, PutObject, StoreError, StoreErrorKind,
        keys::ObjectKey, sha256,
    },
    app::{self, App, Stores, Surroundings},
    clock::Clock,
    config::{Backend, Config, ReplicationMode},
    db::Db,
    ledger::{self, Roles},
};

/// Clocks that differ by more make leases and signatures doubtful; S3 refuses requests at 15 minutes.
const SKEW: TimeDelta = TimeDelta::seconds(60);
const TIMEOUT: Duration = Duration::from_secs(30);
const PROBE: &[u8] = b"snaphaven doctor";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum State {
    Ok,
    /// It works, and somebody should know.
    Warning,
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    /// `second.versioning`
    name: String,
    state: State,
    told: String,
    help: Option<String>,
}

#[derive(Default)]
struct Examination {
    checks: Vec<Check>,
}

impl Examination {
    fn add(&mut self, name: impl Into<String>, state: State, told: impl Display, help: Option<&str>) {
        self.checks.push(Check { name: name.into(), state, told: told.to_string(), help: help.map(str::to_owned) });
    }

    fn ok(&mut self, name: impl Into<String>, told: impl Display) {
        self.add(name, State::Ok, told, None);
    }

    fn warn(&mut self, name: impl Into<String>, told: impl Display, help: &str) {
        self.add(name, State::Warning, told, Some(help));
    }

    fn fail(&mut self, name: impl Into<String>, told: impl Display, help: &str) {
        self.add(name, State::Failed, told, Some(help));
    }
}

/// Exit code 1 where something has to be mended.
pub async fn run(config: Config, args: DoctorArgs) -> Result<(), Failure> {
    let mut found = Examination::default();
    app::prepare_data_dir(&config).map_err(|error| Failure::fault(error.to_string()))?;
    let stores = serve::remote_stores(&config).await?;
    let roles = database(&config, &stores, &mut found).await.unwrap_or(Roles { primary: Site::First, epoch: 0 });
    buckets(&config, &stores, roles, &mut found).await;
    let failed = found.checks.iter().filter(|check| check.state == State::Failed).count();
    if args.json {
        let told = serde_json::json!({ "ok": failed == 0, "checks": found.checks });
        print(&format!("{told}\n"))?;
    } else {
        print(&as_text(&found.checks))?;
    }
    if failed == 0 { Ok(()) } else { Err(Failure::told(1)) }
}

fn as_text(checks: &[Check]) -> String {
    let mut text = String::new();
    for Check { name, state, told, help } in checks {
        let mark = match state {
            State::Ok => "ok     ",
            State::Warning => "warning",
            State::Failed => "failed ",
        };
        let _ = writeln!(text, "{mark}  {name:<22} {told}");
        if let Some(help) = help {
            let _ = writeln!(text, "{:33}help: {help}", "");
        }
    }
    let count = |state: State| checks.iter().filter(|check| check.state == state).count();
    let _ = writeln!(
        text,
        "\n{} in order, {} to know of, {} to mend",
        count(State::Ok),
        count(State::Warning),
        count(State::Failed)
    );
    text
}

/// The database, its clock and what hangs on it. The roles of the sites, where it knows them.
async fn database(config: &Config, stores: &Stores, found: &mut Examination) -> Option<Roles> {
    let db = match Db::connect(&config.database, &config.data_dir, Clock::system()).await {
        Ok(db) => db,
        Err(error) => {
            found.fail("database", error, "check database.url, that the server runs, and the password");
            return None;
        }
    };
    let pending = db.migrating(async |connection| {
        let migrations = Migrator::get_migration_with_status(connection).await?;
        Ok(migrations.iter().filter(|migration| migration.status() == MigrationStatus::Pending).count())
    });
    match pending.await {
        Ok(0) => found.ok("database", "answers, and has every migration"),
        Ok(pending) => {
            let told = format!("answers; {pending} migrations are pending");
            found.warn("database", told, "start the server, or: snaphaven migrate up");
            return None;
        }
        Err(error) => {
            found.fail("database", error, "the user of database.url needs all rights on its database");
            return None;
        }
    }
    match db.now(db.read()).await {
        Ok(now) => clock("database.clock", now.to_utc(), found),
        Err(error) => found.fail("database.clock", error, "the database does not tell its time"),
    }
    let mut settings = config.clone();
    settings.database.migrate = false;
    let around = Surroundings { stores: stores.clone(), edge_url: "http://127.0.0.1".to_owned(), edge_cache: None };
    let app = match App::start(settings, Clock::system(), around).await {
        Ok(app) => app,
        Err(error) => {
            found.fail("settings", error, "snaphaven config show prints what is set, and from where");
            return None;
        }
    };
    match app.alert_sink.check().await {
        Ok(()) if config.alerts.topic_arn.is_empty() => found.ok("alerts", "go to the log and the table"),
        Ok(()) => found.ok("alerts", format!("{} answers", config.alerts.topic_arn)),
        Err(error) => {
            found.fail("alerts", error, "check alerts.topic_arn; it takes sns:Publish and sns:GetTopicAttributes");
        }
    }
    ledger::roles(app.db.read()).await.ok()
}

fn clock(name: &str, theirs: DateTime<Utc>, found: &mut Examination) {
    let skew = (theirs - Clock::system().now().to_utc()).abs();
    let told = format!("differs from this machine's by {} s", skew.num_seconds());
    if skew > SKEW {
        found.fail(name, told, "let both machines follow a time server (NTP): leases and signatures depend on it");
    } else {
        found.ok(name, told);
    }
}

async fn buckets(config: &Config, stores: &Stores, roles: Roles, found: &mut Examination) {
    for site in Site::ALL {
        let (store, place) = (stores.at(site), site.as_str());
        let facts = store.facts().await;
        region(&**store, place, &facts, found);
        if let Err(error) = store.check().await {
            let help = match error.kind {
                StoreErrorKind::NoSuchBucket => "make the bucket, or mend its name in the settings",
                StoreErrorKind::Denied => "it takes s3:ListBucket on the bucket; check the access key",
                _ if config.objects.backend == Backend::Embedded => "start the server, and run doctor beside it",
                _ => "check the endpoint and the region, and that this machine may reach it",
            };
            found.fail(format!("{place}.bucket"), error, help);
            continue;
        }
        let role = if site == roles.primary { "primary" } else { "replica" };
        found.ok(format!("{place}.bucket"), format!("{} answers; it is the {role}", store.bucket()));
        if let Some(theirs) = facts.clock {
            clock(&format!("{place}.clock"), theirs, found);
        }
        versioning(config, place, &facts, found);
        cors(config, place, &facts, found);
        if site == roles.primary {
            replication(config, stores, roles, &facts, found);
        }
        permissions(&**store, place, found).await;
    }
    if stores.first.region() == stores.second.region() {
        let told = format!("both buckets are in {}", stores.first.region());
        found.warn("regions", told, "a region that is lost takes both copies with it: use two");
    } else {
        found.ok("regions", format!("{} and {}", stores.first.region(), stores.second.region()));
    }
}

fn region(store: &dyn ObjectStore, place: &str, facts: &Facts, found: &mut Examination) {
    let name = format!("{place}.region");
    match &facts.region {
        Ok(Some(region)) if region == store.region() => found.ok(name, region),
        Ok(Some(region)) => {
            let told = format!("the bucket is in {region}, the settings say {}", store.region());
            found.fail(name, told, &format!("set objects.{place}.region=\"{region}\""));
        }
        // Whether the bucket answers at all is looked at by itself.
        Ok(None) | Err(_) => found.ok(name, format!("the store does not tell; the settings say {}", store.region())),
    }
}

fn versioning(config: &Config, place: &str, facts: &Facts, found: &mut Examination) {
    let name = format!("{place}.versioning");
    match &facts.versioned {
        Ok(Some(true)) => found.ok(name, "versions are kept; an erasure deletes every one"),
        Ok(versioned) if config.objects.replication == ReplicationMode::S3Crr => {
            let told = if versioned.is_none() { "the store does not tell" } else { "no versions are kept" };
            found.fail(name, told, "S3 replicates only between buckets with versioning: enable it at both");
        }
        Ok(_) => found.ok(name, "no versions are kept, and none are needed"),
        Err(error) => found.warn(name, error, "it takes s3:GetBucketVersioning"),
    }
}

/// Browsers send parts of uploads to the primary, whichever that is.
fn cors(config: &Config, place: &str, facts: &Facts, found: &mut Examination) {
    let name = format!("{place}.cors");
    let own = (!config.server.public_url.is_empty()).then_some(&config.server.public_url);
    let origins = own.into_iter().chain(&config.server.allowed_origins).map(|origin| origin.trim_end_matches('/'));
    let refused: Vec<&str> = match &facts.cors {
        Ok(Some(rules)) => origins.filter(|origin| !rules.iter().any(|rule| lets(rule, origin))).collect(),
        Ok(None) => origins.collect(),
        Err(error) => return found.warn(name, error, "it takes s3:GetBucketCORS"),
    };
    if refused.is_empty() {
        found.ok(name, "pages may send direct uploads");
    } else {
        let told = format!("pages of {} may send no direct uploads", refused.join(", "));
        found.fail(name, told, "allow PUT and the headers content-type and x-amz-* for these origins");
    }
}

fn lets(rule: &CorsRule, origin: &str) -> bool {
    let is = |pattern: &str, text: &str| match pattern.split_once('*') {
        Some((before, after)) => {
            text.len() >= before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        }
        None => pattern == text,
    };
    let header = |name: &str| rule.headers.iter().any(|allowed| is(&allowed.to_ascii_lowercase(), name));
    rule.origins.iter().any(|allowed| is(allowed, origin))
        && rule.methods.iter().any(|method| method == "PUT")
        && header("content-type")
        && header("x-amz-checksum-sha256")
}

fn replication(config: &Config, stores: &Stores, roles: Roles, facts: &Facts, found: &mut Examination) {
    let (name, replica) = (format!("{}.replication", roles.primary.as_str()), stores.at(roles.replica()).bucket());
    let is_s3s = config.objects.replication == ReplicationMode::S3Crr;
    let rules = match &facts.replication {
        Ok(rules) => rules.as_deref().unwrap_or_default(),
        Err(error) if is_s3s => return found.warn(name, error, "it takes s3:GetReplicationConfiguration"),
        Err(_) => &[],
    };
    let to_replica = rules.iter().filter(|rule| rule.is_enabled && rule.destination == replica);
    match (is_s3s, to_replica.max_by_key(|rule| (rule.is_for_all, rule.copies_markers))) {
        (true, Some(rule)) if rule.is_for_all => {
            let markers = if rule.copies_markers { "" } else { "; delete markers are not copied, nor need they be" };
            found.ok(name, format!("S3 copies every object to {replica}{markers}"));
        }
        (true, Some(_)) => {
            let told = format!("S3 copies only some objects to {replica}");
            found.fail(name, told, "let the rule's filter take every key");
        }
        (true, None) => {
            let told = format!("no enabled rule copies to {replica}");
            found.fail(name, told, "add a replication rule, or set objects.replication=\"managed\"");
        }
        (false, Some(_)) => {
            let told = format!("the server copies, and a rule lets S3 copy to {replica} too");
            found.warn(name, told, "remove the rule, or set objects.replication=\"s3-crr\"");
        }
        (false, None) => found.ok(name, format!("the server copies to {replica}")),
    }
}

/// Does with an object of its own what the server does with every other.
async fn permissions(store: &dyn ObjectStore, place: &str, found: &mut Examination) {
    let name = format!("{place}.permissions");
    // What is left of it where this ends midway is cleared by the next trial of the verifier.
    let key = ObjectKey::new(Kind::Canary).to_string();
    let outcome = probe(store, &key).await;
    if outcome.is_err() {
        _ = store.delete(&key).await;
    }
    match outcome {
        Ok(()) => found.ok(name, "an object was written, read, listed and erased"),
        Err((action, error)) => found.fail(name, error, &format!("it takes {action}")),
    }
}

async fn probe(store: &dyn ObjectStore, key: &str) -> Result<(), (&'static str, StoreError)> {
    let put = PutObject {
        key: key.to_owned(),
        body: Body::Memory(PROBE.into()),
        bytes: PROBE.len() as u64,
        sha256: sha256(PROBE),
        content_type: "text/plain".to_owned(),
        condition: Condition::None,
    };
    let unlike = |operation: &'static str, message: &str| StoreError {
        kind: StoreErrorKind::Refused,
        operation,
        bucket: store.bucket().to_owned(),
        key: key.to_owned(),
        message: message.to_owned(),
    };
    store.put(put, TIMEOUT).await.map_err(|error| ("s3:PutObject", error))?;
    store.head(key).await.map_err(|error| ("s3:GetObject", error))?;
    let found = store.get(key, None).await.map_err(|error| ("s3:GetObject", error))?;
    let found = found
        .ok_or_else(|| ("a store that shows what it took", unlike("GetObject", "what was written is not there")))?;
    let bytes: Vec<_> = found.body.try_collect().await.map_err(|error| ("s3:GetObject", error))?;
    if bytes.concat() != PROBE {
        return Err(("a store that keeps what it took", unlike("GetObject", "other bytes came back")));
    }
    let prefix = key.rsplit_once('/').map_or(key, |(prefix, _)| prefix);
    store.list(prefix, None, 1000).await.map_err(|error| ("s3:ListBucket", error))?;
    let upload = store.create_upload(key, None).await.map_err(|error| ("s3:PutObject", error))?;
    store.parts(key, &upload, 0, 1).await.map_err(|error| ("s3:ListMultipartUploadParts", error))?;
    store.abort_uploads(key).await.map_err(|error| ("s3:AbortMultipartUpload", error))?;
    store.delete(key).await.map_err(|error| ("s3:DeleteObject and s3:DeleteObjectVersion", error))?;
    match store.look(key).await {
        Ok(Presence::Gone) => Ok(()),
        Ok(Presence::Present { .. }) => {
            Err(("s3:DeleteObjectVersion", unlike("DeleteObject", "what was deleted is still there")))
        }
        Err(error) => Err(("s3:ListBucketVersions and s3:ListBucketMultipartUploads", error)),
    }
}
