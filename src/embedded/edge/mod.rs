//! The local CDN edge: serves objects by CloudFront-signed URLs on a listener of its own, out of the two buckets.

mod cache;
mod headers;
mod read;
mod request;
mod sums;

use std::{future::Future, io, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    serve::ListenerExt as _,
};
use bytes::Bytes;
use entity::{Timestamp, object::Kind};
use http::{Method, StatusCode, request::Parts};
use tokio::net::TcpListener;

use self::{
    cache::Cached,
    headers::{Failure, Served},
    read::Source,
    request::{Outcome, Span},
};
pub use self::{
    cache::EdgeCache,
    read::{Primary, ReadError, Sources},
};
use crate::{
    adapters::{
        cdn::{Grant, UrlVerifier},
        objects::{Sha256, keys::ObjectKey},
    },
    clock::Clock,
};

/// What may be served: the ledger, as the edge sees it.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// The object of this key if it is live and meant for download; `None` for everything else.
    async fn find(&self, key: &str) -> Result<Option<CatalogEntry>, CatalogError>;
}

/// What the ledger says of a live object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    pub bytes: u64,
    pub sha256: Sha256,
    pub content_type: String,
    /// Whether the edge and browsers may keep it.
    pub cacheable: bool,
}

/// The ledger could not be asked. The text is for logs.
#[derive(Debug, thiserror::Error)]
#[error("the ledger could not be asked: {0}")]
pub struct CatalogError(pub Box<dyn std::error::Error + Send + Sync>);

/// What the edge works with.
pub struct EdgeState {
    verifier: UrlVerifier,
    catalog: Arc<dyn Catalog>,
    sources: Sources,
    cache: EdgeCache,
    clock: Clock,
    max_age: Duration,
}

impl EdgeState {
    /// `max_age` caps how long browsers may keep an object whose URL lives longer.
    #[must_use]
    pub fn new(
        verifier: UrlVerifier,
        catalog: Arc<dyn Catalog>,
        sources: Sources,
        cache: EdgeCache,
        clock: Clock,
        max_age: Duration,
    ) -> Self {
        Self { verifier, catalog, sources, cache, clock, max_age }
    }
}

/// The edge's only route: any path, since what a path means is decided by its signature.
pub fn router(state: EdgeState) -> Router {
    Router::new().fallback(handle).with_state(Arc::new(state))
}

/// Serves the edge until `shutdown` completes and running downloads have ended.
///
/// # Errors
/// The listener's.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY refused");
        }
    });
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn handle(State(edge): State<Arc<EdgeState>>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let answer = match request.method {
        Method::GET | Method::HEAD => edge.answer(&request).await,
        Method::OPTIONS => Ok(headers::preflight()),
        _ => Err(Failure::MethodNotAllowed),
    };
    headers::finish(answer.unwrap_or_else(|failure| headers::failed(&failure)))
}

impl EdgeState {
    async fn answer(&self, request: &Parts) -> Result<Response, Failure> {
        let now = self.clock.now();
        let uri = &request.uri;
        let signed = uri.path_and_query().map_or_else(|| uri.path(), |both| both.as_str());
        let grant = self.verifier.verify(signed, now).map_err(Failure::Refused)?;
        let path = uri.path();
        let key = path.strip_prefix('/').unwrap_or(path);
        let kind = key.parse::<ObjectKey>().map_err(|_| Failure::NotFound)?.kind;
        let (entry, cached) = match self.remembered(key, now).await? {
            Some(cached) => (cached.entry.clone(), Some(cached)),
            None => (self.catalog.find(key).await.map_err(unavailable)?.ok_or(Failure::NotFound)?, None),
        };
        let served = self.served(&entry, &grant, now);
        let span = match request::evaluate(&request.method, &request.headers, served.etag(), entry.bytes) {
            Outcome::NotModified => return Ok(served.empty(StatusCode::NOT_MODIFIED)),
            Outcome::PreconditionFailed => return Err(Failure::PreconditionFailed),
            Outcome::Unsatisfiable => return Err(Failure::Unsatisfiable { bytes: entry.bytes }),
            Outcome::Whole => Span::whole(entry.bytes),
            Outcome::Part(span) => span,
        };
        if request.method == Method::HEAD {
            return Ok(served.body(span, Body::empty(), None));
        }
        if let Some(cached) = cached {
            return Ok(served.body(span, slice(&cached.bytes, &span), Some(Source::Memory)));
        }
        if entry.bytes > self.cache.max_object() {
            let (stream, source) = self.sources.stream(key, &entry, &span).await.map_err(Failure::Source)?;
            return Ok(served.body(span, Body::from_stream(stream), Some(source)));
        }
        let (bytes, source) = self.sources.whole(key, &entry).await.map_err(Failure::Source)?;
        let body = slice(&bytes, &span);
        if entry.cacheable && kind != Kind::Snap {
            // `now` is from before the ledger was asked, so an erasure in between is noticed in time.
            self.cache.insert(key, Cached::new(entry, bytes, now));
        }
        Ok(served.body(span, body, Some(source)))
    }

    /// The object from memory, unless the ledger no longer has it. A ledger that cannot be asked stops the serving:
    /// what may be erased is not shown.
    async fn remembered(&self, key: &str, now: Timestamp) -> Result<Option<Arc<Cached>>, Failure> {
        let Some(cached) = self.cache.get(key) else { return Ok(None) };
        if cached.is_fresh(now) {
            return Ok(Some(cached));
        }
        match self.catalog.find(key).await.map_err(unavailable)? {
            Some(entry) if entry == cached.entry => {
                cached.checked(now);
                Ok(Some(cached))
            }
            other => {
                self.cache.forget(key);
                if other.is_some() { Ok(None) } else { Err(Failure::NotFound) }
            }
        }
    }

    fn served(&self, entry: &CatalogEntry, grant: &Grant, now: Timestamp) -> Served {
        let left = Timestamp(grant.expires.saturating_mul(1_000_000)).since(now).min(self.max_age);
        Served::new(entry, &grant.query, left)
    }
}

fn slice(bytes: &Bytes, span: &Span) -> Body {
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    Body::from(bytes.slice(index(span.start)..index(span.end)))
}

#[expect(clippy::needless_pass_by_value, reason = "fits map_err")]
fn unavailable(error: CatalogError) -> Failure {
    tracing::warn!(%error, "edge request refused");
    Failure::Unavailable
}
