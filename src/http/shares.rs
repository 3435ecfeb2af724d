//! `GET /s/{token}`: what a share link gives to whoever has it.
//!
//! Only a GET that somebody wants counts: a HEAD tells of the file alone, and nothing is given in advance. Ranges are
//! not served, since a download counts as a whole.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State, rejection::PathRejection},
    response::{IntoResponse as _, Response},
    routing::get,
};
use entity::file;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};

use super::{HttpError, RequestId};
use crate::{
    adapters::cdn::{Disposition, content_disposition},
    app::App,
    embedded::edge::{ReadError, Sources},
    error::Fault,
    files::shares::{self, Broken, Download, DownloadError, Handed},
};

/// Its token stays out of the log.
pub(super) const ROUTE: &str = "/s/{token}";

/// Foreign content, on the app's own origin: it is saved, never shown, and runs nowhere, not even as a script of our pages.
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");
const CONTENT_CSP: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");

/// What the route works with.
pub struct ShareLinks {
    pub app: App,
    /// Where strict links read their bytes.
    pub sources: Sources,
}

impl ShareLinks {
    /// `GET` and `HEAD /s/{token}`.
    pub fn router(self) -> Router {
        Router::new().route(ROUTE, get(serve).with_state(Arc::new(self)))
    }

    async fn answer(&self, request: &Parts, token: &str) -> Result<Response, HttpError> {
        if is_in_advance(&request.headers) {
            let message = "A share link is not fetched in advance.";
            return Err(HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "PREFETCH_REFUSED", message));
        }
        if request.method == Method::HEAD {
            let file = shares::look(&self.app, token).await.map_err(refused)?;
            return Ok(content(&file, Body::empty()));
        }
        match shares::begin(&self.app, token).await.map_err(refused)? {
            Handed::Redirect(url) => Ok((StatusCode::FOUND, [(header::LOCATION, url)]).into_response()),
            Handed::Stream(download) => self.stream(*download).await,
        }
    }

    async fn stream(&self, download: Download) -> Result<Response, HttpError> {
        let file = download.file.clone();
        let pieces = download.open(&self.sources).await.map_err(broken)?;
        Ok(content(&file, Body::from_stream(pieces)))
    }
}

async fn serve(
    State(links): State<Arc<ShareLinks>>,
    token: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let (request, _) = request.into_parts();
    // What cannot be read is no token.
    let token = token.map(|Path(token)| token).unwrap_or_default();
    let answer = links.answer(&request, &token).await;
    let mut response =
        answer.unwrap_or_else(|error| error.into_response(&RequestId::in_extensions(&request.extensions)));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether a browser fetches what somebody may want later; the older headers are Firefox's and WebKit's.
pub(super) fn is_in_advance(headers: &HeaderMap) -> bool {
    let says = |name: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.into_iter().any(|value| value.to_ascii_lowercase().contains("prefetch"))
    };
    ["sec-purpose", "purpose", "x-moz"].into_iter().any(says)
}

/// The file as an attachment.
fn content(file: &file::Model, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let name = HeaderValue::from_str(&content_disposition(Disposition::Attachment, &file.name));
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers.insert(header::CONTENT_DISPOSITION, name.unwrap_or(HeaderValue::from_static("attachment")));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(u64::try_from(file.bytes).unwrap_or(0)));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_CSP);
    response
}

fn refused(error: DownloadError) -> HttpError {
    let message = error.to_string();
    match error {
        DownloadError::NotFound => HttpError::new(StatusCode::NOT_FOUND, "NOT_FOUND", message),
        DownloadError::UnderWay => {
            HttpError::new(StatusCode::CONFLICT, "UNDER_WAY", message).with_header(header::RETRY_AFTER, "60")
        }
        DownloadError::Fault(fault) => failed(&fault),
    }
}

fn broken(error: Broken) -> HttpError {
    match error {
        Broken::Read(ReadError::Unavailable) => HttpError::unavailable("The file cannot be read now; try again."),
        Broken::Read(ReadError::NoGoodCopy) => {
            HttpError::new(StatusCode::BAD_GATEWAY, "BAD_GATEWAY", "No store has a good copy of this file.")
        }
        Broken::Revoked => refused(DownloadError::NotFound),
        Broken::Database(error) => failed(&error.into()),
    }
}

pub(super) fn failed(fault: &Fault) -> HttpError {
    if fault.is_temporary() {
        tracing::warn!(error = %fault, "a part of the server is unavailable");
        HttpError::unavailable("The server cannot do this right now. Try again in a moment.")
    } else {
        tracing::error!(error = %fault, "request failed");
        HttpError::internal()
    }
}
