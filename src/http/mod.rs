//! HTTP: listeners, what holds for every request, health, pages, and GraphQL.

mod assets;
mod client;
mod connection;
mod error;
pub mod graphql;
mod health;
mod observe;
mod origin;
mod server;
mod session;
mod shares;
mod snaps;
mod stall;

use std::sync::Arc;

use axum::{Router, extract::Request, middleware, response::Response};
use http::{HeaderValue, StatusCode, header};
use metrics_exporter_prometheus::PrometheusHandle;

pub use client::{ClientAddress, PeerAddress, UserAgent};
pub use connection::{ConnectionLimits, Place};
pub use error::HttpError;
pub use health::{Check, Readiness, metrics_router};
pub use observe::RequestId;
pub use origin::Origins;
pub use server::{Supervisor, bind};
pub use session::{AuthError, Authenticate, CookieJar, Credentials, SessionCookie};
pub use shares::ShareLinks;
pub use snaps::SnapViews;

use crate::config::Server;
use observe::Observe;

/// What the app's listener serves: the API (see [`graphql::Endpoint::router`] and [`ShareLinks::router`]), health, metrics
/// and pages, within what holds for every request. `downloads` is the origin of signed URLs, where pages show pictures from.
pub fn app_router(
    server: &Server,
    downloads: &str,
    api: Router,
    readiness: Arc<dyn Readiness>,
    metrics: PrometheusHandle,
) -> Router {
    let mut router = api.merge(health::health(readiness.clone())).merge(assets::pages(server.graphiql, downloads));
    if server.metrics_listen().is_none() {
        router = router.merge(health::local_metrics(metrics, readiness));
    }
    around(server, router)
}

/// The request id, the log line, the time limit, the headers and the origin rules around any routes of the app.
pub fn around(server: &Server, router: Router) -> Router {
    let origins = Origins::new(server);
    let observe = Observe { request_timeout: server.request_timeout, trusted_proxy_hops: server.trusted_proxy_hops };
    let cors = origins.cors();
    let router = router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(origins, origin::protect))
        .layer(middleware::from_fn_with_state(observe, observe::observe));
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(middleware::map_response(secure))
}

async fn not_found(request: Request) -> Response {
    let error =
        HttpError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing at this address; the API is at /graphql.");
    error.into_response(&RequestId::in_extensions(request.extensions()))
}

async fn method_not_allowed(request: Request) -> Response {
    let error =
        HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "This address does not take this method.");
    error.into_response(&RequestId::in_extensions(request.extensions()))
}

/// Headers of every answer, where its own handler set none.
async fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
