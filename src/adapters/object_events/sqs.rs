//! S3's notifications from an SQS queue, asked for by long polling.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::{Client, types::DeleteMessageBatchRequestEntry};

use super::{EventsError, Message, ObjectEvents};
use crate::adapters::aws::{self, Access};

/// Seconds that SQS waits for a message; more it does not take.
const WAIT: i32 = 20;
/// Of one call; an attempt has half of it, and so outlasts the wait.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Seconds that a received message is hidden from others: longer than the calls that handling a batch may need, and not
/// much longer, as one whose reception broke off comes again only then.
const HIDDEN: i32 = 120;
/// Messages at once; SQS gives and takes no more.
const BATCH: i32 = 10;

/// One queue.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// Sets up the client; nothing is called yet.
    pub async fn connect(access: &Access, url: impl Into<String>) -> Self {
        let url = url.into();
        let mut access = access.clone();
        if access.region.is_empty() && url.contains(".amazonaws.com") {
            // https://sqs.<region>.amazonaws.com/<account>/<name>
            access.region = url.split('.').nth(1).unwrap_or_default().to_owned();
        }
        Self { client: Client::new(&aws::sdk_config(&access, TIMEOUT).await), url }
    }
}

#[async_trait]
impl ObjectEvents for SqsQueue {
    async fn receive(&self) -> Result<Vec<Message>, EventsError> {
        let call = self.client.receive_message().queue_url(&self.url).max_number_of_messages(BATCH);
        let call = call.wait_time_seconds(WAIT).visibility_timeout(HIDDEN);
        let answer = call.send().await.map_err(|error| EventsError(aws::failure(error).message))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages
            .map(|message| Message {
                id: message.message_id.unwrap_or_default(),
                receipt: message.receipt_handle.unwrap_or_default(),
                body: message.body.unwrap_or_default(),
            })
            .collect())
    }

    async fn acknowledge(&self, messages: &[Message]) -> Result<(), EventsError> {
        let entries = messages.iter().enumerate().map(|(at, message)| {
            DeleteMessageBatchRequestEntry::builder().id(at.to_string()).receipt_handle(&message.receipt).build()
        });
        let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|error| EventsError(error.to_string()))?;
        if entries.is_empty() {
            return Ok(());
        }
        let call = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = call.send().await.map_err(|error| EventsError(aws::failure(error).message))?;
        match answer.failed.first() {
            None => Ok(()),
            Some(failed) => Err(EventsError(format!("{} messages stay: {failed:?}", answer.failed.len()))),
        }
    }
}
