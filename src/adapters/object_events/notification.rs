//! S3's notifications as JSON: straight from S3, through SNS, or through EventBridge.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::ObjectCreated;

/// The text is no notification of S3's.
#[derive(Debug, thiserror::Error)]
#[error("not a notification of S3's: {0}")]
pub struct NotAnEvent(String);

/// The objects that a message says were created. None for S3's test event, for deletions and the like.
///
/// # Errors
///
/// The text is not one of the shapes that S3 sends.
pub fn parse(body: &str) -> Result<Vec<ObjectCreated>, NotAnEvent> {
    let message: Value = json(body)?;
    match message["Message"].as_str() {
        // SNS wraps it as text, unless it delivers raw (SNS developer guide, "HTTP/HTTPS notification JSON format").
        Some(inner) if message["Type"] == "Notification" => created(json(inner)?),
        _ => created(message),
    }
}

fn created(message: Value) -> Result<Vec<ObjectCreated>, NotAnEvent> {
    if message["Event"] == "s3:TestEvent" {
        return Ok(Vec::new());
    }
    if message["source"] == "aws.s3" {
        return from_event_bridge(message);
    }
    let Notification { records } = typed(message)?;
    let news = records
        .into_iter()
        .filter(|record| record["eventName"].as_str().is_some_and(|name| name.starts_with("ObjectCreated:")));
    news.map(|record| {
        let Record { s3: Place { bucket, object } } = typed(record)?;
        Ok(ObjectCreated { bucket: bucket.name, key: decoded(&object.key)?, size: object.size })
    })
    .collect()
}

/// S3 user guide, "EventBridge event message structure". Here keys are written as they are.
fn from_event_bridge(message: Value) -> Result<Vec<ObjectCreated>, NotAnEvent> {
    if message["detail-type"] != "Object Created" {
        return Ok(Vec::new());
    }
    let Event { detail: Place { bucket, object } } = typed(message)?;
    Ok(vec![ObjectCreated { bucket: bucket.name, key: object.key, size: object.size }])
}

/// S3 user guide, "Event message structure".
#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

#[derive(Deserialize)]
struct Record {
    s3: Place,
}

#[derive(Deserialize)]
struct Event {
    detail: Place,
}

#[derive(Deserialize)]
struct Place {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    size: u64,
}

fn json(text: &str) -> Result<Value, NotAnEvent> {
    serde_json::from_str(text).map_err(|error| NotAnEvent(error.to_string()))
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, NotAnEvent> {
    serde_json::from_value(value).map_err(|error| NotAnEvent(error.to_string()))
}

/// Keys are encoded as in a form: a space is `+`.
fn decoded(key: &str) -> Result<String, NotAnEvent> {
    let spaced = key.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|error| NotAnEvent(error.to_string()))
}
