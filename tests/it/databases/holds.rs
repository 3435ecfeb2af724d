//! Legal holds: no way of deleting reaches what is held, each says so, and each is carried out when the last hold ends.

use std::time::Duration;

use entity::{audit_entry, object};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use snaphaven::id::NodeKind;
use uuid::Uuid;

use crate::support::{Person, TestServer};

const HOLD: &str = "legalHold { id file { id } fileId fileName reason placedBy { username } placedAt releasedBy { username } releasedAt }";

async fn place(admin: &Person, file: &Value, key: Option<&str>) -> Value {
    let input = json!({ "fileId": file["id"], "reason": " A case ", "idempotencyKey": key });
    admin.mutate("placeLegalHold", HOLD, input).await
}

/// A hold just placed.
async fn hold(admin: &Person, file: &Value) -> Value {
    let placed = place(admin, file, None).await;
    assert_eq!(placed["userErrors"], json!([]));
    placed["legalHold"].clone()
}

async fn release(admin: &Person, hold: &Value) -> Value {
    let released = admin.mutate("releaseLegalHold", HOLD, json!({ "id": hold["id"] })).await;
    assert_eq!(released["userErrors"], json!([]));
    released["legalHold"].clone()
}

async fn purge(person: &Person, files: &[&Value]) -> Value {
    let ids: Vec<_> = files.iter().map(|file| &file["id"]).collect();
    let want = "purgedIds held { id state purgeAt isHeld } erasures { isHeld } alert { kind count }";
    person.mutate("purgeFiles", want, json!({ "ids": ids })).await
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_default()
}

fn key(id: &Value) -> Uuid {
    NodeKind::File.parse(id.as_str().unwrap()).unwrap()
}

/// The states of a file's contents in the ledger.
async fn contents(server: &TestServer, file: &Value) -> Vec<object::State> {
    let original = object::Column::Kind.eq(object::Kind::Original);
    let objects = object::Entity::find().filter(object::Column::FileId.eq(key(&file["id"]))).filter(original);
    let objects = objects.order_by_asc(object::Column::Id).all(server.app.db.read()).await.unwrap();
    objects.into_iter().map(|object| object.state).collect()
}

async fn acts(server: &TestServer, file: &Value) -> Vec<String> {
    let entries = audit_entry::Entity::find().filter(audit_entry::Column::SubjectId.eq(key(&file["id"])));
    let entries = entries.order_by_asc(audit_entry::Column::Id).all(server.app.db.read()).await.unwrap();
    entries.into_iter().map(|entry| entry.action).collect()
}

#[tokio::test]
async fn a_purge_of_what_is_held_waits_for_the_end_of_the_last_hold() {
    let server = TestServer::start().await;
    let (root, ada) = (server.admin().await, server.person("ada").await);
    let [held, free, binned] =
        [ada.upload("held", *b"1").await, ada.upload("free", *b"2").await, ada.upload("binned", *b"3").await];
    ada.trash(&[&binned]).await;
    let first = hold(&root, &held).await;
    assert_eq!(first["reason"], "A case");
    assert_eq!((&first["placedBy"], &first["releasedAt"]), (&json!({ "username": "root" }), &Value::Null));
    let (second, of_binned) = (hold(&root, &held).await, hold(&root, &binned).await);

    let purged = purge(&ada, &[&free, &held, &binned]).await;
    assert_eq!(purged["purgedIds"], json!([free["id"]]), "a hold keeps no other file");
    assert_eq!(purged["erasures"], json!([{ "isHeld": false }]));
    assert_eq!(purged["alert"], json!({ "kind": "FILES_PURGED", "count": 1 }));
    for (kept, file) in purged["held"].as_array().unwrap().iter().zip([&held, &binned]) {
        assert_eq!((&kept["id"], &kept["state"], &kept["isHeld"]), (&file["id"], &json!("TRASHED"), &json!(true)));
    }
    server.quiet().await;
    let mut told: Vec<_> = server.sink.delivered().into_iter().map(|alert| alert.kind).collect();
    told.sort();
    assert_eq!(told, ["FILES_PURGED", "FILES_TRASHED", "FILES_TRASHED"], "one for what was purged, one for what waits");
    let again = purge(&ada, &[&held, &binned]).await;
    assert_eq!((&again["held"], &again["alert"]), (&purged["held"], &Value::Null), "a repeat changes nothing");

    server.advance(Duration::from_secs(3600));
    server.schedule("files.purge_expired").await;
    server.settle().await;
    for file in [&held, &binned] {
        assert_eq!(contents(&server, file).await, [object::State::Live]);
        assert_eq!(
            ada.file(file, "state isHeld legalHolds { id }").await["legalHolds"],
            json!([]),
            "not the owner's to read"
        );
    }
    let shown = root.file(&held, "legalHolds { id }").await;
    assert_eq!(shown["legalHolds"], json!([{ "id": first["id"] }, { "id": second["id"] }]));

    let ended = release(&root, &first).await;
    assert_eq!(ended["releasedBy"], json!({ "username": "root" }));
    assert_eq!(release(&root, &first).await, ended, "a repeat changes nothing");
    server.settle().await;
    assert_eq!(contents(&server, &held).await, [object::State::Live], "another stands");
    release(&root, &second).await;
    release(&root, &of_binned).await;
    server.settle().await;
    assert_eq!(ada.file(&held, "id").await, Value::Null);
    assert_eq!(acts(&server, &held).await[..2], ["file.hold_placed", "file.hold_placed"]);
    assert_eq!(acts(&server, &held).await[2..], ["file.hold_released", "file.hold_released"]);
    let gone = release(&root, &second).await;
    assert_eq!((&gone["file"], &gone["fileName"]), (&Value::Null, &json!("held")), "what was held is known still");
    server.assert_buckets_empty().await;
    server.finish().await;
}

