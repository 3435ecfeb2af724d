//! Quotas: what counts, what is refused, and who sets them.

use bytesize::ByteSize;
use futures::future::join_all;
use serde_json::{Value, json};

use super::direct;
use crate::support::{Person, TestServer};

async fn usage(person: &Person) -> Value {
    person.query("{ usage { files bytes maxFiles maxBytes } }", json!({})).await["usage"].clone()
}

/// Files and bytes.
async fn counted(person: &Person) -> (i64, i64) {
    let usage = usage(person).await;
    (usage["files"].as_i64().unwrap(), usage["bytes"].as_i64().unwrap())
}

async fn of_ten_bytes() -> TestServer {
    TestServer::with(|config| config.quotas.bytes = ByteSize::b(10)).await
}

fn codes(payload: &Value) -> Vec<&str> {
    direct::codes(payload)
}

#[tokio::test]
async fn a_file_counts_with_its_versions_until_it_is_purged() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    assert_eq!(counted(&ada).await, (0, 0));
    let file = ada.upload("a.txt", *b"12345").await;
    ada.upload("empty", []).await;
    assert_eq!(counted(&ada).await, (2, 5));
    let replaced = ada.replace(&file, "a.txt", *b"123", json!({})).await["file"].clone();
    assert_eq!(counted(&ada).await, (2, 8), "the old version is kept");
    ada.trash(&[&replaced]).await;
    assert_eq!(counted(&ada).await, (2, 8), "in the trash too");
    ada.purge(&[&file]).await;
    ada.purge(&[&file]).await;
    assert_eq!(counted(&ada).await, (1, 0));
    assert_eq!(counted(&server.person("grace").await).await, (0, 0));
    server.finish().await;
}

#[tokio::test]
async fn what_is_being_sent_has_its_room_until_it_ends() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    let upload = direct::create(&ada, "a.txt", b"12345", json!({ "sha256": direct::sha256(b"12345") })).await;
    let content = direct::create(&ada, "b.txt", b"123", json!({ "purpose": "CONTENT" })).await;
    assert_eq!(counted(&ada).await, (1, 8), "a content is no file");
    server.assert_usage_is_counted().await;
    direct::abort(&ada, &content).await;
    direct::abort(&ada, &content).await;
    assert_eq!(counted(&ada).await, (1, 5));
    direct::send(&server, &ada, &upload, b"12345", &[1]).await;
    direct::complete(&ada, &upload).await;
    assert_eq!(counted(&ada).await, (1, 5));
    server.assert_usage_is_counted().await;
    server.work().await;
    server.settle().await;
    assert_eq!(counted(&ada).await, (1, 5));

    let refused = direct::create(&ada, "c.txt", b"1234567", json!({ "sha256": direct::sha256(b"other") })).await;
    direct::send(&server, &ada, &refused, b"1234567", &[1]).await;
    direct::complete(&ada, &refused).await;
    server.settle().await;
    let rejected = direct::session(&ada, &refused).await;
    assert_eq!(rejected["rejection"], "WRONG_HASH");
    assert_eq!(counted(&ada).await, (1, 5), "a refused content takes no room");
    assert_eq!(ada.purge(&[&rejected["file"]]).await["userErrors"], json!([]));
    assert_eq!(counted(&ada).await, (1, 5), "and gives none back twice");

    direct::create(&ada, "d.txt", b"12", json!({})).await;
    server.advance(server.app.config.uploads.session_ttl);
    server.schedule("files.expire_uploads").await;
    server.settle().await;
    assert_eq!(counted(&ada).await, (1, 5), "nor does what was given up");
    server.finish().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_leaves_nothing() {
    let server = of_ten_bytes().await;
    let ada = server.person("ada").await;
    let payload = ada.try_upload("a.txt", *b"12345678901", json!({})).await;
    assert_eq!(codes(&payload), ["QUOTA_EXCEEDED"]);
    assert!(payload["userErrors"][0]["message"].as_str().unwrap().contains("10 bytes, of which 10 are left"));
    assert!(server.objects().await.is_empty(), "nothing was stored");
    assert_eq!(codes(&direct::try_create(&ada, "a.txt", b"12345678901", json!({})).await), ["QUOTA_EXCEEDED"]);
    assert!(server.objects().await.is_empty());

    let file = ada.upload("a.txt", *b"1234567").await;
    let replaced = ada.replace(&file, "a.txt", *b"1234", json!({})).await;
    assert_eq!(codes(&replaced), ["QUOTA_EXCEEDED"]);
    let replaced = ada.replace(&file, "a.txt", *b"123", json!({})).await["file"].clone();
    let versions = ada.file(&file, "versions { nodes { id } }").await["versions"]["nodes"].clone();
    let restore = json!({ "id": versions[1]["id"], "revision": replaced["revision"] });
    let restored = ada.mutate("restoreFileVersion", "file { id }", restore.clone()).await;
    assert_eq!(codes(&restored), ["QUOTA_EXCEEDED"]);
    assert_eq!(counted(&ada).await, (1, 10));
    assert_eq!(ada.try_upload("empty", [], json!({})).await["userErrors"], json!([]), "nothing always fits");

    ada.mutate("deleteFileVersion", "file { id }", json!({ "id": versions[1]["id"] })).await;
    assert_eq!(counted(&ada).await, (2, 3));
    assert_eq!(ada.try_upload("b.txt", *b"1234567", json!({})).await["userErrors"], json!([]));
    server.finish().await;
}

