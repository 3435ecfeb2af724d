//! The block list: what is blocked comes back by no way, neither as it was nor in a copy, and what is unblocked does.

use entity::audit_entry;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use snaphaven::{
    id::NodeKind,
    images::{CopyKind, Images, scene_jpeg},
};

use super::{
    files::direct,
    snaps::{open, send, with_friends},
};
use crate::{
    images::fixtures::{Stored, limits},
    support::{Person, TestServer},
};

const ENTRY: &str = "blockedContent { id sha256 byLooks name contentType thumbhash reason refusedCount lastRefusedAt \
     blockedBy { username } unblockedBy { username } unblockedAt }";

/// A picture, and copies of it: encoded again, resized, cropped.
async fn picture(seed: u64) -> (Vec<u8>, Vec<Vec<u8>>) {
    let picture = scene_jpeg(seed, 480, 360).unwrap();
    let copies = Images::new(limits()).copies(Stored::new(&picture).path(), seed).await.unwrap();
    let of = |kind| copies.iter().find(|copy| copy.kind == kind).unwrap().bytes.clone();
    (picture, [CopyKind::Encoded, CopyKind::Resized, CopyKind::Cropped].map(of).into())
}

async fn block(admin: &Person, input: Value) -> Value {
    let mut input = input;
    input["reason"] = json!(" Nobody wants this ");
    let payload = admin.mutate("blockContent", &format!("{ENTRY} alert {{ kind count }}"), input).await;
    assert_eq!(payload["userErrors"], json!([]));
    payload
}

async fn unblock(admin: &Person, entry: &Value) -> Value {
    let payload = admin.mutate("unblockContent", ENTRY, json!({ "id": entry["id"] })).await;
    assert_eq!(payload["userErrors"], json!([]));
    payload["blockedContent"].clone()
}

async fn entry(admin: &Person, entry: &Value) -> Value {
    let fields = ENTRY.trim_start_matches("blockedContent ");
    let query = format!("query ($id: ID!) {{ node(id: $id) {{ ... on BlockedContent {fields} }} }}");
    admin.query(&query, json!({ "id": entry["id"] })).await["node"].clone()
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_default()
}

async fn refusals(server: &TestServer) -> usize {
    let refused = audit_entry::Entity::find().filter(audit_entry::Column::Action.eq("content.refused"));
    refused.all(server.app.db.read()).await.unwrap().len()
}

async fn try_snap(sender: &Person, to: &Person, picture: &[u8]) -> Value {
    let input = json!({ "recipientIds": [to.id] });
    let fields = "snap { id }";
    let (_, answer) = sender.send_file("sendSnap", fields, input, ("a.jpg", picture.to_vec())).await;
    answer["data"]["sendSnap"].clone()
}

