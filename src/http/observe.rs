//! What happens to every request: an id, a span, a time limit, one line in the log, two metrics, and a clean answer to a panic.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use futures::FutureExt;
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::time::{Instant, timeout};
use tracing::Instrument;
use uuid::Uuid;

use super::{ClientAddress, HttpError, PeerAddress, shares, snaps};
use crate::token;

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names one request in its answer, its errors and the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    const MOST: usize = 64;

    /// The proxy's own id where it is short and visible ASCII, so that logs join; otherwise a new UUIDv7.
    fn of(request: &Request) -> Self {
        let given = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
        let sane =
            given.filter(|id| (1..=Self::MOST).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()));
        Self(sane.map_or_else(|| Uuid::now_v7().to_string().into(), Into::into))
    }

    /// The id that the middleware gave; a new one where it does not stand (a router of a test).
    pub(super) fn in_extensions(extensions: &http::Extensions) -> Self {
        extensions.get().cloned().unwrap_or_else(|| Self(Uuid::now_v7().to_string().into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Observe {
    pub request_timeout: Duration,
    pub trusted_proxy_hops: usize,
}

/// The middleware. It stands inside the router, where the matched route is known.
pub(super) async fn observe(State(settings): State<Observe>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(&request);
    let client = request
        .extensions()
        .get::<PeerAddress>()
        .map(|peer| ClientAddress::resolve(peer.0, request.headers(), settings.trusted_proxy_hops));
    request.extensions_mut().insert(id.clone());
    if let Some(client) = client {
        request.extensions_mut().insert(client);
    }
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    // The query stays out, and so does a token in the path, however it is spelled: they open doors.
    let is_secret = [shares::ROUTE, snaps::ROUTE].iter().any(|secret| route == *secret);
    let path = if is_secret { route.as_str().into() } else { token::redacted(request.uri().path()) };
    let span = tracing::info_span!("request", request_id = %id, %method, path = &*path);

    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    let answer = async {
        let response = match timeout(settings.request_timeout, answer).await {
            Ok(Ok(response)) => response,
            // The panic hook has logged it.
            Ok(Err(_)) => HttpError::internal().into_response(&id),
            Err(_) => HttpError::unavailable("The request took too long; try again.").into_response(&id),
        };
        let latency = started.elapsed();
        record(&route, method.as_str(), response.status(), latency);
        // A u128 would be logged as text.
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        let status = response.status().as_u16();
        let client = client.map(|client| client.to_string());
        // Probes come every second and say nothing.
        if matches!(route.as_str(), "/healthz" | "/readyz" | "/metrics") && response.status().is_success() {
            tracing::debug!(status, latency_ms, client, "answered");
        } else {
            tracing::info!(status, latency_ms, client, "answered");
        }
        response
    };
    let mut response = answer.instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

fn record(route: &str, method: &str, status: StatusCode, latency: Duration) {
    // Any token is a method: unknown ones share a label, or a client could make as many series as it likes.
    let method = match method {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => method.to_owned(),
        _ => "OTHER".to_owned(),
    };
    let labels = [("route", route.to_owned()), ("method", method), ("status", status.as_str().to_owned())];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels).record(latency.as_secs_f64());
}
