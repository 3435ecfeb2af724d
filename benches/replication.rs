//! The watchdog on the release binary with the embedded S3: a sweep beside `rclone check` on the same two buckets, its memory with
//! ever more objects, and a scrub beside reading and hashing the same files.
//!
//! `SWEEP_OBJECTS` says how far the sweep goes (100000; a million takes half an hour to lay out, and 10 GB). Targets: 10 × the pairs
//! of rclone in a second, 64 MB above idle however many objects there are, and 1.3 × of reading and hashing.

#![allow(clippy::expect_used, reason = "a bench that cannot go on has failed")]

#[path = "../tests/trials/common/rows.rs"]
mod rows;
#[path = "support/server.rs"]
mod server;
#[path = "support/table.rs"]
mod table;

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{Context, SHA256};
use entity::{
    object::{self, Kind},
    object_copy::{self, Site},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sea_orm::{
    ActiveModelTrait as _, ConnectionTrait as _, Database, DatabaseConnection, EntityTrait, IntoActiveModel as _,
};
use secrecy::ExposeSecret as _;
use server::{Watch, ask, memory, sign_up, start, stop};
use snaphaven::{
    adapters::objects::{Body, Condition, ObjectStore, PutObject, keys::ObjectKey, s3::S3Store, sha256},
    clock::Clock,
    embedded::s3::{Credentials, Durability, EmbeddedS3, EmbeddedS3Options},
};
use table::{Row, Target};

/// Objects at which a sweep is timed, and whether rclone is, beside it.
const STEPS: [(usize, bool); 4] = [(20_000, true), (100_000, false), (200_000, true), (1_000_000, false)];
const BUCKETS: [(&str, &str, Site); 2] =
    [("snaphaven-first", "eu-central-1", Site::First), ("snaphaven-second", "eu-west-1", Site::Second)];
/// What is scrubbed: so many objects of so many bytes.
const SCRUBBED: (usize, usize) = (256, 4 << 20);
/// Nothing but what is ordered.
const QUIET: [&str; 4] = [
    "replication.sweep_interval=0s",
    "replication.scrub_interval=0s",
    "replication.canary_interval=0s",
    "manifest.interval=0s",
];
const RUNS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(3600);

#[expect(clippy::disallowed_methods, reason = "how far it goes, is no setting of the server")]
fn most() -> usize {
    std::env::var("SWEEP_OBJECTS").map_or(100_000, |text| text.parse().expect("SWEEP_OBJECTS is a number"))
}

fn main() {
    sweeps();
    scrub();
}

fn sweeps() {
    let haven = Haven::new();
    let (mut rows, mut there) = (Vec::new(), 0);
    for (objects, beside_rclone) in STEPS.into_iter().filter(|(objects, _)| *objects <= most()) {
        println!("▸ laying out {} objects at two sites", objects - there);
        haven.lay_out(objects - there, 64);
        there = objects;
        let (server, address) = start(&haven.dir, &QUIET);
        // What the start took is given back by then.
        thread::sleep(Duration::from_secs(2));
        let idle = memory(server.id()).expect("Linux says");
        let watch = Watch::begin(server.id());
        let mut times: Vec<f64> = (0..RUNS).map(|_| haven.verify(&address, "SWEEP", objects)).collect();
        let grown = watch.end() - idle;
        let ours = median(&mut times);
        let peer = if beside_rclone { rclone(&haven) } else { None };
        stop(server);
        let mut lists: Vec<f64> = (0..RUNS).map(|_| haven.list(objects)).collect();
        let row =
            |what: &str, unit, ours, peer, target| Row { what: format!("{objects}: {what}"), unit, ours, peer, target };
        rows.push(row("sweep", "s", ours, peer, if beside_rclone { Target::Ratio(0.1) } else { Target::None }));
        rows.push(row("both listings alone", "s", median(&mut lists), None, Target::None));
        rows.push(row("keys of three cursors", "1000/s", objects as f64 / ours / 1000.0, None, Target::None));
        rows.push(row("private memory above idle", "MB", grown, None, Target::Limit(64.0)));
    }
    table::print(&format!("Sweeps on SQLite and the embedded S3, medians of {RUNS}"), "rclone check", &rows);
}

fn scrub() {
    let (count, bytes) = SCRUBBED;
    let haven = Haven::new();
    println!("▸ laying out {count} objects of {bytes} bytes at two sites");
    haven.lay_out(count, bytes);
    let files = haven.files(bytes);
    assert_eq!(files.len(), 2 * count, "a file for each copy");
    let (server, address) = start(&haven.dir, &QUIET);
    let (mut peers, mut times) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        peers.push(read_and_hash(&files));
        times.push(haven.verify(&address, "SCRUB", count));
    }
    let watch = Watch::begin(server.id());
    let idle = memory(server.id()).expect("Linux says");
    haven.verify(&address, "SCRUB", count);
    let grown = watch.end() - idle;
    stop(server);
    let (ours, peer) = (median(&mut times), median(&mut peers));
    let row = |what: &str, unit, ours, peer, target| Row { what: what.to_owned(), unit, ours, peer, target };
    let speed = (2 * count * bytes) as f64 / 1e6 / ours;
    table::print(
        &format!("Scrub of {count} objects of {} MiB at two sites, medians of {RUNS}", bytes >> 20),
        "read + SHA-256",
        &[
            row("scrub", "s", ours, Some(peer), Target::Ratio(1.3)),
            row("the same", "MB/s", speed, None, Target::None),
            row("private memory above idle", "MB", grown, None, Target::Limit(64.0)),
        ],
    );
}

