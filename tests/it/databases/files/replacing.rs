//! Direct uploads that become the new content of a file, and the list of one's uploads.

use serde_json::{Value, json};

use super::direct::{codes, complete, content, create, send, session, sha256};
use crate::support::{FILE, Person, TestServer};

const PART: usize = 16 << 20;

async fn replace_by(person: &Person, file: &Value, upload: &Value) -> Value {
    let input = json!({ "id": file["id"], "revision": file["revision"], "uploadId": upload["id"] });
    person.mutate("replaceFileContent", &format!("file {{ {FILE} }} uploadSession {{ id state }}"), input).await
}

/// An upload of these bytes whose parts are all there.
async fn arrived(server: &TestServer, person: &Person, bytes: &[u8], more: Value) -> Value {
    let upload = create(person, "ignored.bin", bytes, more).await;
    let parts: Vec<usize> = (1..=bytes.len().div_ceil(PART).max(1)).collect();
    send(server, person, &upload, bytes, &parts).await;
    upload
}

fn for_content() -> Value {
    json!({ "purpose": "CONTENT" })
}

#[tokio::test]
async fn an_upload_becomes_the_content_of_a_file_once_it_is_verified() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    let bytes = content(PART + 5);
    let mut replacing = Vec::new();
    for (more, name) in [(for_content(), "announced so"), (json!({}), "announced as a file")] {
        let file = ada.upload("a.txt", *b"small").await;
        let upload = arrived(&server, &ada, &bytes, more).await;
        let payload = replace_by(&ada, &file, &upload).await;
        assert_eq!((&payload["userErrors"], &payload["file"]), (&json!([]), &file), "{name}: as it was until then");
        assert_eq!(payload["uploadSession"], json!({ "id": upload["id"], "state": "VERIFYING" }));
        server.assert_usage_is_counted().await;
        let again = replace_by(&ada, &file, &upload).await;
        assert_eq!((&again["userErrors"], &again["uploadSession"]), (&json!([]), &payload["uploadSession"]));
        let url = ada.file(&file, "downloadUrl { url }").await["downloadUrl"]["url"].clone();
        let served = reqwest::get(url.as_str().unwrap()).await.unwrap().bytes().await.unwrap();
        assert!(served == b"small"[..], "{name}: {} bytes are served", served.len());
        replacing.push((file, upload));
    }
    server.work().await;
    server.settle().await;
    for (file, upload) in &replacing {
        let ended = session(&ada, upload).await;
        assert_eq!((&ended["state"], &ended["file"]["id"]), (&json!("COMPLETED"), &file["id"]));
        let now = ada.file(file, FILE).await;
        assert_eq!((&now["revision"], &now["sha256"]), (&json!(2), &json!(sha256(&bytes))));
        assert_eq!((&now["name"], &now["size"]), (&json!("a.txt"), &json!(bytes.len())));
        let versions = ada.file(file, "versions { nodes { number size } }").await["versions"]["nodes"].clone();
        assert_eq!(versions, json!([{ "number": 2, "size": bytes.len() }, { "number": 1, "size": 5 }]));
        let late = replace_by(&ada, file, upload).await;
        assert_eq!(late["uploadSession"]["state"], "COMPLETED", "a repeat finds what became of it");
        ada.purge(&[file]).await;
    }
    let files = ada.query("{ files(first: 10) { totalCount } }", json!({})).await;
    assert_eq!(files["files"]["totalCount"], 0, "none became a file of its own");
    server.settle().await;
    server.assert_buckets_empty().await;
    server.finish().await;
}

