//! Alerts into the log: the sink where no topic is set.

use async_trait::async_trait;

use super::{AlertSink, OutgoingAlert, Receipt, SinkError};

/// Writes one structured line per alert.
#[derive(Clone, Copy, Debug)]
pub struct LogSink;

#[async_trait]
impl AlertSink for LogSink {
    async fn deliver(&self, alert: &OutgoingAlert) -> Result<Receipt, SinkError> {
        tracing::warn!(
            alert.id = %alert.id,
            alert.kind = alert.kind,
            // Debug keeps line breaks and control characters of names out of the log.
            alert.message = ?alert.message,
            alert.details = %alert.details,
            "{}",
            alert.subject
        );
        Ok(Receipt("log".to_owned()))
    }
}
