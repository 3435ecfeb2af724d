//! The drill: a server is rebuilt beside this one, from the replica alone, with a sample of its objects, and thrown away. It tells how
//! old what would be left is (RPO), and how long it would take (RTO).

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use entity::{Timestamp, object, object::State, object_copy::Site};
use futures::{StreamExt as _, stream};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Func,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use super::{ManifestError, Verified, bring, load, verify};
use crate::{
    adapters::objects::{Condition, ObjectStore, s3::S3Store},
    app::{self, App, Stores, Surroundings},
    clock::Clock,
    config::Sink,
    db::Db,
    embedded::s3::{Credentials, Durability, EmbeddedS3, EmbeddedS3Options},
    error::Fault,
    jobs::{Job, JobError, Lane},
    ledger::{self, Roles},
    notary,
    replication::{self, Counters, DrillFigures},
    viewer::Viewer,
};

/// Objects of a sample at the most; and bytes, but for one object.
pub const MAX_SAMPLE: u64 = 10_000;
const SAMPLE_BYTES: u64 = 1 << 30;
const AT_ONCE: usize = 8;
/// Wrong ones that are told by name.
const TOLD: usize = 5;
const BUCKET: &str = "drill";

/// Orders a drill over `sample` objects (at most [`MAX_SAMPLE`]), or names the one that is under way. Admins.
pub async fn order(app: &App, viewer: &Viewer, sample: u64) -> Result<entity::replica_run::Model, Fault> {
    let sample = sample.clamp(1, MAX_SAMPLE);
    replication::begin_drill(app, viewer, sample, |run| Work { run, sample }).await
}

#[derive(Serialize, Deserialize)]
pub(super) struct Work {
    run: Uuid,
    sample: u64,
}

#[async_trait]
impl Job for Work {
    const KIND: &'static str = "manifest.drill";
    const LANE: Lane = Lane::Upkeep;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let (figures, error) = match rehearse(app, self.run, self.sample).await {
            Ok((figures, wrong)) if wrong.is_empty() => (Some(figures), None),
            Ok((figures, wrong)) => {
                let told: Vec<&str> = wrong.iter().take(TOLD).map(String::as_str).collect();
                let error =
                    format!("{} of {} objects were not right: {}", wrong.len(), figures.sample, told.join("; "));
                (Some(figures), Some(error))
            }
            Err(error) => (None, Some(error.to_string())),
        };
        let counters = Counters { drill: figures, ..Counters::default() };
        Ok(replication::end(app, self.run, counters, error).await?)
    }
}

/// What was measured, and what was wrong.
async fn rehearse(app: &App, run: Uuid, sample: u64) -> Result<(DrillFigures, Vec<String>), ManifestError> {
    let started = Instant::now();
    let roles = ledger::roles(app.db.read()).await?;
    let replica = app.stores.at(roles.replica()).clone();
    let spool = app.spool().map_err(Fault::internal)?;
    let brought = bring(&*replica, None, spool.file().map_err(Fault::internal)?).await?;
    let keys = notary::known_keys(&app.config, &[] as &[&Path]).map_err(Fault::internal)?;
    let manifest = verify(&brought.path, keys).await?;
    let taken_at = Timestamp(manifest.head.taken_at);
    let folder = tempfile::TempDir::new_in(spool.path()).map_err(Fault::internal)?;
    let (beside, roles) = build(app, folder.path(), replica, &manifest).await?;
    let rebuilt = started.elapsed();
    let rpo = app.db.now(app.db.read()).await?.since(taken_at);

    let (objects, bytes) = ledger::count_live(beside.db.read()).await?;
    let chosen = choose(&beside.db, sample).await?;
    let (copying, total) = (Instant::now(), chosen.len() as u64);
    let outcomes = stream::iter(chosen).map(|object| {
        let beside = &beside;
        async move {
            let outcome = restore(beside, &object, roles.replica(), roles.primary).await;
            (object, outcome)
        }
    });
    let mut outcomes = outcomes.buffer_unordered(AT_ONCE);
    let (mut figures, mut wrong) = (DrillFigures::default(), Vec::new());
    while let Some((object, outcome)) = outcomes.next().await {
        figures.sample += 1;
        figures.sample_bytes += u64::try_from(object.bytes).unwrap_or(0);
        match outcome {
            Ok(()) => figures.right += 1,
            Err(error) => wrong.push(format!("{}: {error}", object.key)),
        }
        if figures.sample % 50 == 0 {
            replication::proceed(app, run, figures.sample, total).await?;
        }
    }
    replication::proceed(app, run, figures.sample, total).await?;
    let copied = copying.elapsed();
    let figures = DrillFigures {
        manifest_at: taken_at.0,
        rpo: rpo.as_secs_f64(),
        ledger: rebuilt.as_secs_f64(),
        copying: copied.as_secs_f64(),
        rto: (rebuilt + whole(copied, &figures, objects, bytes)).as_secs_f64(),
        objects,
        bytes,
        ..figures
    };
    Ok((figures, wrong))
}

