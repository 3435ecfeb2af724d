//! Trash, restore, purge, and the proof that what was purged is gone.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::{
    images::fixtures::Picture,
    support::{Person, TestServer},
};

const ERASURES: &str = "query ($id: ID) { erasures(first: 50, filter: { fileId: $id }) { nodes { key reason kind size \
     requestedBy { id } requestedAt primaryConfirmedAt replicaConfirmedAt erasedAt } } }";

async fn erasures(person: &Person, file: &Value) -> Vec<Value> {
    let data = person.query(ERASURES, json!({ "id": file["id"] })).await;
    data["erasures"]["nodes"].as_array().unwrap().clone()
}

#[tokio::test]
async fn trash_and_restore_are_safe_to_repeat() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"a").await;
    let trashed = ada.trash(&[&file]).await;
    let row = &trashed["files"][0];
    assert_eq!((&row["state"], &row["revision"]), (&json!("TRASHED"), &json!(2)));
    let time = |value: &Value| value.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert_eq!(time(&row["purgeAt"]) - time(&row["trashedAt"]), chrono::Duration::days(30));
    let again = ada.trash(&[&file]).await;
    assert_eq!((&again["files"], &again["alert"]), (&trashed["files"], &Value::Null));
    let shown = ada.file(&file, "state downloadUrl { url } viewerCan { edit restore purge trash }").await;
    assert_eq!(shown["downloadUrl"], Value::Null);
    assert_eq!(shown["viewerCan"], json!({ "edit": false, "restore": true, "purge": true, "trash": false }));
    let restored = ada.restore(&[&file]).await;
    assert_eq!(restored["files"][0]["state"], "ACTIVE");
    assert_eq!((&restored["files"][0]["revision"], &restored["files"][0]["purgeAt"]), (&json!(3), &Value::Null));
    assert_eq!(ada.restore(&[&file]).await["files"], restored["files"]);
    assert!(ada.file(&file, "downloadUrl { url }").await["downloadUrl"]["url"].is_string());
    server.finish().await;
}

