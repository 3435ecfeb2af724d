//! Versions: brought back, deleted, and given up by count and by age.

use std::time::Duration;

use entity::object::{self, Kind, Reason, State};
use futures::future::join_all;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::{Value, json};

use super::direct::codes;
use crate::{
    images::fixtures::Picture,
    support::{FILE, Person, TestServer},
};

const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// Newest first.
async fn versions(person: &Person, file: &Value) -> Vec<Value> {
    let fields = "versions { nodes { id number isCurrent restoredFrom purgeAt sha256 downloadUrl { url } } }";
    person.file(file, fields).await["versions"]["nodes"].as_array().unwrap().clone()
}

async fn restore(person: &Person, version: &Value, revision: impl Into<Value>, more: Value) -> Value {
    let mut input = more;
    input["id"] = version["id"].clone();
    input["revision"] = revision.into();
    person.mutate("restoreFileVersion", &format!("file {{ {FILE} }}"), input).await
}

async fn delete(person: &Person, version: &Value, more: Value) -> Value {
    let mut input = more;
    input["id"] = version["id"].clone();
    person.mutate("deleteFileVersion", "file { id revision } erasure { id key reason erasedAt }", input).await
}

/// A file whose contents were these, one after the other: as it is now.
async fn of_contents(person: &Person, contents: &[&[u8]]) -> Value {
    let mut file = person.upload("a.txt", contents[0]).await;
    for content in &contents[1..] {
        file = person.replace(&file, "a.txt", *content, json!({})).await["file"].clone();
    }
    file
}

async fn hold(server: &TestServer, version: &Value, holds: i32) {
    let id = snaphaven::id::NodeKind::FileVersion.parse(version["id"].as_str().unwrap()).unwrap();
    let row = entity::file_version::Entity::find_by_id(id).one(server.app.db.read()).await.unwrap().unwrap();
    object::Entity::update_many()
        .col_expr(object::Column::Holds, Expr::value(holds))
        .filter(object::Column::Id.eq(row.object_id))
        .exec(server.app.db.read())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_old_version_comes_back_as_a_new_one_with_an_object_of_its_own() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let picture = Picture::quarters(200, 100).png();
    let first = ada.upload("a.png", picture.clone()).await;
    server.settle().await;
    let second = ada.replace(&first, "a.txt", *b"no picture", json!({})).await["file"].clone();
    let old = versions(&ada, &first).await[1].clone();
    server.advance(Duration::from_secs(5));
    let payload = restore(&ada, &old, second["revision"].clone(), json!({})).await;
    assert_eq!(payload["userErrors"], json!([]));
    let restored = &payload["file"];
    for field in ["id", "name", "sha256", "contentType", "size", "width", "height", "thumbhash"] {
        assert_eq!(restored[field], first[field], "{field}");
    }
    assert_eq!((&restored["revision"], &restored["state"]), (&json!(3), &json!("ACTIVE")));
    assert_ne!(restored["updatedAt"], second["updatedAt"]);
    server.settle().await;

    let all = versions(&ada, &first).await;
    let told: Vec<_> = all.iter().map(|v| (v["number"].clone(), v["restoredFrom"].clone())).collect();
    assert_eq!(told, [(json!(3), json!(1)), (json!(2), Value::Null), (json!(1), Value::Null)]);
    assert_eq!(all.iter().map(|v| &v["isCurrent"]).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!((&all[0]["purgeAt"], all[1]["purgeAt"].is_string()), (&Value::Null, true));
    for version in [&all[0], &all[2]] {
        let served = reqwest::get(version["downloadUrl"]["url"].as_str().unwrap()).await.unwrap();
        assert_eq!(served.bytes().await.unwrap(), picture);
    }
    let originals: Vec<_> = server.objects().await.into_iter().filter(|object| object.kind == Kind::Original).collect();
    assert_eq!(originals.len(), 3, "one object for each version");
    assert!(originals.iter().all(|object| object.state == State::Live));
    let seen = ada.file(&first, "rendition { state width } copies { state proof }").await;
    assert_eq!(seen["rendition"], json!({ "state": "READY", "width": 150 }), "renditions of their own");
    assert_eq!(seen["copies"][0], json!({ "state": "VERIFIED", "proof": "BYTES" }), "the copy was read back");
    assert_eq!(ada.purge(&[&first]).await["erasures"].as_array().unwrap().len(), 3 + 3 + 3);
    server.settle().await;
    server.assert_buckets_empty().await;
    server.finish().await;
}

#[tokio::test]
async fn a_restoration_is_one_however_often_it_is_asked_for() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = of_contents(&ada, &[b"one", b"two"]).await;
    let all = versions(&ada, &file).await;
    let key = json!({ "idempotencyKey": "r" });
    assert_eq!(codes(&restore(&ada, &all[0], 2, json!({})).await), ["WRONG_STATE"], "it is the current one");
    let stale = restore(&ada, &all[1], 1, json!({})).await;
    assert_eq!((codes(&stale), &stale["file"]), (vec!["STALE_REVISION"], &file));
    let first = restore(&ada, &all[1], 2, key.clone()).await;
    assert_eq!(first["userErrors"], json!([]));
    let again = restore(&ada, &all[1], 2, key.clone()).await;
    assert_eq!((&again["file"], &again["userErrors"]), (&first["file"], &json!([])));
    assert_eq!(codes(&restore(&ada, &all[0], 3, key).await), ["IDEMPOTENCY_KEY_REUSED"]);
    let race = join_all((0..4).map(|_| restore(&ada, &all[0], 3, json!({})))).await;
    assert_eq!(race.iter().filter(|payload| payload["userErrors"] == json!([])).count(), 1, "{race:?}");
    assert_eq!(versions(&ada, &file).await.len(), 4);
    server.settle().await;
    assert_eq!(server.keys(&server.first).await.len(), 4, "what lost is erased");

    let now = ada.file(&file, FILE).await;
    ada.trash(&[&now]).await;
    assert_eq!(codes(&restore(&ada, &all[1], 5, json!({})).await), ["WRONG_STATE"]);
    let grace = server.person("grace").await;
    assert_eq!(codes(&restore(&grace, &all[1], 5, json!({})).await), ["NOT_FOUND"]);
    server.finish().await;
}

