//! Each close code, by what it takes to get it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Heard, Socket, TestServer};

/// What a client says, after it was acknowledged, and how it is closed.
async fn closed_for(server: &TestServer, text: &str) -> (u16, String) {
    let mut socket = Socket::open(&server.url).await;
    socket.begin(Value::Null).await;
    socket.say_text(text).await;
    socket.closed().await
}

#[tokio::test]
async fn what_is_no_message_of_the_protocol_is_4400_with_the_reason() {
    let server = TestServer::start().await;
    for text in [
        "",
        "garbage",
        "[]",
        "{}",
        r#"{"type":"start"}"#,
        r#"{"type":"subscribe"}"#,
        r#"{"type":"subscribe","id":1,"payload":{"query":"{ __typename }"}}"#,
        r#"{"type":"subscribe","id":"","payload":{"query":"{ __typename }"}}"#,
        r#"{"type":"subscribe","id":"a"}"#,
        r#"{"type":"subscribe","id":"a","payload":"{ __typename }"}"#,
        r#"{"type":"subscribe","id":"a","payload":{}}"#,
        r#"{"type":"subscribe","id":"a","payload":{"query":1}}"#,
        r#"{"type":"subscribe","id":"a","payload":{"query":"{ __typename }","variables":[]}}"#,
        r#"{"type":"subscribe","id":"a","payload":{"query":"{ __typename }","operationName":1}}"#,
        r#"{"type":"subscribe","id":"a","payload":{"query":"{ __typename }","extensions":""}}"#,
        r#"{"type":"complete"}"#,
        r#"{"type":"ping","payload":1}"#,
        &format!(r#"{{"type":"complete","id":"{}"}}"#, "a".repeat(129)),
        &format!(r#"{{"type":"subscribe","id":"a","payload":{{"query":"","variables":[{}1]}}}}"#, "1,".repeat(20_000)),
    ] {
        let (code, reason) = closed_for(&server, text).await;
        assert!(code == 4400 && reason.starts_with("Invalid message: ") && reason.len() <= 123, "{text}: {reason}");
    }
    let mut socket = Socket::open(&server.url).await;
    socket.say_bytes(br#"{"type":"connection_init"}"#).await;
    assert_eq!(socket.closed().await.0, 4400, "before the beginning, and not text");
    server.finish().await;
}

#[tokio::test]
async fn an_operation_before_the_acknowledgement_is_4401() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(&server.url).await;
    socket.subscribe("a", "{ __typename }", Value::Null).await;
    assert_eq!(socket.closed().await, (4401, "Unauthorized".to_owned()));
    server.finish().await;
}

#[tokio::test]
async fn a_second_beginning_is_4429() {
    let server = TestServer::start().await;
    let again = closed_for(&server, r#"{"type":"connection_init"}"#).await;
    assert_eq!(again, (4429, "Too many initialisation requests".to_owned()));
    server.finish().await;
}

#[tokio::test]
async fn an_id_that_is_in_use_is_4409_and_one_that_was_is_free() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let mut socket = ada.socket().await;
    for _ in 0..3 {
        socket.subscribe("a", "{ __typename }", Value::Null).await;
        assert_eq!(socket.next("a").await, json!({ "data": { "__typename": "Query" } }));
        socket.completes("a").await;
    }
    let events = "subscription { eventReceived { cursor } }";
    for _ in 0..3 {
        socket.subscribe("é", events, Value::Null).await;
        socket.say(json!({ "type": "complete", "id": "é" })).await;
    }
    socket.subscribe("é", events, Value::Null).await;
    socket.subscribe("é", events, Value::Null).await;
    assert_eq!(socket.closed().await, (4409, "Subscriber for é already exists".to_owned()));
    server.finish().await;
}

#[tokio::test]
async fn who_says_nothing_is_4408_and_pings_are_nothing() {
    let server = TestServer::with(|config| config.live.init_timeout = Duration::from_millis(300)).await;
    let mut socket = Socket::open(&server.url).await;
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.hear().await, Heard::Message(json!({ "type": "pong" })));
    assert_eq!(socket.closed().await, (4408, "Connection initialisation timeout".to_owned()));
    server.finish().await;
}

#[tokio::test]
async fn other_subprotocols_are_4406() {
    let server = TestServer::start().await;
    // Whoever asks for none is told; whoever asks for another may not even open it.
    let mut socket = Socket::with(&server.url, &[]).await;
    assert_eq!(socket.closed().await, (4406, "Subprotocol not acceptable".to_owned()));
    assert!(Socket::try_with(&server.url, &[("sec-websocket-protocol", "graphql-ws")]).await.is_err());
    let several = "graphql-ws, graphql-transport-ws";
    Socket::with(&server.url, &[("sec-websocket-protocol", several)]).await.begin(Value::Null).await;
    server.finish().await;
}

#[tokio::test]
async fn pings_are_answered_with_what_they_said() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(&server.url).await;
    socket.begin(Value::Null).await;
    socket.say(json!({ "type": "ping", "payload": { "at": 1 } })).await;
    assert_eq!(socket.message().await, json!({ "type": "pong", "payload": { "at": 1 } }));
    for harmless in [json!({ "type": "pong" }), json!({ "type": "complete", "id": "never was" })] {
        socket.say(harmless).await;
    }
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.message().await, json!({ "type": "pong" }));
    server.finish().await;
}

#[tokio::test]
async fn a_get_without_an_upgrade_is_plain_http() {
    let server = TestServer::start().await;
    let answer = reqwest::get(format!("{}/graphql?query={{__typename}}", server.url)).await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "data": { "__typename": "Query" } }));
    let half = reqwest::Client::new().get(format!("{}/graphql", server.url)).header("upgrade", "websocket");
    assert_eq!(half.send().await.unwrap().status(), 400);
    server.finish().await;
}
