//! Closing an account: who may, what everybody else sees of it, and that in the end nothing is left.

mod door;
mod erasing;
mod races;

use entity::{
    account_closure, block, event, event_counter, file, file_label, file_term, file_version, friendship, idempotency,
    object, rendition, session, share_download, share_link, throttle, upload, usage, user, user_term,
};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use snaphaven::{events::SERVER_LOG, id::NodeKind};
use uuid::Uuid;

use crate::support::{PASSWORD, Person, TestServer};

const CLOSURE: &str = "state requestedAt files filesLeft held objects objectsErased erasedAt";

/// The payload of `closeAccount`.
async fn try_close(person: &Person, more: Value) -> Value {
    let mut input = json!({ "currentPassword": PASSWORD });
    for (name, value) in more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    person.mutate("closeAccount", &format!("closure {{ {CLOSURE} }} receipt"), input).await
}

/// Closes the account; the receipt.
async fn close(person: &Person) -> String {
    let payload = try_close(person, json!({})).await;
    assert_eq!(payload["userErrors"], json!([]));
    assert_eq!(payload["closure"]["state"], "ERASING");
    payload["receipt"].as_str().unwrap().to_owned()
}

/// The closure as whoever has the receipt sees it, without an account.
async fn closure(server: &TestServer, receipt: &str) -> Value {
    let query = format!("query ($receipt: String!) {{ accountClosure(receipt: $receipt) {{ {CLOSURE} }} }}");
    server.stranger().query(&query, json!({ "receipt": receipt })).await["accountClosure"].clone()
}

fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect()
}

fn key(person: &Person) -> Uuid {
    NodeKind::User.parse(&person.id).unwrap()
}

/// What the database keeps by person, as text; of the ledger, the alerts and the server's own log see the test.
async fn kept(server: &TestServer) -> Vec<String> {
    let db = server.app.db.read();
    let mut rows = Vec::new();
    macro_rules! read {
        ($($table:ident)*) => {
            $(for row in $table::Entity::find().all(db).await.unwrap() {
                rows.push(format!("{}: {row:?}", stringify!($table)));
            })*
        };
    }
    read!(block event_counter file file_label file_term file_version friendship idempotency rendition session share_download share_link throttle usage
        upload user user_term);
    let events = event::Entity::find().all(db).await.unwrap().into_iter().filter(|row| row.recipient != SERVER_LOG);
    rows.extend(events.map(|row| format!("event: {row:?}")));
    rows
}

/// The rows that tell of this person or of one of these things.
async fn traces(server: &TestServer, person: &Person, name: &str, things: &[Uuid]) -> Vec<String> {
    let mut marks: Vec<String> = things.iter().map(Uuid::to_string).collect();
    marks.extend([key(person).to_string(), key(person).simple().to_string(), format!("\"{name}\"")]);
    kept(server).await.into_iter().filter(|row| marks.iter().any(|mark| row.contains(mark))).collect()
}

/// Nothing of the person is left: no row, and every object of theirs is proven gone at both sites.
async fn assert_gone(server: &TestServer, person: &Person, name: &str, receipt: &str) {
    let objects = server.objects().await.into_iter().filter(|object| object.user_id == Some(key(person)));
    let objects: Vec<object::Model> = objects.collect();
    let files: Vec<Uuid> = objects.iter().filter_map(|object| object.file_id).collect();
    assert_eq!(traces(server, person, name, &files).await, [""; 0]);
    for object in &objects {
        assert_eq!((object.state, object.erased_at.is_some()), (object::State::Erased, true), "{object:?}");
    }
    for store in [&server.first, &server.second] {
        let keys = server.keys(store).await;
        let left: Vec<_> = objects.iter().filter(|object| keys.contains(&object.key)).collect();
        assert!(left.is_empty(), "{store:?}: {left:?}");
    }
    let end = closure(server, receipt).await;
    assert_eq!((&end["state"], &end["filesLeft"], &end["held"]), (&json!("ERASED"), &json!(0), &json!(0)), "{end}");
    assert_eq!(end["objects"], end["objectsErased"], "{end}");
    assert!(end["erasedAt"].is_string());
}

async fn closures(server: &TestServer) -> Vec<account_closure::Model> {
    account_closure::Entity::find().all(server.app.db.read()).await.unwrap()
}
