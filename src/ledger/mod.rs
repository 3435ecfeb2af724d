//! The ledger: one row per S3 object, written before its first byte, kept after its last copy is gone.
//!
//! `pending → live → deleting → erased`, and `pending → deleting` for writes that were never finished.

mod catalog;
mod closing;
mod duplicate;
mod evidence;
pub mod graphql;
mod holds;
mod jobs;
mod large;
mod rebuild;
mod roles;
mod staging;
mod store;

use std::time::Duration;

pub use catalog::LedgerCatalog;
pub use closing::{Toll, count_standing, doom_rest, lock_of_files, toll};
pub use duplicate::duplicate;
use entity::{
    Timestamp, object,
    object::{Kind, Reason, State},
    object_copy,
    object_copy::{Proof, Site},
};
pub use evidence::{
    Backlog, Entry, Equality, Exposure, Mark, Sight, backlog, census, compare, compare_pair, entries, exposure,
    hash_at, lags, lost, note, oldest_proofs,
};
pub use holds::{hold, release};
pub use jobs::{copy_again, erase_again, probe_interval, spool_key};
pub use rebuild::{Homecoming, adopt, bring_home, count_live, forget_evidence, live_after};
pub use roles::{close, count_lacking, next_lacking, promote, reopen, roles};
use sea_orm::{ConnectionTrait, DbErr};
pub use staging::{
    Readback, Reading, Staged, close_staging, copy_in, end_staging, joined, keep, read_back, reserve, stage,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    accounts,
    adapters::objects::{Body, Condition, PutObject, Sha256, Stored, keys::ObjectKey},
    app::App,
    config::Config,
    db::{
        Tx,
        page::{Page, PageRequest, Position},
    },
    error::Fault,
    jobs::Registry,
    viewer::{Denied, Viewer},
};

/// Bytes about to be written, and whose they are.
#[derive(Clone, Debug)]
pub struct NewObject {
    pub kind: Kind,
    pub bytes: u64,
    pub sha256: Sha256,
    pub content_type: String,
    pub user_id: Option<Uuid>,
    pub file_id: Option<Uuid>,
}

/// Bytes that the primary has confirmed, whose ledger row is still pending: [`make_live`] or [`give_up`] comes next.
/// Where neither does, the sweeper erases them.
#[derive(Clone, Debug)]
pub struct Written {
    pub object: object::Model,
    roles: Roles,
    intent: Uuid,
    stored: Stored,
    proof: Proof,
}

/// Which site is the primary, and since which promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    pub primary: Site,
    pub epoch: i64,
}

impl Written {
    /// Where the bytes are.
    #[must_use]
    pub fn site(&self) -> Site {
        self.roles.primary
    }
}

impl Roles {
    #[must_use]
    pub fn replica(self) -> Site {
        match self.primary {
            Site::First => Site::Second,
            Site::Second => Site::First,
        }
    }
}

/// What a deletion did: held objects stay until their hold ends.
#[derive(Clone, Debug, Default)]
pub struct Doomed {
    pub deleting: Vec<object::Model>,
    pub held: Vec<object::Model>,
}

/// What one erasure has proven so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    pub object: object::Model,
    pub primary_confirmed_at: Option<Timestamp>,
    pub replica_confirmed_at: Option<Timestamp>,
}

/// Which erasures are wanted.
#[derive(Clone, Debug, Default)]
pub struct ErasureFilter {
    pub file_id: Option<Uuid>,
    /// `true`: proven at both sites; `false`: still under way.
    pub erased: Option<bool>,
}

pub fn register(registry: &mut Registry, config: &Config) -> Result<(), serde_json::Error> {
    registry.register::<jobs::Replicate>();
    registry.register::<jobs::Erase>();
    registry.register::<jobs::Forget>();
    registry.schedule(config.ledger.sweep_interval, &jobs::Sweep {})
}

/// Writes one object to the primary: ledger row and intent first, then the bytes, held to their length and SHA-256.
/// Refused for an account that was closed.
pub async fn write(app: &App, new: NewObject, body: Body) -> Result<Written, Fault> {
    let started = Instant::now();
    let timeout = app.config.objects.write_timeout;
    let key = ObjectKey::new(new.kind);
    let Begun { object, roles, intent } =
        app.db.transaction::<_, Fault, _, _>(async |tx| begin(app, &tx, key, &new, timeout, None).await).await?;
    let put = PutObject {
        key: object.key.clone(),
        body,
        bytes: new.bytes,
        sha256: new.sha256,
        content_type: new.content_type.clone(),
        condition: Condition::None,
    };
    // Measured from before the deadline was set, so that the write ends before it.
    let remaining = timeout.saturating_sub(started.elapsed());
    match app.stores.at(roles.primary).put(put, remaining).await {
        // The store checked our SHA-256 before it accepted the write.
        Ok(stored) => Ok(Written { object, roles, intent, stored, proof: Proof::Checksum }),
        Err(error) => {
            let cleared = error.is_definite().then_some(intent);
            abandon(app, object.id, cleared).await;
            Err(error.into())
        }
    }
}

