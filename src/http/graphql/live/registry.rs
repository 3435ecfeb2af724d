//! The WebSockets of this process: whose they are, how many a person has, and whether their log-ins still stand.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use entity::user::Role;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::super::Authenticate;
use crate::viewer::Identity;

/// Sessions of one question.
const BATCH: usize = 1000;

/// Who has a WebSocket open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Person(Uuid),
    /// Somebody without a log-in.
    Address(Option<IpAddr>),
}

#[derive(Debug, Default)]
pub struct Registry {
    seats: Mutex<HashMap<Who, usize>>,
    sessions: Mutex<HashMap<Uuid, Session>>,
}

#[derive(Debug)]
struct Session {
    /// When the first of its WebSockets was opened.
    role: Role,
    sockets: usize,
    ended: CancellationToken,
}

/// One of the WebSockets that somebody may have.
#[derive(Debug)]
pub struct Seat {
    registry: Arc<Registry>,
    who: Who,
}

/// A session that is looked after while this lives.
#[derive(Debug)]
pub struct Watched {
    registry: Arc<Registry>,
    session: Uuid,
    ended: CancellationToken,
}

impl Registry {
    /// `None`: so many are open already.
    pub fn sit(self: &Arc<Self>, who: Who, most: usize) -> Option<Seat> {
        let mut seats = lock(&self.seats);
        let taken = seats.entry(who).or_default();
        if *taken >= most {
            return None;
        }
        *taken += 1;
        drop(seats);
        metrics::gauge!("websockets_open").increment(1);
        Some(Seat { registry: self.clone(), who })
    }

    pub fn watch(self: &Arc<Self>, me: &Identity) -> Watched {
        let mut sessions = lock(&self.sessions);
        let session = sessions.entry(me.session_id).or_insert_with(|| Session {
            role: me.role,
            sockets: 0,
            ended: CancellationToken::new(),
        });
        session.sockets += 1;
        let ended = session.ended.clone();
        drop(sessions);
        Watched { registry: self.clone(), session: me.session_id, ended }
    }

    /// Asks every so often which sessions still stand, of all WebSockets at once, and ends the others. One whose person got
    /// another role ends too: the client comes back with it.
    pub async fn look_after(&self, authenticate: &dyn Authenticate, every: Duration) {
        loop {
            sleep(every).await;
            let open: Vec<Uuid> = lock(&self.sessions).keys().copied().collect();
            for some in open.chunks(BATCH) {
                match authenticate.standing(some).await {
                    Ok(standing) => self.end_all_but(some, &standing),
                    Err(error) => tracing::warn!(%error, "the log-ins of WebSockets are not checked"),
                }
            }
        }
    }

    fn end_all_but(&self, asked: &[Uuid], standing: &HashMap<Uuid, Role>) {
        let mut sessions = lock(&self.sessions);
        for id in asked {
            let stands = |session: &mut Session| standing.get(id) == Some(&session.role);
            if let Some(session) = sessions.get_mut(id)
                && !stands(session)
            {
                session.ended.cancel();
                sessions.remove(id);
            }
        }
    }
}

impl Watched {
    /// Until the session has ended.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        metrics::gauge!("websockets_open").decrement(1);
        let mut seats = lock(&self.registry.seats);
        if let Some(taken) = seats.get_mut(&self.who) {
            *taken -= 1;
            if *taken == 0 {
                seats.remove(&self.who);
            }
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Of one that has ended there is no entry, or already a new one.
        if self.ended.is_cancelled() {
            return;
        }
        let mut sessions = lock(&self.registry.sessions);
        if let Some(session) = sessions.get_mut(&self.session) {
            session.sockets -= 1;
            if session.sockets == 0 {
                sessions.remove(&self.session);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
