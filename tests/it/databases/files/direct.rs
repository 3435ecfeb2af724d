//! Direct uploads: parts that go straight to S3, sessions that resume, and what becomes of a content that is not as
//! announced. Here the buckets are in memory; `tests/it/direct.rs` sends real requests.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::{
    images::fixtures::Picture,
    support::{FILE, Person, TestServer},
};

const SESSION: &str = "id state purpose name size partSize partCount verifiedSize rejection endedAt expiresAt \
     parts { number size sha256 } file { id state sha256 contentType size rejection revision }";
pub(in crate::databases) const PART: usize = 16 << 20;

pub(in crate::databases) fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// Bytes that repeat nowhere near a part's size.
pub(in crate::databases) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| ((at.wrapping_mul(2_654_435_761)) >> 11) as u8).collect()
}

fn with(mut input: Value, more: Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    input
}

pub(in crate::databases) async fn try_create(person: &Person, name: &str, bytes: &[u8], more: Value) -> Value {
    let input = with(json!({ "name": name, "size": bytes.len() }), more);
    person.mutate("createUpload", &format!("uploadSession {{ {SESSION} }}"), input).await
}

pub(in crate::databases) async fn create(person: &Person, name: &str, bytes: &[u8], more: Value) -> Value {
    let payload = try_create(person, name, bytes, more).await;
    assert_eq!(payload["userErrors"], json!([]));
    payload["uploadSession"].clone()
}

/// Part `number` of a content.
fn part(bytes: &[u8], number: usize) -> &[u8] {
    let first = (number - 1) * PART;
    &bytes[first..bytes.len().min(first + PART)]
}

pub(in crate::databases) async fn sign(person: &Person, upload: &Value, bytes: &[u8], numbers: &[usize]) -> Value {
    let parts: Vec<_> =
        numbers.iter().map(|number| json!({ "number": number, "sha256": sha256(part(bytes, *number)) })).collect();
    let input = json!({ "id": upload["id"], "parts": parts });
    person.mutate("signUploadParts", "parts { number size url headers { name value } expiresAt }", input).await
}

/// Sends these parts; their URLs.
pub(in crate::databases) async fn send(
    server: &TestServer,
    person: &Person,
    upload: &Value,
    bytes: &[u8],
    numbers: &[usize],
) -> Vec<String> {
    let payload = sign(person, upload, bytes, numbers).await;
    assert_eq!(payload["userErrors"], json!([]));
    let mut urls = Vec::new();
    for (signed, number) in payload["parts"].as_array().unwrap().iter().zip(numbers) {
        assert_eq!(signed["number"], json!(number));
        assert_eq!(signed["size"], json!(part(bytes, *number).len()));
        let url = signed["url"].as_str().unwrap().to_owned();
        assert!(server.first.send(&url, part(bytes, *number).to_vec()), "no such upload");
        urls.push(url);
    }
    urls
}

pub(in crate::databases) async fn complete(person: &Person, upload: &Value) -> Value {
    person.mutate("completeUpload", &format!("uploadSession {{ {SESSION} }}"), json!({ "id": upload["id"] })).await
}

pub(in crate::databases) async fn abort(person: &Person, upload: &Value) -> Value {
    person.mutate("abortUpload", "uploadSession { id state endedAt }", json!({ "id": upload["id"] })).await
}

pub(in crate::databases) async fn session(person: &Person, upload: &Value) -> Value {
    let query = format!("query ($id: ID!) {{ uploadSession(id: $id) {{ {SESSION} }} }}");
    person.query(&query, json!({ "id": upload["id"] })).await["uploadSession"].clone()
}

