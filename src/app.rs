//! App: everything a service needs, and the only place that chooses adapters.

use std::{
    fs,
    future::Future,
    io,
    os::unix::fs::DirBuilderExt as _,
    sync::{Arc, OnceLock, RwLock, atomic::AtomicBool},
};

use entity::{Timestamp, object_copy::Site};
use sea_orm::DbErr;
use tokio::sync::Notify;

use crate::{
    adapters::{
        alert_sink::{AlertSink, LogSink, SnsSink},
        aws::Access,
        cdn::{CachePurger, CloudFrontPurger, KeyError, NoPurger, SigningKey, UrlSigner},
        object_events::{ObjectEvents, SqsQueue},
        objects::ObjectStore,
    },
    clock::Clock,
    config::{Config, Sink},
    db::{AsDbErr, ConnectError, Db, Tally, Tx},
    embedded::{edge::EdgeCache, keys},
    images::Images,
    pace::Pace,
    password::PasswordHasher,
    spool::Spool,
    wanted::Wanted,
};

/// Shared by every request and job. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    parts: Parts,
    /// Made when it is first asked for: commands that move no bytes leave none behind.
    spool: OnceLock<Spool>,
    refused_log_ins: Tally,
    blocked: RwLock<Arc<Wanted>>,
    copying: Pace,
}

/// What an [`App`] is made of; tests put their own adapters here.
pub struct Parts {
    pub config: Config,
    pub clock: Clock,
    pub db: Db,
    pub stores: Stores,
    pub alert_sink: Arc<dyn AlertSink>,
    /// Where S3 tells of new objects, where it does.
    pub object_events: Option<Arc<dyn ObjectEvents>>,
    pub signer: UrlSigner,
    pub purger: Arc<dyn CachePurger>,
    pub images: Images,
    pub password_hasher: PasswordHasher,
    /// Wakes this process's job worker.
    pub wake: Notify,
    pub failpoints: Failpoints,
}

/// What a test may break within the process, to see that it is noticed. No setting reaches them.
#[derive(Debug, Default)]
pub struct Failpoints {
    /// The verifier compares nothing, and finds that all is well.
    pub blind_verifier: AtomicBool,
}

/// The two buckets.
#[derive(Clone, Debug)]
pub struct Stores {
    pub first: Arc<dyn ObjectStore>,
    pub second: Arc<dyn ObjectStore>,
}

