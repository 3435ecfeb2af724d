//! Uploads: what the bytes tell, names, limits, repeats.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use entity::event;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use snaphaven::events;

use crate::{
    images::fixtures::Picture,
    support::{TestServer, code},
};

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

#[tokio::test]
async fn the_type_size_and_hash_come_from_the_bytes() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let picture = Picture::quarters(64, 48);
    let contents: [(&str, Vec<u8>, &str); 8] = [
        ("a.exe", picture.jpeg(), "image/jpeg"),
        ("b.txt", picture.png(), "image/png"),
        ("c", picture.gif(), "image/gif"),
        ("d.pdf", picture.webp(true), "image/webp"),
        ("e.png", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n".to_vec(), "application/pdf"),
        ("f.txt", b"plain words\n".to_vec(), "text/plain"),
        ("g.html", b"<!doctype html><script>alert(1)</script>".to_vec(), "text/html"),
        ("empty.bin", Vec::new(), "application/octet-stream"),
    ];
    for (name, bytes, kind) in contents {
        let file = ada.upload(name, bytes.clone()).await;
        let told = file["contentType"].as_str().unwrap();
        assert!(told == kind || told.starts_with(&format!("{kind};")), "{name}: {told}");
        assert_eq!((&file["size"], &file["sha256"]), (&json!(bytes.len()), &json!(sha256(&bytes))), "{name}");
        assert_eq!((&file["name"], &file["state"], &file["revision"]), (&json!(name), &json!("ACTIVE"), &json!(1)));
        assert_eq!(file["owner"]["username"], "ada");
        let raster = kind.starts_with("image/");
        let sides = if raster { (json!(64), json!(48)) } else { (Value::Null, Value::Null) };
        assert_eq!((file["width"].clone(), file["height"].clone()), sides, "{name}");
        assert_eq!(file["thumbhash"].is_string(), raster, "{name}");
    }
    server.finish().await;
}

#[tokio::test]
async fn odd_names_are_kept_as_given_and_stay_out_of_keys() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let long = "ä".repeat(255);
    for (given, shown) in [
        ("Grüße aus Köln.txt", "Grüße aus Köln.txt"),
        ("Gru\u{308}ße.txt", "Grüße.txt"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("\u{202e}gpj.exe", "\u{202e}gpj.exe"),
        ("שלום.txt", "שלום.txt"),
        ("a \"quoted\" \\ name;.txt", "a \"quoted\" \\ name;.txt"),
        (&long, &long),
    ] {
        let named = ada.try_upload("x", *b"x", json!({ "name": given })).await;
        assert_eq!(named["file"]["name"], shown, "{named}");
        let object = server.objects().await.pop().unwrap();
        assert_eq!(object.key.len(), "original/00/".len() + 36, "{}", object.key);
    }
    for bad in ["", "   ", "a\r\nb", "a\0b", "a\tb", &"a".repeat(256)] {
        let refused = ada.try_upload("x", *b"x", json!({ "name": bad })).await;
        assert_eq!((&refused["file"], &refused["userErrors"][0]["code"]), (&Value::Null, &json!("INVALID_NAME")));
        assert_eq!(refused["userErrors"][0]["field"], "name");
    }
    let own = ada.upload("Grüße mit Leerzeichen.txt", *b"x").await;
    assert_eq!(own["name"], "Grüße mit Leerzeichen.txt", "the upload's own name");
    assert_eq!(server.objects().await.len(), 8, "what is refused leaves no ledger row");
    server.finish().await;
}

