//! The embedded S3 server: two buckets on the local disk behind the S3 protocol, on a listener of its own or called
//! in the process.

mod api;
mod checksum;
mod cors;
mod credentials;
mod disk;
mod guard;
mod serve;

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode, service::S3ServiceBuilder};

use self::{
    api::{Api, Bucket},
    disk::Disk,
    guard::{Access, Auth, Guard},
};
pub use self::{
    credentials::{Credentials, CredentialsError},
    serve::S3HttpService,
};
use crate::clock::Clock;

/// How the store is set up.
#[derive(Clone, Debug)]
pub struct EmbeddedS3Options {
    /// The folder of the store; made where missing. One process at a time owns it.
    pub dir: PathBuf,
    /// Name and region of each bucket. Others are refused.
    pub buckets: Vec<(String, String)>,
    pub credentials: Credentials,
    /// Origins (`https://app.example.org`) whose pages may read and upload directly.
    pub cors_origins: Vec<String>,
    pub durability: Durability,
    pub clock: Clock,
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Loss of power.
    #[default]
    Full,
    /// The end of the process, for as long as the machine runs. For tests.
    Relaxed,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another process uses {}; stop it, or use another data folder", .0.display())]
    InUse(PathBuf),
    #[error("{0:?} is not a bucket name: 3 to 63 of a-z, 0-9, '-' and '.'")]
    BucketName(String),
    #[error("the two buckets must have different names, and both are {0:?}")]
    SameBucket(String),
    #[error("cannot open the object store in {}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// An open store. Clones share it; it is closed when the last one goes.
#[derive(Clone)]
pub struct EmbeddedS3 {
    guard: Arc<Guard>,
    credentials: Credentials,
    /// Held for the sake of its lock.
    _lock: Arc<File>,
}

impl fmt::Debug for EmbeddedS3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedS3").field("buckets", &self.guard.buckets.keys()).finish_non_exhaustive()
    }
}

impl EmbeddedS3 {
    /// Opens the store, or makes it; repairs what a crash left. Blocking: reads little unless an index is missing.
    ///
    /// # Errors
    /// Where the names are no bucket names, another process has the folder, or the disk refuses.
    pub fn open(options: EmbeddedS3Options) -> Result<Self, OpenError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        fs::create_dir_all(&options.dir).map_err(at(&options.dir))?;
        let lock = lock(&options.dir)?;
        let mut buckets = BTreeMap::new();
        for (name, region) in options.buckets {
            if !s3s::path::check_bucket_name(&name) {
                return Err(OpenError::BucketName(name));
            }
            let root = options.dir.join(&name);
            let disk = Disk::open(root.clone(), options.clock.clone(), options.durability).map_err(at(&root))?;
            let created = created(&root).map_err(at(&root))?;
            let bucket =
                Bucket { name: name.clone(), region, created, disk: Arc::new(disk), stopped: AtomicBool::new(false) };
            if buckets.insert(name.clone(), bucket).is_some() {
                return Err(OpenError::SameBucket(name));
            }
        }
        let buckets = Arc::new(buckets);
        let cors_origins: Arc<[String]> = options.cors_origins.into();
        let mut builder =
            S3ServiceBuilder::new(Api { buckets: Arc::clone(&buckets), cors_origins: Arc::clone(&cors_origins) });
        builder.set_auth(Auth(options.credentials.clone()));
        builder.set_access(Access { buckets: Arc::clone(&buckets) });
        let guard = Guard { s3: builder.build(), buckets, credentials: options.credentials.clone(), cors_origins };
        Ok(Self { guard: Arc::new(guard), credentials: options.credentials, _lock: Arc::new(lock) })
    }

    /// The store as a service, for a listener or for calls within the process.
    #[must_use]
    pub fn service(&self) -> S3HttpService {
        S3HttpService(self.clone())
    }

    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Lets a bucket answer 503 until it is started again. Says whether there is such a bucket.
    pub fn stop_bucket(&self, name: &str) -> bool {
        self.set_stopped(name, true)
    }

    pub fn start_bucket(&self, name: &str) -> bool {
        self.set_stopped(name, false)
    }

    fn set_stopped(&self, name: &str, stopped: bool) -> bool {
        let Some(bucket) = self.guard.buckets.get(name) else { return false };
        bucket.stopped.store(stopped, Ordering::Relaxed);
        true
    }

    /// Writes an object past HTTP and signatures, for tests and benchmarks that need many. Says whether it worked.
    /// Blocking.
    #[must_use]
    pub fn put_directly(&self, bucket: &str, key: &str, bytes: &[u8]) -> bool {
        self.guard.buckets.get(bucket).is_some_and(|bucket| bucket.disk.put(key, bytes).is_ok())
    }

    /// How many objects a bucket holds; `None` where there is no such bucket or its index fails. Blocking.
    #[must_use]
    pub fn count(&self, bucket: &str) -> Option<u64> {
        self.guard.buckets.get(bucket)?.disk.len().ok()
    }
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let io_error = |source| OpenError::Io { path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io_error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(io_error(source)),
    }
}

/// When the bucket's folder was made, in UTC microseconds; file systems that do not know give its last change.
fn created(root: &Path) -> io::Result<i64> {
    let metadata = fs::metadata(root)?;
    let time = metadata.created().or_else(|_| metadata.modified())?;
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// An S3 error whose code the S3 layer has no name for; the request is at fault.
fn bad_request(code: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(StatusCode::BAD_REQUEST);
    error
}
