//! `GET /v/{ticket}`: the picture of a snap's open view, to the session that opened it. `GET /evidence/{report}`: the picture
//! of one that was reported, to an admin.
//!
//! Nothing but that session's own GET has any effect: a HEAD, a fetch in advance, another session's request are refused
//! and burn nothing. Of ranges only the rest of a picture is served, so that a transfer that broke off goes on.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State, rejection::PathRejection},
    response::Response,
    routing::get,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};

use super::{
    Authenticate, HttpError, RequestId, SessionCookie,
    session::AuthError,
    shares::{failed, is_in_advance},
};
use crate::{
    app::App,
    embedded::edge::{ReadError, Sources},
    id::NodeKind,
    reports,
    snaps::{self, Picture, ViewError},
    viewer::Viewer,
};

/// Its ticket stays out of the log.
pub(super) const ROUTE: &str = "/v/{ticket}";
const EVIDENCE: &str = "/evidence/{report}";

/// The picture was made by this server, of pixels alone; it is shown, and does nothing else.
const CONTENT_CSP: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");

/// What the route works with.
pub struct SnapViews {
    pub app: App,
    pub sources: Sources,
    pub authenticate: Arc<dyn Authenticate>,
    pub cookie: SessionCookie,
}

/// What is asked for.
enum Asked {
    /// By its ticket.
    View(String),
    /// By the id of the report.
    Evidence(String),
}

impl SnapViews {
    /// `GET /v/{ticket}` and `GET /evidence/{report}`.
    pub fn router(self) -> Router {
        let router = Router::new().route(ROUTE, get(view)).route(EVIDENCE, get(evidence));
        router.with_state(Arc::new(self))
    }

    async fn serve(&self, request: Request, asked: Asked) -> Response {
        let (request, _) = request.into_parts();
        let answer = self.answer(&request, asked).await;
        let mut response =
            answer.unwrap_or_else(|error| error.into_response(&RequestId::in_extensions(&request.extensions)));
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    async fn answer(&self, request: &Parts, asked: Asked) -> Result<Response, HttpError> {
        if is_in_advance(&request.headers) {
            let message = "A snap is not fetched in advance.";
            return Err(HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "PREFETCH_REFUSED", message));
        }
        if request.method != Method::GET {
            let message = "A snap is fetched by GET alone.";
            let error = HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message);
            return Err(error.with_header(header::ALLOW, "GET"));
        }
        let viewer = self.viewer(&request.headers).await?;
        match asked {
            Asked::View(ticket) => {
                let from = rest(&request.headers);
                let start = from.unwrap_or(0);
                let picture = snaps::fetch(&self.app, &self.sources, &viewer, &ticket, start).await.map_err(refused)?;
                Ok(shown(picture, from.is_some()))
            }
            Asked::Evidence(report) => {
                let report = NodeKind::Report.parse(&report).unwrap_or_default();
                let picture = reports::evidence(&self.app, &self.sources, &viewer, report).await.map_err(refused)?;
                Ok(shown(picture, false))
            }
        }
    }

    async fn viewer(&self, headers: &HeaderMap) -> Result<Viewer, HttpError> {
        match self.authenticate.authenticate(self.cookie.credentials(headers)).await {
            Ok(viewer) => Ok(viewer),
            Err(AuthError::Invalid) => Ok(Viewer::Anonymous),
            Err(AuthError::Unavailable(cause)) => {
                tracing::error!(cause, "cannot check credentials");
                Err(HttpError::unavailable("Log-ins cannot be checked now; try again."))
            }
        }
    }
}

// What cannot be read is no ticket, and no id.

async fn view(
    State(views): State<Arc<SnapViews>>,
    ticket: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    views.serve(request, Asked::View(ticket.map(|Path(ticket)| ticket).unwrap_or_default())).await
}

async fn evidence(
    State(views): State<Arc<SnapViews>>,
    report: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    views.serve(request, Asked::Evidence(report.map(|Path(report)| report).unwrap_or_default())).await
}

/// `bytes=<from>-`, the only form that is served; all others are ignored, as RFC 9110 (section 14.2) allows.
fn rest(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(header::RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

fn shown(picture: Picture, partial: bool) -> Response {
    let Picture { content_type, bytes, from, stream } = picture;
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_str(&content_type).unwrap_or(HeaderValue::from_static("application/octet-stream")),
    );
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes - from));
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_CSP);
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-site"));
    if partial
        && from > 0
        && let Ok(range) = HeaderValue::from_str(&format!("bytes {from}-{}/{bytes}", bytes - 1))
    {
        headers.insert(header::CONTENT_RANGE, range);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

fn refused(error: ViewError) -> HttpError {
    let message = error.to_string();
    match error {
        ViewError::NotFound => HttpError::new(StatusCode::NOT_FOUND, "NOT_FOUND", message),
        ViewError::Read(ReadError::Unavailable) => HttpError::unavailable("The picture cannot be read now; try again."),
        ViewError::Read(ReadError::NoGoodCopy) => {
            HttpError::new(StatusCode::BAD_GATEWAY, "BAD_GATEWAY", "No store has a good copy of this picture.")
        }
        ViewError::Fault(fault) => failed(&fault),
    }
}
