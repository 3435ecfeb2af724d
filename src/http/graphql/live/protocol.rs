//! The messages of graphql-transport-ws and its close codes, after
//! [the protocol](https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md).

use std::borrow::Cow;

use async_graphql::{Response, ServerError};
use axum::extract::ws::{CloseFrame, Utf8Bytes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::scan::is_json_within;

pub const SUBPROTOCOL: &str = "graphql-transport-ws";

/// Characters of an operation's id, which every answer repeats.
const MAX_ID: usize = 128;
/// Bytes of a close frame's reason (RFC 6455, section 5.5).
const MAX_REASON: usize = 123;
/// Names and values of a message around its operation.
const ENVELOPE: usize = 16;

/// Why the server closes a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub reason: Cow<'static, str>,
}

impl Close {
    pub const GOING_AWAY: Self = Self::new(1001, "The server stops");
    pub const TOO_LARGE: Self = Self::new(1009, "The message is too large");
    pub const SLOW: Self = Self::new(1013, "The client reads too slowly");
    pub const UNAVAILABLE: Self = Self::new(1013, "Log-ins cannot be checked now");
    pub const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    pub const FORBIDDEN: Self = Self::new(4403, "Forbidden");
    pub const FOREIGN: Self = Self::new(4403, "Forbidden: this page may not call the server");
    pub const ENDED: Self = Self::new(4403, "Forbidden: the log-in has ended");
    pub const SUBPROTOCOL: Self = Self::new(4406, "Subprotocol not acceptable");
    pub const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    pub const TOO_MANY_INITS: Self = Self::new(4429, "Too many initialisation requests");
    pub const TOO_MANY_SOCKETS: Self = Self::new(4429, "Too many WebSockets of one person");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    pub fn invalid(why: impl std::fmt::Display) -> Self {
        Self { code: 4400, reason: format!("Invalid message: {why}").into() }
    }

    pub fn taken(id: &str) -> Self {
        Self { code: 4409, reason: format!("Subscriber for {id} already exists").into() }
    }

    pub fn frame(&self) -> CloseFrame {
        let mut end = self.reason.len().min(MAX_REASON);
        while !self.reason.is_char_boundary(end) {
            end -= 1;
        }
        CloseFrame { code: self.code, reason: Utf8Bytes::from(&self.reason[..end]) }
    }
}

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    ConnectionInit { payload: Option<Map<String, Value>> },
    Ping { payload: Option<Map<String, Value>> },
    Pong {},
    Subscribe { id: String, payload: Map<String, Value> },
    Complete { id: String },
}

impl ClientMessage {
    /// A message with at most so many names and values in its operation.
    pub fn parse(text: &str, max_tokens: usize) -> Result<Self, Close> {
        if !is_json_within(text.as_bytes(), max_tokens + ENVELOPE) {
            return Err(Close::invalid(format_args!("it has more than {max_tokens} names and values")));
        }
        let message: Self = serde_json::from_str(text).map_err(Close::invalid)?;
        match &message {
            Self::Subscribe { id, .. } | Self::Complete { id } if id.is_empty() || id.chars().count() > MAX_ID => {
                Err(Close::invalid(format_args!("an id has 1 to {MAX_ID} characters")))
            }
            _ => Ok(message),
        }
    }
}

/// What the server says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage<'a> {
    ConnectionAck,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Map<String, Value>>,
    },
    Next {
        id: &'a str,
        payload: &'a Response,
    },
    Error {
        id: &'a str,
        payload: &'a [ServerError],
    },
    Complete {
        id: &'a str,
    },
}

impl ServerMessage<'_> {
    /// The text of the message; nothing where an answer cannot be written, which is logged.
    pub fn text(&self) -> Option<Utf8Bytes> {
        let text = serde_json::to_string(self).inspect_err(|error| tracing::error!(%error, "cannot write a message"));
        text.ok().map(Utf8Bytes::from)
    }
}
