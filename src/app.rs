//! App: everything a service needs, and the only place that chooses adapters.

use std::{future::Future, sync::Arc};

use entity::{Timestamp, object_copy::Site};
use sea_orm::DbErr;
use tokio::sync::Notify;

use crate::{
    adapters::{
        alert_sink::AlertSink,
        cdn::{CachePurger, UrlSigner},
        objects::ObjectStore,
    },
    clock::Clock,
    config::Config,
    db::{AsDbErr, Db, Tx},
    images::Images,
    password::PasswordHasher,
};

/// Shared by every request and job. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of; tests put their own adapters here.
pub struct Parts {
    pub config: Config,
    pub clock: Clock,
    pub db: Db,
    pub stores: Stores,
    pub alert_sink: Arc<dyn AlertSink>,
    pub signer: UrlSigner,
    pub purger: Arc<dyn CachePurger>,
    pub images: Images,
    pub password_hasher: PasswordHasher,
    /// Wakes this process's job worker.
    pub wake: Notify,
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
        &self.0
    }
}

impl App {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// UTC by this host's clock: for display and URLs. Where time decides, use `db.now`.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A temporary file for bytes on their way through, on the data folder's disk; unlinked when dropped.
    pub fn spool(&self) -> std::io::Result<tempfile::NamedTempFile> {
        let folder = self.config.data_dir.join("tmp");
        std::fs::create_dir_all(&folder)?;
        tempfile::NamedTempFile::new_in(folder)
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
