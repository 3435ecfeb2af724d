//! A limit of bytes a second, over all that asks for its turn in this process.

use std::time::Duration;

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

/// As much goes in one turn: what is small need not wait for all of what is large.
const TURN: u64 = 8 << 20;

/// Turns are given in the order in which they are asked for, each as soon as those before it have had their time.
#[derive(Debug)]
pub struct Pace {
    /// 0: there is no limit.
    per_second: u64,
    free_at: Mutex<Instant>,
}

impl Pace {
    #[must_use]
    pub fn new(per_second: u64) -> Self {
        Self { per_second, free_at: Mutex::new(Instant::now()) }
    }

    /// Waits until so many bytes may go.
    pub async fn wait(&self, bytes: u64) {
        if self.per_second == 0 {
            return;
        }
        let mut left = bytes;
        while left > 0 {
            let turn = left.min(TURN);
            left -= turn;
            let at = {
                let mut free_at = self.free_at.lock().await;
                let at = (*free_at).max(Instant::now());
                *free_at = at + self.time(turn);
                at
            };
            sleep_until(at).await;
        }
    }

    /// How long so many bytes wait at most, where so many take turns.
    #[must_use]
    pub fn longest(&self, bytes: u64, sharing: usize) -> Duration {
        self.time(bytes).saturating_mul(u32::try_from(sharing).unwrap_or(u32::MAX))
    }

    fn time(&self, bytes: u64) -> Duration {
        if self.per_second == 0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(bytes as f64 / self.per_second as f64)
        }
    }
}
