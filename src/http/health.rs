//! Liveness, readiness and metrics.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    Json, Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{PeerAddress, client::is_forwarded};

const CHECK_TIME: Duration = Duration::from_secs(5);
/// Probes within this time share one look, so that strangers cannot make the server hammer its stores.
const FRESH: Duration = Duration::from_secs(1);

/// Looks at what the server needs.
#[async_trait]
pub trait Readiness: Send + Sync + 'static {
    async fn check(&self) -> Vec<Check>;

    /// Brings what `/metrics` tells of the whole system up to date, within the time that a scrape waits.
    async fn measure(&self) {}
}

/// One thing the server needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// `database`, `first`, `second`.
    pub name: &'static str,
    /// Whether the server is of no use without it.
    pub required: bool,
    /// What is wrong, in words that anyone may read: no address, no path.
    pub failure: Option<String>,
}

pub(super) fn health(readiness: Arc<dyn Readiness>) -> Router {
    let last = Arc::new(Probe { readiness, last: Mutex::new(None) });
    Router::new().route("/healthz", get("ok\n")).route("/readyz", get(ready).with_state(last))
}

struct Probe {
    readiness: Arc<dyn Readiness>,
    last: Mutex<Option<(Instant, StatusCode, Value)>>,
}

async fn ready(State(probe): State<Arc<Probe>>) -> Response {
    let mut last = probe.last.lock().await;
    let (status, body) = match &*last {
        Some((at, status, body)) if at.elapsed() < FRESH => (*status, body.clone()),
        _ => {
            let (status, body) = look(&*probe.readiness).await;
            *last = Some((Instant::now(), status, body.clone()));
            (status, body)
        }
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

async fn look(readiness: &dyn Readiness) -> (StatusCode, Value) {
    let Ok(checks) = timeout(CHECK_TIME, readiness.check()).await else {
        return (StatusCode::SERVICE_UNAVAILABLE, json!({ "ready": false, "error": "the checks took too long" }));
    };
    let ready = checks.iter().all(|check| !check.required || check.failure.is_none());
    let checks: Vec<_> = checks
        .into_iter()
        .map(|Check { name, required, failure }| {
            json!({ "name": name, "required": required, "ok": failure.is_none(), "error": failure })
        })
        .collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, json!({ "ready": ready, "checks": checks }))
}

/// What `/metrics` shows, and what it asks first.
#[derive(Clone)]
struct Scraped {
    metrics: PrometheusHandle,
    readiness: Arc<dyn Readiness>,
}

/// `/metrics` for a listener of its own.
pub fn metrics_router(metrics: PrometheusHandle, readiness: Arc<dyn Readiness>) -> Router {
    Router::new().route("/metrics", get(render).with_state(Scraped { metrics, readiness }))
}

/// `/metrics` on the app's listener: for this machine only. What a proxy hands on is not of this machine, although its
/// socket is.
pub(super) fn local_metrics(metrics: PrometheusHandle, readiness: Arc<dyn Readiness>) -> Router {
    let local = async |State(scraped): State<Scraped>, request: Request| {
        let peer = request.extensions().get::<PeerAddress>();
        let local =
            peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback()) && !is_forwarded(request.headers());
        if local { render(State(scraped)).await } else { StatusCode::NOT_FOUND.into_response() }
    };
    Router::new().route("/metrics", get(local).with_state(Scraped { metrics, readiness }))
}

async fn render(State(Scraped { metrics, readiness }): State<Scraped>) -> Response {
    readiness.measure().await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}