/// A data folder that can be served, with an admin.
struct Haven {
    dir: PathBuf,
    token: String,
    _folder: tempfile::TempDir,
}

impl Haven {
    fn new() -> Self {
        // Beside the build: a temporary folder may be memory.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
        let dir = folder.path().join("data");
        let (server, address) = start(&dir, &QUIET);
        let token = sign_up(&address);
        stop(server);
        let haven = Self { dir, token, _folder: folder };
        haven.with_database(async |connection| {
            let promote = r#"UPDATE "user" SET role = 'ADMIN'"#;
            connection.execute_unprepared(promote).await.expect("an admin");
        });
        haven
    }

    fn with_database<T>(&self, work: impl AsyncFnOnce(DatabaseConnection) -> T) -> T {
        let url = format!("sqlite://{}", self.dir.join("snaphaven.sqlite").display());
        runtime().block_on(async {
            let connection = Database::connect(url).await.expect("the database opens");
            work(connection).await
        })
    }

    fn credentials(&self) -> Credentials {
        Credentials::load_or_create(&self.dir.join("keys/s3-credentials.env")).expect("the server's own keys")
    }

    /// The two buckets without a server. Nothing is synced to the disk.
    fn stores(&self) -> [(Site, Arc<S3Store>); 2] {
        let credentials = self.credentials();
        let options = EmbeddedS3Options {
            dir: self.dir.join("s3"),
            buckets: BUCKETS.map(|(name, region, _)| (name.to_owned(), region.to_owned())).to_vec(),
            credentials: credentials.clone(),
            cors_origins: Vec::new(),
            durability: Durability::Relaxed,
            clock: Clock::system(),
        };
        let s3 = EmbeddedS3::open(options).expect("the embedded S3 opens");
        BUCKETS.map(|(name, region, site)| {
            let (id, secret) = (&credentials.access_key_id, &credentials.secret_access_key);
            (site, Arc::new(S3Store::in_process(s3.service(), name, region, id, secret)))
        })
    }

    /// Seconds of both listings, at the same time and to their ends, by the client that the server has.
    fn list(&self, objects: usize) -> f64 {
        let stores = self.stores();
        runtime().block_on(async {
            let begun = Instant::now();
            let lists = stores.map(|(_, store)| tokio::spawn(async move { list(&store).await }));
            for listed in futures::future::join_all(lists).await {
                assert!(listed.expect("no panic") >= objects, "the listing is whole");
            }
            begun.elapsed().as_secs_f64()
        })
    }

    /// So many more objects, with a copy at each site, in the ledger as verified.
    fn lay_out(&self, count: usize, bytes: usize) {
        let stores = self.stores();
        let rng = Arc::new(Mutex::new(StdRng::seed_from_u64(1)));
        self.with_database(async |connection| {
            stream::iter(0..count)
                .map(|_| {
                    let mut content = vec![0; bytes];
                    rng.lock().expect("no panic").fill_bytes(&mut content);
                    let stores = stores.clone();
                    // Signing takes a core's time: on all of them.
                    let laid = tokio::spawn(async move { lay(stores, content).await });
                    async move { laid.await.expect("no panic") }
                })
                .buffer_unordered(32)
                .chunks(500)
                .for_each(async |laid| {
                    let (objects, copies): (Vec<_>, Vec<_>) = laid.into_iter().unzip();
                    let objects = objects.into_iter().map(|object| object.into_active_model().reset_all());
                    let insert = object::Entity::insert_many(objects);
                    insert.exec_without_returning(&connection).await.expect("the ledger takes it");
                    let copies = copies.into_iter().flatten().map(|copy| copy.into_active_model().reset_all());
                    let insert = object_copy::Entity::insert_many(copies);
                    insert.exec_without_returning(&connection).await.expect("the ledger takes it");
                })
                .await;
        });
    }