#[tokio::test]
async fn what_is_blocked_comes_back_by_no_way() {
    let server = TestServer::idle(|_| {}).await;
    let root = server.admin().await;
    let (ada, [bob]) = with_friends(&server, ["bob"]).await;
    let (bad, copies) = picture(1).await;
    let (fine, _) = picture(5).await;

    // Before it is blocked: a file, another's copy in the trash, an old version, and a copy that stays.
    let found = ada.upload("bad.jpg", bad.clone()).await;
    let binned = bob.upload("binned.jpg", copies[0].clone()).await;
    bob.trash(&[&binned]).await;
    let replaced = bob.upload("replaced.jpg", copies[1].clone()).await;
    let replaced = bob.replace(&replaced, "fine.jpg", fine.clone(), json!({})).await["file"].clone();
    let versions = bob.file(&replaced, "versions { nodes { id } }").await["versions"]["nodes"].clone();
    let stays = bob.upload("stays.jpg", copies[2].clone()).await;

    let blocked = block(&root, json!({ "fileId": found["id"] })).await;
    let first = blocked["blockedContent"].clone();
    assert_eq!(blocked["alert"], json!({ "kind": "FILES_REMOVED", "count": 1 }));
    assert_eq!(
        (&first["name"], &first["byLooks"], &first["reason"], &first["contentType"]),
        (&json!("bad.jpg"), &json!(true), &json!("Nobody wants this"), &json!("image/jpeg"))
    );
    assert_eq!((&first["sha256"], &first["blockedBy"]), (&found["sha256"], &json!({ "username": "root" })));
    let gone = json!({ "state": "REMOVED", "removal": { "reason": "Nobody wants this" } });
    assert_eq!(root.file(&found, "state removal { reason }").await, gone);
    assert_eq!(root.file(&stays, "state").await["state"], "ACTIVE", "what is there already stays");

    let mut refused = 0;
    let mut expect = |payload: &Value, what: &str| {
        refused += 1;
        assert_eq!(code(payload), "CONTENT_BLOCKED", "{what}: {payload}");
    };
    for (number, copy) in [&bad].into_iter().chain(&copies).enumerate() {
        expect(&bob.try_upload("other name.jpg", copy.clone(), json!({})).await, &format!("upload of copy {number}"));
        expect(&bob.replace(&replaced, "again.jpg", copy.clone(), json!({})).await, "replacement");
        expect(&try_snap(&ada, &bob, copy).await, "snap");
    }
    let input = json!({ "id": versions[1]["id"], "revision": replaced["revision"] });
    expect(&bob.mutate("restoreFileVersion", "file { id }", input).await, "an old version");
    expect(&bob.restore(&[&binned]).await, "the owner's trash");
    expect(&root.restore(&[&found]).await, "a removed file");
    let input = json!({ "recipientIds": [ada.id], "fileId": stays["id"] });
    expect(&bob.mutate("sendSnap", "snap { id }", input).await, "a snap of a file that stays");
    let announced = json!({ "sha256": direct::sha256(&bad) });
    expect(&direct::try_create(&bob, "bad.jpg", &bad, announced).await, "an announced direct upload");

    // A direct upload of a copy is refused once it is verified.
    let upload = direct::create(&bob, "copy.jpg", &copies[0], json!({})).await;
    direct::send(&server, &bob, &upload, &copies[0], &[1]).await;
    direct::complete(&bob, &upload).await;
    let upload_of_snap = direct::create(&bob, "snap.jpg", &copies[1], json!({ "purpose": "SNAP" })).await;
    direct::send(&server, &bob, &upload_of_snap, &copies[1], &[1]).await;
    let input = json!({ "recipientIds": [ada.id], "uploadId": upload_of_snap["id"] });
    expect(&bob.mutate("sendSnap", "snap { id }", input).await, "a snap of a direct upload");
    server.work().await;
    server.quiet().await;
    let rejected = direct::session(&bob, &upload).await;
    assert_eq!((&rejected["state"], &rejected["rejection"]), (&json!("REJECTED"), &json!("BLOCKED")));
    assert_eq!((&rejected["file"]["state"], &rejected["file"]["rejection"]), (&json!("REJECTED"), &json!("BLOCKED")));
    refused += 1;

    let now = entry(&root, &first).await;
    assert_eq!(now["refusedCount"], refused);
    assert!(now["lastRefusedAt"].is_string());
    assert_eq!(refusals(&server).await, refused);
    assert_eq!(code(&bob.try_upload("fine.jpg", fine, json!({})).await), "", "another picture");
    direct::abort(&bob, &upload_of_snap).await;

    let unblocked = unblock(&root, &first).await;
    assert_eq!(unblocked["unblockedBy"], json!({ "username": "root" }));
    assert_eq!(unblock(&root, &first).await, unblocked, "a repeat");
    let query = "{ auditLog(filter: { action: \"content.unblocked\" }) { nodes { subject { __typename } details } } }";
    let noted = root.query(query, json!({})).await["auditLog"]["nodes"].clone();
    assert_eq!(noted[0]["subject"], json!({ "__typename": "BlockedContent" }));
    assert_eq!(noted[0]["details"], json!({ "name": "bad.jpg", "sha256": first["sha256"] }));
    assert_eq!(code(&bob.try_upload("bad.jpg", bad, json!({})).await), "");
    assert_eq!(code(&root.restore(&[&found]).await), "");
    assert_eq!(code(&bob.restore(&[&binned]).await), "");
    server.settle().await;
    server.finish().await;
}

