//! Snaps and friendships as those concerned hear of them, at another process than the one where they happen.

use serde_json::{Value, json};

use super::{befriend, open, revoke, send, with_friends};
use crate::support::{Person, Socket, TestServer};

const RECEIVED: &str =
    "subscription ($after: String) { snapReceived(after: $after) { cursor snap { id sender { username } state } } }";
const OPENED: &str = "subscription ($after: String) { snapOpened(after: $after) { cursor snap { id goneAt } recipient { user { username } state } } }";
const FRIENDS: &str = "subscription ($after: String) { \
     friendshipChanged(after: $after) { cursor friendship { id state direction user { username } } } }";

/// Where a person's log ends now.
async fn latest(person: &Person) -> Value {
    person.query("{ events(first: 0) { latestCursor } }", Value::Null).await["events"]["latestCursor"].clone()
}

/// Subscribed from there on, at that process.
async fn subscribe(server: &TestServer, person: &Person, query: &str, after: &Value) -> Socket {
    let mut socket = person.at(&server.url).socket().await;
    socket.subscribe("1", query, json!({ "after": after })).await;
    socket
}

/// The next event of a subscription, which is the only one of its socket.
async fn heard(socket: &mut Socket, root: &str) -> Value {
    let payload = socket.next("1").await;
    assert!(payload.get("errors").is_none(), "{payload}");
    payload["data"][root].clone()
}

#[tokio::test]
async fn snaps_are_heard_of_at_every_process() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let there = server.another().await;
    let mut received = subscribe(&there, &ben, RECEIVED, &latest(&ben).await).await;
    let mut opened = subscribe(&there, &ada, OPENED, &latest(&ada).await).await;

    let snap = send(&ada, &[&ben], json!({})).await;
    let event = heard(&mut received, "snapReceived").await;
    assert_eq!((&event["snap"]["id"], &event["snap"]["sender"]["username"]), (&snap["id"], &json!("ada")));
    assert_eq!(event["snap"]["state"], "DELIVERED");
    open(&ben, &snap).await;
    let told = heard(&mut opened, "snapOpened").await;
    assert_eq!((&told["snap"]["id"], &told["recipient"]["state"]), (&snap["id"], &json!("OPENED")));
    assert_eq!((&told["recipient"]["user"]["username"], &told["snap"]["goneAt"]), (&json!("ben"), &Value::Null));
    ben.mutate("closeSnap", "snap { id }", json!({ "id": snap["id"] })).await;
    let told = heard(&mut opened, "snapOpened").await;
    assert!(told["snap"]["goneAt"].is_string(), "the sender is told of the end: {told}");

    // What came while nobody listened comes first; what was taken back meanwhile does not.
    drop(received);
    let back = send(&ada, &[&ben], json!({})).await;
    let next = send(&ada, &[&ben], json!({})).await;
    revoke(&ada, &back).await;
    let mut again = subscribe(&there, &ben, RECEIVED, &event["cursor"]).await;
    let missed = heard(&mut again, "snapReceived").await;
    assert_eq!(missed["snap"]["id"], next["id"]);
    server.finish().await;
}

#[tokio::test]
async fn friendships_are_heard_of() {
    let server = TestServer::start().await;
    let (ada, ben) = (server.person("ada").await, server.person("ben").await);
    let mut live = subscribe(&server, &ben, FRIENDS, &latest(&ben).await).await;
    let asked = ada.mutate("requestFriendship", "friendship { id }", json!({ "userId": ben.id })).await;
    let event = heard(&mut live, "friendshipChanged").await;
    let friendship = &event["friendship"];
    assert_eq!((&friendship["id"], &friendship["state"]), (&asked["friendship"]["id"], &json!("PENDING")));
    assert_eq!((&friendship["direction"], &friendship["user"]["username"]), (&json!("INCOMING"), &json!("ada")));
    ben.mutate("acceptFriendship", "friendship { id }", json!({ "id": friendship["id"] })).await;
    let event = heard(&mut live, "friendshipChanged").await;
    assert_eq!(event["friendship"]["state"], "ACCEPTED");

    // The log names what it is about for who polls.
    let query = "{ events(first: 10) { nodes { kind subject { __typename id } } } }";
    let events = ben.query(query, Value::Null).await["events"]["nodes"].clone();
    let subject = json!({ "__typename": "Friendship", "id": friendship["id"] });
    assert_eq!(events[0], json!({ "kind": "FRIENDSHIP_CHANGED", "subject": subject }));
    let cleo = server.person("cleo").await;
    befriend(&ben, &cleo).await;
    let snap = send(&cleo, &[&ben], json!({})).await;
    let events = ben.query(query, Value::Null).await["events"]["nodes"].clone();
    let subject = json!({ "__typename": "Snap", "id": snap["id"] });
    // Behind the two of that friendship.
    assert_eq!(events[4], json!({ "kind": "SNAP_RECEIVED", "subject": subject }));
    server.finish().await;
}
