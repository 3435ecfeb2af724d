//! Responses: their media type and status, and errors that say what a client may know.

use async_graphql::{ErrorExtensionValues, Response as Outcome, ServerError, Value};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use super::super::{HttpError, RequestId};

/// The two media types of GraphQL responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `application/graphql-response+json`: the status tells a request that did not run.
    GraphqlResponse,
    /// `application/json`: 200 for every well-formed request, as older clients expect.
    Json,
}

impl MediaType {
    /// The client's favourite by `Accept` (RFC 9110, section 12.5.1); JSON where it says nothing.
    pub fn negotiate(headers: &HeaderMap) -> Result<Self, HttpError> {
        let lines: Vec<_> = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok()).collect();
        let ranges: Vec<_> =
            lines.iter().flat_map(|line| line.split(',')).map(str::trim).filter(|range| !range.is_empty()).collect();
        if ranges.is_empty() {
            return Ok(Self::Json);
        }
        let mut best: Option<(f32, Self)> = None;
        for range in ranges {
            let Some((quality, offer)) = parse_range(range) else { continue };
            if quality > 0.0 && best.is_none_or(|(most, _)| quality > most) {
                best = Some((quality, offer));
            }
        }
        best.map(|(_, offer)| offer).ok_or_else(|| {
            let message = "answers are application/graphql-response+json or application/json; accept one of them";
            HttpError::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)
        })
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

fn parse_range(range: &str) -> Option<(f32, MediaType)> {
    let mut parts = range.split(';').map(str::trim);
    let offer = match parts.next()?.to_ascii_lowercase().as_str() {
        "application/graphql-response+json" => MediaType::GraphqlResponse,
        "application/json" | "application/*" | "*/*" => MediaType::Json,
        _ => return None,
    };
    let quality = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    Some((quality.map_or(1.0, |(_, value)| value.trim().parse().unwrap_or(0.0)), offer))
}

/// What the executor made of the request.
pub fn answer(mut outcome: Outcome, media_type: MediaType, id: &RequestId) -> Response {
    // An error without a path was raised before any resolver ran.
    if outcome.data == Value::Null
        && !outcome.errors.is_empty()
        && outcome.errors.iter().all(|error| error.path.is_empty())
    {
        return refused(outcome.errors, media_type, id);
    }
    for error in &mut outcome.errors {
        complete(error, id);
    }
    let headers = std::mem::take(&mut outcome.http_headers);
    let mut response = json_response(StatusCode::OK, &outcome, media_type, id);
    response.headers_mut().extend(headers);
    response
}

/// The document does not parse, validate or stay within the limits: no `data`, and 400 where the media type knows statuses.
pub fn refused(mut errors: Vec<ServerError>, media_type: MediaType, id: &RequestId) -> Response {
    for error in &mut errors {
        complete(error, id);
    }
    let status = match media_type {
        MediaType::GraphqlResponse => StatusCode::BAD_REQUEST,
        MediaType::Json => StatusCode::OK,
    };
    json_response(status, &json!({ "errors": errors }), media_type, id)
}

fn json_response(status: StatusCode, body: &impl serde::Serialize, media_type: MediaType, id: &RequestId) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => {
            let content_type = HeaderValue::from_static(media_type.content_type());
            (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "cannot write a response");
            HttpError::internal().into_response(id)
        }
    }
}

/// Every error carries a code and the request id. One that a resolver raised from some other error, without a code of
/// its own, is a fault: its text goes to the log, and the client gets none of it.
fn complete(error: &mut ServerError, id: &RequestId) {
    let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
    if extensions.get("code").is_none() {
        let code = match (error.path.is_empty(), error.source.is_some()) {
            (false, true) => {
                let path: Vec<_> =
                    error.path.iter().map(|segment| serde_json::to_string(segment).unwrap_or_default()).collect();
                tracing::error!(path = path.join("."), error = error.message, "a resolver failed");
                error.message = HttpError::internal().message.into_owned();
                "INTERNAL"
            }
            // The library's own complaint about an argument.
            (false, false) => "BAD_USER_INPUT",
            (true, _) if error.message == "PersistedQueryNotFound" => "PERSISTED_QUERY_NOT_FOUND",
            (true, _) => "GRAPHQL_VALIDATION_FAILED",
        };
        extensions.set("code", code);
    }
    extensions.set("requestId", id.as_str());
}