#[tokio::test]
async fn every_process_knows_the_list_at_once() {
    let server = TestServer::idle(|_| {}).await;
    let other = server.another().await;
    let (root, ada) = (server.admin().await, server.person("ada").await);
    let elsewhere = ada.at(&other.url);
    let bytes = b"not a picture".to_vec();
    let found = ada.upload("bad.txt", bytes.clone()).await;
    let first = block(&root, json!({ "fileId": found["id"] })).await["blockedContent"].clone();
    assert_eq!((&first["byLooks"], &first["thumbhash"]), (&json!(false), &Value::Null));
    assert_eq!(code(&elsewhere.try_upload("again.txt", bytes.clone(), json!({})).await), "CONTENT_BLOCKED");
    assert_eq!(code(&elsewhere.try_upload("other.txt", *b"not a picture!", json!({})).await), "");

    let again = block(&root, json!({ "sha256": found["sha256"] })).await;
    assert_eq!((&again["blockedContent"]["id"], &again["alert"]), (&first["id"], &Value::Null), "a repeat");
    unblock(&root, &first).await;
    assert_eq!(code(&elsewhere.try_upload("again.txt", bytes.clone(), json!({})).await), "");
    let second = block(&root, json!({ "sha256": found["sha256"] })).await["blockedContent"].clone();
    assert_ne!(second["id"], first["id"]);
    assert_eq!((&second["name"], &second["contentType"]), (&json!(""), &Value::Null));
    assert_eq!(code(&elsewhere.try_upload("more.txt", bytes, json!({})).await), "CONTENT_BLOCKED");

    let ids = async |active: &str| {
        let query = format!("{{ blockedContents(active: {active}) {{ nodes {{ id }} }} }}");
        let found = root.query(&query, json!({})).await["blockedContents"]["nodes"].clone();
        found.as_array().unwrap().iter().map(|node| node["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids("true").await, [second["id"].clone()]);
    assert_eq!(ids("false").await, [first["id"].clone()]);
    assert_eq!(ids("null").await, [second["id"].clone(), first["id"].clone()]);
    server.work().await;
    server.quiet().await;
    other.finish().await;
    server.finish().await;
}

#[tokio::test]
async fn a_decision_removes_and_blocks() {
    let server = TestServer::start().await;
    let root = server.admin().await;
    let (ada, [bob]) = with_friends(&server, ["bob"]).await;
    let (_, copies) = picture(4).await;
    let (theirs, of_theirs) = picture(8).await;
    let file = ada.upload("theirs.jpg", theirs).await;
    let url = ada.mutate("createShareLink", "url", json!({ "fileId": file["id"] })).await["url"].clone();
    let input = json!({ "shareUrl": url, "category": "ILLEGAL" });
    let of_file = bob.mutate("reportFile", "report { id }", input).await["report"].clone();
    let resolve = async |report: &Value| {
        let input = json!({ "id": report["id"], "decision": "REMOVE_AND_BLOCK", "reason": "Nobody wants this" });
        root.mutate("resolveReport", "resolvedCount report { decision } alerts { kind }", input).await
    };
    let decided = resolve(&of_file).await;
    assert_eq!((&decided["report"]["decision"], &decided["resolvedCount"]), (&json!("REMOVE_AND_BLOCK"), &json!(1)));
    assert_eq!(decided["alerts"], json!([{ "kind": "FILES_REMOVED" }]));
    assert_eq!(resolve(&of_file).await["resolvedCount"], 0, "a repeat");
    assert_eq!(code(&bob.try_upload("mine.jpg", of_theirs[1].clone(), json!({})).await), "CONTENT_BLOCKED");

    // A snap's picture, while it is held as evidence.
    let snap = try_snap(&ada, &bob, &copies[0]).await["snap"].clone();
    open(&bob, &snap).await;
    let input = json!({ "id": snap["id"], "category": "HARASSMENT" });
    let of_snap = bob.mutate("reportSnap", "report { id }", input).await["report"].clone();
    assert_eq!(resolve(&of_snap).await["resolvedCount"], 1);
    assert_eq!(code(&try_snap(&ada, &bob, &copies[1]).await), "CONTENT_BLOCKED");
    assert_eq!(code(&bob.try_upload("mine.jpg", copies[2].clone(), json!({})).await), "CONTENT_BLOCKED");
    let names = root.query("{ blockedContents { nodes { name byLooks thumbhash } } }", json!({})).await;
    let all = names["blockedContents"]["nodes"].as_array().unwrap().clone();
    assert_eq!(all.iter().map(|entry| &entry["byLooks"]).collect::<Vec<_>>(), [&json!(true), &json!(true)]);
    assert_eq!(all[1]["name"], "theirs.jpg");
    assert!(all.iter().all(|entry| entry["thumbhash"].is_string()));
    let other = send(&ada, &[&bob], json!({})).await;
    assert!(NodeKind::Snap.parse(other["id"].as_str().unwrap()).is_some(), "another picture");
    server.settle().await;
    server.finish().await;
}

#[tokio::test]
async fn what_was_blocked_by_its_hash_is_blocked_by_its_looks_once_it_is_found() {
    let server = TestServer::idle(|_| {}).await;
    let (root, ada, bob) = (server.admin().await, server.person("ada").await, server.person("bob").await);
    let (bad, copies) = picture(1).await;
    let found = ada.upload("bad.jpg", bad.clone()).await;
    let first = block(&root, json!({ "sha256": found["sha256"] })).await["blockedContent"].clone();
    assert_eq!(code(&bob.try_upload("bad.jpg", bad, json!({})).await), "CONTENT_BLOCKED");
    assert_eq!(code(&bob.try_upload("copy.jpg", copies[0].clone(), json!({})).await), "", "its bytes alone are known");
    let again = block(&root, json!({ "fileId": found["id"] })).await["blockedContent"].clone();
    assert_eq!((&again["id"], &again["byLooks"], &again["name"]), (&first["id"], &json!(true), &json!("bad.jpg")));
    assert_eq!(code(&bob.try_upload("copy.jpg", copies[1].clone(), json!({})).await), "CONTENT_BLOCKED");
    server.work().await;
    server.quiet().await;
    server.finish().await;
}

#[tokio::test]
async fn bad_input_is_told() {
    let server = TestServer::idle(|_| {}).await;
    let (root, ada) = (server.admin().await, server.person("ada").await);
    let file = ada.upload("a", *b"1").await;
    let try_block = async |input: Value| root.mutate("blockContent", "blockedContent { id }", input).await;
    assert_eq!(code(&try_block(json!({ "fileId": file["id"], "reason": " " })).await), "INVALID_REASON");
    assert_eq!(code(&try_block(json!({ "fileId": "file_0", "reason": "x" })).await), "NOT_FOUND");
    let neither = "mutation { blockContent(input: { reason: \"x\" }) { userErrors { code } } }";
    assert_eq!(root.error(neither, json!({})).await, "BAD_USER_INPUT");
    let short = "mutation { blockContent(input: { sha256: \"00\", reason: \"x\" }) { userErrors { code } } }";
    assert_eq!(root.error(short, json!({})).await, "BAD_USER_INPUT");
    let upload = direct::create(&ada, "open.txt", b"open", json!({})).await;
    direct::send(&server, &ada, &upload, b"open", &[1]).await;
    let completed = direct::complete(&ada, &upload).await["uploadSession"]["file"].clone();
    assert_eq!(code(&try_block(json!({ "fileId": completed["id"], "reason": "x" })).await), "WRONG_STATE");
    assert_eq!(
        code(&root.mutate("unblockContent", "blockedContent { id }", json!({ "id": "content_0" })).await),
        "NOT_FOUND"
    );
    server.work().await;
    server.quiet().await;
    server.finish().await;
}
