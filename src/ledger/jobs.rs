//! What the ledger does outside the database: copying, erasing, sweeping.

use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use entity::{
    object,
    object::{Reason, State},
    object_copy,
    object_copy::{Proof, Site},
};
use futures::TryStreamExt;
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::Instant,
};
use uuid::Uuid;

use super::{
    Equality, compare, compare_pair, doom, hash_at,
    large::{self, LARGE},
    store,
};
use crate::{
    adapters::objects::{Body, Condition, Object, Presence, PutObject, Sha256, Stored, finish_sha256},
    app::App,
    config::{Config, ReplicationMode},
    db::Tx,
    error::Fault,
    jobs::{Job, JobError, Lane, enqueue, enqueue_at, enqueue_unique},
    spool::Spool,
};

/// Starts an erasure again, whatever was proven before.
pub(super) async fn rearm(app: &App, tx: &Tx, object: Uuid) -> Result<(), DbErr> {
    enqueue(app, tx, &Erase { object }).await
}

/// Starts an erasure again once a write that outlived its row must have landed: its process was paused past the
/// deadline, and the store may still take what it was sent.
pub(super) async fn rearm_late(app: &App, tx: &Tx, object: Uuid) -> Result<(), DbErr> {
    let landed = app.db.now(tx).await?.plus(app.config.objects.write_timeout).plus(app.config.ledger.erase_margin);
    enqueue_at(tx, &Erase { object }, landed).await
}

/// Brings one live object to the site that lacks it.
#[derive(Serialize, Deserialize)]
pub(super) struct Replicate {
    pub object: Uuid,
}

#[async_trait]
impl Job for Replicate {
    const KIND: &'static str = "ledger.replicate";
    const LANE: Lane = Lane::Copies;
    /// A site may be away for days, and the object wants its copy all the same.
    const MAX_ATTEMPTS: i32 = i32::MAX;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let Some(object) = store::find(app.db.read(), self.object).await? else { return Ok(()) };
        if object.state != State::Live {
            return Ok(());
        }
        let copies = store::copies(app.db.read(), &[object.id]).await?;
        let source = copies.iter().find(|copy| copy.state == object_copy::State::Verified);
        let Some(source) = source.map(|copy| copy.site) else {
            // What is found again is a finding, and its repair makes the copy.
            return Err(JobError::Fail("no site has a verified copy".to_owned()));
        };
        for copy in &copies {
            if copy.state == object_copy::State::Awaiting {
                match app.config.objects.replication {
                    ReplicationMode::Managed => copy_again(app, &object, source, copy.site, Condition::None).await?,
                    ReplicationMode::S3Crr => follow(app, &object, source, copy.site).await?,
                }
            }
        }
        Ok(())
    }
}

/// Copies the bytes from one site to another, under a write intent, and holds them to the ledger. Only where `condition`
/// allows; large objects, which go in parts, ask for none. Of an object that is no longer live nothing is copied.
pub async fn copy_again(
    app: &App,
    object: &object::Model,
    from: Site,
    to: Site,
    condition: Condition,
) -> Result<(), JobError> {
    // What is small waits for its turn, and is read, before the write's time begins.
    let small = if object.bytes > LARGE {
        None
    } else {
        app.copying().wait(u64::try_from(object.bytes).unwrap_or(0)).await;
        Some(fetch(app, object, from).await?)
    };
    let started = Instant::now();
    let timeout = large::timeout(app, object);
    let intent = app
        .db
        .transaction::<_, DbErr, _, _>(async |tx| {
            let live = store::lock(&tx, object.id).await?.is_some_and(|object| object.state == State::Live);
            if !live {
                return Ok(None);
            }
            let deadline = app.db.now(&tx).await?.plus(timeout);
            store::insert_intent(&tx, object.id, to, deadline).await.map(Some)
        })
        .await?;
    let Some(intent) = intent else { return Ok(()) };
    let outcome = match small {
        Some((body, _spool)) => {
            let put = PutObject {
                key: object.key.clone(),
                body,
                bytes: u64::try_from(object.bytes).unwrap_or(0),
                sha256: digest(object)?,
                content_type: object.content_type.clone(),
                condition,
            };
            app.stores.at(to).put(put, timeout.saturating_sub(started.elapsed())).await
        }
        None => large::copy(app, object, from, to, started + timeout).await,
    };
    let definite = outcome.as_ref().map_or_else(crate::adapters::objects::StoreError::is_definite, |_| true);
    app.transaction::<_, DbErr, _, _>(async |tx| {
        let live = store::lock(&tx, object.id).await?.is_some_and(|object| object.state == State::Live);
        if definite {
            store::clear_intent(&tx, intent).await?;
        }
        match &outcome {
            Ok(stored) if live => {
                store::set_verified(&tx, object.id, to, stored, Proof::Checksum, app.db.now(&tx).await?).await
            }
            // The bytes landed after the object was doomed.
            Ok(_) => rearm(app, &tx, object.id).await,
            Err(_) if !live && !definite => rearm_late(app, &tx, object.id).await,
            Err(_) => Ok(()),
        }
    })
    .await?;
    outcome?;
    Ok(())
}