#[tokio::test]
async fn so_many_files_and_no_more() {
    let server = TestServer::with(|config| config.quotas.files = 2).await;
    let ada = server.person("ada").await;
    let key = json!({ "idempotencyKey": "the second" });
    let first = ada.upload("1", *b"1").await;
    let second = ada.try_upload("2", *b"2", key.clone()).await;
    assert_eq!(codes(&ada.try_upload("3", *b"3", json!({})).await), ["TOO_MANY_FILES"]);
    assert_eq!(codes(&direct::try_create(&ada, "3", b"3", json!({})).await), ["TOO_MANY_FILES"]);
    let content = direct::try_create(&ada, "3", b"3", json!({ "purpose": "CONTENT" })).await;
    assert_eq!(content["userErrors"], json!([]), "it is to be no file");
    assert_eq!(ada.try_upload("2", *b"2", key).await["file"], second["file"], "a repeat needs no room");
    assert_eq!(ada.replace(&first, "1", *b"one", json!({})).await["userErrors"], json!([]));
    server.finish().await;
}

#[tokio::test]
async fn an_admin_gives_a_person_another_quota() {
    let server = of_ten_bytes().await;
    let (ada, root) = (server.person("ada").await, server.admin().await);
    const SET: &str = "usage { files bytes maxFiles maxBytes }";
    ada.upload("a.txt", *b"1234567890").await;
    let input = json!({ "userId": ada.id, "maxBytes": 12, "maxFiles": 2 });
    let query = "mutation ($input: SetQuotaInput!) { setQuota(input: $input) { usage { files } } }";
    assert_eq!(ada.error(query, json!({ "input": input })).await, "FORBIDDEN");
    let payload = root.mutate("setQuota", SET, input).await;
    let set = json!({ "files": 1, "bytes": 10, "maxFiles": 2, "maxBytes": 12 });
    assert_eq!(payload["usage"], set);
    assert_eq!(usage(&ada).await, set);
    let of = |id: &str| json!({ "id": id });
    let query = "query ($id: ID) { usage(userId: $id) { files bytes maxFiles maxBytes } }";
    assert_eq!(root.query(query, of(&ada.id)).await["usage"], set);
    assert_eq!(root.query(query, of("user_nobody")).await["usage"], Value::Null);
    assert_eq!(ada.query(query, of(&ada.id)).await["usage"], set);
    assert_eq!(ada.error(query, of(&root.id)).await, "FORBIDDEN");
    assert_eq!(codes(&ada.try_upload("b.txt", *b"123", json!({})).await), ["QUOTA_EXCEEDED"]);
    assert_eq!(ada.try_upload("b.txt", *b"12", json!({})).await["userErrors"], json!([]));

    let less = root.mutate("setQuota", SET, json!({ "userId": ada.id, "maxBytes": 1 })).await;
    assert_eq!(less["usage"]["maxBytes"], 1, "what is there stays");
    assert_eq!(codes(&ada.try_upload("c.txt", *b"1", json!({})).await), ["QUOTA_EXCEEDED"]);
    let again = root.mutate("setQuota", SET, json!({ "userId": ada.id })).await;
    let settings = &server.app.config.quotas;
    assert_eq!(again["usage"]["maxBytes"], json!(settings.bytes.as_u64()));
    assert_eq!(again["usage"]["maxFiles"], json!(settings.files));
    for (wrong, code) in [(json!({ "maxBytes": -1 }), "INVALID_QUOTA"), (json!({ "maxFiles": -1 }), "INVALID_QUOTA")] {
        let mut input = json!({ "userId": ada.id });
        input.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert_eq!(codes(&root.mutate("setQuota", SET, input).await), [code]);
    }
    assert_eq!(codes(&root.mutate("setQuota", SET, json!({ "userId": "user_nobody" })).await), ["NOT_FOUND"]);
    server.finish().await;
}

#[tokio::test]
async fn of_many_who_want_the_last_room_one_gets_it() {
    let server = TestServer::with(|config| {
        config.quotas.bytes = ByteSize::b(12);
        config.quotas.files = 3;
    })
    .await;
    let ada = server.person("ada").await;
    ada.upload("a.txt", *b"1234567").await;
    let uploads = (0..10).map(|n: u8| {
        let ada = ada.clone();
        async move {
            if n.is_multiple_of(2) {
                ada.try_upload("b.txt", [n; 5], json!({})).await
            } else {
                direct::try_create(&ada, "b.txt", &[n; 5], json!({})).await
            }
        }
    });
    let payloads = join_all(uploads).await;
    let taken = payloads.iter().filter(|payload| payload["userErrors"] == json!([])).count();
    assert_eq!(taken, 1, "{payloads:?}");
    assert!(
        payloads.iter().filter(|payload| payload["userErrors"] != json!([])).all(|p| codes(p) == ["QUOTA_EXCEEDED"])
    );
    assert_eq!(counted(&ada).await, (2, 12));
    server.finish().await;
}

#[tokio::test]
async fn only_so_many_uploads_are_open_at_once() {
    let server = TestServer::with(|config| config.uploads.max_open = 2).await;
    let ada = server.person("ada").await;
    let key = json!({ "idempotencyKey": "u" });
    let first = direct::create(&ada, "1", b"1", key.clone()).await;
    direct::create(&ada, "2", b"2", json!({})).await;
    let payload = direct::try_create(&ada, "3", b"3", json!({})).await;
    assert_eq!(codes(&payload), ["TOO_MANY_UPLOADS"]);
    assert_eq!(direct::create(&ada, "1", b"1", key).await["id"], first["id"], "a repeat is none of its own");
    direct::create(&server.person("grace").await, "3", b"3", json!({})).await;
    direct::abort(&ada, &first).await;
    let racers = join_all((0..4).map(|_| direct::try_create(&ada, "4", b"4", json!({})))).await;
    assert_eq!(racers.iter().filter(|payload| payload["userErrors"] == json!([])).count(), 1, "{racers:?}");
    server.finish().await;
}
