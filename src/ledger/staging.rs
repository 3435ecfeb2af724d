//! Bytes that clients send to S3 themselves: they arrive at a staging key, which is never live, and are copied to a key
//! that no client can write. What is read back there is what counts.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use entity::{
    Timestamp, object,
    object::{Kind, Reason, State},
    object_copy::{Proof, Site},
};
use futures::{TryStreamExt as _, stream::BoxStream};
use sea_orm::DbErr;
use tokio::{
    sync::mpsc::{Sender, channel},
    task::{JoinHandle, spawn_blocking},
    time::Instant,
};
use uuid::Uuid;

use super::{Roles, Written, doom, jobs, roles, store};
use crate::{
    adapters::objects::{CopyObject, Sha256, StoreError, Stored, finish_sha256, keys::ObjectKey},
    app::App,
    db::Tx,
    error::Fault,
};

/// The slowest copy within a bucket that is waited for, in bytes a second, beside the usual time of a write.
const SLOWEST_COPY: u64 = 20 << 20;

/// A staging object, and the site that clients send to.
#[derive(Clone, Debug)]
pub struct Staged {
    pub object: object::Model,
    pub site: Site,
}

/// A ledger row for what a client sends until `deadline`; a write intent stands for all its requests.
pub async fn stage(
    app: &App,
    tx: &Tx,
    bytes: u64,
    user: Uuid,
    file: Uuid,
    deadline: Timestamp,
) -> Result<Staged, Fault> {
    let roles = roles::roles_for_write(app, tx).await?;
    let object = pending(app, tx, Kind::Staging, bytes, user, file, deadline).await?;
    store::insert_intent(tx, object.id, roles.primary, deadline).await?;
    Ok(Staged { object, site: roles.primary })
}

/// A ledger row for the original that a staged upload becomes; swept unless [`keep`] is called before `keep_until`.
pub async fn reserve(
    app: &App,
    tx: &Tx,
    bytes: u64,
    user: Uuid,
    file: Uuid,
    keep_until: Timestamp,
) -> Result<object::Model, DbErr> {
    pending(app, tx, Kind::Original, bytes, user, file, keep_until).await
}

async fn pending(
    app: &App,
    tx: &Tx,
    kind: Kind,
    bytes: u64,
    user: Uuid,
    file: Uuid,
    keep_until: Timestamp,
) -> Result<object::Model, DbErr> {
    let pending = store::Pending {
        bytes,
        sha256: &[],
        content_type: "application/octet-stream",
        user_id: Some(user),
        file_id: Some(file),
        keep_until: Some(keep_until),
    };
    let now = app.db.now(tx).await?;
    store::insert_pending(tx, ObjectKey::new(kind), &pending, now).await
}

/// Keeps pending objects from the sweeper until then. `false`: one is pending no longer.
pub async fn keep(app: &App, objects: &[Uuid], until: Timestamp) -> Result<bool, DbErr> {
    app.db
        .transaction(async |tx| {
            let mut all = true;
            for object in objects {
                all &= store::set_keep_until(&tx, *object, until).await?;
            }
            Ok(all)
        })
        .await
}

/// Nobody sends to this staging object any more: its part URLs are dead with the upload, but for a request that S3 has
/// already begun. The caller dooms it.
pub async fn close_staging(app: &App, tx: &Tx, object: Uuid) -> Result<(), DbErr> {
    store::shorten_intents(tx, object, app.db.now(tx).await?).await
}

/// The same, and dooms it.
pub async fn end_staging(app: &App, tx: &Tx, object: Uuid, reason: Reason) -> Result<(), DbErr> {
    close_staging(app, tx, object).await?;
    doom(app, tx, &[object], None, reason).await.map(drop)
}

/// The parts of a staging object were joined by somebody who does not hold it: where it was doomed meanwhile, its
/// erasure begins again.
pub async fn joined(app: &App, tx: &Tx, object: Uuid) -> Result<(), DbErr> {
    match store::lock(tx, object).await?.map(|object| object.state) {
        Some(State::Deleting | State::Erased) => jobs::rearm(app, tx, object).await,
        Some(State::Pending | State::Live) | None => Ok(()),
    }
}

