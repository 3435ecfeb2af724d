//! Whether the database answers. Once it failed to, a probe looks after it, and until that has found it back statements
//! fail at once: so the answer to a request takes one statement's patience, however many statements it has.

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use futures::future::BoxFuture;
use sea_orm::{DbErr, RuntimeErr};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::is_unavailable;

/// How long one probe may take, a new connection included.
const PROBE: Duration = Duration::from_millis(700);
const PAUSE: Duration = Duration::from_millis(200);
/// A connection given back so soon after a late statement may be the one that is stuck.
const STUCK: Duration = Duration::from_secs(1);

/// Says whether the database answers on a new connection.
pub(super) type Probe = Box<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    /// A statement got no answer; the first probe is on its way.
    Suspect,
    Away,
}

pub(super) struct Pulse {
    /// How long one statement may take.
    limit: Duration,
    probe: Probe,
    state: watch::Sender<State>,
    doubted: Mutex<Option<Instant>>,
}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulse")
            .field("limit", &self.limit)
            .field("state", &*self.state.borrow())
            .finish_non_exhaustive()
    }
}

impl Pulse {
    pub fn new(limit: Duration, probe: Probe) -> Arc<Self> {
        Arc::new(Self { limit, probe, state: watch::Sender::new(State::Up), doubted: Mutex::default() })
    }

    /// The outcome; [`DbErr::Conn`] where it is late, which leaves unknown what the statement did, or where the database
    /// is known to be away.
    pub async fn wait<T>(self: &Arc<Self>, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        self.admit().await?;
        // It is dropped after the doubt is noted, so that its connection is not kept.
        let mut work = pin!(work);
        let late = |_| Err(away(format!("the database gave no answer within {:?}", self.limit)));
        let outcome = timeout(self.limit, &mut work).await.unwrap_or_else(late);
        if outcome.as_ref().is_err_and(is_unavailable) {
            self.doubt();
        }
        outcome
    }

    /// Whether a connection that is given back can be trusted to answer again.
    pub fn is_steady(&self) -> bool {
        let doubted = *self.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        *self.state.borrow() == State::Up && doubted.is_none_or(|at| at.elapsed() > STUCK)
    }

    async fn admit(&self) -> Result<(), DbErr> {
        let mut state = self.state.subscribe();
        let known = timeout(2 * PROBE, state.wait_for(|state| *state != State::Suspect)).await;
        match known.map(|state| state.map(|state| *state)) {
            Ok(Ok(State::Up)) => Ok(()),
            _ => Err(away("the database is away".to_owned())),
        }
    }

    fn doubt(self: &Arc<Self>) {
        *self.doubted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let first = self.state.send_if_modified(|state| {
            let up = *state == State::Up;
            if up {
                *state = State::Suspect;
            }
            up
        });
        if first {
            tokio::spawn(watch_over(Arc::downgrade(self)));
        }
    }
}

async fn watch_over(pulse: Weak<Pulse>) {
    while let Some(pulse) = pulse.upgrade() {
        let back = timeout(PROBE, (pulse.probe)()).await.unwrap_or(false);
        let before = pulse.state.send_replace(if back { State::Up } else { State::Away });
        match (before, back) {
            (State::Suspect, false) => tracing::error!("the database is away"),
            (State::Away, true) => tracing::info!("the database is back"),
            _ => {}
        }
        if back {
            return;
        }
        drop(pulse);
        sleep(PAUSE).await;
    }
}

fn away(message: String) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(message))
}
