//! Unfinished multipart uploads of one bucket. Their list is small and kept in memory; their parts are only on disk.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    super::checksum::{Algorithm, Checksum, Coverage},
    Condition, Content, Description, Disk, PartRecord, Received, Record, TempFolder, io_error, record,
    segments::discard,
};

/// Every part but the last has at least this many bytes (S3 user guide, "Multipart upload limits").
const MIN_PART: u64 = 5 << 20;

/// One unfinished upload.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct Upload {
    pub id: String,
    pub key: String,
    /// UTC microseconds.
    pub initiated: i64,
    pub description: Description,
    pub algorithm: Algorithm,
    pub coverage: Coverage,
    /// Whether the client chose the algorithm; only then do responses name it.
    pub explicit: bool,
    /// One change of the upload at a time.
    #[serde(skip)]
    change: Mutex<()>,
}

impl Upload {
    pub fn new(key: String, initiated: i64, description: Description, checksum: Option<(Algorithm, Coverage)>) -> Self {
        let (algorithm, coverage) = checksum.unwrap_or((Algorithm::Crc64Nvme, Coverage::FullObject));
        Self {
            id: Uuid::now_v7().simple().to_string(),
            key,
            initiated,
            description,
            algorithm,
            coverage,
            explicit: checksum.is_some(),
            change: Mutex::new(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part as CompleteMultipartUpload names it.
pub(in super::super) struct PartChoice {
    pub number: u32,
    /// Without quotes.
    pub etag: String,
    pub checksum: Option<(Algorithm, String)>,
}

type ByKey = BTreeMap<(String, String), Arc<Upload>>;

pub(super) struct Uploads {
    folder: PathBuf,
    open: Mutex<ByKey>,
}

impl Uploads {
    pub fn load(folder: &Path) -> io::Result<Self> {
        let mut open = ByKey::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            match fs::read(path.join("upload.json")).and_then(|text| Ok(serde_json::from_slice::<Upload>(&text)?)) {
                Ok(upload) => {
                    open.insert((upload.key.clone(), upload.id.clone()), Arc::new(upload));
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "removing an upload that cannot be read");
                    discard(&path);
                }
            }
        }
        Ok(Self { folder: folder.to_owned(), open: Mutex::new(open) })
    }

    fn list(&self) -> MutexGuard<'_, ByKey> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, upload: &Upload) -> PathBuf {
        self.folder.join(&upload.id)
    }

    fn part(&self, upload: &Upload, number: u32) -> PathBuf {
        self.folder(upload).join(format!("{number:05}"))
    }

    fn is_open(&self, upload: &Upload) -> bool {
        self.list().contains_key(&(upload.key.clone(), upload.id.clone()))
    }
}

fn no_such_upload() -> s3s::S3Error {
    s3_error!(NoSuchUpload, "the upload does not exist: it was completed or aborted, or its id is wrong")
}

impl Disk {
    /// Blocking.
    pub fn create_upload(&self, upload: Upload) -> S3Result<Arc<Upload>> {
        let folder = TempFolder::create(&self.temporary()).map_err(io_error)?;
        let written: io::Result<()> = (|| {
            let mut file = File::create_new(folder.path().join("upload.json"))?;
            file.write_all(&serde_json::to_vec(&upload)?)?;
            self.sync(&file)?;
            self.sync_folder(folder.path())?;
            folder.persist(&self.uploads.folder(&upload))?;
            self.sync_folder(&self.uploads.folder)
        })();
        written.map_err(io_error)?;
        let upload = Arc::new(upload);
        self.uploads.list().insert((upload.key.clone(), upload.id.clone()), Arc::clone(&upload));
        Ok(upload)
    }

    pub fn find_upload(&self, key: &str, id: &str) -> S3Result<Arc<Upload>> {
        let wanted = (key.to_owned(), id.to_owned());
        self.uploads.list().get(&wanted).cloned().ok_or_else(no_such_upload)
    }

    /// Uploads after (key, id) in order of key, then of initiation.
    pub fn walk_uploads(&self, after: (String, String), mut visit: impl FnMut(&Arc<Upload>) -> bool) {
        for upload in self.uploads.list().range((Bound::Excluded(after), Bound::Unbounded)).map(|(_, upload)| upload) {
            if !visit(upload) {
                return;
            }
        }
    }

    /// Blocking.
    pub fn put_part(&self, upload: &Upload, part: &PartRecord, received: Received) -> S3Result<()> {
        let mut temp = received.temp;
        record::append(&mut temp.file, part).and_then(|()| self.sync(&temp.file)).map_err(io_error)?;
        let _guard = upload.lock();
        if !self.uploads.is_open(upload) {
            return Err(no_such_upload());
        }
        temp.persist(&self.uploads.part(upload, part.number)).map_err(io_error)?;
        self.sync_folder(&self.uploads.folder(upload)).map_err(io_error)
    }