/// How long after the last one S3's copy is looked for again: often at first, so that the lag is known well; seldom where it takes
/// long.
fn until_next_look(age: Duration) -> Duration {
    (age / 4).clamp(Duration::from_secs(1), Duration::from_secs(60))
}

/// By how much a lag may be told too long: what this server copies is known at once, S3's copies when they are looked for.
#[must_use]
pub fn probe_interval(config: &Config, lag: Duration) -> Duration {
    match config.objects.replication {
        ReplicationMode::Managed => Duration::ZERO,
        ReplicationMode::S3Crr => until_next_look(lag),
    }
}

/// `s3-crr`: S3 copies; here only the evidence counts.
async fn follow(app: &App, object: &object::Model, source: Site, site: Site) -> Result<(), JobError> {
    let Some(meta) = app.stores.at(site).head(&object.key).await? else {
        let age = app.db.now(app.db.read()).await?.since(object.live_at.unwrap_or(object.created_at));
        return Err(JobError::Later(until_next_look(age)));
    };
    let mut equality = compare(object, None, &meta);
    if equality == Equality::Unknown
        && let Some(proven) = app.stores.at(source).head(&object.key).await?
    {
        equality = compare_pair(&proven, &meta);
    }
    let proof = match equality {
        Equality::Equal(proof) => proof,
        Equality::Unknown => match hash_at(app, &object.key, site).await? {
            Some((sha256, _)) if sha256.as_slice() == object.sha256 => Proof::Bytes,
            _ => return Err(JobError::Retry("the replica has other bytes than the ledger".to_owned())),
        },
        Equality::Differs => return Err(JobError::Retry("the replica has other bytes than the ledger".to_owned())),
    };
    let stored = Stored { etag: meta.etag, version_id: meta.version_id };
    app.transaction::<_, DbErr, _, _>(async |tx| {
        let live = store::lock(&tx, object.id).await?.is_some_and(|object| object.state == State::Live);
        if !live {
            return Ok(());
        }
        store::set_verified(&tx, object.id, site, &stored, proof, app.db.now(&tx).await?).await
    })
    .await?;
    Ok(())
}

/// Erases once more what is to be gone, now, and once more as a job where that does not suffice.
pub async fn erase_again(app: &App, object: Uuid) -> Result<(), JobError> {
    let outcome = Erase { object }.run(app).await;
    if outcome.is_err() {
        app.transaction::<_, DbErr, _, _>(async |tx| {
            enqueue_unique(app, &tx, &Erase { object }, &format!("erase:{object}")).await
        })
        .await?;
    }
    outcome
}

/// As much as travels in memory rather than through a temporary file.
const IN_MEMORY: i64 = 1024 * 1024;

/// Either way the bytes are held to the ledger's SHA-256.
async fn fetch(app: &App, object: &object::Model, site: Site) -> Result<(Body, Option<tempfile::TempPath>), Fault> {
    if object.bytes > IN_MEMORY {
        let path = spool(app, object, site).await?;
        return Ok((Body::File(path.to_path_buf()), Some(path)));
    }
    let mut memory = Vec::with_capacity(usize::try_from(object.bytes).unwrap_or(0));
    read(app, object, site, &mut memory).await?;
    Ok((Body::Memory(memory.into()), None))
}

