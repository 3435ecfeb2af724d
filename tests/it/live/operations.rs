//! Operations over a WebSocket: all kinds, held to what holds over plain HTTP.

use serde_json::{Value, json};

use crate::support::{Socket, TestServer};

#[tokio::test]
async fn queries_and_mutations_work_as_over_plain_http() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let mut socket = ada.socket().await;
    let rename = "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { user { firstName } userErrors { code } } }";
    socket.subscribe("m", rename, json!({ "input": { "firstName": "Grace" } })).await;
    assert_eq!(socket.next("m").await["data"]["updateProfile"]["user"]["firstName"], "Grace");
    socket.completes("m").await;
    let two = "query A { viewer { firstName } } query B { __typename }";
    let payload = json!({ "query": two, "operationName": "A" });
    socket.say(json!({ "type": "subscribe", "id": "q", "payload": payload })).await;
    assert_eq!(socket.next("q").await, json!({ "data": { "viewer": { "firstName": "Grace" } } }));
    socket.completes("q").await;
    // A file cannot come this way.
    let upload = "mutation ($input: UploadFileInput!) { uploadFile(input: $input) { file { id } } }";
    socket.subscribe("u", upload, json!({ "input": { "file": null } })).await;
    socket.error("u").await;
    server.finish().await;
}

#[tokio::test]
async fn what_is_refused_over_plain_http_is_an_error_message_with_the_same_code() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let mut socket = ada.socket().await;
    let aliases = format!("{{ {} }}", (0..60).map(|n| format!("a{n}: __typename ")).collect::<String>());
    let pages = "{ files(first: 100) { nodes { versions(first: 100) { nodes { id } } } } }";
    for (query, code) in [
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{", "GRAPHQL_VALIDATION_FAILED"),
        (aliases.as_str(), "GRAPHQL_VALIDATION_FAILED"),
        (pages, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { a: eventReceived { cursor } b: eventReceived { cursor } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { ...F } fragment F on Subscription { eventReceived { cursor } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { eventReceived(after: \"?\") { cursor } }", "BAD_USER_INPUT"),
        ("subscription { uploadProgress(id: \"upload_1\") { id } }", "NOT_FOUND"),
    ] {
        socket.subscribe("x", query, Value::Null).await;
        assert_eq!(socket.error("x").await, code, "{query}");
    }
    // A resolver's failure is a field's: the rest is answered.
    socket.subscribe("e", "{ __typename alerts { nodes { id } } }", Value::Null).await;
    let answer = socket.next("e").await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert!(answer["errors"][0]["extensions"]["requestId"].is_string());
    socket.completes("e").await;
    server.finish().await;
}

#[tokio::test]
async fn persisted_queries_work_for_subscriptions_too() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let mut socket = ada.socket().await;
    let query = "{ viewer { username } }";
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, query.as_bytes());
    let hash: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
    let hash_alone = json!({ "type": "subscribe", "id": "p", "payload": { "extensions": extensions } });
    socket.say(hash_alone.clone()).await;
    assert_eq!(socket.error("p").await, "PERSISTED_QUERY_NOT_FOUND");
    let whole = json!({ "query": query, "extensions": extensions });
    socket.say(json!({ "type": "subscribe", "id": "p", "payload": whole })).await;
    assert_eq!(socket.next("p").await["data"]["viewer"]["username"], "ada");
    socket.completes("p").await;
    socket.say(hash_alone).await;
    assert_eq!(socket.next("p").await["data"]["viewer"]["username"], "ada");
    socket.completes("p").await;
    server.finish().await;
}

#[tokio::test]
async fn many_operations_go_on_side_by_side() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let mut socket = ada.socket().await;
    for n in 0..40 {
        socket.subscribe(&n.to_string(), "{ viewer { username } }", Value::Null).await;
    }
    let mut left: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    while !left.is_empty() {
        let message = socket.message().await;
        if message["type"] == "complete" {
            left.retain(|id| message["id"] != json!(id));
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn over_plain_http_a_subscription_is_refused() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let answer = ada.send("subscription { eventReceived { cursor } }", Value::Null).await;
    assert!(answer["data"].is_null() && answer["errors"][0]["message"].is_string(), "{answer}");
    let mut anonymous = Socket::open(&server.url).await;
    anonymous.begin(Value::Null).await;
    server.finish().await;
}