/// A write to the primary before its first byte.
struct Begun {
    object: object::Model,
    roles: Roles,
    intent: Uuid,
}

/// The row of an object that is going to be written within `timeout`, and the intent. Swept after the usual time of a write,
/// or `keep` from now. Refused for an account that was closed.
async fn begin(
    app: &App,
    tx: &Tx,
    key: ObjectKey,
    new: &NewObject,
    timeout: Duration,
    keep: Option<Duration>,
) -> Result<Begun, Fault> {
    if let Some(user) = new.user_id
        && !accounts::stands(tx, user).await?
    {
        return Err(Denied::Unauthenticated.into());
    }
    let roles = roles::roles_for_write(app, tx).await?;
    let now = app.db.now(tx).await?;
    let pending = store::Pending {
        bytes: new.bytes,
        sha256: &new.sha256,
        content_type: &new.content_type,
        user_id: new.user_id,
        file_id: new.file_id,
        keep_until: keep.map(|keep| now.plus(keep)),
    };
    let object = store::insert_pending(tx, key, &pending, now).await?;
    let intent = store::insert_intent(tx, object.id, roles.primary, now.plus(timeout)).await?;
    Ok(Begun { object, roles, intent })
}

/// Makes written bytes part of the caller's transaction. `false`: the row was doomed or the primary changed meanwhile;
/// the bytes are being erased, and the caller fails with something retryable.
pub async fn make_live(app: &App, tx: &Tx, written: &Written) -> Result<bool, DbErr> {
    let object = store::lock(tx, written.object.id).await?;
    let now = app.db.now(tx).await?;
    store::clear_intent(tx, written.intent).await?;
    let pending = object.is_some_and(|object| object.state == State::Pending);
    if !pending || roles::hold_roles(tx).await? != written.roles {
        doom(app, tx, &[written.object.id], None, Reason::Abandoned).await?;
        jobs::rearm(app, tx, written.object.id).await?;
        return Ok(false);
    }
    store::set_live(tx, &written.object, now).await?;
    store::set_verified(tx, written.object.id, written.roles.primary, &written.stored, written.proof, now).await?;
    // Canaries are copied by whoever plants faults on them.
    if written.object.kind != Kind::Canary {
        crate::jobs::enqueue(app, tx, &jobs::Replicate { object: written.object.id }).await?;
    }
    Ok(true)
}

/// Erases written bytes that no row will point to. Its failure is only logged: the sweeper finds them.
pub async fn give_up(app: &App, written: &Written) {
    abandon(app, written.object.id, Some(written.intent)).await;
}

async fn abandon(app: &App, object: Uuid, definite: Option<Uuid>) {
    let outcome = app
        .transaction::<_, DbErr, _, _>(async |tx| {
            if let Some(intent) = definite {
                store::clear_intent(&tx, intent).await?;
            }
            match store::lock(&tx, object).await?.map(|object| object.state) {
                Some(State::Pending) => doom(app, &tx, &[object], None, Reason::Abandoned).await.map(drop),
                // Swept or purged meanwhile, and perhaps proven gone before these bytes landed.
                Some(State::Deleting | State::Erased) if definite.is_some() => jobs::rearm(app, &tx, object).await,
                Some(State::Deleting | State::Erased) => jobs::rearm_late(app, &tx, object).await,
                // A transaction took it after all: a lost reply to COMMIT looks like a failure.
                Some(State::Live) | None => Ok(()),
            }
        })
        .await;
    if let Err(error) = outcome {
        tracing::warn!(%error, %object, "an unfinished write is left to the sweeper");
    }
}

/// Dooms objects in the caller's transaction: live and pending ones become `deleting` and are erased at every site. A held one
/// remembers who asked for that and why, until [`release`].
pub async fn doom(
    app: &App,
    tx: &Tx,
    objects: &[Uuid],
    requested_by: Option<Uuid>,
    reason: Reason,
) -> Result<Doomed, DbErr> {
    let now = app.db.now(tx).await?;
    let mut doomed = Doomed::default();
    for object in store::lock_many(tx, objects).await? {
        if !matches!(object.state, State::Live | State::Pending) {
            continue;
        }
        if object.holds > 0 {
            store::set_due(tx, object.id, requested_by, reason, now).await?;
            doomed.held.push(object);
            continue;
        }
        store::set_deleting(tx, object.id, requested_by, reason, now).await?;
        jobs::rearm(app, tx, object.id).await?;
        doomed.deleting.push(object::Model {
            state: State::Deleting,
            requested_by,
            requested_at: Some(now),
            reason: Some(reason),
            ..object
        });
    }
    Ok(doomed)
}

/// Brings a live object's bytes into a temporary file, from the first site that has them unaltered.
pub async fn spool(app: &App, object: Uuid) -> Result<tempfile::TempPath, Fault> {
    let object = store::find(app.db.read(), object).await?.filter(|object| object.state == State::Live);
    let object = object.ok_or_else(|| Fault::Internal("the object is not live".to_owned()))?;
    let roles = roles(app.db.read()).await?;
    match jobs::spool(app, &object, roles.primary).await {
        Ok(path) => Ok(path),
        Err(error) => {
            tracing::warn!(%error, key = %object.key, "the primary cannot be read; trying the replica");
            jobs::spool(app, &object, roles.replica()).await
        }
    }
}