pub(super) async fn spool(app: &App, object: &object::Model, site: Site) -> Result<tempfile::TempPath, Fault> {
    let (file, path) = app.spool().and_then(Spool::file).map_err(Fault::internal)?.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    read(app, object, site, &mut file).await?;
    Ok(path)
}

/// Brings what is under a key that the ledger need not know into a temporary file, with its SHA-256 and length. `None`: nothing.
pub async fn spool_key(app: &App, key: &str, site: Site) -> Result<Option<(tempfile::TempPath, Sha256, u64)>, Fault> {
    let Some(found) = app.stores.at(site).get(key, None).await? else { return Ok(None) };
    let (file, path) = app.spool().and_then(Spool::file).map_err(Fault::internal)?.into_parts();
    let bytes = found.meta.bytes;
    let sha256 = drain(found, &mut tokio::fs::File::from_std(file)).await?;
    Ok(Some((path, sha256, bytes)))
}

/// Reads an object to its end, which is held to its announced length, and hashes it on its way.
pub(super) async fn drain(found: Object, to: &mut (impl AsyncWrite + Unpin)) -> Result<Sha256, Fault> {
    let (mut body, mut hash) = (found.body, Context::new(&SHA256));
    while let Some(chunk) = body.try_next().await? {
        hash.update(&chunk);
        to.write_all(&chunk).await.map_err(Fault::internal)?;
        // So that large bodies that come at once leave others their turn.
        tokio::task::consume_budget().await;
    }
    to.flush().await.map_err(Fault::internal)?;
    Ok(finish_sha256(hash))
}

async fn read(app: &App, object: &object::Model, site: Site, to: &mut (impl AsyncWrite + Unpin)) -> Result<(), Fault> {
    let place = || format!("{} at the {} site", object.key, site.as_str());
    let found = app.stores.at(site).get(&object.key, None).await?;
    let found = found.ok_or_else(|| Fault::Internal(format!("no {}", place())))?;
    if drain(found, to).await?.as_slice() == object.sha256 {
        Ok(())
    } else {
        Err(Fault::Internal(format!("{} differs from the ledger", place())))
    }
}

fn digest(object: &object::Model) -> Result<[u8; 32], JobError> {
    object.sha256.as_slice().try_into().map_err(|_| JobError::Fail("the ledger's SHA-256 is not 32 bytes".to_owned()))
}

/// Deletes a doomed object at every site and confirms that it is gone.
#[derive(Serialize, Deserialize)]
pub(super) struct Erase {
    pub object: Uuid,
}

