//! What stands before the S3 operations: which requests reach them at all, and which headers every answer carries.

use std::sync::{Arc, atomic::Ordering};

use aws_lc_rs::constant_time;
use axum::extract::Query;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use s3s::{
    Body, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    s3_error,
    service::S3Service,
};
use secrecy::ExposeSecret;

use super::{api::Buckets, cors, credentials::Credentials};

/// Where presigned requests may write: what clients put there is checked and copied before anyone sees it.
pub(super) const STAGING: &str = "staging/";
/// Paths of the server itself; no bucket name is that short.
const ADMIN: &str = "/-/";
/// Unsigned headers that would change what a presigned write stores or whether it happens. `content-type` is not
/// among them, since browsers set it by themselves and nobody trusts it.
const SIGNED_ONLY: [&str; 6] =
    ["content-encoding", "content-disposition", "content-language", "expires", "if-match", "if-none-match"];
/// `x-amz-…` headers that only describe the client.
const HARMLESS: [&str; 1] = ["x-amz-user-agent"];

/// One key for all.
pub(super) struct Auth(pub Credentials);

#[async_trait::async_trait]
impl S3Auth for Auth {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.0.access_key_id {
            Ok(SecretKey::from(self.0.secret_access_key.expose_secret()))
        } else {
            Err(s3_error!(InvalidAccessKeyId, "the access key id is not the one of this store"))
        }
    }
}

/// What an authenticated request may do, decided by the operation it was routed to.
pub(super) struct Access {
    pub buckets: Buckets,
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "the request is not signed"));
        }
        if let Some(bucket) = cx.s3_path().get_bucket_name()
            && !self.buckets.contains_key(bucket)
        {
            return Err(s3_error!(NoSuchBucket, "this server has no bucket {bucket:?}"));
        }
        if is_presigned(cx.uri()) {
            let key = cx.s3_path().get_object_key().unwrap_or_default();
            let allowed = match cx.s3_op().name() {
                "GetObject" | "HeadObject" => true,
                "PutObject" | "UploadPart" => key.starts_with(STAGING) && key.len() > STAGING.len(),
                _ => false,
            };
            if !allowed {
                return Err(s3_error!(
                    AccessDenied,
                    "a presigned URL may read an object, or put an object or a part under {STAGING}"
                ));
            }
        }
        Ok(())
    }
}

type Pairs = Vec<(String, String)>;

/// Parsed just as the S3 layer does.
fn query(uri: &Uri) -> Option<Pairs> {
    Query::<Pairs>::try_from_uri(uri).ok().map(|Query(pairs)| pairs)
}

fn is_presigned(uri: &Uri) -> bool {
    query(uri).is_none_or(|pairs| pairs.iter().any(|(name, _)| name == "X-Amz-Signature"))
}

/// The names the client signed, or why the request does not even reach the check of its signature.
fn signed_headers(headers: &HeaderMap, uri: &Uri) -> Result<Vec<String>, Refusal> {
    let pairs = query(uri).ok_or(Refusal::new(StatusCode::BAD_REQUEST, "InvalidURI", "the query cannot be parsed"))?;
    let named: Vec<&str> =
        pairs.iter().filter(|(name, _)| name == "X-Amz-SignedHeaders").map(|(_, value)| value.as_str()).collect();
    let presigned = pairs.iter().any(|(name, _)| name == "X-Amz-Signature");
    let authorizations: Vec<_> = headers.get_all(header::AUTHORIZATION).iter().collect();
    let unsupported = Refusal::new(StatusCode::FORBIDDEN, "AccessDenied", "only Signature Version 4 is accepted");
    if pairs.iter().any(|(name, _)| name == "Signature" || name == "AWSAccessKeyId") {
        return Err(unsupported);
    }
    let names = match (presigned, authorizations.as_slice(), named.as_slice()) {
        (true, [], [names]) => (*names).to_owned(),
        (false, [authorization], _) => {
            let text = authorization.to_str().ok().filter(|text| text.starts_with("AWS4-HMAC-SHA256 "));
            let text = text.ok_or(unsupported)?;
            let (_, rest) = text.split_once("SignedHeaders=").ok_or(unsupported)?;
            rest.split(',').next().unwrap_or_default().to_owned()
        }
        (false, [], _) => {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "AccessDenied", "the request is not signed"));
        }
        _ => {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "InvalidRequest", "the request is signed in two ways"));
        }
    };
    Ok(names.split(';').map(|name| name.trim().to_ascii_lowercase()).collect())
}

