//! The bodies of objects as they come from a store.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures::stream;

use super::{
    super::{StoreError, StoreErrorKind},
    calls::chain,
};

/// How long a body may stand still while it is read.
const SILENCE: Duration = Duration::from_secs(30);

/// A body being read, held to its announced length.
pub(super) struct Reading {
    pub body: ByteStream,
    pub left: u64,
    pub bucket: String,
    pub key: String,
}

impl Reading {
    fn error(&self, kind: StoreErrorKind, message: String) -> StoreError {
        StoreError { kind, operation: "GetObject", bucket: self.bucket.clone(), key: self.key.clone(), message }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let chunk = tokio::time::timeout(SILENCE, self.body.next()).await;
        let chunk = chunk
            .map_err(|_| self.error(StoreErrorKind::Unavailable, format!("the body stood still for {SILENCE:?}")))?;
        match chunk {
            Some(Ok(bytes)) => {
                let length = bytes.len() as u64;
                self.left = self.left.checked_sub(length).ok_or_else(|| {
                    self.error(StoreErrorKind::Unavailable, "more bytes came than announced".to_owned())
                })?;
                Ok(Some(bytes))
            }
            Some(Err(error)) => {
                let text = chain(&error);
                let mismatch = text.contains("checksum mismatch");
                let kind = if mismatch { StoreErrorKind::BadDigest } else { StoreErrorKind::Unavailable };
                Err(self.error(kind, text))
            }
            None if self.left > 0 => {
                Err(self.error(StoreErrorKind::Unavailable, format!("{} announced bytes did not come", self.left)))
            }
            None => Ok(None),
        }
    }

    pub fn into_stream(self) -> impl futures::Stream<Item = Result<Bytes, StoreError>> + Send + 'static {
        stream::try_unfold(self, |mut reading| async move { Ok(reading.next().await?.map(|bytes| (bytes, reading))) })
    }
}
