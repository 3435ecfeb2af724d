//! Keys that are made where none is given, kept in the data folder and readable by their owner only; the one of signed URLs.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};

use crate::adapters::cdn::{KeyError, SigningKey};

const FILE: &str = "url-signing-key.pem";

/// A signing key and the id that URLs name it by.
#[derive(Debug)]
pub struct UrlKey {
    pub key: SigningKey,
    /// As [`id_of`] makes it.
    pub id: String,
}

#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("{path}: {error}", path = path.display())]
    Io { path: PathBuf, error: io::Error },
    /// Never replaced by itself: a new key refuses every URL that is out.
    #[error("{path}: {error}; restore the file, or delete it to have a new key made", path = path.display())]
    Key { path: PathBuf, error: KeyError },
}

/// Reads the key in `<data_dir>/keys`, or makes an ECDSA P-256 key (PKCS#8 PEM) where there is none, by
/// [`read_or_create`].
///
/// # Errors
/// The file that could not be read, written or understood.
pub fn load_or_create(data_dir: &Path) -> Result<UrlKey, KeyFileError> {
    let make = || SigningKey::generate().and_then(|key| key.to_pem()).map_err(io::Error::other);
    let (path, pem) = read_or_create(data_dir, FILE, make)?;
    let wrong = |error| KeyFileError::Key { path: path.clone(), error };
    let key = SigningKey::from_pem(&pem).map_err(wrong)?;
    let id = id_of(&key).map_err(wrong)?;
    Ok(UrlKey { key, id })
}

/// The path and the text of a key file in `<data_dir>/keys`, mode 0600. Where there is none, `make`'s text is kept there.
///
/// Of several processes that start at once, one makes the key and all use it; a crash leaves a whole key or none.
///
/// # Errors
/// The file that could not be read or written.
pub fn read_or_create(
    data_dir: &Path,
    file: &str,
    make: impl FnOnce() -> io::Result<String>,
) -> Result<(PathBuf, String), KeyFileError> {
    let folder = data_dir.join("keys");
    let path = folder.join(file);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |error| KeyFileError::Io { path, error }
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(io(&folder))?;
    if !path.try_exists().map_err(io(&path))? {
        make().and_then(|text| create(&folder, &path, &text)).map_err(io(&path))?;
    }
    let mode = fs::metadata(&path).map_err(io(&path))?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777), "key readable by others; closing it");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(io(&path))?;
    }
    let text = fs::read_to_string(&path).map_err(io(&path))?;
    Ok((path, text))
}

/// `K` and 13 hex digits of the public key's SHA-256: the shape of CloudFront's ids, and stable without being kept.
///
/// # Errors
/// Where the library cannot derive the public key.
pub fn id_of(key: &SigningKey) -> Result<String, KeyError> {
    let mut id = hex::encode_upper(digest(&SHA256, key.verifying_key()?.as_der()));
    id.truncate(13);
    Ok(format!("K{id}"))
}

/// Writes a whole file under its final name, unless another process was faster.
fn create(folder: &Path, path: &Path, pem: &str) -> io::Result<()> {
    // tempfile makes its files 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(pem.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => File::open(folder)?.sync_all(),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}
