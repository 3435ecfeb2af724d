//! Bytes on their way through: temporary files in a folder of this process. What a killed process left in its own is
//! removed by the next that starts on the same data folder, so that no upload outlives its erasure here.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
};

use tempfile::{NamedTempFile, TempDir};

const LOCK: &str = ".lock";

/// This process's folder, locked for as long as it lives; removed when dropped.
#[derive(Debug)]
pub struct Spool {
    folder: TempDir,
    _lock: File,
}

impl Spool {
    /// Makes a folder under `<data_dir>/tmp` and removes those whose processes are dead.
    ///
    /// # Errors
    /// Where files can be neither made nor locked there.
    pub fn claim(data_dir: &Path) -> io::Result<Self> {
        let root = data_dir.join("tmp");
        fs::create_dir_all(&root)?;
        // One process at a time: a folder that is made and not yet locked would look abandoned.
        let gate = File::create(root.join(LOCK))?;
        gate.lock()?;
        sweep(&root)?;
        let folder = TempDir::new_in(&root)?;
        let lock = File::create(folder.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self { folder, _lock: lock })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A temporary file; unlinked when dropped.
    pub fn file(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(self.path())
    }
}

fn sweep(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && is_abandoned(&entry.path())? {
            fs::remove_dir_all(entry.path())?;
            tracing::info!(folder = %entry.path().display(), "removed what a killed process left behind");
        }
    }
    Ok(())
}

/// Whether nobody holds the folder's lock.
fn is_abandoned(folder: &Path) -> io::Result<bool> {
    let lock = match File::open(folder.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
