//! One line a step with its time; waiting with a deadline; and saying what was expected and what came.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

use crate::cli::{Failure, client::ClientError, print};

/// Between two looks at what is waited for.
const POLL: Duration = Duration::from_millis(100);

/// Runs a step and prints what it says it did.
pub async fn step<T>(work: impl Future<Output = Result<(T, String), Failure>>) -> Result<T, Failure> {
    let started = Instant::now();
    let (value, said) = work.await?;
    print(&format!("✓ {:>6.2} s  {said}\n", started.elapsed().as_secs_f64()))?;
    Ok(value)
}

/// What a look at something awaited saw.
pub enum Seen<T> {
    There(T),
    /// How it was instead.
    NotYet(String),
}

/// Looks until it is there. `what` and `expected` are for the failure.
pub async fn wait<T>(
    what: impl Display,
    expected: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<Seen<T>, Failure>,
) -> Result<T, Failure> {
    let started = Instant::now();
    loop {
        match look().await? {
            Seen::There(value) => return Ok(value),
            Seen::NotYet(_) if started.elapsed() < limit => tokio::time::sleep(POLL).await,
            Seen::NotYet(got) => {
                let seconds = limit.as_secs();
                return Err(Failure::fault(format!("{what}: expected {expected} within {seconds} s, got {got}")));
            }
        }
    }
}

/// A failure unless the two are equal.
pub fn expect<T: PartialEq + Display>(what: impl Display, expected: T, got: T) -> Result<(), Failure> {
    if expected == got { Ok(()) } else { Err(unexpected(what, expected, got)) }
}

pub fn unexpected(what: impl Display, expected: impl Display, got: impl Display) -> Failure {
    Failure::fault(format!("{what}: expected {expected}, got {got}"))
}

/// For `map_err`: says what was being done when a request failed.
pub fn while_doing(what: impl Display) -> impl FnOnce(ClientError) -> Failure {
    move |error| Failure::fault(format!("{what}: {error}"))
}