/// An object of the caller's, whatever became of it.
pub async fn find(connection: &impl ConnectionTrait, object: Uuid) -> Result<Option<object::Model>, DbErr> {
    store::find(connection, object).await
}

/// The objects of a file, whatever became of them.
pub async fn of_file(connection: &impl ConnectionTrait, file: Uuid) -> Result<Vec<object::Model>, DbErr> {
    store::of_file(connection, file).await
}

/// The objects of a person, whatever became of them.
pub async fn of_user(connection: &impl ConnectionTrait, user: Uuid) -> Result<Vec<object::Model>, DbErr> {
    store::of_user(connection, user).await
}

/// The live objects of a kind that there are few of, the newest first.
pub async fn of_kind(connection: &impl ConnectionTrait, kind: Kind) -> Result<Vec<object::Model>, DbErr> {
    store::of_kind(connection, kind).await
}

/// When the newest live object of a kind that there are few of was made, among those whose copy at the site is proven.
pub async fn newest_proven(
    connection: &impl ConnectionTrait,
    kind: Kind,
    site: Site,
) -> Result<Option<Timestamp>, DbErr> {
    let objects = store::of_kind(connection, kind).await?;
    let ids: Vec<Uuid> = objects.iter().map(|object| object.id).collect();
    let copies = store::copies(connection, &ids).await?;
    let proven = |object: &object::Model| {
        let of = |copy: &&object_copy::Model| copy.object_id == object.id && copy.site == site;
        copies.iter().find(of).is_some_and(|copy| copy.state == object_copy::State::Verified)
    };
    Ok(objects.iter().find(|object| proven(object)).map(|object| object.created_at))
}

/// Where the copies of these objects are. The caller has authorised the objects.
pub async fn copies(connection: &impl ConnectionTrait, objects: &[Uuid]) -> Result<Vec<object_copy::Model>, DbErr> {
    store::copies(connection, objects).await
}

/// Erasures, newest request first: one's own, for operators and admins everyone's.
pub async fn erasures(
    app: &App,
    viewer: &Viewer,
    filter: &ErasureFilter,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<Erasure>, Fault> {
    let user = if viewer.operator().is_ok() { None } else { Some(viewer.person()?.user_id) };
    let objects = store::requested(app.db.read(), user, filter, page).await?;
    let erasures = with_confirmations(app, objects.items).await?;
    Ok(Page { items: erasures, has_previous: objects.has_previous, has_next: objects.has_next })
}

/// Whether somebody has asked for the erasure, though a hold may put it off.
#[must_use]
pub fn is_to_go(object: &object::Model) -> bool {
    object.requested_at.or(object.due_at).is_some()
}

/// One erasure, where the viewer may see it.
pub async fn erasure(app: &App, viewer: &Viewer, object: Uuid) -> Result<Option<Erasure>, Fault> {
    let Some(found) = store::find(app.db.read(), object).await? else { return Ok(None) };
    let own = viewer.user_id().is_some() && viewer.user_id() == found.user_id;
    if !is_to_go(&found) || !(own || viewer.operator().is_ok()) {
        return Ok(None);
    }
    Ok(with_confirmations(app, vec![found]).await?.pop())
}

/// The erasures of objects that the caller has authorised.
pub async fn with_confirmations(app: &App, objects: Vec<object::Model>) -> Result<Vec<Erasure>, Fault> {
    let roles = roles(app.db.read()).await?;
    let ids: Vec<Uuid> = objects.iter().map(|object| object.id).collect();
    let copies = store::copies(app.db.read(), &ids).await?;
    let gone_at = |object: Uuid, site: Site| {
        copies.iter().find(|copy| copy.object_id == object && copy.site == site).and_then(|copy| copy.gone_at)
    };
    Ok(objects
        .into_iter()
        .map(|object| Erasure {
            primary_confirmed_at: gone_at(object.id, roles.primary),
            replica_confirmed_at: gone_at(object.id, roles.replica()),
            object,
        })
        .collect())
}

/// The live object of this key: what a download may be served from.
pub async fn find_live(app: &App, key: &str) -> Result<Option<object::Model>, DbErr> {
    Ok(by_key(app, key).await?.filter(|object| object.state == State::Live))
}

/// The object of this key, whatever became of it. `None`: the server never made this key.
pub async fn by_key(app: &App, key: &str) -> Result<Option<object::Model>, DbErr> {
    if key.parse::<ObjectKey>().is_err() {
        return Ok(None);
    }
    store::by_key(app.db.read(), key).await
}

/// Notes that S3 told of the object. `false`: it has before.
pub async fn note_notified(app: &App, tx: &Tx, object: Uuid) -> Result<bool, DbErr> {
    store::set_notified(tx, object, app.db.now(tx).await?).await
}
