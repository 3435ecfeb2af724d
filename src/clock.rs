//! The only place that asks what time it is.

use std::{fmt, sync::Arc};

use entity::Timestamp;

/// The time of day. An argument everywhere, so that tests can set it.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Stands for the database's clock too.
    set: bool,
}

impl Clock {
    /// The host's clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that may")]
    pub fn system() -> Self {
        Self { now: Arc::new(|| Timestamp::from_utc(chrono::Utc::now())), set: false }
    }

    /// A clock of one's own, for tests; the database's clock is then set to the same.
    #[must_use]
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), set: true }
    }

    /// UTC, in microseconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// What counts as the database's time when it says `time`.
    #[must_use]
    pub fn of_database(&self, time: Timestamp) -> Timestamp {
        if self.set { self.now() } else { time }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
