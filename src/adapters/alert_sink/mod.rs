//! Where alerts go: SNS, the log, or a recording for tests.

mod log;
mod recording;
mod sns;

pub use log::LogSink;
pub use recording::RecordingSink;
pub use sns::SnsSink;

use std::fmt;

use async_trait::async_trait;
use uuid::Uuid;

/// Delivers one alert. At least once: the same `id` may come again, and receivers drop repeats by it.
#[async_trait]
pub trait AlertSink: Send + Sync + fmt::Debug {
    async fn deliver(&self, alert: &OutgoingAlert) -> Result<Receipt, SinkError>;

    /// Whether alerts can go there, as far as can be told without sending one.
    async fn check(&self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// An alert on its way out.
#[derive(Clone, Debug, PartialEq)]
pub struct OutgoingAlert {
    pub id: Uuid,
    /// `FILES_PURGED` and the like: the attribute that subscriptions filter by.
    pub kind: String,
    /// Fixed text, ASCII, at most 100 characters (SNS refuses more).
    pub subject: &'static str,
    /// For people; may hold any text.
    pub message: String,
    /// For machines.
    pub details: serde_json::Value,
}

/// What the sink answered: SNS's MessageId, `log` for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt(pub String);

#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A later attempt can succeed.
    #[error("the alert topic is unavailable: {0}")]
    Unavailable(String),
    /// No attempt will: no such topic, no permission.
    #[error("the alert topic refused: {0}")]
    Refused(String),
}
