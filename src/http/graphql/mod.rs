//! GraphQL over HTTP: one operation a request, the right media types and status codes, uploads, and errors that leak nothing.
//!
//! After the [GraphQL over HTTP](https://graphql.github.io/graphql-over-http/draft/) and
//! [GraphQL multipart request](https://github.com/jaydenseric/graphql-multipart-request-spec) specifications.

mod answer;
mod body;
mod live;
mod multipart;
mod operation;
mod persisted;
mod scan;
mod weigh;

use std::{path::PathBuf, sync::Arc};

use async_graphql::{Executor, parser::types::OperationType as Kind};
use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, Method, StatusCode, header, request::Parts};

pub use self::{live::Live, weigh::Most};
pub use crate::graphql::request::{Spooled, Spools, Upload};

use self::{answer::MediaType, multipart::Uploads, operation::Operation, persisted::PersistedQueries};
use super::{
    AuthError, Authenticate, ClientAddress, CookieJar, Credentials, HttpError, RequestId, SessionCookie, UserAgent,
};
use crate::{
    config::Config,
    graphql::{
        request::{MAX_FILES, RequestInfo},
        session::SessionCookie as SessionSlot,
    },
    viewer::Viewer,
};

/// What the endpoint accepts.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a JSON body, or of the JSON parts of a multipart body.
    pub max_body: u64,
    /// Bytes of a document.
    pub max_document: u64,
    /// Bytes of one uploaded file.
    pub max_file: u64,
    pub max_files: usize,
    /// Names, numbers, strings and signs of a document; names and values of its variables.
    pub max_tokens: usize,
    pub document: Most,
    /// Where uploads wait, nameless, until they are handled.
    pub spool_dir: PathBuf,
}

impl Limits {
    #[must_use]
    pub fn new(config: &Config, spool_dir: PathBuf) -> Self {
        let (max_body, max_file) = (config.graphql.max_body.as_u64(), config.uploads.max_size.as_u64());
        let limits = &config.graphql;
        let document = Most {
            recursion: limits.max_recursion,
            // Each costs 1 at least.
            fields: limits.max_complexity,
            aliases: limits.max_aliases,
            directives: limits.max_directives,
        };
        let (max_document, max_tokens) = (limits.max_document.as_u64(), limits.max_tokens);
        Self { max_body, max_document, max_file, max_files: MAX_FILES, max_tokens, document, spool_dir }
    }
}

/// The schema behind its door.
///
/// Each request's data holds: [`Viewer`], [`RequestId`], [`ClientAddress`] (where the socket is known), [`UserAgent`],
/// [`Credentials`], [`CookieJar`] and, for multipart requests, [`Spools`].
pub struct Endpoint<E> {
    pub executor: E,
    pub authenticate: Arc<dyn Authenticate>,
    pub cookie: SessionCookie,
    pub limits: Limits,
    pub live: Live,
}

impl<E: Executor> Endpoint<E> {
    /// `GET` and `POST /graphql`, and WebSockets there.
    pub fn router(self) -> Router {
        let door = Arc::new((self, PersistedQueries::default()));
        Router::new().route("/graphql", get(serve::<E>).post(serve::<E>).with_state(door))
    }
}

type Door<E> = Arc<(Endpoint<E>, PersistedQueries)>;

