//! Alerts into memory, for tests, with failures on demand.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{AlertSink, OutgoingAlert, Receipt, SinkError};

/// Remembers what it delivered. Clones share their memory.
#[derive(Clone, Debug, Default)]
pub struct RecordingSink(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    delivered: Vec<OutgoingAlert>,
    attempts: usize,
    failures: VecDeque<SinkError>,
}

impl RecordingSink {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the next `times` deliveries fail as unavailable.
    pub fn fail_next(&self, times: usize) {
        let failures = (0..times).map(|_| SinkError::Unavailable("told to fail".to_owned()));
        self.state().failures.extend(failures);
    }

    /// Lets the next delivery fail for good.
    pub fn refuse_next(&self) {
        self.state().failures.push_back(SinkError::Refused("told to refuse".to_owned()));
    }

    /// What was delivered, in order.
    #[must_use]
    pub fn delivered(&self) -> Vec<OutgoingAlert> {
        self.state().delivered.clone()
    }

    /// How often a delivery was tried, failures included.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.state().attempts
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AlertSink for RecordingSink {
    async fn deliver(&self, alert: &OutgoingAlert) -> Result<Receipt, SinkError> {
        let mut state = self.state();
        state.attempts += 1;
        if let Some(error) = state.failures.pop_front() {
            return Err(error);
        }
        state.delivered.push(alert.clone());
        Ok(Receipt(format!("recorded-{}", state.delivered.len())))
    }
}
