//! The embedded store as an HTTP server, and as a service that others can call.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use s3s::Body;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::EmbeddedS3;

/// A client that has not sent its headers by then is cut off.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long running requests may take after the signal to stop.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// Pause after a failed accept, as when no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl EmbeddedS3 {
    /// Serves HTTP/1.1 and HTTP/2 until `shutdown`, then lets running requests finish within ten seconds.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        builder.http2().timer(TokioTimer::new());
        let graceful = GracefulShutdown::new();
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "the embedded S3 server could not accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
                () = shutdown.cancelled() => break,
            };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY was refused");
            }
            let connection = builder.serve_connection(TokioIo::new(stream), self.service()).into_owned();
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(error, "a connection to the embedded S3 server ended early");
                }
            });
        }
        drop(listener);
        if tokio::time::timeout(SHUTDOWN_GRACE, graceful.shutdown()).await.is_err() {
            tracing::warn!("the embedded S3 server stops with requests under way");
        }
    }
}

/// The store as a hyper and tower service. It never fails: what goes wrong is an S3 error document.
#[derive(Clone, Debug)]
pub struct S3HttpService(pub(super) EmbeddedS3);

impl S3HttpService {
    /// Answers one request.
    pub async fn respond(&self, request: Request<Body>) -> Response<Body> {
        self.0.guard.call(request).await
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, std::convert::Infallible>> + Send>>;

/// A request body that notes whether the client was told to send it.
struct Awaited {
    body: Incoming,
    asked_for: Arc<AtomicBool>,
}

impl http_body::Body for Awaited {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, hyper::Error>>> {
        // The first poll of a body that is not empty sends "100 Continue".
        if !self.body.is_end_stream() {
            self.asked_for.store(true, Ordering::Relaxed);
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

impl S3HttpService {
    /// A client that waits for "100 Continue" and gets a final answer instead cannot know where its next request may
    /// begin (botocore then reads garbage), so that connection ends with the answer, as S3's do.
    async fn respond_expecting(&self, request: Request<Incoming>) -> Response<Body> {
        let asked_for = Arc::new(AtomicBool::new(false));
        let watch = Arc::clone(&asked_for);
        let request = request.map(|body| Body::http_body_unsync(Awaited { body, asked_for: watch }));
        let mut response = self.respond(request).await;
        if !asked_for.load(Ordering::Relaxed) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl hyper::service::Service<Request<Incoming>> for S3HttpService {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let expects = request.version() < Version::HTTP_2 && request.headers().contains_key(header::EXPECT);
            Ok(if expects {
                service.respond_expecting(request).await
            } else {
                service.respond(request.map(Body::from)).await
            })
        })
    }
}

impl<B> tower::Service<Request<B>> for S3HttpService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    Box<dyn std::error::Error + Send + Sync>: From<B::Error>,
{
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        let request = request.map(Body::http_body_unsync);
        Box::pin(async move { Ok(service.respond(request).await) })
    }
}
