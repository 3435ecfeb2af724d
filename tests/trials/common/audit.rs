//! The judge of the stores: the ledger and both buckets, compared line by line.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{Context, SHA256};
use entity::{
    Timestamp, alert, audit_checkpoint, event, event_counter, file, file_label, file_term, file_version, idempotency,
    job, lease, object, object_copy, object_copy::Site, rendition, report, session, share_link, snap, snap_recipient,
    upload, usage, user, write_intent,
};
use futures::TryStreamExt;
use sea_orm::{
    ColumnTrait, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, EntityTrait, ExprTrait,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Statement, sea_query::Expr,
};
use snaphaven::{
    adapters::objects::{ObjectStore, Presence, StoreError, s3::S3Store},
    app::Stores,
    clock::Clock,
    error::Fault,
    id::NodeKind,
    ledger,
};
use uuid::Uuid;

use crate::judges;

/// How the ledger and the buckets disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In a bucket, and the ledger knows nothing of it.
    Orphan,
    /// In a bucket, and the ledger says that it is not.
    NotGone,
    /// Live, and not in a bucket.
    Missing,
    /// In a bucket with other bytes.
    Differs,
    /// The ledger's rows do not fit each other.
    Rows,
    /// Work that is stuck.
    Stuck,
}

#[derive(Clone, Debug)]
pub struct Finding {
    pub kind: Kind,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.what)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("the database: {0}")]
    Database(#[from] DbErr),
    #[error("a bucket: {0}")]
    Store(#[from] StoreError),
    #[error("the audit log: {0}")]
    Log(#[from] Fault),
    #[error("the data folder: {0}")]
    Folder(#[from] std::io::Error),
}

/// What an audit saw.
pub struct Report {
    pub findings: Vec<Finding>,
    pub live: usize,
    pub erased: usize,
    /// Copies whose bytes were read.
    pub read: usize,
}

pub struct Auditor {
    database: DatabaseConnection,
    stores: [Arc<S3Store>; 2],
    data_dir: std::path::PathBuf,
}

const POLL: Duration = Duration::from_millis(100);
/// What is to be done later than this is planned, such as the end of a snap that nobody opens: retries come much sooner.
const PLANNED: Duration = Duration::from_secs(20);
/// Long enough to look at a picture.
const A_VIEW: Duration = Duration::from_secs(60);

impl Auditor {
    /// `url` as `database.url`: empty for SQLite in the data folder.
    pub async fn open(url: &str, data_dir: &Path, stores: [S3Store; 2]) -> Result<Self, AuditError> {
        let url = match url {
            "" => format!("sqlite://{}?mode=rw", data_dir.join("snaphaven.sqlite").display()),
            url => url.to_owned(),
        };
        let mut options = sea_orm::ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        Ok(Self {
            database: Database::connect(options).await?,
            stores: stores.map(Arc::new),
            data_dir: data_dir.to_owned(),
        })
    }

    pub fn store(&self, site: Site) -> &S3Store {
        match site {
            Site::First => &self.stores[0],
            Site::Second => &self.stores[1],
        }
    }

    /// Waits until nothing is under way any more, and says how long and for what; what does not
    /// change for `limit` is stuck.
    pub async fn quiet(&self, limit: Duration) -> Result<(String, Vec<Finding>), AuditError> {
        let began = Instant::now();
        let (mut last, mut changed) = (Vec::new(), began);
        loop {
            let busy = self.under_way().await?;
            let time = began.elapsed();
            if busy != last {
                changed = Instant::now();
            }
            // A busy machine is slow; what goes round in circles is stuck too.
            if busy.is_empty() || changed.elapsed() > limit || time > 5 * limit {
                let stuck = |what| Finding { kind: Kind::Stuck, what: format!("{what}, still after {limit:?}") };
                let seconds = time.as_secs_f64();
                let story = format!("quiet after {seconds:.1} s, last waited for {}", last.join(", "));
                return Ok((story, busy.into_iter().map(stuck).collect()));
            }
            last = busy;
            tokio::time::sleep(POLL).await;
        }
    }

    async fn under_way(&self) -> Result<Vec<String>, DbErr> {
        let connection = &self.database;
        let unsettled = [object::State::Pending, object::State::Deleting];
        let objects = object::Entity::find().filter(object::Column::State.is_in(unsettled)).count(connection).await?;
        let live = object::Entity::find().select_only().column(object::Column::Id);
        let live = live.filter(object::Column::State.eq(object::State::Live)).into_query();
        let awaiting = object_copy::Entity::find()
            .filter(object_copy::Column::State.eq(object_copy::State::Awaiting))
            .filter(object_copy::Column::ObjectId.in_subquery(live))
            .count(connection)
            .await?;
        let pending = rendition::Column::State.eq(rendition::State::Pending);
        let renditions = rendition::Entity::find().filter(pending).count(connection).await?;
        let intents = write_intent::Entity::find().count(connection).await?;
        let scheduled = job::Column::UniqueKey.is_null().or(job::Column::UniqueKey.not_like("schedule:%"));
        let soon = Clock::system().now().plus(PLANNED);
        let jobs = job::Entity::find().filter(job::Column::State.eq(job::State::Waiting)).filter(scheduled);
        let jobs = jobs.filter(job::Column::RunAt.lt(soon));
        let mut counts = BTreeMap::from([
            ("pending or deleting objects".to_owned(), objects),
            ("live objects without a replica copy".to_owned(), awaiting),
            ("pending renditions".to_owned(), renditions),
            ("write intents".to_owned(), intents),
            ("audit entries to be signed".to_owned(), judges::chain::under_way(connection).await?),
        ]);
        for job in jobs.all(connection).await? {
            *counts.entry(format!("jobs {}", job.kind)).or_default() += 1;
        }
        counts.retain(|_, count| *count > 0);
        Ok(counts.iter().map(|(what, count)| format!("{count} {what}")).collect())
    }

    /// Compares everything. `read`: how many copies' bytes are read back and hashed, newest first.
    pub async fn audit(&self, read: usize) -> Result<Report, AuditError> {
        let mut findings = Findings::default();
        let objects = object::Entity::find().all(&self.database).await?;
        let copies = object_copy::Entity::find().all(&self.database).await?;
        self.rows(&objects, &copies, &mut findings).await?;
        let mut hashed = 0;
        for site in Site::ALL {
            hashed += self.bucket(site, &objects, read / 2, &mut findings).await?;
        }
        self.spool(&mut findings)?;
        let [first, second] = self.stores.clone();
        let wrong = judges::chain::wrong(&self.database, &Stores { first, second }, &self.data_dir).await?;
        wrong.into_iter().for_each(|what| findings.rows(what));
        let count = |state| objects.iter().filter(|object| object.state == state).count();
        Ok(Report {
            findings: findings.0,
            live: count(object::State::Live),
            erased: count(object::State::Erased),
            read: hashed,
        })
    }

    /// One bucket's listing against the ledger.
    async fn bucket(
        &self,
        site: Site,
        objects: &[object::Model],
        read: usize,
        findings: &mut Findings,
    ) -> Result<usize, AuditError> {
        let store = self.store(site);
        let mut listed = BTreeMap::new();
        loop {
            let after = listed.last_key_value().map(|(key, _): (&String, &u64)| key.clone());
            let page = store.list("", after.as_deref(), 1000).await?;
            if page.is_empty() {
                break;
            }
            listed.extend(page.into_iter().map(|object| (object.key, object.bytes)));
        }
        let by_key: HashMap<&str, &object::Model> =
            objects.iter().map(|object| (object.key.as_str(), object)).collect();
        let bucket = store.bucket();
        for (key, bytes) in &listed {
            match by_key.get(key.as_str()) {
                None => findings.add(Kind::Orphan, format!("{key} in {bucket} has no ledger row")),
                Some(object) if object.state != object::State::Live => {
                    findings.add(Kind::NotGone, format!("{key} in {bucket} is {:?}", object.state));
                }
                Some(object) if u64::try_from(object.bytes) != Ok(*bytes) => {
                    findings.add(Kind::Differs, format!("{key} in {bucket} has {bytes} bytes, not {}", object.bytes));
                }
                Some(_) => {}
            }
        }
        let mut live: Vec<_> = objects.iter().filter(|object| object.state == object::State::Live).collect();
        for object in &live {
            if !listed.contains_key(&object.key) {
                findings.add(Kind::Missing, format!("{} is not in {bucket}", object.key));
            }
        }
        live.retain(|object| listed.contains_key(&object.key));
        live.sort_by_key(|object| std::cmp::Reverse(object.id));
        live.truncate(read);
        for object in &live {
            let Some(found) = store.get(&object.key, None).await? else {
                findings.add(Kind::Missing, format!("{} is listed in {bucket} and cannot be read", object.key));
                continue;
            };
            let mut hash = Context::new(&SHA256);
            let mut body = found.body;
            while let Some(chunk) = body.try_next().await? {
                hash.update(&chunk);
            }
            if hash.finish().as_ref() != object.sha256 {
                findings.add(Kind::Differs, format!("{} in {bucket} has another SHA-256", object.key));
            }
        }
        Ok(live.len())
    }

    /// The ledger's rows against each other.
    async fn rows(
        &self,
        objects: &[object::Model],
        copies: &[object_copy::Model],
        findings: &mut Findings,
    ) -> Result<(), AuditError> {
        let connection = &self.database;
        let files = file::Entity::find().all(connection).await?;
        let versions = file_version::Entity::find().all(connection).await?;
        let renditions = rendition::Entity::find().all(connection).await?;
        let live: HashMap<Uuid, &object::Model> =
            objects.iter().filter(|object| object.state == object::State::Live).map(|row| (row.id, row)).collect();

        let mut owned = BTreeSet::new();
        let originals =
            versions.iter().map(|row| (row.object_id, object::Kind::Original, format!("version {}", row.id)));
        let pictures = renditions
            .iter()
            .filter_map(|row| Some((row.object_id?, object::Kind::Rendition, format!("rendition {}", row.id))));
        let snaps = snap::Entity::find().filter(snap::Column::GoneAt.is_null()).all(connection).await?;
        let snaps = snaps.iter().map(|row| (row.object_id, object::Kind::Snap, format!("snap {}", row.id)));
        let checkpoints = audit_checkpoint::Entity::find().all(connection).await?;
        let checkpoints =
            checkpoints.iter().map(|row| (row.object_id, object::Kind::Checkpoint, format!("checkpoint {}", row.seq)));
        for (id, kind, row) in originals.chain(pictures).chain(snaps).chain(checkpoints) {
            match live.get(&id) {
                None => findings.rows(format!("{row} points to {id}, which is not live")),
                Some(object) if object.kind != kind => findings.rows(format!("{row} points to {}", object.key)),
                Some(_) => {}
            }
            if !owned.insert(id) {
                findings.rows(format!("{row} points to {id} as another row does"));
            }
        }
        let held = report::Entity::find().filter(report::Column::Evidence.eq(report::Evidence::Held));
        owned.extend(held.all(connection).await?.into_iter().map(|row| row.object_id));
        for object in live.values().filter(|object| !owned.contains(&object.id)) {
            findings.rows(format!("{} is live and no row points to it", object.key));
        }
        let version: HashMap<Uuid, &file_version::Model> = versions.iter().map(|row| (row.id, row)).collect();
        for file in &files {
            let current = version.get(&file.version_id);
            let fits = current.is_some_and(|version| {
                version.file_id == file.id && version.object_id == file.object_id && version.sha256 == file.sha256
            });
            if !fits {
                findings.rows(format!("file {} does not fit its current version", file.name));
            }
            if live.get(&file.object_id).is_none_or(|object| object.sha256 != file.sha256) {
                findings.rows(format!("file {} does not fit its object", file.name));
            }
        }
        let current: BTreeSet<Uuid> = files.iter().map(|file| file.version_id).collect();
        for row in renditions.iter().filter(|row| !current.contains(&row.version_id)) {
            findings.rows(format!("rendition {} is of no file's current version", row.id));
        }
        for row in renditions.iter().filter(|row| row.state == rendition::State::Failed) {
            findings.rows(format!("rendition {} failed: {:?}", row.id, row.error));
        }
        judges::usage::wrong(connection).await?.into_iter().for_each(|what| findings.rows(what));
        judges::holds::wrong(connection).await?.into_iter().for_each(|what| findings.rows(what));
        self.copies(objects, copies, findings);
        let dead = job::Entity::find().filter(job::Column::State.eq(job::State::Dead)).all(connection).await?;
        for job in dead {
            findings.add(Kind::Stuck, format!("dead job {} {}: {:?}", job.kind, job.payload, job.last_error));
        }
        if connection.get_database_backend() == DbBackend::Sqlite {
            self.integrity(findings).await?;
        }
        Ok(())
    }

    /// What SQLite itself finds in its file. Servers check theirs as they start.
    async fn integrity(&self, findings: &mut Findings) -> Result<(), DbErr> {
        for pragma in ["integrity_check", "foreign_key_check"] {
            let statement = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA {pragma}"));
            let rows = self.database.query_all_raw(statement).await?;
            let said: Vec<String> = rows.iter().filter_map(|row| row.try_get_by_index(0).ok()).collect();
            if said.iter().any(|line| line != "ok") {
                findings.rows(format!("PRAGMA {pragma}: {said:?}"));
            }
        }
        Ok(())
    }

    fn copies(&self, objects: &[object::Model], copies: &[object_copy::Model], findings: &mut Findings) {
        let copy: HashMap<(Uuid, Site), &object_copy::Model> =
            copies.iter().map(|row| ((row.object_id, row.site), row)).collect();
        for object in objects {
            let expected = match object.state {
                object::State::Live => object_copy::State::Verified,
                object::State::Erased => object_copy::State::Gone,
                object::State::Pending | object::State::Deleting => {
                    findings.add(Kind::Stuck, format!("{} is {:?}", object.key, object.state));
                    continue;
                }
            };
            for site in Site::ALL {
                let state = copy.get(&(object.id, site)).map(|row| row.state);
                if state != Some(expected) {
                    let (key, site) = (&object.key, site.as_str());
                    findings.rows(format!("the copy of {key} at {site} is {state:?}, the object {:?}", object.state));
                }
            }
        }
    }

    /// Bytes on their way through must not outlive the process that took them in.
    fn spool(&self, findings: &mut Findings) -> Result<(), AuditError> {
        let mut folders = vec![self.data_dir.join("tmp")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                let meta = entry.metadata()?;
                if meta.is_dir() {
                    folders.push(entry.path());
                } else if meta.len() > 0 {
                    let path = entry.path().display().to_string();
                    findings.add(Kind::NotGone, format!("{} bytes were left in {path}", meta.len()));
                }
            }
        }
        Ok(())
    }

    /// Every alert.
    pub async fn alerts(&self) -> Result<Vec<alert::Model>, AuditError> {
        Ok(alert::Entity::find().all(&self.database).await?)
    }

    /// Times that are none of the database's: sessions and files in the trash that end other than `life` after now, and
    /// schedules and leases that begin or end later than they may.
    pub async fn times_off(&self, life: Duration) -> Result<Vec<String>, AuditError> {
        const NEAR: Duration = Duration::from_secs(600);
        let now = Clock::system().now();
        let near = |time: Timestamp, to: Timestamp| time >= to.minus(NEAR) && time <= to.plus(NEAR);
        let mut off = Vec::new();
        for session in session::Entity::find().all(&self.database).await? {
            if session.expires_at.is_some_and(|end| !near(end, now.plus(life))) {
                off.push(format!("{session:?}"));
            }
        }
        for file in file::Entity::find().all(&self.database).await? {
            if file.purge_at.is_some_and(|end| !near(end, now.plus(life))) {
                off.push(format!("{file:?}"));
            }
        }
        for job in job::Entity::find().all(&self.database).await? {
            if job.run_at > now.plus(NEAR) || job.lease_until.is_some_and(|end| !near(end, now)) {
                off.push(format!("{job:?}"));
            }
        }
        for snap in snap::Entity::find().all(&self.database).await? {
            if !near(snap.created_at, now) {
                off.push(format!("{snap:?}"));
            }
        }
        for look in snap_recipient::Entity::find().all(&self.database).await? {
            let times = [look.opened_at, look.fetched_at, look.consumed_at, look.view_ends_at, look.ended_at];
            if times.into_iter().flatten().any(|time| !near(time, now)) {
                off.push(format!("{look:?}"));
            }
        }
        for lease in lease::Entity::find().all(&self.database).await? {
            if !near(lease.until, now) {
                off.push(format!("{lease:?}"));
            }
        }
        Ok(off)
    }

    /// How many of the objects made after this id, whose writes failed, are proven gone.
    pub async fn failed_and_erased(&self, after: Uuid) -> Result<u64, AuditError> {
        let failed = object::Column::State.eq(object::State::Erased).and(object::Column::LiveAt.is_null());
        let failed = failed.and(object::Column::Id.gt(after));
        Ok(object::Entity::find().filter(failed).count(&self.database).await?)
    }

    /// What is left of a person: rows, objects that are not proven gone, and versions of any in a bucket.
    pub async fn left_of(&self, user: Uuid) -> Result<Vec<String>, AuditError> {
        let connection = &self.database;
        let mut left = Vec::new();
        macro_rules! count {
            ($($table:ident by $column:ident,)*) => {
                $(let rows = $table::Entity::find().filter($table::Column::$column.eq(user)).count(connection).await?;
                if rows > 0 {
                    left.push(format!("{rows} of {}", stringify!($table)));
                })*
            };
        }
        count!(user by Id, session by UserId, file by OwnerId, file_term by OwnerId, file_label by OwnerId, upload by OwnerId,
            share_link by OwnerId, usage by UserId, idempotency by UserId, event by Recipient, event_counter by Recipient,);
        for object in object::Entity::find().filter(object::Column::UserId.eq(user)).all(connection).await? {
            if object.state != object::State::Erased {
                left.push(format!("{} ({:?})", object.key, object.state));
            }
            for site in Site::ALL {
                let found = self.store(site).look(&object.key).await?;
                if found != Presence::Gone {
                    left.push(format!("{} at the {} site: {found:?}", object.key, site.as_str()));
                }
            }
        }
        Ok(left)
    }

    /// Any erased object of a person, for planting faults.
    pub async fn any_erased_of(&self, user: Uuid) -> Result<Option<object::Model>, AuditError> {
        let erased = object::Column::State.eq(object::State::Erased).and(object::Column::UserId.eq(user));
        Ok(object::Entity::find().filter(erased).one(&self.database).await?)
    }

    /// Takes back that anybody has seen this snap, for planting faults.
    pub async fn forget_that_it_was_seen(&self, snap: &str) -> Result<(), AuditError> {
        let later = Clock::system().now().plus(A_VIEW);
        let forget = snap_recipient::Entity::update_many()
            .col_expr(snap_recipient::Column::ConsumedAt, Expr::value(None::<i64>))
            .col_expr(snap_recipient::Column::ViewEndsAt, Expr::value(later))
            .filter(snap_recipient::Column::SnapId.eq(snap_id(snap)));
        forget.exec(&self.database).await?;
        Ok(())
    }

    /// Makes a snap expire so many hours later, for planting faults.
    pub async fn shift_expiry(&self, snap: &str, hours: i64) -> Result<(), AuditError> {
        let shift = snap::Entity::update_many()
            .col_expr(snap::Column::ExpiresAt, Expr::col(snap::Column::ExpiresAt).add(hours * 3_600_000_000))
            .filter(snap::Column::Id.eq(snap_id(snap)));
        shift.exec(&self.database).await?;
        Ok(())
    }

    /// Takes this snap's picture out of both buckets, for planting faults.
    pub async fn lose_picture(&self, snap: &str) -> Result<(), AuditError> {
        let found = snap::Entity::find_by_id(snap_id(snap)).one(&self.database).await?;
        let object = object::Entity::find_by_id(found.map(|snap| snap.object_id).unwrap_or_default());
        let Some(object) = object.one(&self.database).await? else { return Ok(()) };
        for site in Site::ALL {
            self.store(site).delete(&object.key).await?;
        }
        Ok(())
    }

    /// The ids of files with a part that only the primary has.
    pub async fn left_behind(&self) -> Result<BTreeSet<String>, AuditError> {
        let roles = ledger::roles(&self.database).await?;
        let (objects, _) = ledger::next_lacking(&self.database, roles, Uuid::nil(), 10_000).await?;
        let files = objects.iter().filter_map(|object| object.file_id);
        Ok(files.map(|file| NodeKind::File.id(file).to_string()).collect())
    }

    /// Any live object that is in both buckets, for planting faults.
    pub async fn any_live(&self) -> Result<Option<object::Model>, AuditError> {
        let live = object::Entity::find().filter(object::Column::State.eq(object::State::Live));
        let live = live.filter(object::Column::Bytes.gt(0)).order_by_desc(object::Column::Id);
        Ok(live.one(&self.database).await?)
    }
}

fn snap_id(id: &str) -> Uuid {
    NodeKind::Snap.parse(id).expect("the id of a snap")
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, kind: Kind, what: String) {
        self.0.push(Finding { kind, what });
    }

    fn rows(&mut self, what: String) {
        self.add(Kind::Rows, what);
    }
}