#[async_trait]
impl Job for Erase {
    const KIND: &'static str = "ledger.erase";
    const LANE: Lane = Lane::Erasures;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let Some(object) = store::find(app.db.read(), self.object).await? else { return Ok(()) };
        if !matches!(object.state, State::Deleting | State::Erased) {
            return Ok(());
        }
        if object.state == State::Erased {
            if is_gone(app, &object.key).await? {
                return Ok(());
            }
            tracing::warn!(key = %object.key, "bytes landed after their erasure was proven; erasing them again");
        }
        // Read before deleting: an intent needs a live or pending row, so none can be added from here on.
        let deadline = store::last_deadline(app.db.read(), object.id).await?;
        // A site that does not answer must not keep the bytes at the other.
        let deletions = Site::ALL.map(|site| app.stores.at(site).delete(&object.key));
        for deletion in futures::future::join_all(deletions).await {
            deletion?;
        }
        purge(app, &object.key, &object.id.to_string()).await?;
        if let Some(deadline) = deadline {
            let provable = deadline.plus(app.config.ledger.erase_margin);
            let now = app.db.now(app.db.read()).await?;
            if now < provable {
                // The writer's reply may come sooner than its deadline.
                return Err(JobError::Later(provable.since(now).min(Duration::from_secs(1))));
            }
        }
        for site in Site::ALL {
            match app.stores.at(site).look(&object.key).await? {
                Presence::Gone => {}
                Presence::Present { versions, markers, uploads } => {
                    return Err(JobError::Retry(format!(
                        "{} is still at the {} site: {versions} versions, {markers} markers, {uploads} uploads",
                        object.key,
                        site.as_str()
                    )));
                }
            }
            if object.state == State::Deleting {
                app.db
                    .transaction::<_, DbErr, _, _>(async |tx| {
                        store::set_gone(&tx, object.id, site, app.db.now(&tx).await?).await
                    })
                    .await?;
            }
        }
        if object.state == State::Deleting {
            app.db
                .transaction::<_, DbErr, _, _>(async |tx| {
                    let still = store::lock(&tx, object.id).await?;
                    if still.is_some_and(|object| object.state == State::Deleting) {
                        let now = app.db.now(&tx).await?;
                        store::set_erased(&tx, object.id, now).await?;
                        if let Some(deadline) = deadline {
                            // The store may carry out late what it got in time.
                            enqueue_at(&tx, &Erase { object: object.id }, deadline.plus(app.config.ledger.late_writes))
                                .await?;
                        }
                        if !app.config.downloads.distribution_id.is_empty() {
                            let forget = Forget { key: object.key.clone(), object: object.id };
                            enqueue_at(&tx, &forget, now.plus(ORIGIN_TIMEOUT)).await?;
                        }
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }
}

async fn is_gone(app: &App, key: &str) -> Result<bool, JobError> {
    for site in Site::ALL {
        if app.stores.at(site).look(key).await? != Presence::Gone {
            return Ok(false);
        }
    }
    Ok(true)
}

/// As long as CloudFront waits for an origin's answer, with a margin.
const ORIGIN_TIMEOUT: Duration = Duration::from_secs(90);

/// Invalidates an erased object once more: a fetch that began before the deletion may have filled a cache after the first.
#[derive(Serialize, Deserialize)]
pub(super) struct Forget {
    pub key: String,
    pub object: Uuid,
}

#[async_trait]
impl Job for Forget {
    const KIND: &'static str = "ledger.forget";
    const LANE: Lane = Lane::Erasures;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        purge(app, &self.key, &format!("{}-again", self.object)).await
    }
}

async fn purge(app: &App, key: &str, reference: &str) -> Result<(), JobError> {
    let purged = app.purger.purge(&[key.to_owned()], reference).await;
    purged.map_err(|error| JobError::Retry(format!("cannot purge the CDN: {error}")))
}

/// Finds what a crash left behind: writes never finished, erasures and copies whose job is gone.
#[derive(Serialize, Deserialize)]
pub(super) struct Sweep {}

#[async_trait]
impl Job for Sweep {
    const KIND: &'static str = "ledger.sweep";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let now = app.db.now(app.db.read()).await?;
        let settings = &app.config.ledger;
        let given_up = now.minus(app.config.objects.write_timeout).minus(settings.abandoned_after);
        for object in store::abandoned(app.db.read(), given_up).await? {
            tracing::info!(%object, "a write was never finished; erasing what it left");
            app.transaction::<_, DbErr, _, _>(async |tx| {
                let pending = store::lock(&tx, object).await?.is_some_and(|object| object.state == State::Pending);
                if pending { doom(app, &tx, &[object], None, Reason::Abandoned).await.map(drop) } else { Ok(()) }
            })
            .await?;
        }
        let stuck = now.minus(app.config.jobs.backoff_max).minus(app.config.objects.write_timeout);
        for object in store::unproven(app.db.read(), stuck).await? {
            app.transaction::<_, DbErr, _, _>(async |tx| {
                enqueue_unique(app, &tx, &Erase { object }, &format!("erase:{object}")).await
            })
            .await?;
        }
        for object in store::uncopied(app.db.read(), stuck).await? {
            app.transaction::<_, DbErr, _, _>(async |tx| {
                enqueue_unique(app, &tx, &Replicate { object }, &format!("replicate:{object}")).await
            })
            .await?;
        }
        let ended = now.minus(settings.erase_margin.max(settings.late_writes));
        app.db.transaction::<_, DbErr, _, _>(async |tx| store::clear_old_intents(&tx, ended).await).await?;
        Ok(())
    }
}
