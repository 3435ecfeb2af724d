//! One bucket on disk.
//!
//! ```text
//! <bucket>/objects/<2 hex>/<62 hex of SHA-256(key)>              bytes and record, or the record of a segmented object
//! <bucket>/objects/<2 hex>/<62 hex>.<generation>/<n>             segments: hard links to immutable files
//! <bucket>/uploads/<upload id>/{upload.json,<part number>}       unfinished multipart uploads
//! <bucket>/temporary/                                            emptied at start
//! <bucket>/index.redb                                            derived, see `index`
//! ```
//!
//! A write is complete when one rename is: temporary file → check → fsync → rename → fsync of the folder.

pub(super) mod incoming;
mod index;
mod multipart;
mod reading;
mod record;
mod segments;

use std::{
    fs::{self, File},
    io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest;
use s3s::{S3Error, S3Result, s3_error};
use uuid::Uuid;

pub(super) use self::{
    incoming::Received,
    index::{Entry, Step},
    multipart::{PartChoice, Upload},
    reading::Outgoing,
    record::{Description, PartRecord, Record},
};
use self::{
    incoming::TempFile,
    index::{Index, IndexError, Outcome},
    multipart::Uploads,
    segments::{Folders, TempFolder},
};
use super::{Durability, checksum::Algorithm};
use crate::clock::Clock;

/// Writers of different keys rarely meet.
const LOCKS: usize = 64;

pub(super) struct Disk {
    root: PathBuf,
    clock: Clock,
    durability: Durability,
    index: Index,
    /// One write of a key at a time.
    locks: Vec<Mutex<()>>,
    uploads: Uploads,
    folders: Folders,
}

/// Where a key's files are.
#[derive(Clone, Debug)]
struct Place {
    folder: PathBuf,
    name: String,
    lock: usize,
}

impl Place {
    fn object(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    fn segments(&self, generation: Uuid) -> PathBuf {
        self.folder.join(format!("{}.{}", self.name, generation.simple()))
    }
}

/// What must hold of the object that is there for a write to happen.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    /// `If-None-Match: *`
    pub absent: bool,
    /// `If-Match`: an ETag without quotes, or `*`.
    pub etag: Option<String>,
}

impl Condition {
    fn check(&self, current: Option<&Record>) -> S3Result<()> {
        let met = match (current, self) {
            (Some(_), Self { absent: true, .. }) => false,
            (None, Self { etag: Some(_), .. }) => {
                return Err(s3_error!(NoSuchKey, "If-Match on a key that is not there"));
            }
            (Some(current), Self { etag: Some(etag), .. }) => etag == "*" || *etag == current.etag,
            _ => true,
        };
        if met {
            Ok(())
        } else {
            Err(s3_error!(PreconditionFailed, "at least one of the preconditions you specified did not hold"))
        }
    }
}

/// Where the bytes of an object to be written are.
pub(super) enum Content {
    Received(Received),
    /// Links to immutable files, named by their number.
    Linked(TempFolder),
}

impl Disk {
    /// Opens the bucket in `root`, or makes it; finishes or undoes what a crash left.
    pub fn open(root: PathBuf, clock: Clock, durability: Durability) -> io::Result<Self> {
        for folder in ["objects", "uploads"] {
            fs::create_dir_all(root.join(folder))?;
        }
        let temporary = root.join("temporary");
        match fs::remove_dir_all(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir(&temporary)?;
        let durable = durability == Durability::Full;
        if durable {
            sync_folder(&root)?;
        }
        let files = root.clone();
        let inspect = move |key: &str| Ok(read_record(&place(&files, key).object())?.as_ref().map(Entry::from));
        let (index, marked) = Index::open(&root.join("index.redb"), durable, |add| scan(&root, add), inspect)
            .map_err(io::Error::other)?;
        let disk = Self {
            uploads: Uploads::load(&root.join("uploads"))?,
            root,
            clock,
            durability,
            index,
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
            folders: Folders::default(),
        };
        for key in marked {
            disk.settle_after_crash(&key)?;
        }
        Ok(disk)
    }

    /// Makes the index say of a key what its files say, and removes segment folders nobody refers to.
    fn settle_after_crash(&self, key: &str) -> io::Result<()> {
        let place = self.place(key);
        let record = read_record(&place.object())?;
        if place.folder.exists() {
            remove_strays(&place, record.as_ref().map(|record| record.generation))?;
        }
        self.index.reconcile(key, record.as_ref().map(Entry::from)).map_err(io::Error::other)
    }

    pub fn now(&self) -> i64 {
        self.clock.now().0
    }

    fn temporary(&self) -> PathBuf {
        self.root.join("temporary")
    }

    fn place(&self, key: &str) -> Place {
        place(&self.root, key)
    }

    fn lock(&self, place: &Place) -> MutexGuard<'_, ()> {
        // The guarded state is on disk, and a panic leaves it as a crash would.
        self.locks[place.lock].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        if self.durability == Durability::Full { file.sync_all() } else { Ok(()) }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if self.durability == Durability::Full { sync_folder(folder) } else { Ok(()) }
    }

    /// Makes this content the object of `record.key`, unless the condition fails. Blocking.
    pub fn commit(&self, record: &Record, content: Content, condition: &Condition) -> S3Result<()> {
        let mark = self.index.mark(&record.key).map_err(index_error)?;
        let place = self.place(&record.key);
        let staged = self.stage(record, content);
        mark.wait().map_err(index_error)?;
        let _guard = self.lock(&place);
        let result = staged.map_err(io_error).and_then(|staged| {
            let current = read_record(&place.object()).map_err(io_error)?;
            condition.check(current.as_ref())?;
            self.replace(&place, staged, current.as_ref()).map_err(io_error)
        });
        // Where the disk failed half-way, what is there decides; where even that is unknown, the mark stays for the next start.
        let outcome = match (&result, read_entry(&place, result.is_ok().then_some(record))) {
            (_, Ok(Some(entry))) => Outcome::Put(entry),
            (_, Ok(None)) => Outcome::Removed,
            (_, Err(_)) => return result,
        };
        self.index.settle(mark, outcome).map_err(index_error)?;
        result
    }

    /// Writes what the object's rename will bring into view.
    fn stage(&self, record: &Record, content: Content) -> io::Result<Staged> {
        let (mut temp, folder) = match content {
            Content::Received(received) => (received.temp, None),
            Content::Linked(folder) => (TempFile::create(&self.temporary())?, Some(folder)),
        };
        record::append(&mut temp.file, record)?;
        self.sync(&temp.file)?;
        if let Some(folder) = &folder {
            self.sync_folder(folder.path())?;
        }
        Ok(Staged { temp, folder, generation: record.generation })
    }

    fn replace(&self, place: &Place, staged: Staged, current: Option<&Record>) -> io::Result<()> {
        match fs::create_dir(&place.folder) {
            Ok(()) => self.sync_folder(&self.root.join("objects"))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        if let Some(folder) = staged.folder {
            folder.persist(&place.segments(staged.generation))?;
            self.sync_folder(&place.folder)?;
        }
        if let Err(error) = staged.temp.persist(&place.object()) {
            remove_strays(place, current.map(|record| record.generation))?;
            return Err(error);
        }
        self.sync_folder(&place.folder)?;
        self.retire(place, current)
    }

    /// Removes the segment folder of an object that was replaced or removed; whoever is reading it reads on.
    fn retire(&self, place: &Place, gone: Option<&Record>) -> io::Result<()> {
        match gone {
            Some(record) if !record.segments.is_empty() => {
                self.folders.retire(record.generation, place.segments(record.generation), &self.temporary())?;
                self.sync_folder(&place.folder)
            }
            _ => Ok(()),
        }
    }

    /// Removes the object. Says whether there was one. Blocking.
    pub fn remove(&self, key: &str, condition: &Condition) -> S3Result<bool> {
        let place = self.place(key);
        if !place.object().exists() {
            condition.check(None)?;
            return Ok(false);
        }
        let mark = self.index.mark(key).map_err(index_error)?;
        mark.wait().map_err(index_error)?;
        let _guard = self.lock(&place);
        let result = (|| {
            let Some(current) = read_record(&place.object()).map_err(io_error)? else { return Ok(false) };
            condition.check(Some(&current))?;
            fs::remove_file(place.object()).map_err(io_error)?;
            self.sync_folder(&place.folder).map_err(io_error)?;
            self.retire(&place, Some(&current)).map_err(io_error)?;
            Ok(true)
        })();
        let outcome = match read_entry(&place, None) {
            Ok(Some(entry)) => Outcome::Put(entry),
            Ok(None) => Outcome::Removed,
            Err(_) => return result,
        };
        self.index.settle(mark, outcome).map_err(index_error)?;
        result
    }

    /// Writes an object that is in memory. Blocking.
    pub fn put(&self, key: &str, bytes: &[u8]) -> S3Result<()> {
        let algorithm = Algorithm::Crc64Nvme;
        let received = self.take_in(bytes, &[algorithm]).map_err(io_error)?;
        let record = Record {
            key: key.to_owned(),
            generation: Uuid::now_v7(),
            bytes: received.bytes,
            etag: received.digests.etag(),
            modified: self.now(),
            description: Description::default(),
            checksum: received.digests.checksum(algorithm)?,
            segments: Vec::new(),
            parts: Vec::new(),
        };
        self.commit(&record, Content::Received(received), &Condition::default())
    }

    /// The record of the object that is there.
    pub fn find(&self, key: &str) -> S3Result<Option<Record>> {
        read_record(&self.place(key).object()).map_err(io_error)
    }

    /// Calls `visit` with keys in byte order, see [`Index::walk`].
    pub fn walk(&self, from: Bound<Vec<u8>>, visit: impl FnMut(&[u8], Entry) -> Step) -> S3Result<()> {
        self.index.walk(from, visit).map_err(index_error)
    }

    /// How many objects the bucket holds.
    pub fn len(&self) -> S3Result<u64> {
        self.index.len().map_err(index_error)
    }
}

/// A write that only needs its rename.
struct Staged {
    temp: TempFile,
    folder: Option<TempFolder>,
    generation: Uuid,
}

fn place(root: &Path, key: &str) -> Place {
    let hash = digest::digest(&digest::SHA256, key.as_bytes());
    let hash = hash.as_ref();
    Place {
        folder: root.join("objects").join(hex::encode(&hash[..1])),
        name: hex::encode(&hash[1..]),
        lock: usize::from(hash[1]) % LOCKS,
    }
}

fn read_record(path: &Path) -> io::Result<Option<Record>> {
    match File::open(path) {
        Ok(mut file) => record::read(&mut file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What listings should say of a place, from the record just written or else from disk.
fn read_entry(place: &Place, known: Option<&Record>) -> io::Result<Option<Entry>> {
    match known {
        Some(record) => Ok(Some(Entry::from(record))),
        None => Ok(read_record(&place.object())?.as_ref().map(Entry::from)),
    }
}

/// Removes the segment folders of a place other than that of the current generation.
fn remove_strays(place: &Place, current: Option<Uuid>) -> io::Result<()> {
    let prefix = format!("{}.", place.name);
    let kept = current.map(|generation| place.segments(generation));
    for entry in fs::read_dir(&place.folder)? {
        let path = entry?.path();
        let ours = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&prefix));
        if ours && Some(&path) != kept.as_ref() {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// Reads every object's record, and removes segment folders that no record refers to.
fn scan(root: &Path, add: &mut dyn FnMut(&Record) -> io::Result<()>) -> io::Result<()> {
    for shard in fs::read_dir(root.join("objects"))? {
        for entry in fs::read_dir(shard?.path())? {
            let path = entry?.path();
            if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
                let current = read_record(&path.with_extension(""))?.map(|record| record.generation);
                if current.is_none_or(|generation| generation.simple().to_string() != extension) {
                    fs::remove_dir_all(&path)?;
                }
                continue;
            }
            match record::read::<Record>(&mut File::open(&path)?) {
                Ok(record) => add(&record)?,
                Err(error) => tracing::error!(path = %path.display(), %error, "skipping a damaged object"),
            }
        }
    }
    Ok(())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The S3 error for a failure of the disk.
fn io_error(error: io::Error) -> S3Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            tracing::error!(%error, "the disk of the embedded S3 server is full");
            s3_error!(error, ServiceUnavailable, "the disk is full")
        }
        _ => {
            tracing::error!(%error, "the disk of the embedded S3 server failed");
            S3Error::internal_error(error)
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn index_error(error: IndexError) -> S3Error {
    tracing::error!(%error, "the embedded S3 server cannot use an index");
    s3_error!(error.clone(), ServiceUnavailable, "the index of the bucket cannot be used")
}
