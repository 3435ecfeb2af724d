//! The ordered index of one bucket: which keys there are, for listings. It is derived from the object files and can
//! be lost; while a write is under way its key is marked, so that a crash leaves a list of what to look at again.

use std::{
    collections::BTreeMap,
    fs, io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use redb::{Database, Durability, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use super::{super::checksum::Algorithm, record::Record};

/// Key → (bytes, modified in UTC microseconds, ETag, checksum algorithm).
const OBJECTS: TableDefinition<&[u8], (u64, i64, &str, u8)> = TableDefinition::new("objects");
/// Write under way → its key.
const MARKS: TableDefinition<u64, &[u8]> = TableDefinition::new("marks");
const ABOUT: TableDefinition<&str, u64> = TableDefinition::new("about");
const FORMAT: u64 = 1;
/// Both buckets together stay well below the idle budget of the server.
const CACHE_BYTES: usize = 2 << 20;
/// Changes that one transaction takes at most.
const BATCH: usize = 512;
/// How long changes of finished writes stay in memory when nothing else happens.
const FLUSH_AFTER: Duration = Duration::from_millis(500);

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Entry {
    pub bytes: u64,
    pub modified: i64,
    pub etag: String,
    pub algorithm: Option<Algorithm>,
}

impl From<&Record> for Entry {
    fn from(record: &Record) -> Self {
        Self {
            bytes: record.bytes,
            modified: record.modified,
            etag: record.etag.clone(),
            algorithm: Some(record.checksum.algorithm),
        }
    }
}

/// What a finished write did to its key.
pub(super) enum Outcome {
    Put(Entry),
    Removed,
}

enum Change {
    Mark { ticket: u64, key: String },
    Settle { ticket: u64, key: String, outcome: Outcome },
}

struct Command {
    change: Change,
    done: SyncSender<Result<(), IndexError>>,
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("the index of the bucket failed: {0}")]
pub(in super::super) struct IndexError(String);

impl IndexError {
    fn of(error: impl Into<redb::Error>) -> Self {
        Self(error.into().to_string())
    }

    fn stopped() -> Self {
        Self("its writer has stopped".to_owned())
    }
}

/// A mark on its way to disk.
pub(super) struct Mark {
    ticket: u64,
    key: String,
    done: Receiver<Result<(), IndexError>>,
}

impl Mark {
    /// Returns once the mark is on disk.
    pub fn wait(&self) -> Result<(), IndexError> {
        self.done.recv().map_err(|_| IndexError::stopped())?
    }
}

/// What the object files say of a key.
type Inspect = Box<dyn Fn(&str) -> io::Result<Option<Entry>> + Send>;

/// The open database. After a failure of the disk it refuses everything, and is opened anew.
struct Slot {
    path: PathBuf,
    db: RwLock<Option<Database>>,
}

impl Slot {
    fn with<T>(&self, use_db: impl FnOnce(&Database) -> Result<T, IndexError>) -> Result<T, IndexError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        use_db(db.as_ref().ok_or_else(|| IndexError("it is closed after a failure of the disk".to_owned()))?)
    }

    /// Opens the database anew, and looks at the files of every marked key: what was not synced is forgotten.
    fn reopen(&self, inspect: &Inspect) -> Result<(), IndexError> {
        let mut slot = self.db.write().unwrap_or_else(PoisonError::into_inner);
        *slot = None;
        let Some(db) = open_existing(&self.path)? else {
            fs::write(damage_note(&self.path), b"").map_err(|error| IndexError(error.to_string()))?;
            return Err(IndexError("it is damaged; the next start builds it anew".to_owned()));
        };
        let (marked, _) = read_marks(&db)?;
        let txn = db.begin_write().map_err(IndexError::of)?;
        {
            let mut objects = txn.open_table(OBJECTS).map_err(IndexError::of)?;
            for key in &marked {
                let entry = inspect(key).map_err(|error| IndexError(error.to_string()))?;
                apply(&mut objects, key, &entry.map_or(Outcome::Removed, Outcome::Put))?;
            }
        }
        txn.commit().map_err(IndexError::of)?;
        *slot = Some(db);
        Ok(())
    }
}

pub(super) struct Index {
    db: Arc<Slot>,
    commands: Option<Sender<Command>>,
    tickets: AtomicU64,
    writer: Option<JoinHandle<()>>,
}

impl Index {
    /// Opens the index, or builds it from `scan` where it is missing, damaged or of another format; `inspect` says what
    /// the files say of one key. Returns the keys that were marked when the last process ended. `durable`: marks are synced to disk before [`Mark::wait`] returns.
    pub fn open(
        path: &Path,
        durable: bool,
        scan: impl FnOnce(&mut dyn FnMut(&Record) -> io::Result<()>) -> io::Result<()>,
        inspect: impl Fn(&str) -> io::Result<Option<Entry>> + Send + 'static,
    ) -> Result<(Self, Vec<String>), IndexError> {
        let db = match open_existing(path) {
            Ok(Some(db)) => db,
            Ok(None) => {
                tracing::info!(index = %path.display(), "building the bucket's index from its objects");
                build(path, scan)?
            }
            Err(error) => return Err(error),
        };
        let (marked, next) = read_marks(&db)?;
        let db = Arc::new(Slot { path: path.to_owned(), db: RwLock::new(Some(db)) });
        let (sender, receiver) = channel();
        let writer = std::thread::Builder::new()
            .name("s3-index".to_owned())
            .stack_size(512 << 10)
            .spawn({
                let db = Arc::clone(&db);
                let inspect: Inspect = Box::new(inspect);
                move || write_loop(&db, &inspect, &receiver, durable)
            })
            .map_err(|error| IndexError(error.to_string()))?;
        let index = Self { db, commands: Some(sender), tickets: AtomicU64::new(next), writer: Some(writer) };
        Ok((index, marked))
    }

    fn send(&self, change: Change) -> Result<Receiver<Result<(), IndexError>>, IndexError> {
        let (done, wait) = sync_channel(1);
        let commands = self.commands.as_ref().ok_or_else(IndexError::stopped)?;
        commands.send(Command { change, done }).map_err(|_| IndexError::stopped())?;
        Ok(wait)
    }

    /// Marks the key as about to change.
    pub fn mark(&self, key: &str) -> Result<Mark, IndexError> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let done = self.send(Change::Mark { ticket, key: key.to_owned() })?;
        Ok(Mark { ticket, key: key.to_owned(), done })
    }

    /// Ends a marked change; listings show it when this returns.
    pub fn settle(&self, mark: Mark, outcome: Outcome) -> Result<(), IndexError> {
        let wait = self.send(Change::Settle { ticket: mark.ticket, key: mark.key, outcome })?;
        wait.recv().map_err(|_| IndexError::stopped())?
    }

    /// Sets what listings say of a key, and drops all of its marks left by an earlier process.
    pub fn reconcile(&self, key: &str, entry: Option<Entry>) -> Result<(), IndexError> {
        self.db.with(|db| {
            let txn = db.begin_write().map_err(IndexError::of)?;
            {
                let mut marks = txn.open_table(MARKS).map_err(IndexError::of)?;
                marks.retain(|_, marked| marked != key.as_bytes()).map_err(IndexError::of)?;
                let mut objects = txn.open_table(OBJECTS).map_err(IndexError::of)?;
                apply(&mut objects, key, &entry.map_or(Outcome::Removed, Outcome::Put))?;
            }
            txn.commit().map_err(IndexError::of)
        })
    }

    /// Calls `visit` with keys in byte order from `from` on, until it returns where to go on from, or `None` to stop.
    pub fn walk(&self, from: Bound<Vec<u8>>, mut visit: impl FnMut(&[u8], Entry) -> Step) -> Result<(), IndexError> {
        self.db.with(|db| {
            let txn = db.begin_read().map_err(IndexError::of)?;
            let table = txn.open_table(OBJECTS).map_err(IndexError::of)?;
            let mut from = from;
            'seek: loop {
                let bounds = (from.as_ref().map(Vec::as_slice), Bound::Unbounded);
                for line in table.range::<&[u8]>(bounds).map_err(IndexError::of)? {
                    let (key, value) = line.map_err(IndexError::of)?;
                    match visit(key.value(), entry(value.value())) {
                        Step::Next => {}
                        Step::Seek(to) => {
                            from = Bound::Included(to);
                            continue 'seek;
                        }
                        Step::Stop => return Ok(()),
                    }
                }
                return Ok(());
            }
        })
    }

    /// How many objects the bucket holds.
    pub fn len(&self) -> Result<u64, IndexError> {
        self.db.with(|db| {
            let txn = db.begin_read().map_err(IndexError::of)?;
            let table = txn.open_table(OBJECTS).map_err(IndexError::of)?;
            table.len().map_err(IndexError::of)
        })
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(writer) = self.writer.take() {
            // The writer ends when its queue does, after a last durable commit; its panic has nothing to add here.
            let _ = writer.join();
        }
    }
}