#[tokio::test]
async fn what_cannot_be_the_content_of_this_file_is_refused() {
    let server = TestServer::start().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let file = ada.upload("a.txt", *b"one").await;
    let query = "mutation ($input: ReplaceFileContentInput!) { replaceFileContent(input: $input) { file { id } } }";
    let neither = json!({ "input": { "id": file["id"], "revision": 1 } });
    assert_eq!(ada.error(query, neither).await, "BAD_USER_INPUT");
    let both = json!({ "id": file["id"], "revision": 1, "uploadId": "upload_x" });
    let (_, answer) = ada.send_file("replaceFileContent", "file { id }", both, ("a", b"two".to_vec())).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");

    let empty = create(&ada, "a", b"two", for_content()).await;
    assert_eq!(codes(&replace_by(&ada, &file, &empty).await), ["PARTS_MISSING"]);
    assert_eq!(codes(&complete(&ada, &empty).await), ["WRONG_STATE"], "it was to be no file");
    let of_another = arrived(&server, &grace, b"two", for_content()).await;
    let refused = replace_by(&ada, &file, &of_another).await;
    assert_eq!((codes(&refused), &refused["userErrors"][0]["field"]), (vec!["NOT_FOUND"], &json!("uploadId")));
    let hers = replace_by(&grace, &file, &of_another).await;
    assert_eq!((codes(&hers), &hers["userErrors"][0]["field"]), (vec!["NOT_FOUND"], &json!("id")));

    let upload = arrived(&server, &ada, b"two", for_content()).await;
    let stale = replace_by(&ada, &json!({ "id": file["id"], "revision": 7 }), &upload).await;
    assert_eq!((codes(&stale), &stale["file"]), (vec!["STALE_REVISION"], &file));
    assert_eq!(replace_by(&ada, &file, &upload).await["userErrors"], json!([]));
    let other = ada.upload("b.txt", *b"b").await;
    assert_eq!(codes(&replace_by(&ada, &other, &upload).await), ["WRONG_STATE"], "an upload is of one use");
    let as_file = arrived(&server, &ada, b"three", json!({})).await;
    assert_eq!(complete(&ada, &as_file).await["userErrors"], json!([]));
    assert_eq!(codes(&replace_by(&ada, &other, &as_file).await), ["WRONG_STATE"]);
    server.finish().await;
}

#[tokio::test]
async fn a_file_that_changed_meanwhile_keeps_its_content_and_the_upload_is_erased() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    let mut files = Vec::new();
    for _ in 0..4 {
        let file = ada.upload("a.txt", *b"one").await;
        let upload =
            arrived(&server, &ada, b"twotwo", json!({ "purpose": "CONTENT", "sha256": sha256(b"twotwo") })).await;
        assert_eq!(replace_by(&ada, &file, &upload).await["userErrors"], json!([]));
        files.push((file, upload));
    }
    let edit = json!({ "id": files[0].0["id"], "revision": 1, "name": "b.txt" });
    ada.mutate("editFile", "file { id }", edit).await;
    ada.trash(&[&files[1].0]).await;
    let purged = ada.purge(&[&files[2].0]).await;
    assert_eq!(purged["erasures"].as_array().unwrap().len(), 2, "with what was on its way to it");
    assert_eq!(session(&ada, &files[2].1).await["rejection"], "STALE", "at once");
    ada.replace(&files[3].0, "a.txt", *b"faster", json!({})).await;
    server.work().await;
    server.settle().await;
    for (file, upload) in &files {
        let ended = session(&ada, upload).await;
        assert_eq!((&ended["state"], &ended["rejection"]), (&json!("REJECTED"), &json!("STALE")), "{file}");
    }
    let kept = |at: usize| ada.file(&files[at].0, "state size revision");
    assert_eq!(kept(0).await, json!({ "state": "ACTIVE", "size": 3, "revision": 2 }));
    assert_eq!(kept(1).await, json!({ "state": "TRASHED", "size": 3, "revision": 2 }));
    assert_eq!(kept(2).await, Value::Null);
    assert_eq!(kept(3).await, json!({ "state": "ACTIVE", "size": 6, "revision": 2 }));
    assert_eq!(server.keys(&server.first).await.len(), 4, "two contents of the last, one of two others");
    server.finish().await;
}

#[tokio::test]
async fn one_sees_ones_own_uploads_and_what_became_of_them() {
    let server = TestServer::idle(|_| {}).await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let mut made = Vec::new();
    for number in 0..3 {
        made.push(create(&ada, &format!("{number}.txt"), b"x", json!({})).await);
        server.advance(std::time::Duration::from_secs(1));
    }
    create(&grace, "hers.txt", b"x", json!({})).await;
    ada.mutate("abortUpload", "uploadSession { id }", json!({ "id": made[1]["id"] })).await;
    let list = async |arguments: &str| -> Vec<String> {
        let query = format!("{{ uploadSessions{arguments} {{ nodes {{ name }} pageInfo {{ hasNextPage }} }} }}");
        let found = ada.query(&query, json!({})).await["uploadSessions"]["nodes"].clone();
        found.as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list("").await, ["2.txt", "1.txt", "0.txt"]);
    assert_eq!(list("(state: OPEN)").await, ["2.txt", "0.txt"]);
    assert_eq!(list("(state: ABORTED)").await, ["1.txt"]);
    assert_eq!(list("(first: 2)").await, ["2.txt", "1.txt"]);
    assert_eq!(list("(last: 1)").await, ["0.txt"]);
    server.work().await;
    server.finish().await;
}
