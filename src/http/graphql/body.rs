//! A request body with a limit, which it enforces while reading and can drain after a refusal.

use std::{
    pin::Pin,
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

pub struct Limited {
    stream: BodyDataStream,
    left: u64,
    exceeded: bool,
    begun: bool,
    ended: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the body is too large")]
    TooLarge,
    #[error("the body broke off")]
    BrokenOff,
}

impl Limited {
    pub fn new(body: Body) -> Self {
        Self { stream: body.into_data_stream(), left: 0, exceeded: false, begun: false, ended: false }
    }

    /// Allows so many bytes, and refuses at once where `Content-Length` announces more.
    pub fn limit(&mut self, most: u64, headers: &HeaderMap) -> Result<(), HttpError> {
        self.left = most;
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > most) { Err(too_large(most)) } else { Ok(()) }
    }

    pub async fn bytes(&mut self) -> Result<Bytes, HttpError> {
        let most = self.left;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.next().await {
            bytes.extend_from_slice(&chunk.map_err(|error| match error {
                ReadError::TooLarge => too_large(most),
                ReadError::BrokenOff => HttpError::bad_request("The body broke off."),
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
