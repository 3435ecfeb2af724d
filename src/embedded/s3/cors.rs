//! CORS for browsers that upload parts and read objects directly (Fetch standard, section 3.2).

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use s3s::Body;

pub(super) const ALLOWED_METHODS: [&str; 3] = ["GET", "HEAD", "PUT"];
pub(super) const ALLOWED_HEADERS: [&str; 9] = [
    "content-type",
    "content-md5",
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "cache-control",
    "x-amz-*",
];
pub(super) const EXPOSED_HEADERS: [&str; 12] = [
    "ETag",
    "Content-Length",
    "Content-Range",
    "Content-Disposition",
    "Last-Modified",
    "Retry-After",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
];
pub(super) const MAX_AGE_SECONDS: i32 = 600;

/// The request's origin where it is one of the configured.
pub(super) fn known_origin(headers: &HeaderMap, origins: &[String]) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    origins.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

fn allowed_header(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    ALLOWED_HEADERS.iter().any(|allowed| match allowed.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *allowed,
    })
}

/// The answer to a preflight.
pub(super) fn preflight(headers: &HeaderMap, origins: &[String]) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let method = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD).and_then(|method| method.to_str().ok());
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).map(|names| names.to_str().ok());
    let names_allowed = match asked {
        None => true,
        Some(None) => false,
        Some(Some(names)) => names.split(',').all(allowed_header),
    };
    let method_allowed = method.is_some_and(|method| ALLOWED_METHODS.contains(&method));
    match known_origin(headers, origins) {
        Some(_) if method_allowed && names_allowed => {
            let out = response.headers_mut();
            if let Ok(methods) = HeaderValue::try_from(ALLOWED_METHODS.join(", ")) {
                out.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            }
            if let Some(names) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
                out.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
            }
            out.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(MAX_AGE_SECONDS));
            *response.status_mut() = StatusCode::NO_CONTENT;
        }
        _ => *response.status_mut() = StatusCode::FORBIDDEN,
    }
    response
}

/// Whether the request is a preflight.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Lets pages of a configured origin read the response.
pub(super) fn decorate(origin: Option<HeaderValue>, headers: &mut HeaderMap) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if let Ok(exposed) = HeaderValue::try_from(EXPOSED_HEADERS.join(", ")) {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
}
