//! Password hashing: argon2id (RFC 9106) on a bounded number of threads, with a bounded queue before them.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{config, error::Fault};

/// How many passwords may wait for a thread before further ones are refused.
const QUEUE: usize = 256;

/// How long the working memory of a hash is kept for the next one.
const KEPT: Duration = Duration::from_secs(10);

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
    memory: Memory,
}

/// The working memory of hashes that ended lately: to have it from the system anew takes as long as the hash itself.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<Kept>>>);

struct Kept {
    since: Instant,
    blocks: Vec<Block>,
}

impl Memory {
    fn take(&self, blocks: usize) -> Vec<Block> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memory = kept.map(|kept| kept.blocks).unwrap_or_default();
        memory.resize(blocks, Block::new());
        memory
    }

    fn give_back(&self, blocks: Vec<Block>) {
        let kept = Kept { since: Instant::now(), blocks };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
    }

    fn drop_unused(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|kept| kept.since.elapsed() < KEPT);
    }
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
            memory: Memory::default(),
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
        self.work(move |memory| hash(&params, &password, memory)).await?
    }

    /// Compares with a stored PHC string. `None`, for an unknown account, takes as long as a wrong password.
    pub async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<Verdict, Fault> {
        let params = self.params.clone();
        self.work(move |memory| match stored {
            Some(stored) => verify(&params, &password, &stored, memory),
            None => {
                let argon2 = Argon2::from(params);
                compute(&argon2, &password, NOBODYS_SALT, Params::DEFAULT_OUTPUT_LEN, memory)?;
                Ok(Verdict::Wrong)
            }
        })
        .await?
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce(&Memory) -> T + Send + 'static) -> Result<T, Fault> {
        let place = self.place()?;
        let slot = self.slots.clone().acquire_owned().await.map_err(Fault::internal)?;
        let memory = self.memory.clone();
        tokio::task::spawn_blocking(move || {
            // Held by the thread, not by the request: a client that goes away frees nothing early.
            let _held = (place, slot);
            let outcome = work(&memory);
            tokio::spawn(async move {
                tokio::time::sleep(KEPT).await;
                memory.drop_unused();
            });
            outcome
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

fn hash(params: &Params, password: &SecretString, memory: &Memory) -> Result<String, Fault> {
    let salt = Salt::generate();
    let argon2 = Argon2::from(params);
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(params).map_err(Fault::internal)?,
        salt: Some(salt),
        hash: Some(compute(&argon2, password, &salt, length, memory)?),
    };
    Ok(hash.to_string())
}

fn verify(params: &Params, password: &SecretString, stored: &str, memory: &Memory) -> Result<Verdict, Fault> {
    let unreadable =
        |error: &dyn fmt::Display| Fault::Internal(format!("a stored password hash is unreadable: {error}"));
    let stored = PasswordHash::new(stored).map_err(|error| unreadable(&error))?;
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).map_err(|error| unreadable(&error))?;
    let version = stored.version.map(Version::try_from).transpose().map_err(|error| unreadable(&error))?;
    let of_stored = Params::try_from(&stored).map_err(|error| unreadable(&error))?;
    let (Some(salt), Some(expected)) = (stored.salt, stored.hash) else {
        return Err(unreadable(&"it has no salt or no hash"));
    };
    let argon2 = Argon2::new(algorithm, version.unwrap_or_default(), of_stored.clone());
    // The comparison takes the same time wherever they differ.
    if compute(&argon2, password, &salt, expected.len(), memory)? != expected {
        return Ok(Verdict::Wrong);
    }
    let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    let current = costs(&of_stored) == costs(params);
    let rehashed = if current { None } else { Some(hash(params, password, memory)?) };
    Ok(Verdict::Right { rehashed })
}

/// The bare hash, of this many bytes.
fn compute(
    argon2: &Argon2<'_>,
    password: &SecretString,
    salt: &[u8],
    length: usize,
    memory: &Memory,
) -> Result<Output, Fault> {
    let mut blocks = memory.take(argon2.params().block_count());
    let mut output = [0; Output::MAX_LENGTH];
    let output = output.get_mut(..length).ok_or_else(|| Fault::Internal("a hash of too many bytes".to_owned()))?;
    let outcome =
        argon2.hash_password_into_with_memory(password.expose_secret().as_bytes(), salt, output, blocks.as_mut_slice());
    memory.give_back(blocks);
    outcome.map_err(Fault::internal)?;
    Output::new(output).map_err(Fault::internal)
}