pub(in crate::databases) fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn parts_become_a_file_once_they_are_read_back() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    let bytes = content(2 * PART + 5);
    let more = json!({
        "sha256": sha256(&bytes), "contentType": "application/octet-stream", "description": "of three parts",
        "tags": ["large"], "metadata": { "camera": "X100" },
    });
    let upload = create(&ada, "large.bin", &bytes, more).await;
    assert_eq!((&upload["state"], &upload["partCount"], &upload["file"]), (&json!("OPEN"), &json!(3), &Value::Null));
    assert_eq!((&upload["partSize"], &upload["size"]), (&json!(PART), &json!(bytes.len())));

    send(&server, &ada, &upload, &bytes, &[1, 2, 3]).await;
    let payload = complete(&ada, &upload).await;
    assert_eq!(payload["userErrors"], json!([]));
    let verifying = &payload["uploadSession"];
    assert_eq!((&verifying["state"], &verifying["file"]["state"]), (&json!("VERIFYING"), &json!("PROCESSING")));
    assert_eq!(verifying["file"]["sha256"], Value::Null);
    let again = complete(&ada, &upload).await;
    assert_eq!(again["uploadSession"]["file"]["id"], verifying["file"]["id"], "a repeat makes no second file");

    server.work().await;
    server.settle().await;
    let completed = session(&ada, &upload).await;
    assert_eq!((&completed["state"], &completed["verifiedSize"]), (&json!("COMPLETED"), &json!(bytes.len())));
    let file = ada.file(&completed["file"], FILE).await;
    assert_eq!((&file["state"], &file["sha256"]), (&json!("ACTIVE"), &json!(sha256(&bytes))));
    assert_eq!((&file["name"], &file["description"]), (&json!("large.bin"), &json!("of three parts")));
    assert_eq!((&file["tags"], &file["metadata"]), (&json!(["large"]), &json!({ "camera": "X100" })));
    assert_eq!((&file["revision"], &file["size"]), (&json!(1), &json!(bytes.len())));
    let shown = ada
        .file(&file, "downloadUrl { url } versions { nodes { number isCurrent sha256 } } copies { state proof }")
        .await;
    let served = reqwest::get(shown["downloadUrl"]["url"].as_str().unwrap()).await.unwrap().bytes().await.unwrap();
    assert!(served == bytes, "other bytes are served");
    let version = json!({ "number": 1, "isCurrent": true, "sha256": sha256(&bytes) });
    assert_eq!(shown["versions"]["nodes"], json!([version]));
    assert_eq!(shown["copies"][0], json!({ "state": "VERIFIED", "proof": "BYTES" }), "the copy was read back");
    assert_eq!(complete(&ada, &upload).await["uploadSession"]["state"], "COMPLETED");
    server.finish().await;
}

#[tokio::test]
async fn who_comes_back_is_told_what_arrived() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let bytes = content(2 * PART + 5);
    let upload = create(&ada, "large.bin", &bytes, json!({})).await;
    send(&server, &ada, &upload, &bytes, &[2]).await;

    let found = session(&ada, &upload).await;
    assert_eq!(found["parts"], json!([{ "number": 2, "size": PART, "sha256": sha256(part(&bytes, 2)) }]));
    let refused = complete(&ada, &upload).await;
    assert_eq!(codes(&refused), ["PARTS_MISSING"]);
    assert!(refused["userErrors"][0]["message"].as_str().unwrap().contains("1, 3"), "{refused}");
    // A part of another length did not arrive whole.
    let payload = sign(&ada, &upload, &bytes, &[3]).await;
    assert!(server.first.send(payload["parts"][0]["url"].as_str().unwrap(), b"shor".to_vec()));
    assert_eq!(codes(&complete(&ada, &upload).await), ["PARTS_MISSING"]);

    send(&server, &ada, &upload, &bytes, &[1, 3]).await;
    assert_eq!(codes(&complete(&ada, &upload).await), [""; 0]);
    server.settle().await;
    assert_eq!(session(&ada, &upload).await["state"], "COMPLETED");
    server.finish().await;
}