#[tokio::test]
async fn a_restoration_and_a_purge_at_once_leave_nothing_or_lose() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    for _ in 0..5 {
        let file = of_contents(&ada, &[b"one", b"two"]).await;
        let old = versions(&ada, &file).await[1].clone();
        let (restored, purged) = tokio::join!(restore(&ada, &old, 2, json!({})), async { ada.purge(&[&file]).await });
        assert!(matches!(&codes(&restored)[..], [] | ["NOT_FOUND"]), "{restored}");
        assert_eq!(purged["userErrors"], json!([]));
        server.settle().await;
        server.assert_buckets_empty().await;
    }
    server.finish().await;
}

#[tokio::test]
async fn versions_beyond_those_kept_are_dropped_oldest_first() {
    let server = TestServer::with(|config| config.files.max_versions = 3).await;
    let ada = server.person("ada").await;
    let file = of_contents(&ada, &[b"1", b"22", b"333"]).await;
    let held = versions(&ada, &file).await[2].clone();
    hold(&server, &held, 1).await;
    let file = ada.replace(&file, "a.txt", *b"4444", json!({})).await["file"].clone();
    let numbers = async || -> Vec<i64> {
        versions(&ada, &file).await.iter().map(|version| version["number"].as_i64().unwrap()).collect()
    };
    assert_eq!(numbers().await, [4, 3, 2, 1], "what is under a hold stays");
    hold(&server, &held, 0).await;
    let fifth = ada.replace(&file, "a.txt", *b"55555", json!({})).await["file"].clone();
    assert_eq!(numbers().await, [5, 4, 3]);
    server.settle().await;
    assert_eq!(server.keys(&server.first).await.len(), 3);
    let reasons: Vec<_> = server.objects().await.iter().filter_map(|object| object.reason).collect();
    assert_eq!(reasons, [Reason::VersionExpired; 2]);
    let oldest = versions(&ada, &file).await[2].clone();
    let restored = restore(&ada, &oldest, fifth["revision"].clone(), json!({})).await;
    assert_eq!(restored["file"]["size"], 3, "a restoration may drop what it restores");
    assert_eq!(numbers().await, [6, 5, 4]);
    server.finish().await;
}

