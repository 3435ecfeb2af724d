//! A client of graphql-transport-ws that says and hears everything as it is.

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, http::HeaderValue},
};

use super::PATIENCE;

/// What came of the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    Message(Value),
    /// Closed, with this code and reason.
    Closed(u16, String),
    /// The connection ended without a good-bye.
    Lost,
}

pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// With the subprotocol and nothing else.
    pub async fn open(url: &str) -> Self {
        Self::with(url, &[("sec-websocket-protocol", "graphql-transport-ws")]).await
    }

    pub async fn with(url: &str, headers: &[(&'static str, &str)]) -> Self {
        Self::try_with(url, headers).await.unwrap()
    }

    /// With these headers of the handshake.
    pub async fn try_with(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let host = url.strip_prefix("http://").unwrap();
        let mut request = format!("ws://{host}/graphql").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        // Little room, so that whoever does not read holds up the server soon.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let stream = socket.connect(host.parse().unwrap()).await.unwrap();
        Ok(Self(client_async(request, stream).await?.0))
    }

    /// Says who it is, and waits until that is acknowledged.
    pub async fn begin(&mut self, payload: Value) {
        self.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(self.hear().await, Heard::Message(json!({ "type": "connection_ack" })));
    }

    pub async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    pub async fn say_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub async fn say_bytes(&mut self, bytes: &[u8]) {
        self.0.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    pub async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.say(json!({ "type": "subscribe", "id": id, "payload": payload })).await;
    }

    /// The next thing that comes; pings are answered unheard.
    pub async fn hear(&mut self) -> Heard {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.expect("nothing is heard");
            return match message {
                Some(Ok(Message::Text(text))) => Heard::Message(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(Some(frame)))) => {
                    // The answer to it goes out with the next read.
                    let _ = timeout(PATIENCE, self.0.next()).await;
                    Heard::Closed(frame.code.into(), frame.reason.to_string())
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(other)) => panic!("heard {other:?}"),
                Some(Err(_)) | None => Heard::Lost,
            };
        }
    }

    /// The next message.
    pub async fn message(&mut self) -> Value {
        match self.hear().await {
            Heard::Message(message) => message,
            other => panic!("no message: {other:?}"),
        }
    }

    /// The payload of the next message, which is `next` of this operation.
    pub async fn next(&mut self, id: &str) -> Value {
        let message = self.message().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("next"), &json!(id)), "{message}");
        message["payload"].clone()
    }

    /// The code of the first error of the next message, which is `error` of this operation.
    pub async fn error(&mut self, id: &str) -> String {
        let message = self.message().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!(id)), "{message}");
        message["payload"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }

    /// The next message says that the operation is over.
    pub async fn completes(&mut self, id: &str) {
        assert_eq!(self.message().await, json!({ "type": "complete", "id": id }));
    }

    /// The code with which the server closes; messages before it are passed over.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.hear().await {
                Heard::Message(_) => {}
                Heard::Closed(code, reason) => return (code, reason),
                Heard::Lost => panic!("lost without a good-bye"),
            }
        }
    }
}