impl Stores {
    #[must_use]
    pub fn at(&self, site: Site) -> &Arc<dyn ObjectStore> {
        match site {
            Site::First => &self.first,
            Site::Second => &self.second,
        }
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

impl App {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let copying = Pace::new(parts.config.replication.copied_per_second.as_u64());
        Self(Arc::new(Shared {
            parts,
            spool: OnceLock::new(),
            refused_log_ins: Tally::default(),
            blocked: RwLock::default(),
            copying,
        }))
    }

    /// UTC by this host's clock: for display and URLs. Where time decides, use `db.now`.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Log-ins that were refused because too many had failed, and that are still to be counted.
    #[must_use]
    pub fn refused_log_ins(&self) -> &Tally {
        &self.0.refused_log_ins
    }

    /// The block list as this process has last read it.
    #[must_use]
    pub fn blocked(&self) -> &RwLock<Arc<Wanted>> {
        &self.0.blocked
    }

    /// How fast bytes may go from one site to the other.
    #[must_use]
    pub fn copying(&self) -> &Pace {
        &self.0.copying
    }

    /// Where bytes wait on their way through, on the data folder's disk.
    pub fn spool(&self) -> io::Result<&Spool> {
        if let Some(spool) = self.0.spool.get() {
            return Ok(spool);
        }
        let claimed = Spool::claim(&self.config.data_dir)?;
        // Where two came at once, the second folder goes again.
        Ok(self.0.spool.get_or_init(|| claimed))
    }

    /// [`Db::transaction`], and then wakes the worker for the jobs that the transaction may have enqueued.
    pub async fn transaction<T, E, F, W>(&self, work: F) -> Result<T, E>
    where
        F: Fn(Tx) -> W,
        W: Future<Output = Result<T, E>>,
        E: From<DbErr> + AsDbErr,
    {
        let value = self.db.transaction(work).await?;
        self.wake.notify_one();
        Ok(value)
    }
}

/// Why a server cannot start. Says what to do where that is known.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot use the data folder {path}: {error}")]
    DataDir { path: String, error: io::Error },
    #[error(transparent)]
    Database(#[from] ConnectError),
    #[error("the database cannot be used: {0}")]
    Schema(#[from] DbErr),
    #[error("downloads.private_key_file {path}: {reason}")]
    SigningKey { path: String, reason: String },
    #[error(transparent)]
    EmbeddedKey(#[from] keys::KeyFileError),
    #[error(transparent)]
    BaseUrl(#[from] crate::adapters::cdn::BadBaseUrl),
    #[error(transparent)]
    Passwords(#[from] crate::password::InvalidHashSettings),
}

/// What a server knows only once its listeners are open.
pub struct Surroundings {
    pub stores: Stores,
    /// Where this process serves downloads, used where `downloads.base_url` is empty.
    pub edge_url: String,
    /// The edge's cache, where this process has one.
    pub edge_cache: Option<EdgeCache>,
}

/// Makes the data folder and the one for keys in it, readable by their owner only.
pub fn prepare_data_dir(config: &Config) -> Result<(), StartError> {
    let failed = |error| StartError::DataDir { path: config.data_dir.display().to_string(), error };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(config.data_dir.join("keys")).map_err(failed)
}

/// The signing key and its id: the configured file, or the embedded one.
pub fn signing_key(config: &Config) -> Result<(SigningKey, String), StartError> {
    let settings = &config.downloads;
    if settings.private_key_file.is_empty() {
        let embedded = keys::load_or_create(&config.data_dir)?;
        return Ok((embedded.key, non_empty(&settings.key_pair_id).unwrap_or(embedded.id)));
    }
    let path = settings.private_key_file.clone();
    let refuse = |reason: String| StartError::SigningKey { path: path.clone(), reason };
    let pem = fs::read_to_string(&path).map_err(|error| refuse(error.to_string()))?;
    let key = SigningKey::from_pem(&pem).map_err(|error: KeyError| refuse(error.to_string()))?;
    let id = match non_empty(&settings.key_pair_id) {
        Some(id) => id,
        None => keys::id_of(&key).map_err(|error| refuse(error.to_string()))?,
    };
    Ok((key, id))
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl App {
    /// Connects, migrates where `database.migrate`, and chooses the adapters that the settings name.
    pub async fn start(config: Config, clock: Clock, around: Surroundings) -> Result<Self, StartError> {
        let db = Db::connect(&config.database, &config.data_dir, clock.clone()).await?;
        if config.database.migrate {
            db.migrate().await?;
        }
        let (key, key_pair_id) = signing_key(&config)?;
        let downloads = &config.downloads;
        let base_url = non_empty(&downloads.base_url).unwrap_or(around.edge_url);
        let signer = UrlSigner::new(key, key_pair_id, &base_url, downloads.window, downloads.max_ttl)?;
        let purger: Arc<dyn CachePurger> = match around.edge_cache {
            _ if !downloads.distribution_id.is_empty() => {
                let access = Access { region: "us-east-1".to_owned(), ..Access::default() };
                Arc::new(CloudFrontPurger::connect(&access, &downloads.distribution_id).await)
            }
            Some(cache) => Arc::new(cache),
            None => Arc::new(NoPurger),
        };
        let alert_sink: Arc<dyn AlertSink> = match config.alerts.sink {
            Sink::Log => Arc::new(LogSink),
            Sink::Sns => Arc::new(SnsSink::connect(&Access::from(&config.alerts), &config.alerts.topic_arn).await),
        };
        let object_events: Option<Arc<dyn ObjectEvents>> = match config.object_events.queue_url.as_str() {
            "" => None,
            url => Some(Arc::new(SqsQueue::connect(&Access::from(&config.object_events), url).await)),
        };
        Ok(Self::new(Parts {
            images: Images::new((&config.images).into()),
            password_hasher: PasswordHasher::new(&config.accounts)?,
            stores: around.stores,
            config,
            clock,
            db,
            alert_sink,
            object_events,
            signer,
            purger,
            wake: Notify::new(),
            failpoints: Failpoints::default(),
        }))
    }
}
