//! Alerts to an SNS topic, standard or FIFO.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sns::{Client, error::BuildError, types::MessageAttributeValue};
use serde_json::{Value, json};

use super::{AlertSink, OutgoingAlert, Receipt, SinkError};
use crate::adapters::aws::{self, Access};

/// The whole of one delivery.
const TIMEOUT: Duration = Duration::from_secs(20);
/// SNS takes 256 KiB, attributes included; the rest is room for those.
const MAX_BODY: usize = 255 * 1024;
/// SNS's limit, in characters.
const MAX_SUBJECT: usize = 100;

/// Publishes to one topic. Subscribers filter by the attributes `id` and `kind`, and drop repeats by `id`.
#[derive(Clone, Debug)]
pub struct SnsSink {
    client: Client,
    topic_arn: String,
}

impl SnsSink {
    /// Sets up the client; nothing is called yet.
    pub async fn connect(access: &Access, topic_arn: impl Into<String>) -> Self {
        let topic_arn = topic_arn.into();
        let mut access = access.clone();
        if access.region.is_empty() {
            // arn:aws:sns:<region>:<account>:<name>
            access.region = topic_arn.split(':').nth(3).unwrap_or_default().to_owned();
        }
        Self { client: Client::new(&aws::sdk_config(&access, TIMEOUT).await), topic_arn }
    }
}

#[async_trait]
impl AlertSink for SnsSink {
    async fn deliver(&self, alert: &OutgoingAlert) -> Result<Receipt, SinkError> {
        let id = alert.id.to_string();
        let refused = |error: BuildError| SinkError::Refused(error.to_string());
        let mut call = self
            .client
            .publish()
            .topic_arn(&self.topic_arn)
            .subject(subject(alert.subject))
            .message(body(alert, MAX_BODY))
            .message_attributes("id", attribute(&id).map_err(refused)?)
            .message_attributes("kind", attribute(&alert.kind).map_err(refused)?);
        if self.topic_arn.ends_with(".fifo") {
            // One group: alerts arrive in the order they were sent.
            call = call.message_group_id("snaphaven").message_deduplication_id(&id);
        }
        match call.send().await {
            Ok(answer) => Ok(Receipt(answer.message_id.unwrap_or_default())),
            Err(error) => Err(sink_error(aws::failure(error))),
        }
    }

    async fn check(&self) -> Result<(), SinkError> {
        let asked = self.client.get_topic_attributes().topic_arn(&self.topic_arn).send().await;
        asked.map(drop).map_err(|error| sink_error(aws::failure(error)))
    }
}

fn sink_error(failure: aws::Failure) -> SinkError {
    let kind = if failure.retryable { SinkError::Unavailable } else { SinkError::Refused };
    kind(failure.message)
}

fn attribute(value: &str) -> Result<MessageAttributeValue, BuildError> {
    MessageAttributeValue::builder().data_type("String").string_value(value).build()
}

/// Printable ASCII of at most 100 characters that does not begin with a space: SNS refuses the whole message otherwise.
fn subject(text: &str) -> String {
    text.chars().filter(|c| matches!(c, ' '..='~')).skip_while(|c| *c == ' ').take(MAX_SUBJECT).collect()
}

/// The text for people, an empty line, and a line of JSON for machines; at most `limit` bytes.
///
/// Where it is too long the details are shortened, then left out, then the text is cut: an alert never fails for its
/// size.
fn body(alert: &OutgoingAlert, limit: usize) -> String {
    let compose = |message: &str, details: Value, shortened: bool| {
        let mut machine = json!({ "id": alert.id, "kind": alert.kind, "details": details });
        if shortened {
            machine["shortened"] = Value::Bool(true);
        }
        deliverable(&format!("{message}\n\n{machine}"))
    };
    let whole = compose(&alert.message, alert.details.clone(), false);
    if whole.len() <= limit {
        return whole;
    }
    let mut details = alert.details.clone();
    shorten(&mut details);
    let shortened = compose(&alert.message, details, true);
    if shortened.len() <= limit {
        return shortened;
    }
    let bare = compose(&alert.message, Value::Null, true);
    if bare.len() <= limit {
        return bare;
    }
    // A replaced character takes up to three bytes, so a third of the limit always fits.
    let end = alert.message.floor_char_boundary(limit / 4);
    compose(&format!("{}…", &alert.message[..end]), Value::Null, true)
}

/// Keeps the first hundred entries of each list and the first kilobyte of each text.
fn shorten(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.truncate(100);
            items.iter_mut().for_each(shorten);
        }
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        Value::String(text) if text.len() > 1024 => {
            text.truncate(text.floor_char_boundary(1024));
            text.push('…');
        }
        _ => {}
    }
}

/// Replaces what XML 1.0 cannot hold: SNS and SQS carry it no further.
fn deliverable(text: &str) -> String {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}');
    text.chars().map(|c| if allowed(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}