#[tokio::test]
async fn many_files_go_all_or_none() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let [one, two] = [ada.upload("1", *b"1").await, ada.upload("2", *b"2").await];
    let bobs = bob.upload("3", *b"3").await;
    for missing in [bobs, json!({ "id": "file_00000000000000000000000000000000" }), json!({ "id": "nonsense" })] {
        for payload in [ada.trash(&[&one, &missing]).await, ada.purge(&[&one, &missing]).await] {
            assert_eq!(payload["userErrors"][0]["code"], "NOT_FOUND", "{payload}");
        }
        assert_eq!(ada.restore(&[&one, &missing]).await["userErrors"][0]["code"], "NOT_FOUND");
        assert_eq!(ada.file(&one, "state").await["state"], "ACTIVE");
    }
    let trashed = ada.trash(&[&two, &one, &two]).await;
    let order: Vec<_> = trashed["files"].as_array().unwrap().iter().map(|file| &file["id"]).collect();
    assert_eq!(order, [&two["id"], &one["id"]], "each once, in the order asked");
    assert_eq!(trashed["alert"]["count"], 2);
    let many: Vec<Value> = (0..101)
        .map(|number: u128| json!({ "id": format!("file_{}", uuid::Uuid::from_u128(number).simple()) }))
        .collect();
    for ids in [Vec::new(), many.iter().collect()] {
        assert_eq!(ada.trash(&ids).await["userErrors"][0]["code"], "INVALID_COUNT");
        assert_eq!(ada.purge(&ids).await["userErrors"][0]["code"], "INVALID_COUNT");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_purge_is_proven_at_both_sites_and_leaves_empty_buckets() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let picture = ada.upload("a.png", Picture::quarters(400, 300).png()).await;
    let text = ada.upload("a.txt", *b"text").await;
    server.settle().await;
    let text = ada.replace(&text, "a.txt", *b"longer text", json!({})).await["file"].clone();
    server.settle().await;
    let purged = ada.purge(&[&picture, &text]).await;
    assert_eq!(purged["purgedIds"], json!([picture["id"], text["id"]]));
    assert_eq!(purged["alert"]["count"], 2);
    let promised = purged["erasures"].as_array().unwrap();
    assert_eq!(promised.len(), 6, "an original with three renditions, and two versions");
    assert!(promised.iter().all(|erasure| erasure["requestedBy"]["id"] == json!(ada.id)));
    assert_eq!(ada.file(&text, "id").await, Value::Null);
    server.settle().await;
    server.assert_buckets_empty().await;
    let proven = [erasures(&ada, &picture).await, erasures(&ada, &text).await].concat();
    assert_eq!(proven.len(), 6);
    for erasure in &proven {
        for field in ["requestedAt", "primaryConfirmedAt", "replicaConfirmedAt", "erasedAt"] {
            assert!(erasure[field].is_string(), "{field}: {erasure}");
        }
        assert_eq!(erasure["reason"], "PURGED");
    }
    let again = ada.purge(&[&picture, &text]).await;
    assert_eq!((&again["purgedIds"], &again["alert"]), (&purged["purgedIds"], &Value::Null));
    let ids =
        |payload: &Value| payload["erasures"].as_array().unwrap().iter().map(|e| e["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&purged), "a repeat returns the same erasures");
    assert!(again["erasures"].as_array().unwrap().iter().all(|erasure| erasure["erasedAt"].is_string()));
    server.finish().await;
}

#[tokio::test]
async fn what_is_trashed_too_long_is_purged_by_itself() {
    let server = TestServer::with(|config| config.files.trash_retention = Duration::from_secs(3600)).await;
    let ada = server.person("ada").await;
    let [old, restored, kept] =
        [ada.upload("old", *b"1").await, ada.upload("restored", *b"2").await, ada.upload("kept", *b"3").await];
    ada.trash(&[&old, &restored]).await;
    ada.restore(&[&restored]).await;
    server.advance(Duration::from_secs(1800));
    let later = ada.upload("later", *b"4").await;
    ada.trash(&[&later]).await;
    server.schedule("files.purge_expired").await;
    server.settle().await;
    assert_eq!(ada.file(&old, "state").await["state"], "TRASHED", "not yet");
    server.advance(Duration::from_secs(1801));
    server.schedule("files.purge_expired").await;
    server.settle().await;
    assert_eq!(ada.file(&old, "id").await, Value::Null);
    assert_eq!(erasures(&ada, &old).await[0]["reason"], "RETENTION_EXPIRED");
    assert_eq!(erasures(&ada, &old).await[0]["requestedBy"], Value::Null, "nobody asked");
    for (file, state) in [(&restored, "ACTIVE"), (&kept, "ACTIVE"), (&later, "TRASHED")] {
        assert_eq!(ada.file(file, "state").await["state"], state);
    }
    let expired: Vec<_> = server.sink.delivered().into_iter().filter(|alert| alert.kind == "FILES_EXPIRED").collect();
    assert_eq!(expired.len(), 1);
    server.finish().await;
}

#[tokio::test]
async fn downloads_come_through_the_edge_with_an_equal_hash() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let bytes: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    let file = ada.upload("Grüße, Welt.bin", bytes.clone()).await;
    let url = "downloadUrl(disposition: INLINE, expiresIn: 60) { url expiresAt }";
    let signed = ada.file(&file, url).await["downloadUrl"].clone();
    let response = reqwest::get(signed["url"].as_str().unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let disposition = response.headers()["content-disposition"].to_str().unwrap();
    assert!(
        disposition.starts_with("attachment") && disposition.contains("filename*=UTF-8''Gr%C3%BC"),
        "{disposition}"
    );
    assert_eq!(response.bytes().await.unwrap(), bytes);
    for bad in [0, -1, 901] {
        let query = format!(
            "query ($id: ID!) {{ node(id: $id) {{ ... on File {{ downloadUrl(expiresIn: {bad}) {{ url }} }} }} }}"
        );
        assert_eq!(ada.error(&query, json!({ "id": file["id"] })).await, "BAD_USER_INPUT");
    }
    server.advance(Duration::from_secs(16 * 60));
    assert_eq!(reqwest::get(signed["url"].as_str().unwrap()).await.unwrap().status(), 403, "expired");
    let fresh = ada.file(&file, url).await["downloadUrl"]["url"].as_str().unwrap().to_owned();
    assert_eq!(reqwest::get(&fresh).await.unwrap().status(), 200);
    ada.purge(&[&file]).await;
    server.settle().await;
    assert_eq!(reqwest::get(&fresh).await.unwrap().status(), 404, "purged, also from the edge's memory");
    server.finish().await;
}
