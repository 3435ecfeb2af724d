//! Pages of other sites: which may read answers (CORS) and which may change anything (CSRF).

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{HttpError, RequestId, observe::X_REQUEST_ID};
use crate::config::Server;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What pages elsewhere may send: credentials, and what GraphQL clients add by themselves.
const HEADERS: [HeaderName; 7] = [
    header::CONTENT_TYPE,
    header::AUTHORIZATION,
    header::ACCEPT,
    X_REQUEST_ID,
    HeaderName::from_static("apollo-require-preflight"),
    HeaderName::from_static("graphql-require-preflight"),
    HeaderName::from_static("x-apollo-operation-name"),
];

/// The origins whose pages may act for a logged-in person.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// Configured pages elsewhere.
    allowed: Arc<[String]>,
    /// Where people use the server itself, which a proxy may hide from `Host`.
    public: Option<Arc<str>>,
}

impl Origins {
    #[must_use]
    pub fn new(server: &Server) -> Self {
        Self { allowed: server.allowed_origins.as_slice().into(), public: server.public_url().map(Into::into) }
    }

    /// Whether a request that may change something comes from a page that may. Native clients send neither header and
    /// pass: they hold no cookies that a page could borrow. (The rule of Go's `http.CrossOriginProtection`.)
    #[must_use]
    pub fn permits(&self, headers: &HeaderMap) -> bool {
        let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
        if origin.is_some_and(|origin| self.trusts(origin)) {
            return true;
        }
        match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
            Some(site) => matches!(site, b"same-origin" | b"none"),
            None => origin.is_none_or(|origin| is_host(origin, headers)),
        }
    }

    fn trusts(&self, origin: &[u8]) -> bool {
        let public = self.public.as_deref().is_some_and(|public| public.as_bytes() == origin);
        public || self.allowed.iter().any(|allowed| allowed.as_bytes() == origin)
    }

    /// CORS for exactly the configured origins, with credentials.
    pub(super) fn cors(&self) -> Option<CorsLayer> {
        let origins: Vec<_> = self.allowed.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
        (!origins.is_empty()).then(|| {
            CorsLayer::new()
                .allow_origin(AllowOrigin::list(origins))
                .allow_credentials(true)
                .allow_methods([Method::GET, Method::POST])
                .allow_headers(HEADERS)
                .expose_headers([X_REQUEST_ID, header::RETRY_AFTER])
                .max_age(Duration::from_secs(3600))
        })
    }
}

/// Refuses requests of foreign pages that may change something.
pub(super) async fn protect(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || origins.permits(request.headers()) {
        return next.run(request).await;
    }
    let message = "This page may not call the server; add its origin to server.allowed_origins.";
    let error = HttpError::new(StatusCode::FORBIDDEN, "CROSS_ORIGIN", message);
    error.into_response(&RequestId::in_extensions(request.extensions()))
}

/// Old browsers send no `Sec-Fetch-Site`: the page's host and port must be the server's.
fn is_host(origin: &[u8], headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let origin = std::str::from_utf8(origin).ok().and_then(|origin| origin.parse::<Uri>().ok());
    let authority = origin.as_ref().and_then(Uri::authority).map(|authority| authority.as_str().as_bytes());
    authority.is_some() && authority == host
}
