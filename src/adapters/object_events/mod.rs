//! What S3 tells of new objects: the port, its SQS queue, and the shapes that notifications come in.

mod notification;
mod sqs;

pub use notification::{NotAnEvent, parse};
pub use sqs::SqsQueue;

use std::fmt;

use async_trait::async_trait;

/// Where S3's notifications arrive: at least once, and in any order.
#[async_trait]
pub trait ObjectEvents: Send + Sync + fmt::Debug {
    /// Waits for messages, none where none came in time. One that is not acknowledged comes again, minutes later.
    async fn receive(&self) -> Result<Vec<Message>, EventsError>;

    /// Takes handled messages out.
    async fn acknowledge(&self, messages: &[Message]) -> Result<(), EventsError>;
}

/// A message as it was received; [`parse`] reads its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The same each time it comes.
    pub id: String,
    /// Of this time; by it the message is acknowledged.
    pub receipt: String,
    pub body: String,
}

/// A new object, as S3 tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectCreated {
    pub bucket: String,
    pub key: String,
    /// Bytes.
    pub size: u64,
}

/// The queue cannot be reached, or refuses. The text is for logs.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EventsError(pub String);
