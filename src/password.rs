//! Password hashing: argon2id (RFC 9106) on a bounded number of threads, with a bounded queue before them.

use std::{fmt, sync::Arc};

use argon2::{
    Argon2, Params, PasswordHasher as _, PasswordVerifier as _,
    password_hash::{Error, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{config, error::Fault};

/// How many passwords may wait for a thread before further ones are refused.
const QUEUE: usize = 256;

/// Any salt: the work for an unknown account is thrown away.
const NOBODYS_SALT: &[u8] = b"nobody's salt";

/// Hashes and verifies passwords off the async threads.
pub struct PasswordHasher {
    params: Params,
    /// Hashes at work; each takes the configured memory.
    slots: Arc<Semaphore>,
    /// Hashes at work or waiting.
    places: Arc<Semaphore>,
    /// Log-ins at work, see [`PasswordHasher::turn`].
    turns: Arc<Semaphore>,
}

/// The `accounts.hash_…` settings are out of argon2's range.
#[derive(Debug, thiserror::Error)]
#[error("accounts.hash_memory, hash_passes, hash_lanes or hash_concurrency is out of range: {0}")]
pub struct InvalidHashSettings(String);

/// What [`PasswordHasher::verify`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right {
        /// A new hash, where the stored one was made with other settings than today's.
        rehashed: Option<String>,
    },
}

impl PasswordHasher {
    pub fn new(settings: &config::Accounts) -> Result<Self, InvalidHashSettings> {
        let out_of_range = |error: &dyn fmt::Display| InvalidHashSettings(error.to_string());
        let memory = u32::try_from(settings.hash_memory.as_u64() / 1024).map_err(|error| out_of_range(&error))?;
        let params = Params::new(memory, settings.hash_passes, settings.hash_lanes, None)
            .map_err(|error| out_of_range(&error))?;
        if !(1..=1024).contains(&settings.hash_concurrency) {
            return Err(out_of_range(&"1 to 1024 hashes at once"));
        }
        Ok(Self {
            params,
            slots: Arc::new(Semaphore::new(settings.hash_concurrency)),
            places: Arc::new(Semaphore::new(settings.hash_concurrency + QUEUE)),
            turns: Arc::new(Semaphore::new(settings.hash_concurrency + 1)),
        })
    }

    /// A turn to look an account up, verify its password and write down the outcome; others wait for it to be dropped.
    /// More at once than can be hashed would only hold connections, each waiting for the other's locks, and keep the
    /// database from everybody else. [`Fault::Busy`] where too many wait already.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let _place = self.place()?;
        self.turns.clone().acquire_owned().await.map_err(Fault::internal)
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let busy = |_| Fault::Busy("too many passwords wait to be hashed".to_owned());
        self.places.clone().try_acquire_owned().map_err(busy)
    }

    /// A PHC string with a random salt. [`Fault::Busy`] where too many wait already.
    pub async fn hash(&self, password: SecretString) -> Result<String, Fault> {
        let params = self.params.clone();
        self.work(move || hash(params, &password)).await?
    }

    /// Compares with a stored PHC string. `None`, for an unknown account, takes as long as a wrong password.
    pub async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<Verdict, Fault> {
        let params = self.params.clone();
        self.work(move || match stored {
            Some(stored) => verify(params, &password, &stored),
            None => {
                let mut discarded = [0; Params::DEFAULT_OUTPUT_LEN];
                Argon2::from(params)
                    .hash_password_into(password.expose_secret().as_bytes(), NOBODYS_SALT, &mut discarded)
                    .map_err(Fault::internal)?;
                Ok(Verdict::Wrong)
            }
        })
        .await?
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        let place = self.place()?;
        let slot = self.slots.clone().acquire_owned().await.map_err(Fault::internal)?;
        tokio::task::spawn_blocking(move || {
            // Held by the thread, not by the request: a client that goes away frees nothing early.
            let _held = (place, slot);
            work()
        })
        .await
        .map_err(Fault::internal)
    }
}

impl fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHasher").field("params", &self.params).finish_non_exhaustive()
    }
}

fn hash(params: Params, password: &SecretString) -> Result<String, Fault> {
    let hash = Argon2::from(params).hash_password(password.expose_secret().as_bytes()).map_err(Fault::internal)?;
    Ok(hash.to_string())
}

fn verify(params: Params, password: &SecretString, stored: &str) -> Result<Verdict, Fault> {
    let unreadable = |error| Fault::Internal(format!("a stored password hash is unreadable: {error}"));
    let stored = PasswordHash::new(stored).map_err(|error| unreadable(Error::from(error)))?;
    match Argon2::default().verify_password(password.expose_secret().as_bytes(), &stored) {
        Ok(()) => {}
        Err(Error::PasswordInvalid) => return Ok(Verdict::Wrong),
        Err(error) => return Err(unreadable(error)),
    }
    let current = Params::try_from(&stored).is_ok_and(|of_stored| {
        (of_stored.m_cost(), of_stored.t_cost(), of_stored.p_cost())
            == (params.m_cost(), params.t_cost(), params.p_cost())
    });
    let rehashed = if current { None } else { Some(hash(params, password)?) };
    Ok(Verdict::Right { rehashed })
}