/// Copies the staged bytes to the reserved object, under a write intent. Where they are there already, an earlier
/// attempt has done so. `None`: the reserved object was doomed meanwhile.
pub async fn copy_in(
    app: &App,
    staged_key: &str,
    site: Site,
    object: Uuid,
    content_type: &str,
) -> Result<Option<Written>, Fault> {
    let started = Instant::now();
    let begun = app
        .db
        .transaction::<_, DbErr, _, _>(async |tx| {
            let roles = roles::roles(&tx).await?;
            let pending = store::lock(&tx, object).await?.filter(|object| object.state == State::Pending);
            let Some(object) = pending.filter(|_| roles.primary == site) else { return Ok(None) };
            let timeout = copy_timeout(app, u64::try_from(object.bytes).unwrap_or(0));
            let deadline = app.db.now(&tx).await?.plus(timeout);
            let intent = store::insert_intent(&tx, object.id, site, deadline).await?;
            Ok(Some((object, roles, intent, timeout)))
        })
        .await?;
    let Some((mut object, roles, intent, timeout)) = begun else { return Ok(None) };
    content_type.clone_into(&mut object.content_type);
    let written = |stored: Stored, object: object::Model, roles: Roles| Written {
        object,
        roles,
        intent,
        stored,
        proof: Proof::Bytes,
    };
    let there = app.stores.at(site).head(&object.key).await?;
    if let Some(meta) = there.filter(|meta| i64::try_from(meta.bytes) == Ok(object.bytes)) {
        let stored = Stored { etag: meta.etag, version_id: meta.version_id };
        return Ok(Some(written(stored, object, roles)));
    }
    let copy = CopyObject {
        from: staged_key.to_owned(),
        to: object.key.clone(),
        bytes: u64::try_from(object.bytes).unwrap_or(0),
        content_type: content_type.to_owned(),
    };
    match app.stores.at(site).copy(copy, timeout.saturating_sub(started.elapsed())).await {
        Ok(stored) => Ok(Some(written(stored, object, roles))),
        Err(error) => {
            if error.is_definite() {
                app.db.transaction::<_, DbErr, _, _>(async |tx| store::clear_intent(&tx, intent).await).await?;
            }
            Err(error.into())
        }
    }
}

/// How long a copy of so many bytes within a bucket may take.
pub(super) fn copy_timeout(app: &App, bytes: u64) -> Duration {
    app.config.objects.write_timeout + Duration::from_secs(bytes / SLOWEST_COPY)
}

/// What reading an object back found.
#[derive(Debug)]
pub struct Reading {
    pub bytes: u64,
    pub sha256: Sha256,
    /// SHA-256 over the SHA-256s of its parts of the given size, as S3's composite checksums are.
    pub composite: Sha256,
}

/// Chunks that may wait for the hash of the whole.
const WAITING: usize = 4;

/// The bytes of an object as they are read back and hashed: as a whole by a thread of its own, which takes as long as the
/// parts do.
pub struct Readback {
    body: BoxStream<'static, Result<Bytes, StoreError>>,
    chunks: Sender<Bytes>,
    whole: JoinHandle<Sha256>,
    part: Context,
    parts: Context,
    bytes: u64,
    part_bytes: u64,
    /// Of the part that is being read.
    left: u64,
}

/// Begins to read the written bytes back from where they are, in parts of `part_bytes`. `None`: no such key.
pub async fn read_back(app: &App, written: &Written, part_bytes: u64) -> Result<Option<Readback>, Fault> {
    let Some(found) = app.stores.at(written.site()).get(&written.object.key, None).await? else { return Ok(None) };
    let (chunks, mut waiting) = channel::<Bytes>(WAITING);
    let whole = spawn_blocking(move || {
        let mut whole = Context::new(&SHA256);
        while let Some(chunk) = waiting.blocking_recv() {
            whole.update(&chunk);
        }
        finish_sha256(whole)
    });
    let (part, parts) = (Context::new(&SHA256), Context::new(&SHA256));
    Ok(Some(Readback { body: found.body, chunks, whole, part, parts, bytes: 0, part_bytes, left: part_bytes }))
}

impl Readback {
    /// The next chunk; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let Some(chunk) = self.body.try_next().await? else { return Ok(None) };
        // It fails only where the thread has; then so does the end.
        _ = self.chunks.send(chunk.clone()).await;
        self.bytes += chunk.len() as u64;
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(usize::try_from(self.left).unwrap_or(usize::MAX)));
            self.part.update(now);
            self.left -= now.len() as u64;
            rest = later;
            if self.left == 0 {
                let part = std::mem::replace(&mut self.part, Context::new(&SHA256));
                self.parts.update(part.finish().as_ref());
                self.left = self.part_bytes;
            }
        }
        Ok(Some(chunk))
    }

    /// What was read until now.
    pub async fn finish(mut self) -> Result<Reading, Fault> {
        drop(self.chunks);
        let sha256 = self.whole.await.map_err(Fault::internal)?;
        // The last part, and the only one of nothing.
        if self.left < self.part_bytes || self.bytes == 0 {
            self.parts.update(self.part.finish().as_ref());
        }
        Ok(Reading { bytes: self.bytes, sha256, composite: finish_sha256(self.parts) })
    }
}
