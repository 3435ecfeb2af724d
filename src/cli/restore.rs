//! `restore`: a server on an empty database, from a manifest and one bucket.

use std::{
    fmt::Display,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use entity::{
    object_copy::Site,
    replica_run::{Mode, State},
};
use serde_json::json;
use tempfile::NamedTempFile;

use super::{
    Failure,
    args::RestoreArgs,
    print,
    replica::{ME, follow, kinds_as_json},
    serve,
};
use crate::{
    adapters::objects::{ObjectStore, s3::S3Store},
    app::{self, App, Stores, Surroundings},
    clock::Clock,
    config::{Backend, Config},
    db::Db,
    embedded::s3::{self, Durability, EmbeddedS3, EmbeddedS3Options},
    ledger::{self, Roles},
    manifest::{self, ManifestError, Restored},
    notary,
    replication::{self, Counters},
};

/// Objects between two words of progress.
const STEP: u64 = 500;
/// Objects that are told by name.
const TOLD: usize = 20;

/// The given bucket, and whether it is one of the server's own.
struct Source {
    store: Arc<dyn ObjectStore>,
    is_own: bool,
}

pub async fn run(config: Config, args: RestoreArgs) -> Result<(), Failure> {
    app::prepare_data_dir(&config).map_err(fault)?;
    let stores = open(&config).await?;
    let source = source(&config, &stores, &args.from_bucket).await?;
    let roles = fill(&config, &args, &source).await?;
    let start = |stores| App::start(config.clone(), Clock::system(), around(stores));
    // Beside the primary stands whatever has the bytes.
    let copying = match roles.primary {
        _ if source.is_own => stores.clone(),
        Site::First => Stores { first: stores.first.clone(), second: source.store.clone() },
        Site::Second => Stores { first: source.store.clone(), second: stores.second.clone() },
    };
    let restored = bring_home(&start(copying).await.map_err(fault)?, roles, source.is_own).await?;
    eprintln!("verifying what is there");
    let own = start(stores).await.map_err(fault)?;
    let sweep = replication::verify(&own, &ME, Mode::Sweep, true).await.map_err(fault)?;
    let sweep = follow(&own, sweep, true).await?;
    let status = replication::status(&own, &ME).await.map_err(fault)?;
    tell(&args, &restored, &status)?;
    if sweep.state == State::Complete && restored.missing.is_empty() { Ok(()) } else { Err(Failure::told(1)) }
}

/// Fills the database from the manifest, unless an unfinished restoration has.
async fn fill(config: &Config, args: &RestoreArgs, source: &Source) -> Result<Roles, Failure> {
    let folder = config.data_dir.join("tmp");
    std::fs::create_dir_all(&folder).map_err(fault)?;
    let file = NamedTempFile::new_in(&folder).map_err(fault)?;
    let given = args.manifest.as_deref().filter(|given| Path::new(given).exists());
    let (path, brought): (PathBuf, _) = match given {
        Some(path) => (path.into(), None),
        None => {
            let brought = manifest::bring(&*source.store, args.manifest.as_deref(), file).await.map_err(refused)?;
            (brought.path.to_path_buf(), Some(brought))
        }
    };
    let keys = notary::known_keys(config, &args.public_keys).map_err(fault)?;
    let verified = manifest::verify(&path, keys).await.map_err(refused)?;
    if !verified.known && !args.public_keys.is_empty() {
        return Err(Failure::fault(format!("the manifest is signed by the key {}, which was not given", verified.key)));
    }
    let at = entity::Timestamp(verified.head.taken_at).to_utc().to_rfc3339();
    let whose = if verified.known { "known" } else { "not known here: --public-key holds it to one" };
    eprintln!("manifest of {at}, {} rows, signed by the key {} ({whose})", verified.rows, verified.key);
    let db = Db::connect(&config.database, &config.data_dir, Clock::system()).await.map_err(fault)?;
    match manifest::load(&db, &verified, brought.as_ref(), Some(&ME)).await {
        Ok(()) => eprintln!("the ledger is rebuilt; bringing the bytes"),
        Err(ManifestError::NotEmpty) => {
            eprintln!("the database is filled already; looking whether that was a restoration");
        }
        Err(error) => return Err(refused(error)),
    }
    ledger::roles(db.read()).await.map_err(fault)
}

/// Brings the bytes of the unfinished restoration to the primary, and ends it.
async fn bring_home(app: &App, roles: Roles, is_own: bool) -> Result<Restored, Failure> {
    let Some(run) = replication::unfinished_restore(app).await.map_err(fault)? else {
        return Err(refused(ManifestError::NotEmpty));
    };
    let told = AtomicU64::new(0);
    let progress = |done: u64, total: u64| {
        if done / STEP > told.fetch_max(done / STEP, Ordering::Relaxed) {
            eprintln!("{done} of {total} objects");
        }
    };
    let restored = manifest::bring_home(app, roles, is_own, progress).await;
    let restored = restored.map_err(|error| fault(error).help("run the same command again: it goes on"))?;
    let done = restored.there + restored.copied;
    let total = done + restored.missing.len() as u64;
    replication::proceed(app, run.id, done, total).await.map_err(fault)?;
    let counters = Counters { repaired: restored.copied, skipped: total - done, ..Counters::default() };
    let error = (total > done).then(|| format!("{} objects are in no bucket", total - done));
    replication::end(app, run.id, counters, error).await.map_err(fault)?;
    Ok(restored)
}

fn tell(args: &RestoreArgs, restored: &Restored, status: &replication::Status) -> Result<(), Failure> {
    if args.json {
        let told = json!({
            "there": restored.there, "copied": restored.copied, "bytes": restored.bytes, "missing": restored.missing,
            "findings": kinds_as_json(&status.findings), "backlog": status.backlog.objects,
        });
        return print(&format!("{told}\n"));
    }
    let mut text = format!(
        "{} objects were at the primary, {} were copied there ({} bytes), {} are in no bucket.\n",
        restored.there,
        restored.copied,
        restored.bytes,
        restored.missing.len()
    );
    for key in restored.missing.iter().take(TOLD) {
        text.push_str(&format!("missing      {key}\n"));
    }
    for (kind, count) in &status.findings {
        text.push_str(&format!("finding      {count} {}\n", kind.as_str()));
    }
    if status.backlog.objects > 0 {
        text.push_str(&format!("{} objects get their second copy once the server runs.\n", status.backlog.objects));
    }
    text.push_str("Start the server: snaphaven serve\n");
    print(&text)
}

/// The server's own two buckets. Embedded ones must not be served meanwhile.
async fn open(config: &Config) -> Result<Stores, Failure> {
    if config.objects.backend == Backend::S3 {
        return serve::remote_stores(config).await;
    }
    let s3 = serve::open_embedded(config, config.server.listen).await?;
    let store = |bucket: &crate::config::Bucket| embedded(&s3, &bucket.bucket, &bucket.region);
    Ok(Stores { first: store(&config.objects.first), second: store(&config.objects.second) })
}

async fn source(config: &Config, stores: &Stores, given: &str) -> Result<Source, Failure> {
    let name = given.strip_prefix("s3://").unwrap_or(given);
    let is_meant = |site: &Site| site.as_str() == name || stores.at(*site).bucket() == name;
    if let Some(site) = Site::ALL.into_iter().find(is_meant) {
        return Ok(Source { store: stores.at(site).clone(), is_own: true });
    }
    let folder = Path::new(given);
    let (Some(dir), Some(name)) = (folder.parent(), folder.file_name().and_then(|name| name.to_str())) else {
        return Err(no_bucket(given));
    };
    if !folder.is_dir() {
        return Err(no_bucket(given));
    }
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let region = config.objects.second.region.clone();
    let options = EmbeddedS3Options {
        dir: dir.to_owned(),
        buckets: vec![(name.to_owned(), region.clone())],
        // Nobody but this process asks it.
        credentials: s3::Credentials::load_or_create(&serve::credentials_file(config)).map_err(fault)?,
        cors_origins: Vec::new(),
        durability: Durability::Full,
        clock: Clock::system(),
    };
    let opened = tokio::task::spawn_blocking(move || EmbeddedS3::open(options)).await.map_err(fault)?;
    let opened = opened.map_err(|error| fault(error).help("stop the server that uses it"))?;
    Ok(Source { store: embedded(&opened, name, &region), is_own: false })
}

fn embedded(s3: &EmbeddedS3, bucket: &str, region: &str) -> Arc<dyn ObjectStore> {
    let keys = s3.credentials();
    Arc::new(S3Store::in_process(s3.service(), bucket, region, &keys.access_key_id, &keys.secret_access_key))
}

fn around(stores: Stores) -> Surroundings {
    Surroundings { stores, edge_url: "http://127.0.0.1".to_owned(), edge_cache: None }
}

fn no_bucket(given: &str) -> Failure {
    Failure::usage(
        format!("there is no bucket {given:?}"),
        "write first, second or a bucket's name, as in the settings, or the folder of an embedded bucket, such as \
         old/s3/snaphaven-second",
    )
}

fn refused(error: ManifestError) -> Failure {
    let help = match &error {
        ManifestError::NotEmpty | ManifestError::NewerDatabase(_) => {
            "choose another --data-dir or --database-url; nothing was changed"
        }
        ManifestError::None(_) => "give the manifest's file with --manifest, or another bucket",
        ManifestError::Newer(_) => "restore with the release that wrote it, or a later one",
        ManifestError::Damaged(_) | ManifestError::Unreadable(_) => "take another one: snaphaven manifest list",
        ManifestError::Fault(_) => return fault(error),
    };
    fault(error).help(help)
}

fn fault(error: impl Display) -> Failure {
    Failure::fault(error.to_string())
}
