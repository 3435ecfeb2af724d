//! A subscription over a WebSocket, as `graphql-transport-ws` has it, for the commands that drive a server from outside.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{SinkExt as _, StreamExt as _};
use reqwest::{StatusCode, Upgraded};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, protocol::Role},
};

use super::client::ClientError;

/// The headers of a handshake (RFC 6455, section 4.1) but for the key.
pub(super) const HANDSHAKE: [(&str, &str); 4] = [
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-protocol", "graphql-transport-ws"),
];

/// A key for one handshake.
pub(super) fn key() -> String {
    STANDARD.encode(rand::random::<[u8; 16]>())
}

/// One running operation on a connection of its own.
pub struct Subscription {
    socket: WebSocketStream<Upgraded>,
}

impl Subscription {
    /// Says who it is and what is wanted, on an upgraded connection.
    ///
    /// # Errors
    /// `Unreachable` where the connection ends, `Failed` where the server closes it or answers with an error.
    pub(super) async fn begin(
        upgraded: Upgraded,
        token: Option<&str>,
        document: &str,
        variables: Value,
    ) -> Result<Self, ClientError> {
        let socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
        let mut this = Self { socket };
        let payload = token.map_or_else(|| json!({}), |token| json!({ "authorization": format!("Bearer {token}") }));
        this.say(json!({ "type": "connection_init", "payload": payload })).await?;
        let acknowledged = this.hear().await?;
        if acknowledged["type"] != "connection_ack" {
            return Err(failed(format!("expected connection_ack, got {acknowledged}")));
        }
        let payload = json!({ "query": document, "variables": variables });
        this.say(json!({ "type": "subscribe", "id": "1", "payload": payload })).await?;
        Ok(this)
    }

    /// What comes next; `T` is the shape of `data`.
    ///
    /// # Errors
    /// As [`Self::begin`], and `Shape`.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<T, ClientError> {
        loop {
            let message = self.hear().await?;
            match message["type"].as_str() {
                Some("next") => return Ok(serde_json::from_value(message["payload"]["data"].clone())?),
                Some("error" | "complete") => return Err(failed(format!("it ended: {message}"))),
                _ => {}
            }
        }
    }

    /// Says good-bye.
    pub async fn close(mut self) {
        // The server does well without.
        let _ = self.socket.close(None).await;
    }

    async fn say(&mut self, message: Value) -> Result<(), ClientError> {
        self.socket.send(Message::text(message.to_string())).await.map_err(|error| lost(&error))
    }

    /// The next message; pings are answered on the way.
    async fn hear(&mut self) -> Result<Value, ClientError> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text)?;
                    if message["type"] != "ping" {
                        return Ok(message);
                    }
                    self.say(json!({ "type": "pong" })).await?;
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err(failed(format!("closed with {} {}", u16::from(frame.code), frame.reason)));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(lost(&error)),
                None => return Err(failed("the connection ended".to_owned())),
            }
        }
    }
}

fn failed(message: String) -> ClientError {
    ClientError::Failed { code: String::new(), message }
}

fn lost(error: &Error) -> ClientError {
    failed(error.to_string())
}

/// What is wrong with an answer to the handshake.
pub(super) fn refused(status: StatusCode) -> ClientError {
    failed(format!("no WebSocket at this address: it answered {status}"))
}
