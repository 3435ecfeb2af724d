//! Who waits for what is committed: transactions ring for names when they have ended. A ring is only a hint to look.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// One of each process.
#[derive(Debug, Default)]
pub struct Bell {
    /// By name: how many wait, and what wakes them.
    waiting: Mutex<HashMap<Uuid, (usize, watch::Sender<()>)>>,
    arrival: Notify,
}

/// Somebody who waits for a name.
#[derive(Debug)]
pub struct Waiting {
    bell: Arc<Bell>,
    name: Uuid,
    receiver: watch::Receiver<()>,
}

impl Bell {
    /// From now on no ring for `name` is lost.
    #[must_use]
    pub fn wait_for(self: &Arc<Self>, name: Uuid) -> Waiting {
        let mut waiting = self.lock();
        let (count, sender) = waiting.entry(name).or_default();
        *count += 1;
        let receiver = sender.subscribe();
        drop(waiting);
        self.arrival.notify_one();
        Waiting { bell: self.clone(), name, receiver }
    }

    pub fn ring(&self, name: Uuid) {
        if let Some((_, sender)) = self.lock().get(&name) {
            sender.send_replace(());
        }
    }

    pub fn ring_all(&self) {
        for (_, sender) in self.lock().values() {
            sender.send_replace(());
        }
    }

    /// The names that somebody waits for.
    #[must_use]
    pub fn names(&self) -> Vec<Uuid> {
        self.lock().keys().copied().collect()
    }

    /// Until somebody has begun to wait since the last call.
    pub async fn arrival(&self) {
        self.arrival.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, (usize, watch::Sender<()>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Until the name has been rung for since the last call.
    pub async fn rung(&mut self) {
        // The sender stays as long as somebody waits.
        let _ = self.receiver.changed().await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = self.bell.lock();
        if let Some((count, _)) = waiting.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.name);
            }
        }
    }
}