/// How long all objects take by the pace of the sample: by their number, or by their bytes where that is longer.
fn whole(copied: Duration, sample: &DrillFigures, objects: u64, bytes: u64) -> Duration {
    let times = |all: u64, some: u64| if some == 0 { 0.0 } else { all as f64 / some as f64 };
    copied.mul_f64(times(objects, sample.sample).max(times(bytes, sample.sample_bytes)))
}

/// A server on an empty folder, with a primary of its own and the replica beside it. It runs no jobs and listens nowhere.
async fn build(
    app: &App,
    folder: &Path,
    replica: Arc<dyn ObjectStore>,
    manifest: &Verified,
) -> Result<(App, Roles), ManifestError> {
    let mut config = app.config.clone();
    config.data_dir = folder.to_owned();
    config.database.url = String::new().into();
    config.database.migrate = false;
    config.alerts.sink = Sink::Log;
    config.object_events.queue_url = String::new();
    app::prepare_data_dir(&config).map_err(Fault::internal)?;
    let region = app.config.objects.first.region.clone();
    let options = EmbeddedS3Options {
        dir: folder.join("s3"),
        buckets: vec![(BUCKET.to_owned(), region.clone())],
        credentials: Credentials::load_or_create(&folder.join("keys").join("s3-credentials.env"))
            .map_err(Fault::internal)?,
        cors_origins: Vec::new(),
        durability: Durability::Full,
        clock: Clock::system(),
    };
    let s3 = tokio::task::spawn_blocking(move || EmbeddedS3::open(options)).await;
    let s3 = s3.map_err(Fault::internal)?.map_err(Fault::internal)?;
    let keys = s3.credentials();
    let home = S3Store::in_process(s3.service(), BUCKET, &region, &keys.access_key_id, &keys.secret_access_key);
    let home: Arc<dyn ObjectStore> = Arc::new(home);
    let db = Db::connect(&config.database, &config.data_dir, app.clock.clone()).await.map_err(Fault::internal)?;
    load(&db, manifest, None, None).await?;
    // Of the manifest: they need not be those of today.
    let roles = ledger::roles(db.read()).await?;
    let stores = match roles.primary {
        Site::First => Stores { first: home, second: replica },
        Site::Second => Stores { first: replica, second: home },
    };
    let around = Surroundings { stores, edge_url: "http://127.0.0.1".to_owned(), edge_cache: None };
    Ok((App::start(config, app.clock.clone(), around).await.map_err(Fault::internal)?, roles))
}

/// A random sample of the live objects.
async fn choose(db: &Db, sample: u64) -> Result<Vec<object::Model>, ManifestError> {
    let some = object::Entity::find()
        .filter(object::Column::State.eq(State::Live))
        .order_by_asc(Func::random())
        .limit(sample)
        .all(db.read())
        .await?;
    let mut bytes = 0;
    let fits = |object: &object::Model| {
        bytes += u64::try_from(object.bytes).unwrap_or(0);
        bytes <= SAMPLE_BYTES
    };
    let (first, rest) = (some.first().cloned(), some.into_iter().skip(1));
    Ok(first.into_iter().chain(rest.take_while(fits)).collect())
}

/// Copies one object, and reads it back.
async fn restore(app: &App, object: &object::Model, from: Site, to: Site) -> Result<(), JobError> {
    ledger::copy_again(app, object, from, to, Condition::None).await?;
    let read = ledger::hash_at(app, &object.key, to).await?;
    if read.is_some_and(|(sha256, _)| sha256.as_slice() == object.sha256) {
        Ok(())
    } else {
        Err(JobError::Fail("what was written is not what is read".to_owned()))
    }
}
