//! Folders of linked immutable files: the bytes of completed multipart uploads and of large copies.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use uuid::Uuid;

/// A folder in preparation, removed on drop unless it got a place.
#[derive(Debug)]
pub(in super::super) struct TempFolder {
    path: PathBuf,
    kept: bool,
    next: usize,
}

impl TempFolder {
    pub(super) fn create(temporary: &Path) -> io::Result<Self> {
        let path = temporary.join(Uuid::new_v4().simple().to_string());
        fs::create_dir(&path)?;
        Ok(Self { path, kept: false, next: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a file as the next segment: by a hard link, or by a copy where the file system refuses another link.
    pub(super) fn add(&mut self, file: &Path) -> io::Result<()> {
        let to = self.path.join(segment_name(self.next));
        self.next += 1;
        match fs::hard_link(file, &to) {
            Err(error) if matches!(error.kind(), io::ErrorKind::TooManyLinks | io::ErrorKind::CrossesDevices) => {
                fs::copy(file, &to)?;
                File::open(&to)?.sync_all()
            }
            other => other,
        }
    }

    pub(super) fn persist(mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        if !self.kept {
            discard(&self.path);
        }
    }
}

pub(super) fn segment_name(number: usize) -> String {
    format!("{number:05}")
}

/// Removes what is already out of reach; a failure costs space until the next start.
pub(super) fn discard(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!(path = %folder.display(), %error, "a temporary folder stays until the next start");
    }
}

/// A segment folder in use. It moves to the temporary folder when its object goes, and is removed after its last reader.
#[derive(Debug)]
pub(super) struct Folder {
    path: Mutex<PathBuf>,
    retired: AtomicBool,
}

impl Folder {
    /// The folder does not move while `use_path` runs.
    pub fn with_path<T>(&self, use_path: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
        use_path(&self.path.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn open(&self, number: usize) -> io::Result<File> {
        self.with_path(|path| File::open(path.join(segment_name(number))))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.retired.load(Ordering::Acquire) {
            discard(self.path.get_mut().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// The segment folders that are being read.
#[derive(Debug, Default)]
pub(super) struct Folders(Mutex<HashMap<Uuid, Weak<Folder>>>);

impl Folders {
    /// `None` where the folder has gone, as happens when its object is replaced just then.
    pub fn open(&self, generation: Uuid, path: PathBuf) -> Option<Arc<Folder>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, folder| folder.strong_count() > 0);
        if let Some(folder) = open.get(&generation).and_then(Weak::upgrade) {
            return Some(folder);
        }
        if !path.is_dir() {
            return None;
        }
        let folder = Arc::new(Folder { path: Mutex::new(path), retired: AtomicBool::new(false) });
        open.insert(generation, Arc::downgrade(&folder));
        Some(folder)
    }

    /// Moves the folder out of reach; its files go when nobody reads them.
    pub fn retire(&self, generation: Uuid, path: PathBuf, temporary: &Path) -> io::Result<()> {
        let Some(folder) = self.open(generation, path) else { return Ok(()) };
        let away = temporary.join(format!("{}.retired", generation.simple()));
        let mut path = folder.path.lock().unwrap_or_else(PoisonError::into_inner);
        fs::rename(&*path, &away)?;
        *path = away;
        drop(path);
        folder.retired.store(true, Ordering::Release);
        Ok(())
    }
}