#[tokio::test]
async fn versions_whose_time_is_over_are_dropped_and_the_current_one_is_not() {
    let server = TestServer::with(|config| {
        config.files.version_retention = 30 * A_DAY;
        config.accounts.session_ttl = 1000 * A_DAY;
    })
    .await;
    let ada = server.person("ada").await;
    let file = of_contents(&ada, &[b"1", b"2"]).await;
    server.advance(20 * A_DAY);
    let file = ada.replace(&file, "a.txt", *b"3", json!({})).await["file"].clone();
    let purge_at = versions(&ada, &file).await[1]["purgeAt"].clone();
    let due = chrono::DateTime::parse_from_rfc3339(purge_at.as_str().unwrap()).unwrap();
    assert_eq!(due.timestamp_micros() - server.app.now().0, 30 * 24 * 3600 * 1_000_000, "30 days from now");
    server.advance(11 * A_DAY);
    server.schedule("files.expire_versions").await;
    server.settle().await;
    let left = versions(&ada, &file).await;
    assert_eq!(left.iter().map(|version| &version["number"]).collect::<Vec<_>>(), [3, 2]);
    hold(&server, &left[1], 1).await;
    server.advance(400 * A_DAY);
    server.schedule("files.expire_versions").await;
    server.settle().await;
    assert_eq!(versions(&ada, &file).await.len(), 2, "what is under a hold stays");
    hold(&server, &left[1], 0).await;
    server.schedule("files.expire_versions").await;
    server.settle().await;
    assert_eq!(versions(&ada, &file).await.len(), 1);
    assert_eq!(server.keys(&server.first).await.len(), 1);
    server.finish().await;
}

#[tokio::test]
async fn an_old_version_is_deleted_with_proof() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = of_contents(&ada, &[b"one", b"two"]).await;
    let all = versions(&ada, &file).await;
    assert_eq!(codes(&delete(&ada, &all[0], json!({})).await), ["WRONG_STATE"], "the current one");
    hold(&server, &all[1], 1).await;
    assert_eq!(codes(&delete(&ada, &all[1], json!({})).await), ["HELD"]);
    hold(&server, &all[1], 0).await;
    let grace = server.person("grace").await;
    assert_eq!(codes(&delete(&grace, &all[1], json!({})).await), ["NOT_FOUND"]);
    let key = json!({ "idempotencyKey": "d" });
    let deleted = delete(&ada, &all[1], key.clone()).await;
    assert_eq!((&deleted["userErrors"], &deleted["erasure"]["reason"]), (&json!([]), &json!("PURGED")));
    assert_eq!(deleted["file"], json!({ "id": file["id"], "revision": 2 }), "the file is as it was");
    let again = delete(&ada, &all[1], key).await;
    assert_eq!(again["erasure"]["id"], deleted["erasure"]["id"]);
    assert_eq!(codes(&delete(&ada, &all[1], json!({})).await), ["NOT_FOUND"]);
    server.settle().await;
    assert_eq!(server.keys(&server.first).await.len(), 1);
    let erasure = "query ($id: ID!) { node(id: $id) { ... on Erasure { erasedAt key } } }";
    let proof = ada.query(erasure, json!({ "id": deleted["erasure"]["id"] })).await["node"].clone();
    assert!(proof["erasedAt"].is_string());
    server.finish().await;
}
