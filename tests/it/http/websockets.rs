//! WebSockets among the connections of a listener.

use serde_json::json;
use snaphaven::http::ConnectionLimits;

use super::Server;
use crate::support::{Socket, until};

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

#[tokio::test]
async fn websockets_leave_places_to_those_who_ask_and_go() {
    let server = Server::limited(&[], ConnectionLimits { connections: 8, ..ConnectionLimits::default() }).await;
    let url = server.url("");
    let mut open = Vec::new();
    while let Ok(mut socket) = Socket::try_with(&url, &[PROTOCOL]).await {
        socket.begin(json!({})).await;
        open.push(socket);
    }
    assert_eq!(open.len(), 6, "three quarters of eight");
    assert_eq!(server.post("{ hello }").send().await.unwrap().status(), 200);
    drop(open.pop());
    until("the place is free again", async || Socket::try_with(&url, &[PROTOCOL]).await.is_ok()).await;
}

#[tokio::test]
async fn a_database_that_is_away_is_1013_and_a_bad_token_4403() {
    let server = Server::start().await;
    for (token, code) in [("away", 1013), ("bad", 4403)] {
        let mut socket = Socket::open(&server.url("")).await;
        socket.say(json!({ "type": "connection_init", "payload": { "token": token } })).await;
        let (closed, reason) = socket.closed().await;
        assert_eq!(closed, code);
        assert!(!reason.contains("db.internal"), "{reason}");
    }
}

#[tokio::test]
async fn a_fault_tells_nothing_and_ends_its_operation_alone() {
    let server = Server::start().await;
    let mut socket = Socket::open(&server.url("")).await;
    socket.begin(json!({ "token": "good" })).await;
    socket.subscribe("p", "{ panic }", json!({})).await;
    assert_eq!(socket.error("p").await, "INTERNAL");
    socket.subscribe("l", "{ leak }", json!({})).await;
    let answer = socket.next("l").await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL");
    assert!(!answer.to_string().contains("SELECT"), "{answer}");
    socket.completes("l").await;
    socket.subscribe("r", "{ request }", json!({})).await;
    assert_eq!(socket.next("r").await["data"]["request"][1], "127.0.0.1");
}
