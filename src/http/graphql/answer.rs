//! Responses: their media type and status, and errors that say what a client may know.

use std::cmp::Reverse;

use async_graphql::{ErrorExtensionValues, Response as Outcome, ServerError, Value};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use super::super::{HttpError, RequestId};

/// Reasons that one refusal gives: a document of unknown fields would be answered by many times its size.
const MAX_REASONS: usize = 20;

/// The two media types of GraphQL responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `application/graphql-response+json`: the status tells a request that did not run.
    GraphqlResponse,
    /// `application/json`: 200 for every well-formed request, as older clients expect.
    Json,
}

impl MediaType {
    /// The client's favourite by `Accept` (RFC 9110, section 12.5.1), of two equal ones the first named; JSON where it
    /// does not say.
    pub fn negotiate(headers: &HeaderMap) -> Result<Self, HttpError> {
        let lines: Vec<_> = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok()).collect();
        if lines.iter().all(|line| line.trim().is_empty()) {
            return Ok(Self::Json);
        }
        let ranges: Vec<_> = lines.iter().flat_map(|line| line.split(',')).filter_map(Range::parse).collect();
        let rank = |offer: Self| {
            let fitting = ranges.iter().enumerate();
            let fitting = fitting.filter_map(|(place, range)| Some((range.fit(offer)?, Reverse(place), range.quality)));
            // Whatever wider ranges say, the most specific one decides.
            let (fit, place, quality) = fitting.max()?;
            (quality > 0).then_some((quality, fit, place))
        };
        let (rank, offer) = [(rank(Self::GraphqlResponse), Self::GraphqlResponse), (rank(Self::Json), Self::Json)]
            .into_iter()
            .max_by_key(|(rank, _)| *rank)
            .unwrap_or((None, Self::Json));
        rank.map(|_| offer).ok_or_else(|| {
            let message = "Answers are application/graphql-response+json or application/json; accept one of them.";
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

/// One element of `Accept`.
struct Range {
    name: String,
    /// In thousandths, as many as `q` may have.
    quality: u16,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
        let mut parameters = parts.filter_map(|part| part.split_once('='));
        let quality = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        let quality = quality.map_or(1.0, |(_, value)| value.trim().parse::<f32>().unwrap_or(0.0));
        Some(Self { name, quality: (quality.clamp(0.0, 1.0) * 1000.0) as u16 })
    }

    /// How exactly it names the offer; nothing where it does not.
    fn fit(&self, offer: MediaType) -> Option<u8> {
        match (self.name.as_str(), offer) {
            ("application/graphql-response+json", MediaType::GraphqlResponse)
            | ("application/json", MediaType::Json) => Some(2),
            ("application/*", _) => Some(1),
            ("*/*", _) => Some(0),
            _ => None,
        }
    }
}

/// What the executor made of the request, with complete errors; the errors alone where it did not run.
pub fn settled(mut outcome: Outcome, id: &RequestId) -> Result<Outcome, Vec<ServerError>> {
    // An error without a path was raised before any resolver ran.
    if outcome.data == Value::Null
        && !outcome.errors.is_empty()
        && outcome.errors.iter().all(|error| error.path.is_empty())
    {
        return Err(outcome.errors);
    }
    for error in &mut outcome.errors {
        complete(error, id);
    }
    Ok(outcome)
}

/// What the executor made of the request.
pub fn answer(outcome: Outcome, media_type: MediaType, id: &RequestId) -> Response {
    let mut outcome = match settled(outcome, id) {
        Ok(outcome) => outcome,
        Err(errors) => return refused(errors, media_type, id),
    };
    let headers = std::mem::take(&mut outcome.http_headers);
    let mut response = json_response(StatusCode::OK, &outcome, media_type, id);
    response.headers_mut().extend(headers);
    response
}

/// The document does not parse, validate or stay within the limits: no `data`, and 400 where the media type knows statuses.
pub fn refused(errors: Vec<ServerError>, media_type: MediaType, id: &RequestId) -> Response {
    let errors = completed(errors, id);
    let status = match media_type {
        MediaType::GraphqlResponse => StatusCode::BAD_REQUEST,
        MediaType::Json => StatusCode::OK,
    };
    json_response(status, &json!({ "errors": errors }), media_type, id)
}

/// The first of the reasons of a refusal, as clients see them.
pub fn completed(mut errors: Vec<ServerError>, id: &RequestId) -> Vec<ServerError> {
    errors.truncate(MAX_REASONS);
    for error in &mut errors {
        complete(error, id);
    }
    errors
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

/// Messages quote what the client sent, which may be long.
const MAX_MESSAGE: usize = 500;

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
            (true, _) => "GRAPHQL_VALIDATION_FAILED",
        };
        extensions.set("code", code);
    }
    extensions.set("requestId", id.as_str());
    if let Some((end, _)) = error.message.char_indices().nth(MAX_MESSAGE) {
        error.message.truncate(end);
        error.message.push('…');
    }
}
