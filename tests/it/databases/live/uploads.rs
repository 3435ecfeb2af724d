//! An upload that is watched.

use serde_json::{Value, json};

use crate::support::{Heard, Person, Socket, TestServer};

const PROGRESS: &str =
    "subscription ($id: ID!) { uploadProgress(id: $id) { id state verifiedSize rejection file { state } } }";
/// SHA-256 of `hello`.
const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

async fn create(person: &Person, sha256: Value) -> String {
    let input = json!({ "name": "a.txt", "size": 5, "sha256": sha256 });
    let made = person.mutate("createUpload", "uploadSession { id }", input).await;
    made["uploadSession"]["id"].as_str().unwrap().to_owned()
}

async fn send(server: &TestServer, person: &Person, id: &str) {
    let input = json!({ "id": id, "parts": [{ "number": 1, "sha256": HELLO }] });
    let signed = person.mutate("signUploadParts", "parts { url }", input).await;
    assert!(server.first.send(signed["parts"][0]["url"].as_str().unwrap(), "hello"));
}

/// The states that come, until the subscription is over.
async fn states(socket: &mut Socket, id: &str) -> Vec<String> {
    let mut states = Vec::new();
    loop {
        match socket.hear().await {
            Heard::Message(message) if message["type"] == "complete" => return states,
            Heard::Message(message) => {
                let state = message["payload"]["data"]["uploadProgress"]["state"].as_str();
                states.push(state.unwrap_or_else(|| panic!("{id}: {message}")).to_owned());
                states.dedup();
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_upload_is_followed_to_its_end_from_either_process() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let other = server.another().await;
    for watcher in [&server.url, &other.url] {
        let id = create(&ada, Value::Null).await;
        let mut socket = ada.at(watcher).socket().await;
        socket.subscribe("p", PROGRESS, json!({ "id": id })).await;
        let first = socket.next("p").await["data"]["uploadProgress"].clone();
        assert_eq!((&first["id"], &first["state"]), (&json!(id), &json!("OPEN")));
        send(&server, &ada, &id).await;
        ada.mutate("completeUpload", "uploadSession { id }", json!({ "id": id })).await;
        let states = states(&mut socket, &id).await;
        assert_eq!(states.last().unwrap(), "COMPLETED", "{states:?}");
        // Over when it begins.
        socket.subscribe("p", PROGRESS, json!({ "id": id })).await;
        let last = socket.next("p").await["data"]["uploadProgress"].clone();
        assert_eq!(
            (&last["state"], &last["verifiedSize"], &last["file"]["state"]),
            (&json!("COMPLETED"), &json!(5), &json!("ACTIVE"))
        );
        socket.completes("p").await;
    }
    other.finish().await;
    server.finish().await;
}

#[tokio::test]
async fn other_ends_are_told_too() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let mut socket = ada.socket().await;
    let aborted = create(&ada, Value::Null).await;
    socket.subscribe("a", PROGRESS, json!({ "id": aborted })).await;
    socket.next("a").await;
    ada.mutate("abortUpload", "uploadSession { id }", json!({ "id": aborted })).await;
    assert_eq!(states(&mut socket, &aborted).await, ["ABORTED"]);
    let rejected = create(&ada, json!("0".repeat(64))).await;
    send(&server, &ada, &rejected).await;
    socket.subscribe("r", PROGRESS, json!({ "id": rejected })).await;
    ada.mutate("completeUpload", "uploadSession { id }", json!({ "id": rejected })).await;
    assert_eq!(states(&mut socket, &rejected).await.last().unwrap(), "REJECTED");
    server.finish().await;
}

#[tokio::test]
async fn anothers_upload_is_a_missing_one() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let hers = create(&ada, Value::Null).await;
    let mut socket = bob.socket().await;
    let mut answers = Vec::new();
    for id in [hers, format!("upload_{}", uuid::Uuid::now_v7().simple()), "nonsense".to_owned()] {
        socket.subscribe("p", PROGRESS, json!({ "id": id })).await;
        let mut message = socket.message().await;
        message["payload"][0]["extensions"]["requestId"].take();
        answers.push(message.to_string().replace(&id, "<id>"));
    }
    assert!(answers[0].contains("NOT_FOUND") && answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    server.finish().await;
}