/// What [`Index::walk`] does next.
pub(in super::super) enum Step {
    Next,
    Seek(Vec<u8>),
    Stop,
}

fn entry((bytes, modified, etag, algorithm): (u64, i64, &str, u8)) -> Entry {
    Entry { bytes, modified, etag: etag.to_owned(), algorithm: Algorithm::from_code(algorithm) }
}

fn apply(
    objects: &mut redb::Table<'_, &'static [u8], (u64, i64, &'static str, u8)>,
    key: &str,
    outcome: &Outcome,
) -> Result<(), IndexError> {
    match outcome {
        Outcome::Put(entry) => {
            let algorithm = entry.algorithm.map_or(u8::MAX, Algorithm::code);
            objects
                .insert(key.as_bytes(), (entry.bytes, entry.modified, entry.etag.as_str(), algorithm))
                .map_err(IndexError::of)?;
        }
        Outcome::Removed => {
            objects.remove(key.as_bytes()).map_err(IndexError::of)?;
        }
    }
    Ok(())
}

/// The file whose presence makes the next start rebuild the index.
fn damage_note(path: &Path) -> PathBuf {
    path.with_extension("damaged")
}

fn open_existing(path: &Path) -> Result<Option<Database>, IndexError> {
    if damage_note(path).exists() || !path.exists() {
        return Ok(None);
    }
    let opened = Database::builder().set_cache_size(CACHE_BYTES).open(path).map_err(redb::Error::from).and_then(|db| {
        let txn = db.begin_read()?;
        let format = txn.open_table(ABOUT)?.get("format")?.map(|format| format.value());
        txn.open_table(OBJECTS)?;
        txn.open_table(MARKS)?;
        Ok((db, format))
    });
    match opened {
        Ok((db, Some(FORMAT))) => Ok(Some(db)),
        Ok((_, format)) => {
            tracing::warn!(index = %path.display(), ?format, "the bucket's index has another format");
            Ok(None)
        }
        Err(redb::Error::DatabaseAlreadyOpen) => Err(IndexError("another process has it open".to_owned())),
        Err(error) => {
            tracing::warn!(index = %path.display(), %error, "the bucket's index is damaged");
            Ok(None)
        }
    }
}

/// Builds beside and renames, so that a crash on the way starts over.
fn build(
    path: &Path,
    scan: impl FnOnce(&mut dyn FnMut(&Record) -> io::Result<()>) -> io::Result<()>,
) -> Result<Database, IndexError> {
    let io_error = |error: io::Error| IndexError(error.to_string());
    let fresh = path.with_extension("new");
    remove_if_there(&fresh).map_err(io_error)?;
    {
        let db = Database::builder().set_cache_size(CACHE_BYTES).create(&fresh).map_err(IndexError::of)?;
        let txn = db.begin_write().map_err(IndexError::of)?;
        {
            txn.open_table(MARKS).map_err(IndexError::of)?;
            txn.open_table(ABOUT).map_err(IndexError::of)?.insert("format", FORMAT).map_err(IndexError::of)?;
            let mut objects = txn.open_table(OBJECTS).map_err(IndexError::of)?;
            scan(&mut |record| {
                apply(&mut objects, &record.key, &Outcome::Put(Entry::from(record))).map_err(io::Error::other)
            })
            .map_err(io_error)?;
        }
        txn.commit().map_err(IndexError::of)?;
    }
    fs::rename(&fresh, path).map_err(io_error)?;
    remove_if_there(&damage_note(path)).map_err(io_error)?;
    Database::builder().set_cache_size(CACHE_BYTES).open(path).map_err(IndexError::of)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn read_marks(db: &Database) -> Result<(Vec<String>, u64), IndexError> {
    let txn = db.begin_read().map_err(IndexError::of)?;
    let table = txn.open_table(MARKS).map_err(IndexError::of)?;
    let mut marked = BTreeMap::new();
    let mut next = 0;
    for line in table.iter().map_err(IndexError::of)? {
        let (ticket, key) = line.map_err(IndexError::of)?;
        next = ticket.value() + 1;
        marked.insert(String::from_utf8_lossy(key.value()).into_owned(), ());
    }
    Ok((marked.into_keys().collect(), next))
}

/// Takes whatever changes wait, commits them together, and answers all of them: concurrent writes share one sync.
fn write_loop(slot: &Slot, inspect: &Inspect, commands: &Receiver<Command>, durable: bool) {
    let mut unflushed = false;
    loop {
        let first = if unflushed {
            match commands.recv_timeout(FLUSH_AFTER) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        } else {
            match commands.recv() {
                Ok(command) => Some(command),
                Err(_) => return,
            }
        };
        let Some(first) = first else {
            unflushed = false;
            if let Err(error) = slot.with(flush) {
                recover(slot, inspect, &error);
            }
            continue;
        };
        let batch: Vec<Command> = std::iter::once(first).chain(commands.try_iter()).take(BATCH).collect();
        let sync = durable && batch.iter().any(|command| matches!(command.change, Change::Mark { .. }));
        let result = slot.with(|db| commit(db, &batch, sync));
        if let Err(error) = &result {
            recover(slot, inspect, error);
        }
        unflushed = !sync && result.is_ok();
        for command in batch {
            // Whoever gave up waiting needs no answer.
            let _ = command.done.send(result.clone());
        }
    }
    if let Err(error) = slot.with(flush) {
        tracing::warn!(%error, "the last commit of the bucket's index failed; the next start looks at the marked keys");
    }
}

fn recover(slot: &Slot, inspect: &Inspect, error: &IndexError) {
    tracing::error!(%error, "writing the bucket's index failed; opening it anew");
    if let Err(error) = slot.reopen(inspect) {
        tracing::error!(%error, "opening the bucket's index failed; the next write tries again");
    }
}

fn commit(db: &Database, batch: &[Command], sync: bool) -> Result<(), IndexError> {
    let mut txn = db.begin_write().map_err(IndexError::of)?;
    let durability = if sync { Durability::Immediate } else { Durability::None };
    txn.set_durability(durability).map_err(|error| IndexError(error.to_string()))?;
    {
        let mut marks = txn.open_table(MARKS).map_err(IndexError::of)?;
        let mut objects = txn.open_table(OBJECTS).map_err(IndexError::of)?;
        for Command { change, .. } in batch {
            match change {
                Change::Mark { ticket, key } => {
                    marks.insert(ticket, key.as_bytes()).map_err(IndexError::of)?;
                }
                Change::Settle { ticket, key, outcome } => {
                    marks.remove(ticket).map_err(IndexError::of)?;
                    apply(&mut objects, key, outcome)?;
                }
            }
        }
    }
    txn.commit().map_err(IndexError::of)
}

fn flush(db: &Database) -> Result<(), IndexError> {
    db.begin_write().map_err(IndexError::of)?.commit().map_err(IndexError::of)
}
