//! Edits and replacements.

use entity::object::{Kind, Reason, State};
use serde_json::{Value, json};

use crate::{
    images::fixtures::Picture,
    support::{FILE, Person, TestServer},
};

async fn edit(person: &Person, file: &Value, changes: Value) -> Value {
    let mut input = changes;
    input["id"] = file["id"].clone();
    input["revision"] = file["revision"].clone();
    person.mutate("editFile", &format!("file {{ {FILE} }}"), input).await
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_counts() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"a").await;
    server.advance(std::time::Duration::from_secs(5));
    let edited = edit(&ada, &file, json!({ "name": "b.txt", "tags": ["x"] })).await["file"].clone();
    assert_eq!((&edited["name"], &edited["tags"], &edited["revision"]), (&json!("b.txt"), &json!(["x"]), &json!(2)));
    assert_eq!(edited["sha256"], file["sha256"]);
    assert_ne!(edited["updatedAt"], file["updatedAt"]);
    let again = edit(&ada, &edited, json!({ "description": "d", "metadata": { "k": 1 } })).await["file"].clone();
    assert_eq!((&again["name"], &again["description"]), (&json!("b.txt"), &json!("d")));
    assert_eq!((&again["metadata"], &again["revision"]), (&json!({ "k": 1 }), &json!(3)));
    let refused = edit(&ada, &again, json!({ "name": "" })).await;
    assert_eq!(refused["userErrors"][0]["code"], "INVALID_NAME");
    server.finish().await;
}

#[tokio::test]
async fn a_stale_edit_gets_the_current_record_and_its_own_repeat_succeeds() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"a").await;
    let first = edit(&ada, &file, json!({ "name": "b.txt" })).await["file"].clone();
    let repeat = edit(&ada, &file, json!({ "name": "b.txt" })).await;
    assert_eq!((&repeat["file"], &repeat["userErrors"]), (&first, &json!([])), "the reply was lost, say");
    let stale = edit(&ada, &file, json!({ "name": "c.txt" })).await;
    assert_eq!(stale["userErrors"][0]["code"], "STALE_REVISION");
    assert_eq!(stale["file"], first, "as it is now");
    let future = json!({ "id": file["id"], "revision": 9 });
    assert_eq!(edit(&ada, &future, json!({ "name": "c" })).await["userErrors"][0]["code"], "STALE_REVISION");
    let both = futures::future::join_all(["x", "y"].map(|name| edit(&ada, &first, json!({ "name": name })))).await;
    let won = both.iter().filter(|payload| payload["userErrors"] == json!([])).count();
    assert_eq!(won, 1, "of two at once one is stale: {both:?}");
    server.finish().await;
}

#[tokio::test]
async fn a_replacement_is_a_new_version_under_a_new_key() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.png", Picture::quarters(200, 100).png()).await;
    server.settle().await;
    let before = server.keys(&server.first).await;
    assert_eq!(before.len(), 4, "the original and three renditions");
    let replaced = ada.replace(&file, "b.jpg", Picture::quarters(300, 200).jpeg(), json!({})).await["file"].clone();
    assert_eq!((&replaced["id"], &replaced["revision"]), (&file["id"], &json!(2)));
    assert_eq!((&replaced["name"], &replaced["contentType"]), (&json!("a.png"), &json!("image/jpeg")));
    assert_eq!((&replaced["width"], &replaced["height"]), (&json!(300), &json!(200)));
    server.settle().await;
    let after = server.keys(&server.first).await;
    let gone: Vec<_> = before.difference(&after).collect();
    assert_eq!((gone.len(), after.len()), (3, 5), "the old renditions are erased, the old original is kept");
    assert!(gone.iter().all(|key| key.starts_with("rendition/")));
    assert_eq!(server.keys(&server.second).await, after, "at both sites");
    for object in server.objects().await.iter().filter(|object| object.state == State::Erased) {
        assert_eq!((object.kind, object.reason), (Kind::Rendition, Some(Reason::Superseded)));
    }
    let fields = "versions { nodes { id number isCurrent size sha256 width downloadUrl { url } } } \
         rendition(size: FIT_320) { state width height }";
    let seen = ada.file(&file, fields).await;
    let versions = seen["versions"]["nodes"].as_array().unwrap();
    assert_eq!(versions.iter().map(|version| &version["number"]).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(versions.iter().map(|version| &version["isCurrent"]).collect::<Vec<_>>(), [true, false]);
    assert_eq!((&versions[0]["sha256"], &versions[1]["sha256"]), (&replaced["sha256"], &file["sha256"]));
    assert_eq!(seen["rendition"], json!({ "state": "READY", "width": 300, "height": 200 }));
    let old = reqwest::get(versions[1]["downloadUrl"]["url"].as_str().unwrap()).await.unwrap();
    assert_eq!(old.bytes().await.unwrap(), Picture::quarters(200, 100).png(), "older versions can be downloaded");
    server.finish().await;
}

#[tokio::test]
async fn a_stale_replacement_changes_nothing_and_a_repeat_is_one() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"one").await;
    let key = json!({ "idempotencyKey": "r" });
    let first = ada.replace(&file, "a.txt", *b"two", key.clone()).await["file"].clone();
    let again = ada.replace(&file, "a.txt", *b"two", key.clone()).await;
    assert_eq!((&again["file"], &again["userErrors"]), (&first, &json!([])));
    let other = ada.replace(&file, "a.txt", *b"three", key).await;
    assert_eq!(other["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
    let stale = ada.replace(&file, "a.txt", *b"three", json!({})).await;
    assert_eq!((&stale["userErrors"][0]["code"], &stale["file"]), (&json!("STALE_REVISION"), &first));
    let race = futures::future::join_all((0..4).map(|n: u8| ada.replace(&first, "a", [n; 9], json!({})))).await;
    assert_eq!(race.iter().filter(|payload| payload["userErrors"] == json!([])).count(), 1, "{race:?}");
    server.settle().await;
    assert_eq!(server.keys(&server.first).await.len(), 3, "three versions; what lost is erased");
    server.finish().await;
}

#[tokio::test]
async fn a_file_in_the_trash_takes_no_changes() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"one").await;
    let trashed = ada.trash(&[&file]).await["files"][0].clone();
    assert_eq!(edit(&ada, &trashed, json!({ "name": "b" })).await["userErrors"][0]["code"], "WRONG_STATE");
    let replaced = ada.replace(&trashed, "a", *b"two", json!({})).await;
    assert_eq!(replaced["userErrors"][0]["code"], "WRONG_STATE");
    assert_eq!(server.objects().await.len(), 1);
    server.finish().await;
}
