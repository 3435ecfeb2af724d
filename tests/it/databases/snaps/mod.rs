//! Snaps: sent through GraphQL, opened once by each friend, fetched over plain HTTP, and gone afterwards.

mod ending;
mod live;
mod opening;
mod races;
mod sending;
mod ticket;

use std::{sync::LazyLock, time::Duration};

use entity::{Timestamp, audit_entry, event, object, snap, snap_recipient};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use snaphaven::{id::NodeKind, images::generate};
use uuid::Uuid;

use crate::{
    images::fixtures::probe,
    support::{Person, TestServer},
};

const SNAP: &str = "id sender { username } sentAt expiresAt viewSeconds allowReplay state openedAt canOpen canReplay caption \
     recipients { user { username } state openedAt replayedAt screenshotAt } goneAt \
     erasure { kind reason primaryConfirmedAt replicaConfirmedAt erasedAt }";
const VIEW: &str = "view { url fetchBefore viewSeconds caption width height snap { id state } }";

/// A day, for what waits for nobody.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// `snaps.fetch_within`.
const FETCH: Duration = Duration::from_secs(60);

/// A photograph that is large enough to be streamed in several pieces.
static PHOTO: LazyLock<Vec<u8>> = LazyLock::new(|| generate::photo_jpeg(7, 1200, 900, 300_000).unwrap());

pub(super) fn key(person: &Person) -> Uuid {
    NodeKind::User.parse(&person.id).unwrap()
}

fn snap_key(snap: &Value) -> Uuid {
    NodeKind::Snap.parse(snap["id"].as_str().unwrap()).unwrap()
}

/// Makes friends of two people.
pub(super) async fn befriend(one: &Person, other: &Person) {
    let asked = one.mutate("requestFriendship", "friendship { id }", json!({ "userId": other.id })).await;
    let id = &asked["friendship"]["id"];
    let accepted = other.mutate("acceptFriendship", "friendship { state }", json!({ "id": id })).await;
    assert_eq!(accepted["friendship"]["state"], "ACCEPTED");
}

/// Ada, and friends of hers of these names.
pub(super) async fn with_friends<const N: usize>(server: &TestServer, names: [&str; N]) -> (Person, [Person; N]) {
    let ada = server.person("ada").await;
    let mut friends = Vec::new();
    for name in names {
        let friend = server.person(name).await;
        befriend(&ada, &friend).await;
        friends.push(friend);
    }
    (ada, friends.try_into().unwrap_or_else(|_| panic!("as many as names")))
}

fn ids(people: &[&Person]) -> Value {
    people.iter().map(|person| json!(person.id)).collect()
}

/// The payload of `sendSnap` with a picture sent along.
async fn try_send(sender: &Person, to: &[&Person], picture: &[u8], more: Value) -> Value {
    let mut input = json!({ "recipientIds": ids(to) });
    for (name, value) in more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    let fields = format!("snap {{ {SNAP} }} refused: userErrors {{ code recipientId }}");
    let (_, answer) = sender.send_file("sendSnap", &fields, input, ("a.jpg", picture.to_vec())).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"]["sendSnap"].clone()
}

/// A snap just sent.
pub(super) async fn send(sender: &Person, to: &[&Person], more: Value) -> Value {
    let payload = try_send(sender, to, &PHOTO, more).await;
    assert_eq!(payload["userErrors"], json!([]));
    payload["snap"].clone()
}

/// The payload of `openSnap`.
pub(super) async fn try_open(person: &Person, snap: &Value, key: Option<&str>) -> Value {
    person.mutate("openSnap", VIEW, json!({ "id": snap["id"], "idempotencyKey": key })).await
}

/// The view's URL, at this person's server.
pub(super) async fn open(person: &Person, snap: &Value) -> String {
    url(&try_open(person, snap, None).await)
}

async fn replay(person: &Person, snap: &Value) -> Value {
    person.mutate("replaySnap", VIEW, json!({ "id": snap["id"] })).await
}

fn url(payload: &Value) -> String {
    assert_eq!(payload["userErrors"], json!([]));
    payload["view"]["url"].as_str().unwrap().to_owned()
}

pub(super) async fn close(person: &Person, snap: &Value) -> Value {
    person.mutate("closeSnap", &format!("snap {{ {SNAP} }}"), json!({ "id": snap["id"] })).await
}

async fn revoke(person: &Person, snap: &Value) -> Value {
    person.mutate("revokeSnap", &format!("snap {{ {SNAP} }}"), json!({ "id": snap["id"] })).await
}

async fn report_screenshot(person: &Person, snap: &Value) -> Value {
    person.mutate("reportScreenshot", &format!("snap {{ {SNAP} }}"), json!({ "id": snap["id"] })).await
}

