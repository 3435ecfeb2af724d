//! Logs and metrics. Each thing is logged once, at the edge where it is handled.

use std::{
    io::{self, IsTerminal},
    panic,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, registry, util::SubscriberInitExt};

use crate::config::{Log, LogFormat};

/// Latencies from 1 ms to 30 s, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];
const UPKEEP: Duration = Duration::from_secs(15);

/// Logs or metrics could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the log filter is wrong: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging was started before: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logging to standard error, panics included. Once per process.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&log.filter)?;
    let logs = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(true);
    let registry = registry().with(filter);
    match log.format {
        LogFormat::Text => registry.with(logs.with_ansi(io::stderr().is_terminal())).try_init(),
        LogFormat::Json => registry.with(logs.json().flatten_event(true).with_span_list(false)).try_init(),
    }?;
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "panicked: {}", info.payload_as_str().unwrap_or("no message"));
    }));
    Ok(())
}

/// The process's metrics, which `/metrics` renders. The first call starts recording.
///
/// # Errors
///
/// Where another recorder was installed before.
pub fn metrics() -> Result<PrometheusHandle, BuildError> {
    static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut recorder = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*recorder {
        return Ok(handle.clone());
    }
    let suffix = Matcher::Suffix("_seconds".to_owned());
    let handle = PrometheusBuilder::new().set_buckets_for_metric(suffix, &BUCKETS)?.install_recorder()?;
    Ok(recorder.insert(handle).clone())
}

/// Frees what the recorder gathered since the last scrape, forever: without it an unscraped server grows.
pub async fn upkeep(metrics: PrometheusHandle) {
    let mut tick = tokio::time::interval(UPKEEP);
    loop {
        tick.tick().await;
        metrics.run_upkeep();
    }
}