async fn serve<E: Executor>(State(door): State<Door<E>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = RequestId::in_extensions(&parts.extensions);
    if parts.method == Method::GET && live::is_upgrade(&parts.headers) {
        return live::upgrade(door, parts).await.unwrap_or_else(|error| error.into_response(&id));
    }
    let (endpoint, persisted) = &*door;
    let jar = CookieJar::default();
    let mut body = body::Limited::new(body);
    let mut response = match endpoint.handle(persisted, &parts, &mut body, &id, &jar).await {
        Ok(response) => response,
        Err(error) => {
            body.drain(&parts.headers).await;
            error.into_response(&id)
        }
    };
    if let Some(cookie) = jar.header(endpoint.cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    // Answers depend on who asks and on Accept, and are never to be kept.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(http::HeaderValue::from_static("no-store"));
    response
}

impl<E: Executor> Endpoint<E> {
    async fn handle(
        &self,
        persisted: &PersistedQueries,
        parts: &Parts,
        body: &mut body::Limited,
        id: &RequestId,
        jar: &CookieJar,
    ) -> Result<Response, HttpError> {
        let media_type = MediaType::negotiate(&parts.headers)?;
        // Before the body is read: nobody uploads with a wrong token.
        let (viewer, credentials) = self.viewer(&parts.headers, jar).await?;
        let (mut operation, uploads) = self.read(parts, body).await?;
        let fresh = match persisted.resolve(&mut operation)? {
            Ok(fresh) => fresh,
            Err(error) => return Ok(answer::refused(vec![error], media_type, id)),
        };
        let mut request = operation.into_request()?;
        uploads.attach(&mut request)?;
        if let Err(error) = operation::check(&mut request, &parts.method, &self.limits)? {
            return Ok(answer::refused(vec![error], media_type, id));
        }
        if let Some(fresh) = fresh {
            persisted.keep(fresh);
        }
        let client = parts.extensions.get::<ClientAddress>().copied();
        if let Some(client) = client {
            request = request.data(client);
        }
        let user_agent = UserAgent::of(&parts.headers);
        let info = RequestInfo { address: client.map(ClientAddress::ip), user_agent: user_agent.0.clone() };
        let cookie: Arc<dyn SessionSlot> = Arc::new(jar.clone());
        let request = request
            .data(viewer)
            .data(id.clone())
            .data(user_agent)
            .data(info)
            .data(cookie)
            .data(credentials)
            .data(jar.clone())
            .data(uploads.spools);
        Ok(answer::answer(self.executor.execute(request).await, media_type, id).into_response())
    }

    async fn read(&self, parts: &Parts, body: &mut body::Limited) -> Result<(Operation, Uploads), HttpError> {
        if parts.method != Method::POST {
            return Ok((Operation::from_query(parts.uri.query().unwrap_or(""), &self.limits)?, Uploads::default()));
        }
        identity(&parts.headers)?;
        let content_type = content_type(&parts.headers)?;
        match (content_type.type_(), content_type.subtype()) {
            (mime::APPLICATION, mime::JSON) => {
                body.limit(self.limits.max_body, &parts.headers)?;
                Ok((Operation::from_json(&body.bytes().await?, &self.limits)?, Uploads::default()))
            }
            (mime::MULTIPART, mime::FORM_DATA) => multipart::read(parts, &content_type, body, &self.limits).await,
            _ => Err(HttpError::unsupported_media_type("Send application/json, or multipart/form-data with files.")),
        }
    }

    async fn viewer(&self, headers: &HeaderMap, jar: &CookieJar) -> Result<(Viewer, Credentials), HttpError> {
        let credentials = self.cookie.credentials(headers);
        match (self.authenticate.authenticate(credentials.clone()).await, &credentials) {
            (Ok(viewer), _) => Ok((viewer, credentials)),
            (Err(AuthError::Invalid), Credentials::Bearer(_)) => {
                let message = "The token is unknown, expired or revoked; log in again or use another.";
                Err(HttpError::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
                    .with_header(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""))
            }
            // A browser keeps an ended session's cookie and cannot drop it by itself.
            (Err(AuthError::Invalid), _) => {
                jar.clear();
                Ok((Viewer::Anonymous, Credentials::None))
            }
            (Err(AuthError::Unavailable(cause)), _) => {
                tracing::error!(cause, "cannot check credentials");
                Err(HttpError::unavailable("Log-ins cannot be checked now; try again."))
            }
        }
    }
}

/// Bodies come as they are: a compressed one could hide a thousand times its size (RFC 9110, section 8.4).
fn identity(headers: &HeaderMap) -> Result<(), HttpError> {
    let coded = |value: &http::HeaderValue| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().any(coded) {
        return Err(HttpError::unsupported_media_type("Send the body without a Content-Encoding.")
            .with_header(header::ACCEPT_ENCODING, "identity"));
    }
    Ok(())
}

/// The media type of the body. Only UTF-8 is JSON (RFC 8259, section 8.1).
fn content_type(headers: &HeaderMap) -> Result<mime::Mime, HttpError> {
    let wrong = || {
        HttpError::unsupported_media_type(
            "Name the body's Content-Type: application/json, or multipart/form-data with files.",
        )
    };
    let value = headers.get(header::CONTENT_TYPE).ok_or_else(wrong)?;
    let parsed: mime::Mime = value.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    match parsed.get_param(mime::CHARSET) {
        Some(charset) if charset != mime::UTF_8 => Err(HttpError::unsupported_media_type("Send UTF-8.")),
        _ => Ok(parsed),
    }
}