#[tokio::test]
async fn a_content_that_is_not_as_announced_is_rejected_and_erased() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    let bytes = Picture::quarters(64, 48).png();
    let mut uploads = Vec::new();
    for (more, why) in [
        (json!({ "sha256": sha256(b"something else") }), "WRONG_HASH"),
        (json!({ "contentType": "image/jpeg" }), "WRONG_TYPE"),
        (json!({}), "ALTERED"),
    ] {
        let upload = create(&ada, "a.png", &bytes, more).await;
        let urls = send(&server, &ada, &upload, &bytes, &[1]).await;
        assert_eq!(codes(&complete(&ada, &upload).await), [""; 0]);
        if why == "ALTERED" {
            // The parts are not joined yet, so the URL still works.
            assert!(server.first.send(&urls[0], vec![0; bytes.len()]));
        }
        uploads.push((upload, urls, why));
    }
    server.work().await;
    server.settle().await;
    for (upload, urls, why) in uploads {
        let found = session(&ada, &upload).await;
        assert_eq!((&found["state"], &found["rejection"]), (&json!("REJECTED"), &json!(why)));
        let file = &found["file"];
        assert_eq!((&file["state"], &file["rejection"]), (&json!("REJECTED"), &json!(why)), "the file says it too");
        assert!(!server.first.send(&urls[0], bytes.clone()), "{why}: the part's URL still works");
        assert_eq!(codes(&ada.trash(&[file]).await), ["WRONG_STATE"]);
        assert_eq!(codes(&complete(&ada, &upload).await), [""; 0], "a repeat tells how it ended");
        assert_eq!(codes(&ada.purge(&[file]).await), [""; 0]);
        assert_eq!(session(&ada, &upload).await, Value::Null);
    }
    server.settle().await;
    server.assert_buckets_empty().await;
    server.finish().await;
}

#[tokio::test]
async fn an_upload_that_is_aborted_or_forgotten_leaves_nothing() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let bytes = content(100);
    let (aborted, forgotten) = (create(&ada, "a", &bytes, json!({})).await, create(&ada, "b", &bytes, json!({})).await);
    let mut urls = Vec::new();
    for upload in [&aborted, &forgotten] {
        urls.extend(send(&server, &ada, upload, &bytes, &[1]).await);
    }
    for _ in 0..2 {
        let payload = abort(&ada, &aborted).await;
        assert_eq!((codes(&payload), &payload["uploadSession"]["state"]), (vec![], &json!("ABORTED")));
    }
    assert_eq!(codes(&complete(&ada, &aborted).await), ["WRONG_STATE"]);
    server.advance(Duration::from_secs(8 * 24 * 3600));
    assert_eq!(codes(&complete(&ada, &forgotten).await), ["WRONG_STATE"], "its time is over");
    server.schedule("files.expire_uploads").await;
    server.settle().await;
    assert_eq!(session(&ada, &forgotten).await["state"], "EXPIRED");
    assert_eq!(session(&ada, &aborted).await, Value::Null, "ended a week ago");
    assert_eq!(codes(&complete(&ada, &forgotten).await), ["WRONG_STATE"]);
    assert_eq!(codes(&sign(&ada, &forgotten, &bytes, &[1]).await), ["WRONG_STATE"]);
    for url in urls {
        assert!(!server.first.send(&url, bytes.clone()), "a part's URL still works");
    }
    assert_eq!(ada.query("{ files { totalCount } }", json!({})).await["files"]["totalCount"], 0);
    server.assert_buckets_empty().await;
    // Much later even the session is forgotten.
    server.advance(Duration::from_secs(8 * 24 * 3600));
    server.schedule("files.expire_uploads").await;
    server.settle().await;
    assert_eq!(session(&ada, &forgotten).await, Value::Null);
    server.finish().await;
}

#[tokio::test]
async fn a_file_purged_while_it_is_verified_stays_gone() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    let bytes = content(1000);
    let upload = create(&ada, "a", &bytes, json!({})).await;
    send(&server, &ada, &upload, &bytes, &[1]).await;
    let file = complete(&ada, &upload).await["uploadSession"]["file"].clone();
    let refused = ada.trash(&[&file]).await;
    assert_eq!(codes(&refused), ["WRONG_STATE"]);
    assert_eq!(codes(&ada.purge(&[&file]).await), [""; 0]);
    server.work().await;
    server.settle().await;
    assert_eq!(ada.file(&file, "id").await, Value::Null);
    assert_eq!(session(&ada, &upload).await, Value::Null);
    server.assert_buckets_empty().await;
    server.finish().await;
}

