//! The edge's answers: headers that keep foreign content harmless, and refusals in CloudFront's form.

use std::{fmt::Write as _, time::Duration};

use axum::{body::Body, response::Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::percent_decode_str;

use super::{
    CatalogEntry,
    read::{ReadError, Source},
    request::Span,
};
use crate::adapters::cdn::Refusal;

const SOURCE: HeaderName = HeaderName::from_static("x-snaphaven-source");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What browsers may show; everything else is saved.
const RASTER: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// When to come back after a 503, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// The headers of one object's answer.
pub(super) struct Served {
    etag: String,
    content_type: HeaderValue,
    disposition: HeaderValue,
    cache_control: HeaderValue,
}

impl Served {
    /// `query` is the signed one, raw; `max_age` what is left of the URL's life.
    pub fn new(entry: &CatalogEntry, query: &str, max_age: Duration) -> Self {
        let raster = RASTER.contains(&entry.content_type.as_str());
        let cache_control = if entry.cacheable {
            HeaderValue::from_str(&format!("private, max-age={}, immutable", max_age.as_secs()))
                .unwrap_or(HeaderValue::from_static("no-store"))
        } else {
            HeaderValue::from_static("no-store")
        };
        Self {
            etag: format!("\"{}\"", hex::encode(entry.sha256)),
            content_type: HeaderValue::from_str(&entry.content_type)
                .ok()
                .filter(|value| !value.is_empty())
                .unwrap_or(HeaderValue::from_static("application/octet-stream")),
            disposition: disposition(parameter(query, "response-content-disposition").as_deref(), raster),
            cache_control,
        }
    }

    /// Strong, in its quotes.
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// An answer without content, as 304.
    pub fn empty(&self, status: StatusCode) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            headers.insert(header::ETAG, etag);
        }
        headers.insert(header::CACHE_CONTROL, self.cache_control.clone());
        response
    }

    /// 200, or 206 for a range. `source` is where the bytes came from, if any were read.
    pub fn body(self, span: Span, body: Body, source: Option<Source>) -> Response {
        let mut response = self.empty(if span.partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK });
        *response.body_mut() = body;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, span.len().into());
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CONTENT_TYPE, self.content_type);
        headers.insert(header::CONTENT_DISPOSITION, self.disposition);
        if span.partial
            && let Ok(value) = HeaderValue::from_str(&format!("bytes {}-{}/{}", span.start, span.end - 1, span.of))
        {
            headers.insert(header::CONTENT_RANGE, value);
        }
        if let Some(source) = source {
            headers.insert(SOURCE, HeaderValue::from_static(source.as_str()));
        }
        response
    }
}

/// Why there is no object in the answer.
#[derive(Debug)]
pub(super) enum Failure {
    Refused(Refusal),
    NotFound,
    MethodNotAllowed,
    PreconditionFailed,
    Unsatisfiable {
        bytes: u64,
    },
    /// The ledger could not be asked.
    Unavailable,
    Source(ReadError),
}

/// A refusal as CloudFront and S3 word it: a status and a small XML body.
pub(super) fn failed(failure: &Failure) -> Response {
    let (status, code, message) = match failure {
        Failure::Refused(refusal) => {
            let code = match refusal {
                Refusal::Unsigned => "MissingKey",
                Refusal::Malformed => "MalformedSignature",
                Refusal::UnknownKey => "InvalidKey",
                Refusal::BadSignature | Refusal::Expired => "AccessDenied",
            };
            (StatusCode::FORBIDDEN, code, refusal.to_string())
        }
        Failure::NotFound => (StatusCode::NOT_FOUND, "NoSuchKey", "there is no such object".to_owned()),
        Failure::MethodNotAllowed => {
            (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "only GET, HEAD and OPTIONS".to_owned())
        }
        Failure::PreconditionFailed => {
            (StatusCode::PRECONDITION_FAILED, "PreconditionFailed", "the object is another one".to_owned())
        }
        Failure::Unsatisfiable { bytes } => {
            (StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", format!("the object has {bytes} bytes"))
        }
        Failure::Unavailable | Failure::Source(ReadError::Unavailable) => {
            (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "try again in a few seconds".to_owned())
        }
        Failure::Source(ReadError::NoGoodCopy) => {
            (StatusCode::BAD_GATEWAY, "BadGateway", "no store has a good copy of this object".to_owned())
        }
    };
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // No text here comes from the request, so nothing needs escaping.
    let _ = write!(xml, "<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let mut response = Response::new(Body::from(xml));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match failure {
        Failure::MethodNotAllowed => {
            headers.insert(header::ALLOW, METHODS);
        }
        Failure::Unsatisfiable { bytes } => {
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{bytes}")) {
                headers.insert(header::CONTENT_RANGE, value);
            }
        }
        _ if status.is_server_error() => {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        _ => {}
    }
    response
}

/// The answer to a CORS preflight: anyone may read, nobody with credentials.
pub(super) fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Range, If-Range, If-Match, If-None-Match"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

/// What every answer carries: content of strangers runs nowhere, is guessed by nobody, and leaks no URL.
pub(super) fn finish(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Retry-After, X-Snaphaven-Source",
        ),
    );
    response
}

/// A query parameter's value, decoded as S3 does (`+` is a space).
fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1;
    Some(percent_decode_str(&value.replace('+', " ")).decode_utf8().ok()?.into_owned())
}

/// The asked disposition where it is harmless. Inline is for raster images; what cannot be a header is dropped.
fn disposition(asked: Option<&str>, raster: bool) -> HeaderValue {
    const ATTACHMENT: HeaderValue = HeaderValue::from_static("attachment");
    let Some(asked) = asked else { return ATTACHMENT };
    let (kind, parameters) = asked.split_at(asked.find(';').unwrap_or(asked.len()));
    let kind = kind.trim();
    let value = if kind.eq_ignore_ascii_case("attachment") || (raster && kind.eq_ignore_ascii_case("inline")) {
        HeaderValue::from_str(asked)
    } else if kind.eq_ignore_ascii_case("inline") {
        HeaderValue::from_str(&format!("attachment{parameters}"))
    } else {
        Ok(ATTACHMENT)
    };
    value.unwrap_or(ATTACHMENT)
}