    /// All parts that are there, by number. Blocking.
    pub fn parts(&self, upload: &Upload) -> S3Result<Vec<PartRecord>> {
        let _guard = upload.lock();
        let mut numbers = Vec::new();
        match fs::read_dir(self.uploads.folder(upload)) {
            Ok(entries) => {
                for entry in entries {
                    let name = entry.map_err(io_error)?.file_name();
                    numbers.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(no_such_upload()),
            Err(error) => return Err(io_error(error)),
        }
        numbers.sort_unstable();
        numbers.into_iter().map(|number| self.read_part(upload, number).map_err(io_error)).collect()
    }

    fn read_part(&self, upload: &Upload, number: u32) -> io::Result<PartRecord> {
        record::read(&mut File::open(self.uploads.part(upload, number))?)
    }

    /// Makes the chosen parts one object and ends the upload. `check` sees the whole's length and checksum before
    /// anything changes. Blocking.
    pub fn complete_upload(
        &self,
        upload: &Upload,
        choices: &[PartChoice],
        condition: &Condition,
        check: impl FnOnce(u64, &Checksum) -> S3Result<()>,
    ) -> S3Result<Record> {
        let _guard = upload.lock();
        if !self.uploads.is_open(upload) {
            return Err(no_such_upload());
        }
        let parts = self.choose(upload, choices)?;
        let bytes = parts.iter().map(|part| part.bytes).sum();
        let mut etags = Vec::with_capacity(parts.len() * 16);
        for part in &parts {
            etags.extend(hex::decode(&part.etag).map_err(s3s::S3Error::internal_error)?);
        }
        let sums: Vec<_> = parts.iter().map(|part| (part.checksum.value.clone(), part.bytes)).collect();
        let checksum = super::super::checksum::combine(upload.algorithm, upload.coverage, &sums)?;
        check(bytes, &checksum)?;
        let mut folder = TempFolder::create(&self.temporary()).map_err(io_error)?;
        for part in &parts {
            folder.add(&self.uploads.part(upload, part.number)).map_err(io_error)?;
        }
        let lengths: Vec<u64> = parts.iter().map(|part| part.bytes).collect();
        let record = Record {
            key: upload.key.clone(),
            generation: Uuid::now_v7(),
            bytes,
            etag: format!("{}-{}", super::super::checksum::md5_hex(&etags), parts.len()),
            modified: self.now(),
            description: upload.description.clone(),
            checksum,
            segments: lengths.clone(),
            parts: lengths,
        };
        self.commit(&record, Content::Linked(folder), condition)?;
        self.close_upload(upload)?;
        Ok(record)
    }

    fn choose(&self, upload: &Upload, choices: &[PartChoice]) -> S3Result<Vec<PartRecord>> {
        if choices.is_empty() {
            return Err(s3_error!(MalformedXML, "a completed upload has at least one part"));
        }
        let mut parts: Vec<PartRecord> = Vec::with_capacity(choices.len());
        for choice in choices {
            if parts.last().is_some_and(|last| last.number >= choice.number) {
                return Err(s3_error!(InvalidPartOrder, "parts must stand in ascending order"));
            }
            if parts.last().is_some_and(|last| last.bytes < MIN_PART) {
                return Err(s3_error!(EntityTooSmall, "every part but the last has at least 5 MiB"));
            }
            let part = match self.read_part(upload, choice.number) {
                Ok(part) => part,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(s3_error!(InvalidPart, "part {} was not uploaded", choice.number));
                }
                Err(error) => return Err(io_error(error)),
            };
            if part.etag != choice.etag {
                return Err(s3_error!(InvalidPart, "part {} has another ETag", choice.number));
            }
            if let Some((algorithm, value)) = &choice.checksum
                && (*algorithm != part.checksum.algorithm || *value != part.checksum.value)
            {
                return Err(s3_error!(InvalidPart, "part {} has another checksum", choice.number));
            }
            parts.push(part);
        }
        Ok(parts)
    }

    /// Blocking.
    pub fn abort_upload(&self, upload: &Upload) -> S3Result<()> {
        let _guard = upload.lock();
        self.close_upload(upload)
    }

    fn close_upload(&self, upload: &Upload) -> S3Result<()> {
        self.uploads.list().remove(&(upload.key.clone(), upload.id.clone()));
        let away = self.temporary().join(format!("{}.closed", upload.id));
        match fs::rename(self.uploads.folder(upload), &away) {
            Ok(()) => {
                self.sync_folder(&self.uploads.folder).map_err(io_error)?;
                discard(&away);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io_error(error)),
        }
    }
}
