//! The end of a server process: its clients come back elsewhere.

use serde_json::{Value, json};

use crate::support::{Heard, Socket, TestServer};

#[tokio::test]
async fn a_stop_is_1001_and_subscriptions_are_not_told_that_they_are_over() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let other = server.another().await;
    let ada = ada.at(&other.url);
    let mut socket = ada.socket().await;
    socket.subscribe("a", "subscription { eventReceived { cursor } }", Value::Null).await;
    socket.subscribe("b", "{ __typename }", Value::Null).await;
    socket.next("b").await;
    socket.completes("b").await;
    let mut silent = Socket::open(&other.url).await;
    other.stop();
    for socket in [&mut socket, &mut silent] {
        assert_eq!(socket.hear().await, Heard::Closed(1001, "The server stops".to_owned()));
    }
    let ada = ada.at(&server.url);
    ada.mutate("createUpload", "uploadSession { id }", json!({ "name": "a", "size": 1 })).await;
    server.finish().await;
}