#[tokio::test]
async fn what_is_said_about_a_file_is_kept_and_checked() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let input = json!({ "description": "Sea", "tags": [" sea ", "sea", "été"], "metadata": { "camera": "X100" } });
    let file = ada.try_upload("x", *b"x", input).await["file"].clone();
    assert_eq!(file["description"], "Sea");
    assert_eq!(file["tags"], json!(["sea", "été"]));
    assert_eq!(file["metadata"], json!({ "camera": "X100" }));
    let many: Vec<String> = (0..51).map(|number| number.to_string()).collect();
    for (input, problem) in [
        (json!({ "description": "x".repeat(10_001) }), "INVALID_DESCRIPTION"),
        (json!({ "tags": ["x".repeat(65)] }), "INVALID_TAGS"),
        (json!({ "tags": many }), "INVALID_TAGS"),
        (json!({ "tags": [""] }), "INVALID_TAGS"),
        (json!({ "metadata": [1] }), "INVALID_METADATA"),
        (json!({ "metadata": { "a": "x".repeat(17_000) } }), "INVALID_METADATA"),
        (json!({ "metadata": { "a": "\0" } }), "INVALID_METADATA"),
    ] {
        let refused = ada.try_upload("x", *b"x", input).await;
        assert_eq!(refused["userErrors"][0]["code"], problem, "{refused}");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_refused_before_it_is_stored() {
    let server = TestServer::with(|config| config.uploads.max_size = bytesize::ByteSize::kib(64)).await;
    let ada = server.person("ada").await;
    let whole = ada.upload("fits", vec![7; 64 * 1024]).await;
    assert_eq!(whole["size"], 64 * 1024);
    let big = ("big", vec![7; 64 * 1024 + 1]);
    let (status, answer) = ada.send_file("uploadFile", "file { id }", json!({}), big).await;
    let payload = &answer["data"]["uploadFile"];
    assert_eq!((status, &payload["file"]), (200, &Value::Null), "{answer}");
    assert_eq!(
        (&payload["userErrors"][0]["code"], &payload["userErrors"][0]["field"]),
        (&json!("TOO_LARGE"), &json!("file"))
    );
    let data = ada.query("{ limits { uploadSize } }", json!({})).await;
    assert_eq!(data["limits"]["uploadSize"], 64 * 1024, "clients can ask");
    assert_eq!(server.objects().await.len(), 1);
    server.finish().await;
}

#[tokio::test]
async fn a_repeat_with_the_same_key_returns_the_first_file() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let key = json!({ "idempotencyKey": "k-1" });
    let first = ada.try_upload("a.txt", *b"same", key.clone()).await["file"].clone();
    let again = ada.try_upload("a.txt", *b"same", key.clone()).await;
    assert_eq!(again["file"], first);
    for (name, bytes) in [("a.txt", b"else"), ("b.txt", b"same")] {
        let other = ada.try_upload(name, *bytes, key.clone()).await;
        assert_eq!((&other["file"], &other["userErrors"][0]["code"]), (&Value::Null, &json!("IDEMPOTENCY_KEY_REUSED")));
    }
    let replaced = ada.replace(&first, "a.txt", *b"same", key.clone()).await;
    assert_eq!(replaced["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED", "another mutation");
    let bobs = bob.try_upload("a.txt", *b"same", key).await["file"].clone();
    assert_ne!(bobs["id"], first["id"], "keys are a person's own");
    assert_eq!(server.objects().await.len(), 2);
    server.finish().await;
}

#[tokio::test]
async fn parallel_repeats_make_one_file_and_leave_nothing_else() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let upload = || ada.try_upload("a.txt", *b"same", json!({ "idempotencyKey": "k" }));
    let answers = futures::future::join_all((0..8).map(|_| upload())).await;
    for answer in &answers {
        assert_eq!(answer["userErrors"], json!([]));
        assert_eq!(answer["file"]["id"], answers[0]["file"]["id"]);
    }
    server.settle().await;
    assert_eq!(server.keys(&server.first).await.len(), 1, "the other writes are erased");
    let data = ada.query("{ files { totalCount } }", json!({})).await;
    assert_eq!(data["files"]["totalCount"], 1);
    server.finish().await;
}

#[tokio::test]
async fn strangers_and_wrong_tokens_upload_nothing() {
    let server = TestServer::start().await;
    let (_, answer) = server.stranger().send_file("uploadFile", "file { id }", json!({}), ("x", vec![1])).await;
    assert_eq!(code(&answer), "UNAUTHENTICATED");
    assert_eq!(server.stranger().error("{ files { totalCount } }", json!({})).await, "UNAUTHENTICATED");
    assert!(server.objects().await.is_empty());
    server.finish().await;
}

#[tokio::test]
async fn a_new_file_is_told_in_the_events_with_key_bucket_and_size() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let mut expected = BTreeMap::new();
    for size in [3usize, 5, 8] {
        let file = ada.upload("x.bin", vec![1; size]).await;
        expected.insert(file["id"].as_str().unwrap().to_owned(), size);
    }
    let told: Vec<event::Model> = events::after(server.app.db.read(), events::SERVER_LOG, 0, 100).await.unwrap();
    assert_eq!(told.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3], "without gaps");
    for (event, object) in told.iter().zip(server.objects().await) {
        assert_eq!(event.kind, "file.uploaded");
        assert_eq!(event.payload["key"], object.key);
        assert_eq!(event.payload["bucket"], "first");
        let file = event.payload["file"].as_str().unwrap();
        assert_eq!(event.payload["size"], expected.remove(file).unwrap());
    }
    assert_eq!(event::Entity::find().all(server.app.db.read()).await.unwrap().len(), 3);
    server.finish().await;
}