#[tokio::test]
async fn a_repeat_with_the_same_key_returns_the_same_upload() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let bytes = content(10);
    let first = create(&ada, "a", &bytes, json!({ "idempotencyKey": "k" })).await;
    let again = create(&ada, "a", &bytes, json!({ "idempotencyKey": "k" })).await;
    assert_eq!(first["id"], again["id"]);
    let other = try_create(&ada, "b", &bytes, json!({ "idempotencyKey": "k" })).await;
    assert_eq!(codes(&other), ["IDEMPOTENCY_KEY_REUSED"]);
    abort(&ada, &first).await;
    server.settle().await;
    server.assert_buckets_empty().await;
    server.finish().await;
}

#[tokio::test]
async fn pictures_and_files_of_nothing_go_the_same_way() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    for (name, bytes, kind) in
        [("a.png", Picture::quarters(640, 480).png(), "image/png"), ("empty", Vec::new(), "application/octet-stream")]
    {
        let upload = create(&ada, name, &bytes, json!({})).await;
        send(&server, &ada, &upload, &bytes, &[1]).await;
        complete(&ada, &upload).await;
        server.settle().await;
        let file = session(&ada, &upload).await["file"].clone();
        assert_eq!((&file["state"], &file["contentType"]), (&json!("ACTIVE"), &json!(kind)), "{name}");
        let shown = ada.file(&file, "width height thumbhash rendition { state width }").await;
        if kind == "image/png" {
            assert_eq!((&shown["width"], &shown["height"]), (&json!(640), &json!(480)));
            assert_eq!(shown["rendition"], json!({ "state": "READY", "width": 150 }));
            assert!(shown["thumbhash"].is_string());
        } else {
            assert_eq!((&shown["width"], &shown["rendition"]), (&Value::Null, &Value::Null));
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn bad_input_is_told_by_its_field() {
    let server = TestServer::with(|config| config.uploads.max_direct_size = bytesize::ByteSize::mib(40)).await;
    let ada = server.person("ada").await;
    for (more, code, field) in [
        (json!({ "size": -1 }), "INVALID_SIZE", "size"),
        (json!({ "size": (40 << 20) + 1 }), "TOO_LARGE", "file"),
        (json!({ "name": " " }), "INVALID_NAME", "name"),
        (json!({ "contentType": "png" }), "INVALID_CONTENT_TYPE", "contentType"),
        (json!({ "contentType": "image/png; q=1" }), "INVALID_CONTENT_TYPE", "contentType"),
        (json!({ "tags": [""] }), "INVALID_TAGS", "tags"),
        (json!({ "metadata": [] }), "INVALID_METADATA", "metadata"),
    ] {
        let payload = try_create(&ada, "a", b"1", more.clone()).await;
        assert_eq!(codes(&payload), [code], "{more}");
        assert_eq!(payload["userErrors"][0]["field"], field, "{more}");
    }
    let upload = create(&ada, "a", &content(PART + 1), json!({})).await;
    for numbers in [vec![0], vec![3], vec![-1]] {
        let parts: Vec<_> = numbers.iter().map(|number| json!({ "number": number, "sha256": sha256(b"") })).collect();
        let input = json!({ "id": upload["id"], "parts": parts });
        assert_eq!(codes(&ada.mutate("signUploadParts", "parts { url }", input).await), ["INVALID_PART"]);
    }
    for count in [0, 101] {
        let parts = vec![json!({ "number": 1, "sha256": sha256(b"") }); count];
        let input = json!({ "id": upload["id"], "parts": parts });
        assert_eq!(codes(&ada.mutate("signUploadParts", "parts { url }", input).await), ["INVALID_COUNT"]);
    }
    abort(&ada, &upload).await;
    server.finish().await;
}
