//! What talks to the outside, and the only place that knows the AWS SDKs.

pub mod alert_sink;
pub mod aws;
pub mod cdn;
pub mod object_events;
pub mod objects;