/// Status and body of a GET.
pub(super) async fn fetch(person: &Person, url: &str) -> (u16, Vec<u8>) {
    let response = person.get(url).send().await.unwrap();
    (response.status().as_u16(), response.bytes().await.map(|bytes| bytes.to_vec()).unwrap_or_default())
}

/// The picture of an open view.
pub(super) async fn see(person: &Person, url: &str) -> Vec<u8> {
    let (status, picture) = fetch(person, url).await;
    assert_eq!(status, 200);
    picture
}

/// Width and height of a picture that can be shown.
async fn sides(picture: &[u8]) -> (u32, u32) {
    let seen = probe(picture).await.unwrap();
    assert!(seen.thumbhash.is_some(), "its pixels are damaged");
    (seen.width, seen.height)
}

/// The snap as this person has it; null where it is not there.
pub(super) async fn now(person: &Person, snap: &Value) -> Value {
    let query = format!("query ($id: ID!) {{ node(id: $id) {{ ... on Snap {{ {SNAP} }} }} }}");
    person.query(&query, json!({ "id": snap["id"] })).await["node"].clone()
}

/// What the sender sees of each recipient, in the order of their rows.
async fn states(sender: &Person, snap: &Value) -> Vec<String> {
    let snap = now(sender, snap).await;
    snap["recipients"].as_array().unwrap().iter().map(|to| to["state"].as_str().unwrap().to_owned()).collect()
}

async fn snaps(person: &Person, folder: &str) -> Vec<Value> {
    let query = format!("query ($folder: SnapFolder!) {{ snaps(folder: $folder) {{ nodes {{ {SNAP} }} }} }}");
    person.query(&query, json!({ "folder": folder })).await["snaps"]["nodes"].as_array().unwrap().clone()
}

async fn unopened(person: &Person) -> Value {
    person.query("{ unopenedSnaps }", json!({})).await["unopenedSnaps"].clone()
}

fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect()
}

/// The snap's rows: of itself, of its object.
async fn rows(server: &TestServer, snap: &Value) -> (snap::Model, object::Model) {
    let row = snap::Entity::find_by_id(snap_key(snap)).one(server.app.db.read()).await.unwrap().unwrap();
    let object = object::Entity::find_by_id(row.object_id).one(server.app.db.read()).await.unwrap().unwrap();
    (row, object)
}

/// Its recipients' rows.
async fn received(server: &TestServer, snap: &Value) -> Vec<snap_recipient::Model> {
    let rows = snap_recipient::Entity::find().filter(snap_recipient::Column::SnapId.eq(snap_key(snap)));
    rows.order_by_asc(snap_recipient::Column::Id).all(server.app.db.read()).await.unwrap()
}

/// Entries of the audit log about it.
async fn audited(server: &TestServer, snap: &Value) -> Vec<String> {
    let entries = audit_entry::Entity::find().filter(audit_entry::Column::SubjectId.eq(snap_key(snap)));
    let entries = entries.order_by_asc(audit_entry::Column::Id).all(server.app.db.read()).await.unwrap();
    entries.into_iter().map(|entry| entry.action).collect()
}

/// The kinds of a person's events, in order.
async fn told(server: &TestServer, person: &Person) -> Vec<String> {
    let events = event::Entity::find().filter(event::Column::Recipient.eq(key(person)));
    let events = events.order_by_asc(event::Column::Seq).all(server.app.db.read()).await.unwrap();
    events.into_iter().map(|event| event.kind).filter(|kind| kind.starts_with("snap.")).collect()
}

/// Picture and caption are gone, at both sites, and it shows.
pub(super) async fn assert_gone(server: &TestServer, sender: &Person, snap: &Value) {
    let end = now(sender, snap).await;
    assert!(end["goneAt"].is_string() && end["caption"].is_null(), "{end}");
    let erasure = &end["erasure"];
    assert_eq!((&erasure["kind"], &erasure["reason"]), (&json!("SNAP"), &json!("SNAP_ENDED")));
    for field in ["primaryConfirmedAt", "replicaConfirmedAt", "erasedAt"] {
        assert!(erasure[field].is_string(), "{field}: {erasure}");
    }
    let (row, object) = rows(server, snap).await;
    assert_eq!((row.remaining, row.caption.as_str(), object.state), (0, "", object::State::Erased));
    for store in [&server.first, &server.second] {
        assert!(!server.keys(store).await.contains(&object.key), "{store:?}");
    }
}

fn time(value: &Value) -> Timestamp {
    Timestamp::from_utc(value.as_str().unwrap().parse().unwrap())
}
