//! Errors of the HTTP layer, in the shape of GraphQL errors so that clients read one shape only.

use std::borrow::Cow;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use super::observe::RequestId;

/// A request refused before or instead of its execution.
#[derive(Clone, Debug)]
pub struct HttpError {
    pub status: StatusCode,
    /// `extensions.code`.
    pub code: &'static str,
    pub message: Cow<'static, str>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl HttpError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), header: None }
    }

    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    pub fn too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message)
    }

    pub fn unsupported_media_type(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
    }

    /// The server or something it needs is overloaded or away; the client may come again.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        let retry = (http::header::RETRY_AFTER, HeaderValue::from_static("1"));
        Self { header: Some(retry), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message) }
    }

    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL",
            "something went wrong here; the request id leads to the log",
        )
    }

    #[must_use]
    pub fn with_header(self, name: HeaderName, value: &'static str) -> Self {
        Self { header: Some((name, HeaderValue::from_static(value))), ..self }
    }

    /// `{"errors": [{"message", "extensions": {"code", "requestId"}}]}`.
    pub fn into_response(self, id: &RequestId) -> Response {
        let body = json!({ "errors": [{
            "message": self.message,
            "extensions": { "code": self.code, "requestId": id.as_str() },
        }] });
        let mut response = (self.status, Json(body)).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
