//! A request body with a limit, which it enforces while reading and can drain after a refusal.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http::{HeaderMap, header};
use tokio::time::timeout;

use super::super::HttpError;

/// How much and how long a refused body is read on. A connection closed over unread bytes is reset, and the client
/// never sees why.
const DRAIN_BYTES: u64 = 64 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// What may be read while the headers of a part are not complete: the parser keeps all of it.
const PART_HEADERS: u64 = 64 << 10;

pub struct Limited {
    stream: BodyDataStream,
    left: u64,
    headers: HeadersGauge,
    paused: bool,
    exceeded: bool,
    begun: bool,
    ended: bool,
}

/// Bounds what is read while somebody looks for the end of a part's headers.
#[derive(Clone, Debug)]
pub struct HeadersGauge(Arc<AtomicU64>);

impl HeadersGauge {
    pub fn begin(&self) {
        self.0.store(PART_HEADERS, Ordering::Relaxed);
    }

    pub fn end(&self) {
        self.0.store(u64::MAX, Ordering::Relaxed);
    }

    fn is_used_up(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn take(&self, bytes: u64) {
        let left = self.0.load(Ordering::Relaxed);
        if left != u64::MAX {
            self.0.store(left.saturating_sub(bytes), Ordering::Relaxed);
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the body is too large")]
    TooLarge,
    #[error("the headers of a part are too large")]
    HeadersTooLarge,
    #[error("the body broke off")]
    BrokenOff,
}

impl Limited {
    pub fn new(body: Body) -> Self {
        let headers = HeadersGauge(Arc::new(AtomicU64::new(u64::MAX)));
        Self {
            stream: body.into_data_stream(),
            left: 0,
            headers,
            paused: false,
            exceeded: false,
            begun: false,
            ended: false,
        }
    }

    /// Allows so many bytes, and refuses at once where `Content-Length` announces more.
    pub fn limit(&mut self, most: u64, headers: &HeaderMap) -> Result<(), HttpError> {
        self.left = most;
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > most) { Err(too_large(most)) } else { Ok(()) }
    }

    /// For a reader of parts.
    pub fn headers_gauge(&self) -> HeadersGauge {
        self.headers.clone()
    }

    pub async fn bytes(&mut self) -> Result<Bytes, HttpError> {
        let most = self.left;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.next().await {
            bytes.extend_from_slice(&chunk.map_err(|error| match error {
                ReadError::TooLarge => too_large(most),
                error => HttpError::bad_request(format!("The body cannot be read: {error}.")),
            })?);
        }
        Ok(bytes.freeze())
    }

    /// Whether reading ended at the limit.
    pub fn exceeded(&self) -> bool {
        self.exceeded
    }

    /// Reads and drops the rest, so that the refusal arrives. A client that waits for `100 Continue` sends none.
    pub async fn drain(&mut self, headers: &HeaderMap) {
        let waits =
            headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        if self.ended || (waits && !self.begun) {
            return;
        }
        let rest = async {
            let mut left = DRAIN_BYTES;
            while let Some(Ok(chunk)) = self.stream.next().await {
                match left.checked_sub(chunk.len() as u64) {
                    Some(rest) => left = rest,
                    None => return,
                }
            }
        };
        let _ = timeout(DRAIN_TIME, rest).await;
    }
}

impl Stream for Limited {
    type Item = Result<Bytes, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.begun = true;
        // multer takes all there is before it looks at any of it: one chunk at a time keeps little in memory.
        if std::mem::take(&mut self.paused) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.headers.is_used_up() {
            return Poll::Ready(Some(Err(ReadError::HeadersTooLarge)));
        }
        Poll::Ready(match ready!(self.stream.poll_next_unpin(cx)) {
            None => {
                self.ended = true;
                None
            }
            Some(Err(_)) => {
                self.ended = true;
                Some(Err(ReadError::BrokenOff))
            }
            Some(Ok(chunk)) => match self.left.checked_sub(chunk.len() as u64) {
                Some(left) => {
                    self.left = left;
                    self.paused = true;
                    self.headers.take(chunk.len() as u64);
                    Some(Ok(chunk))
                }
                None => {
                    self.exceeded = true;
                    Some(Err(ReadError::TooLarge))
                }
            },
        })
    }
}

fn too_large(most: u64) -> HttpError {
    HttpError::too_large(format!("The body may have {} at most.", bytesize::ByteSize(most)))
}