/// The S3 layer routes on headers before it looks at what was signed; so nothing unsigned may say what to do.
fn check_signed(method: &Method, headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
    let signed = signed_headers(headers, uri)?;
    let writes = !matches!(*method, Method::GET | Method::HEAD);
    for name in headers.keys() {
        let name = name.as_str();
        let matters =
            (name.starts_with("x-amz-") && !HARMLESS.contains(&name)) || (writes && SIGNED_ONLY.contains(&name));
        if matters && !signed.iter().any(|signed| signed == name) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "AccessDenied",
                "there is a header in the request which was not signed",
            ));
        }
    }
    Ok(())
}

/// An answer given here, in S3's form.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
}

impl Refusal {
    const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message }
    }

    fn into_response(self) -> Response<Body> {
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{}</Code><Message>{}</Message></Error>",
            self.code, self.message
        );
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// The S3 operations with everything that stands before them.
pub(super) struct Guard {
    pub s3: S3Service,
    pub buckets: Buckets,
    pub credentials: Credentials,
    pub cors_origins: Arc<[String]>,
}

impl Guard {
    pub async fn call(&self, request: Request<Body>) -> Response<Body> {
        let method = request.method().clone();
        let origin = cors::known_origin(request.headers(), &self.cors_origins);
        let path_is_object = request.uri().path().trim_start_matches('/').contains('/');
        let mut response = self.answer(request).await;
        let content = path_is_object && response.status().is_success();
        secure(response.headers_mut(), content && matches!(method, Method::GET | Method::HEAD));
        cors::decorate(origin, response.headers_mut());
        if response.status() == StatusCode::NOT_MODIFIED {
            // RFC 9110, section 15.4.5: no content, and no headers about it.
            response.headers_mut().remove(header::CONTENT_TYPE);
            response.headers_mut().remove(header::CONTENT_LENGTH);
            *response.body_mut() = Body::empty();
        } else if method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        response
    }

    async fn answer(&self, mut request: Request<Body>) -> Response<Body> {
        if cors::is_preflight(request.method(), request.headers()) {
            return cors::preflight(request.headers(), &self.cors_origins);
        }
        if let Some(path) = request.uri().path().strip_prefix(ADMIN) {
            return self.administer(request.method(), path, request.headers());
        }
        if let Err(refusal) = check_signed(request.method(), request.headers(), request.uri()) {
            return refusal.into_response();
        }
        let bucket = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
        if self.buckets.get(bucket).is_some_and(super::api::Bucket::is_stopped) {
            return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "the bucket is stopped")
                .into_response();
        }
        // No cookie ever means anything here.
        request.headers_mut().remove(header::COOKIE);
        match self.s3.call(request).await {
            Ok(response) => response,
            Err(error) => {
                tracing::error!(?error, "the embedded S3 server failed");
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "see the server's log").into_response()
            }
        }
    }

    /// `GET /-/health`, and with the access key as basic authentication `POST /-/bucket/<name>/stop|start`.
    fn administer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = match (method, path.split('/').collect::<Vec<_>>().as_slice()) {
            (&Method::GET, ["health"]) => StatusCode::OK,
            (&Method::POST, ["bucket", name, act @ ("stop" | "start")]) => {
                if !self.is_owner(headers) {
                    let challenge = HeaderValue::from_static("Basic realm=\"embedded S3\"");
                    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                    StatusCode::UNAUTHORIZED
                } else if let Some(bucket) = self.buckets.get(*name) {
                    bucket.stopped.store(*act == "stop", Ordering::Relaxed);
                    tracing::info!(bucket = bucket.name, act, "bucket stopped or started by an administrator");
                    StatusCode::NO_CONTENT
                } else {
                    StatusCode::NOT_FOUND
                }
            }
            _ => StatusCode::NOT_FOUND,
        };
        response
    }

    fn is_owner(&self, headers: &HeaderMap) -> bool {
        let secret = self.credentials.secret_access_key.expose_secret();
        let expected = format!("{}:{secret}", self.credentials.access_key_id);
        headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .is_some_and(|given| constant_time::verify_slices_are_equal(&given, expected.as_bytes()).is_ok())
    }
}

/// What anyone has stored here never runs in a browser.
fn secure(headers: &mut HeaderMap, content: bool) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    if content && !headers.contains_key(header::CONTENT_DISPOSITION) {
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
}
