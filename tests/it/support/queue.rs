//! A queue of S3's notifications in memory. What is received stays hidden until it is acknowledged or comes again.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use snaphaven::adapters::object_events::{EventsError, Message, ObjectEvents};
use tokio::{sync::Notify, time::timeout};

use super::server::PATIENCE;

/// Clones share their messages.
#[derive(Clone, Debug, Default)]
pub struct MemoryQueue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Message>,
    hidden: Vec<Message>,
    sent: usize,
}

impl MemoryQueue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    pub fn send(&self, body: impl Into<String>) {
        let mut state = self.state();
        state.sent += 1;
        let id = state.sent.to_string();
        state.waiting.push_back(Message { receipt: id.clone(), id, body: body.into() });
        self.0.changed.notify_waiters();
    }

    /// What was received and not acknowledged comes again.
    pub fn redeliver(&self) {
        let mut state = self.state();
        let hidden = std::mem::take(&mut state.hidden);
        state.waiting.extend(hidden);
        self.0.changed.notify_waiters();
    }

    /// Waits until this many messages are received and not acknowledged, and none waits.
    pub async fn until_hidden(&self, count: usize) {
        let there = async {
            loop {
                let changed = self.0.changed.notified();
                if self.state().waiting.is_empty() && self.state().hidden.len() == count {
                    return;
                }
                changed.await;
            }
        };
        let outcome = timeout(PATIENCE, there).await;
        outcome.unwrap_or_else(|_| panic!("not {count} messages are left: {:?}", self.state()));
    }

    /// Waits until every message is acknowledged.
    pub async fn drained(&self) {
        self.until_hidden(0).await;
    }
}

#[async_trait]
impl ObjectEvents for MemoryQueue {
    async fn receive(&self) -> Result<Vec<Message>, EventsError> {
        loop {
            let changed = self.0.changed.notified();
            {
                let mut state = self.state();
                let some = state.waiting.len().min(10);
                let messages: Vec<_> = state.waiting.drain(..some).collect();
                if !messages.is_empty() {
                    state.hidden.extend(messages.iter().cloned());
                    self.0.changed.notify_waiters();
                    return Ok(messages);
                }
            }
            // As a long poll that ends with nothing.
            if timeout(Duration::from_secs(1), changed).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    async fn acknowledge(&self, messages: &[Message]) -> Result<(), EventsError> {
        self.state().hidden.retain(|hidden| !messages.contains(hidden));
        self.0.changed.notify_waiters();
        Ok(())
    }
}