#[tokio::test]
async fn a_held_file_stays_through_trash_removal_and_retention_and_can_be_taken_back() {
    let server = TestServer::with(|config| config.files.trash_retention = Duration::from_secs(60)).await;
    let (root, ada) = (server.admin().await, server.person("ada").await);
    let [trashed, removed, restored, admins] = [
        ada.upload("trashed", *b"1").await,
        ada.upload("removed", *b"2").await,
        ada.upload("restored", *b"3").await,
        ada.upload("purged by an admin", *b"4").await,
    ];
    let mut holds = Vec::new();
    for file in [&trashed, &removed, &restored, &admins] {
        holds.push(hold(&root, file).await);
    }
    ada.trash(&[&trashed, &restored]).await;
    root.mutate("removeFiles", "files { state }", json!({ "ids": [removed["id"]], "reason": "x" })).await;
    assert_eq!(purge(&root, &[&admins]).await["held"][0]["state"], "REMOVED");
    server.advance(Duration::from_secs(61));
    server.schedule("files.purge_expired").await;
    server.settle().await;
    for (file, state) in [(&trashed, "TRASHED"), (&removed, "REMOVED"), (&restored, "TRASHED"), (&admins, "REMOVED")] {
        assert_eq!(root.file(file, "state isHeld").await, json!({ "state": state, "isHeld": true }));
        assert_eq!(contents(&server, file).await, [object::State::Live]);
    }
    let refused = ada.mutate("restoreFiles", "files { id }", json!({ "ids": [admins["id"]] })).await;
    assert_eq!(code(&refused), "WRONG_STATE", "what an admin put away its owner does not take back");
    ada.restore(&[&restored]).await;
    for hold in &holds {
        release(&root, hold).await;
    }
    server.settle().await;
    for file in [&trashed, &removed, &admins] {
        assert_eq!(root.file(file, "id").await, Value::Null);
        assert_eq!(contents(&server, file).await, [object::State::Erased]);
    }
    assert_eq!(ada.file(&restored, "state isHeld").await, json!({ "state": "ACTIVE", "isHeld": false }));
    server.finish().await;
}

#[tokio::test]
async fn a_hold_is_on_every_content_that_the_file_has_had_and_will_have() {
    let server = TestServer::with(|config| config.files.max_versions = 2).await;
    let (root, ada) = (server.admin().await, server.person("ada").await);
    let file = ada.upload("a.txt", *b"first").await;
    ada.replace(&file, "a.txt", *b"second", json!({})).await;
    let held = [hold(&root, &file).await, hold(&root, &file).await];
    let current = ada.file(&file, "id revision").await;
    let replaced = ada.replace(&current, "a.txt", *b"third", json!({})).await;
    assert_eq!(replaced["userErrors"], json!([]));
    server.settle().await;
    assert_eq!(contents(&server, &file).await, [object::State::Live; 3], "beyond those that are kept");
    let versions = ada.file(&file, "versions { nodes { id } }").await["versions"]["nodes"].clone();
    let deleted = ada.mutate("deleteFileVersion", "file { id }", json!({ "id": versions[1]["id"] })).await;
    assert_eq!(code(&deleted), "HELD");
    release(&root, &held[0]).await;
    server.settle().await;
    assert_eq!(contents(&server, &file).await, [object::State::Live; 3]);
    release(&root, &held[1]).await;
    server.settle().await;
    assert_eq!(
        contents(&server, &file).await,
        [object::State::Erased, object::State::Live, object::State::Live],
        "what is beyond goes then"
    );
    server.finish().await;
}

#[tokio::test]
async fn holds_are_refused_where_they_come_too_late_and_are_listed() {
    let server = TestServer::start().await;
    let (root, ada) = (server.admin().await, server.person("ada").await);
    let (file, purged) = (ada.upload("a", *b"1").await, ada.upload("b", *b"2").await);
    ada.purge(&[&purged]).await;
    assert_eq!(code(&place(&root, &purged, None).await), "DELETED");
    assert_eq!(code(&place(&root, &json!({ "id": "file_0" }), None).await), "NOT_FOUND");
    let empty = json!({ "fileId": file["id"], "reason": "\n" });
    assert_eq!(code(&root.mutate("placeLegalHold", HOLD, empty).await), "INVALID_REASON");
    assert_eq!(code(&root.mutate("releaseLegalHold", HOLD, json!({ "id": "hold_0" })).await), "NOT_FOUND");

    let first = place(&root, &file, Some("key")).await["legalHold"].clone();
    assert_eq!(place(&root, &file, Some("key")).await["legalHold"], first, "a repeat");
    let other = json!({ "fileId": file["id"], "reason": "Another", "idempotencyKey": "key" });
    assert_eq!(code(&root.mutate("placeLegalHold", HOLD, other).await), "IDEMPOTENCY_KEY_REUSED");
    let second = hold(&root, &file).await;
    release(&root, &first).await;
    let listed = async |arguments: &str| {
        let query = format!("{{ legalHolds{arguments} {{ nodes {{ id }} }} }}");
        root.query(&query, json!({})).await["legalHolds"]["nodes"].clone()
    };
    assert_eq!(listed("").await, json!([{ "id": second["id"] }]));
    assert_eq!(listed("(active: false)").await, json!([{ "id": first["id"] }]));
    assert_eq!(listed("(active: null)").await, json!([{ "id": second["id"] }, { "id": first["id"] }]));
    release(&root, &second).await;
    server.settle().await;
    server.finish().await;
}