    /// Seconds of one verification by the server, which has to find everything as it is.
    fn verify(&self, address: &str, mode: &str, objects: usize) -> f64 {
        let order = format!("mutation {{ verifyReplicas(input: {{ mode: {mode} }}) {{ run {{ id }} }} }}");
        let ordered = ask(address, &self.token, &order);
        let run = ordered["verifyReplicas"]["run"]["id"].as_str().expect("a run");
        let query = format!(
            r#"{{ node(id: "{run}") {{ ... on ReplicaRun {{ state startedAt finishedAt agreed faults error }} }} }}"#
        );
        let begun = Instant::now();
        let run = loop {
            let run = ask(address, &self.token, &query)["node"].clone();
            if run["state"] != "RUNNING" {
                break run;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end: {run}");
            thread::sleep(Duration::from_millis(200));
        };
        assert_eq!((&run["state"], &run["faults"]), (&"COMPLETE".into(), &0.into()), "{run}");
        let agreed = run["agreed"].as_u64().or_else(|| run["agreed"].as_str()?.parse().ok());
        assert!(agreed.is_some_and(|agreed| agreed >= objects as u64), "{run}");
        let time = |name: &str| {
            let text = run[name].as_str().expect("a time");
            chrono::DateTime::parse_from_rfc3339(text).expect("a time")
        };
        (time("finishedAt") - time("startedAt")).as_seconds_f64()
    }

    /// The files of the embedded buckets that are at least so large.
    fn files(&self, bytes: usize) -> Vec<PathBuf> {
        let files = walkdir::WalkDir::new(self.dir.join("s3")).into_iter().map(|entry| entry.expect("readable"));
        let large = files.filter(|entry| {
            let about = entry.metadata().expect("readable");
            about.is_file() && about.len() >= bytes as u64 && entry.path().extension().is_none()
        });
        large.map(walkdir::DirEntry::into_path).collect()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

async fn list(store: &S3Store) -> usize {
    let (mut listed, mut after) = (0, None);
    loop {
        let page = store.survey(after.as_deref(), 1000).await.expect("it lists");
        let Some(last) = page.last() else { return listed };
        after = Some(last.key.clone());
        listed += page.len();
    }
}

async fn lay(stores: [(Site, Arc<S3Store>); 2], content: Vec<u8>) -> (object::Model, Vec<object_copy::Model>) {
    let (key, at) = (ObjectKey::new(Kind::Original), Clock::system().now());
    let (object, bytes, hash) = (rows::live(key, &content, at), content.len() as u64, sha256(&content));
    let body = Body::Memory(content.into());
    let copies = stream::iter(stores).then(async |(site, store)| {
        let put = PutObject {
            key: key.to_string(),
            body: body.clone(),
            bytes,
            sha256: hash,
            content_type: "application/octet-stream".to_owned(),
            condition: Condition::None,
        };
        let stored = store.put(put, Duration::from_secs(60)).await?;
        let proven = rows::proven(key.id, site, stored.etag, at);
        Ok::<_, snaphaven::adapters::objects::StoreError>(object_copy::Model {
            version_id: stored.version_id,
            ..proven
        })
    });
    let copies: Vec<_> = copies.try_collect().await.expect("the store takes it");
    (object, copies)
}

/// Seconds of `rclone check` of the two buckets; the median, or nothing where it is not installed.
fn rclone(haven: &Haven) -> Option<f64> {
    let command = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/rclone");
    if !command.exists() {
        println!("▸ not compared: scripts/test-tools.sh installs rclone");
        return None;
    }
    let told = fs::read_to_string(haven.dir.join("s3.env")).expect("the server says where it is");
    let (_, endpoint) = told.trim().split_once('=').expect("a variable");
    let credentials = haven.credentials();
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let mut check = Command::new(&command);
        check.args(["--config=", "check", "--quiet", "--fast-list"]);
        check.args(BUCKETS.map(|(name, region, _)| {
            format!(":s3,provider=Other,env_auth,endpoint='{endpoint}',region={region}:{name}")
        }));
        check.env("AWS_ACCESS_KEY_ID", &credentials.access_key_id);
        check.env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.expose_secret());
        let begun = Instant::now();
        assert!(check.status().expect("rclone runs").success(), "rclone found a difference");
        times.push(begun.elapsed().as_secs_f64());
    }
    Some(median(&mut times))
}

/// Seconds to read these files and to hash each, by as many threads as the scrub has.
fn read_and_hash(files: &[PathBuf]) -> f64 {
    let waiting = Mutex::new(files.iter());
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut buffer = vec![0; 1 << 20];
                while let Some(path) = { waiting.lock().expect("no panic").next() } {
                    hash(path, &mut buffer).expect("readable");
                }
            });
        }
    });
    begun.elapsed().as_secs_f64()
}

fn hash(path: &Path, buffer: &mut [u8]) -> io::Result<()> {
    let (mut file, mut context) = (File::open(path)?, Context::new(&SHA256));
    loop {
        let read = file.read(buffer)?;
        if read == 0 {
            std::hint::black_box(context.finish());
            return Ok(());
        }
        context.update(&buffer[..read]);
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
