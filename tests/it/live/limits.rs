//! What a WebSocket may take of the server.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Heard, Socket, TestServer, until};

const EVENTS: &str = "subscription { eventReceived { cursor } }";

#[tokio::test]
async fn operations_of_one_websocket_and_websockets_of_one_person_are_bounded() {
    let server = TestServer::with(|config| {
        config.live.max_operations = 2;
        config.live.max_sockets = 2;
    })
    .await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let mut first = ada.socket().await;
    for id in ["a", "b", "c"] {
        first.subscribe(id, EVENTS, Value::Null).await;
    }
    assert_eq!(first.error("c").await, "TOO_MANY_OPERATIONS");
    first.say(json!({ "type": "complete", "id": "a" })).await;
    first.subscribe("c", "{ __typename }", Value::Null).await;
    first.next("c").await;

    let second = ada.socket().await;
    let third = async || {
        let mut socket = Socket::open(&server.url).await;
        socket.say(json!({ "type": "connection_init", "payload": { "token": ada.token() } })).await;
        socket.hear().await
    };
    assert_eq!(third().await, Heard::Closed(4429, "Too many WebSockets of one person".to_owned()));
    bob.socket().await;
    drop(second);
    until("the place is free again", async || matches!(third().await, Heard::Message(_))).await;
    server.finish().await;
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_1009() {
    let server = TestServer::with(|config| config.graphql.max_body = bytesize::ByteSize::kib(2)).await;
    let mut socket = Socket::open(&server.url).await;
    socket.begin(Value::Null).await;
    socket.say(json!({ "type": "ping", "payload": { "much": "a".repeat(3000) } })).await;
    assert_eq!(socket.closed().await, (1009, "The message is too large".to_owned()));
    let mut socket = Socket::open(&server.url).await;
    socket.begin(Value::Null).await;
    socket.say(json!({ "type": "ping", "payload": { "much": "a".repeat(100_000) } })).await;
    assert_eq!(socket.hear().await, Heard::Lost, "so much is not even read");
    server.finish().await;
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_the_server_keeps_nothing_for_them() {
    let server = TestServer::with(|config| {
        config.live.write_timeout = Duration::from_millis(500);
        config.live.max_sockets = 1;
    })
    .await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let mut slow = ada.socket().await;
    let whole = "{ __schema { types { name fields { name description args { name description } } } } }";
    for n in 0..40 {
        slow.subscribe(&n.to_string(), whole, Value::Null).await;
    }
    // Ada has one place, which is free once the server has given up on her.
    until("the slow client is let go", async || {
        let mut other = Socket::open(&server.url).await;
        other.say(json!({ "type": "connection_init", "payload": { "token": ada.token() } })).await;
        matches!(other.hear().await, Heard::Message(_))
    })
    .await;
    bob.socket().await;
    // What was on its way is still read, and then either the reason or the end.
    let end = loop {
        match slow.hear().await {
            Heard::Message(_) => {}
            end => break end,
        }
    };
    let told = Heard::Closed(1013, "The client reads too slowly".to_owned());
    assert!(end == told || end == Heard::Lost, "{end:?}");
    server.finish().await;
}

#[tokio::test]
async fn who_answers_no_ping_is_gone() {
    let server = TestServer::with(|config| {
        config.live.keep_alive = Duration::from_millis(200);
        config.live.max_sockets = 1;
    })
    .await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    // Only who reads answers.
    let mut dead = ada.socket().await;
    let mut alive = bob.socket().await;
    alive.subscribe("a", EVENTS, Value::Null).await;
    let listening = tokio::spawn(async move { alive.hear().await });
    until("the dead client is let go", async || {
        let mut other = Socket::open(&server.url).await;
        other.say(json!({ "type": "connection_init", "payload": { "token": ada.token() } })).await;
        matches!(other.hear().await, Heard::Message(_))
    })
    .await;
    assert_eq!(dead.hear().await, Heard::Lost);
    bob.mutate("createUpload", "uploadSession { id }", json!({ "name": "a", "size": 1 })).await;
    assert!(matches!(listening.await.unwrap(), Heard::Message(_)), "who answers is not");
    server.finish().await;
}
