//! What is erased: everything in every state, in batches, with progress that only grows, and nothing of anybody else.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use entity::object;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use snaphaven::{compose, jobs};
use tokio_util::sync::CancellationToken;

use super::{assert_gone, close, closure, kept, key};
use crate::{
    images::fixtures::Picture,
    support::{Person, TestServer},
};

/// A direct upload of one part.
async fn begin(person: &Person, name: &str, more: Value) -> Value {
    let mut input = json!({ "name": name, "size": 5 });
    for (name, value) in more.as_object().into_iter().flatten() {
        input[name] = value.clone();
    }
    person.mutate("createUpload", "uploadSession { id }", input).await["uploadSession"].clone()
}

/// The URL of its part.
async fn send(server: &TestServer, person: &Person, upload: &Value) -> String {
    let sha256 = hex::encode(digest(&SHA256, b"hello"));
    let input = json!({ "id": upload["id"], "parts": [{ "number": 1, "sha256": sha256 }] });
    let signed = person.mutate("signUploadParts", "parts { url }", input).await;
    let url = signed["parts"][0]["url"].as_str().unwrap().to_owned();
    assert!(server.first.send(&url, "hello"));
    url
}

async fn end(person: &Person, name: &str, upload: &Value) {
    let payload = person.mutate(name, "uploadSession { id state }", json!({ "id": upload["id"] })).await;
    assert_eq!(payload["userErrors"], json!([]));
}

/// Gives a file the new content that was sent.
async fn replace(server: &TestServer, person: &Person, file: &Value, urls: &mut Vec<String>) {
    let upload = begin(person, "content", json!({ "purpose": "CONTENT" })).await;
    urls.push(send(server, person, &upload).await);
    let current = person.file(file, "id revision").await;
    let input = json!({ "id": current["id"], "revision": current["revision"], "uploadId": upload["id"] });
    let payload = person.mutate("replaceFileContent", "uploadSession { state }", input).await;
    assert_eq!(payload["userErrors"], json!([]));
}

/// A worker that stops with the token, or dies with its task.
fn worker(server: &TestServer) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let (stop, registry) = (CancellationToken::new(), compose::registry(&server.app.config).unwrap());
    (stop.clone(), tokio::spawn(jobs::run(server.app.clone(), Arc::new(registry), stop)))
}

#[tokio::test]
async fn everything_in_every_state_is_erased_and_nothing_of_others() {
    let server = TestServer::idle(|_| {}).await;
    let (ada, bob, root) = (server.person("ada").await, server.person("bob").await, server.admin().await);
    let (stop, working) = worker(&server);
    ada.upload("a.png", Picture::quarters(400, 300).png()).await;
    let text =
        ada.try_upload("a.txt", *b"text", json!({ "tags": ["tag"], "idempotencyKey": "k" })).await["file"].clone();
    let text = ada.replace(&text, "a.txt", *b"longer text", json!({})).await["file"].clone();
    let [trashed, removed, purged] =
        [ada.upload("1", *b"1").await, ada.upload("2", *b"2").await, ada.upload("3", *b"3").await];
    ada.trash(&[&trashed]).await;
    root.trash(&[&removed]).await;
    ada.purge(&[&purged]).await;
    for strict in [true, false] {
        ada.mutate("createShareLink", "url", json!({ "fileId": text["id"], "strict": strict })).await;
    }
    let (done, rejected) =
        (begin(&ada, "done", json!({})).await, begin(&ada, "bad", json!({ "sha256": "0".repeat(64) })).await);
    let aborted = begin(&ada, "aborted", json!({})).await;
    let mut urls = Vec::new();
    for (upload, how) in [(&done, "completeUpload"), (&rejected, "completeUpload"), (&aborted, "abortUpload")] {
        urls.push(send(&server, &ada, upload).await);
        end(&ada, how, upload).await;
    }
    let content = ada.upload("content", *b"old").await;
    replace(&server, &ada, &content, &mut urls).await;
    let wrong = json!({ "login": "ada", "password": "not the password" });
    server.stranger().mutate("logIn", "token", wrong).await;
    let bobs = bob.upload("b.png", Picture::quarters(40, 30).png()).await;
    server.settle().await;
    stop.cancel();
    working.await.unwrap();
    // These are under way, and so are the jobs of them.
    let (open, verifying) = (begin(&ada, "open", json!({})).await, begin(&ada, "verifying", json!({})).await);
    begin(&ada, "not begun", json!({})).await;
    for upload in [&open, &verifying] {
        urls.push(send(&server, &ada, upload).await);
    }
    end(&ada, "completeUpload", &verifying).await;
    replace(&server, &ada, &content, &mut urls).await;
    begin(&ada, "content not sent", json!({ "purpose": "CONTENT" })).await;
    ada.upload("late.png", Picture::quarters(40, 30).png()).await;
    let of_bob: Vec<_> = kept(&server).await.into_iter().filter(|row| row.contains(&key(&bob).to_string())).collect();

    let receipt = close(&ada).await;
    let begun = closure(&server, &receipt).await;
    let files = "picture, text, trashed, removed, done, rejected, content, verifying, late".split(',').count();
    assert_eq!((&begun["files"], &begun["filesLeft"]), (&json!(files), &json!(files)));
    let alert = server.jobs(entity::job::State::Waiting).await.into_iter().find(|job| job.kind == "alerts.deliver");
    assert!(alert.is_some());
    server.work().await;
    server.settle().await;

    assert_gone(&server, &ada, "ada", &receipt).await;
    for url in urls {
        assert!(!server.first.send(&url, "hello"), "the URL of a part still works");
    }
    let alerts: Vec<_> = server.sink.delivered().into_iter().filter(|alert| alert.kind == "ACCOUNT_CLOSED").collect();
    assert_eq!((alerts.len(), &alerts[0].details["files"]), (1, &json!(files)));
    assert!(!format!("{:?}", alerts[0]).contains("a.txt") && !alerts[0].message.contains("ada"), "{alerts:?}");
    let proofs = root
        .query(
            "{ erasures(first: 100) { nodes { reason requestedBy { id } erasedAt primaryConfirmedAt \
        replicaConfirmedAt } } }",
            json!({}),
        )
        .await["erasures"]["nodes"]
        .clone();
    let proofs: Vec<Value> = proofs.as_array().unwrap().clone();
    assert!(proofs.iter().filter(|proof| proof["reason"] == "ACCOUNT_CLOSED").count() > files, "{proofs:?}");
    for proof in proofs {
        assert_eq!(proof["requestedBy"], Value::Null, "nobody by that id");
        assert!(["erasedAt", "primaryConfirmedAt", "replicaConfirmedAt"].iter().all(|time| proof[time].is_string()));
    }
    let now: Vec<_> = kept(&server).await.into_iter().filter(|row| row.contains(&key(&bob).to_string())).collect();
    assert_eq!(now, of_bob, "another person's rows are as they were");
    assert_eq!(
        bob.file(&bobs, "state rendition { state }").await,
        json!({ "state": "ACTIVE", "rendition": { "state": "READY" } })
    );
    server.finish().await;
}

async fn many_files(person: &Person, count: usize) {
    let upload = |number: usize| async move { person.upload(&format!("{number}.txt"), number.to_string()).await };
    stream::iter((0..count).map(upload)).buffer_unordered(8).collect::<Vec<_>>().await;
}

/// Three batches, and workers killed in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_only_grows_and_goes_on_where_a_killed_worker_left_it() {
    let server = TestServer::idle(|_| {}).await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    many_files(&ada, 250).await;
    many_files(&bob, 3).await;
    let receipt = close(&ada).await;
    let number = |closure: &Value, name: &str| closure[name].as_u64().unwrap();
    let mut last = closure(&server, &receipt).await;
    assert_eq!((number(&last, "files"), number(&last, "filesLeft"), number(&last, "objects")), (250, 250, 250));
    let mut look = async || {
        let now = closure(&server, &receipt).await;
        assert!(number(&now, "filesLeft") <= number(&last, "filesLeft"), "{last} then {now}");
        assert!(number(&now, "objectsErased") >= number(&last, "objectsErased"), "{last} then {now}");
        assert!(number(&now, "objects") >= number(&now, "objectsErased"), "{now}");
        let moved = now["filesLeft"] != last["filesLeft"];
        last = now.clone();
        (now, moved)
    };
    loop {
        let (_, working) = worker(&server);
        let start = std::time::Instant::now();
        let left = loop {
            let (now, moved) = look().await;
            if moved {
                break number(&now, "filesLeft");
            }
            assert!(start.elapsed() < Duration::from_secs(60), "no progress: {now}");
        };
        working.abort();
        assert!(working.await.unwrap_err().is_cancelled());
        server.advance(server.app.config.jobs.lease + Duration::from_secs(1));
        if left == 0 {
            break;
        }
    }
    server.work().await;
    let start = std::time::Instant::now();
    while look().await.0["state"] != "ERASED" {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not end");
        server.quiet().await;
        server.advance(Duration::from_secs(10));
    }
    server.settle().await;
    assert_gone(&server, &ada, "ada", &receipt).await;
    assert_eq!(closure(&server, &receipt).await["objects"], 250);
    assert_eq!(bob.query("{ files { totalCount } }", json!({})).await["files"]["totalCount"], 3);
    server.finish().await;
}

#[tokio::test]
async fn a_legal_hold_keeps_its_file_whole_until_it_ends() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let held = ada.upload("held.png", Picture::quarters(400, 300).png()).await;
    ada.upload("free.txt", *b"free").await;
    begin(&ada, "open", json!({})).await;
    server.settle().await;
    let id = snaphaven::id::NodeKind::File.parse(held["id"].as_str().unwrap()).unwrap();
    let kept: Vec<_> = server.objects().await.into_iter().filter(|object| object.file_id == Some(id)).collect();
    assert_eq!(kept.len(), 4, "with its renditions");
    let root = server.admin().await;
    let hold =
        root.mutate("placeLegalHold", "legalHold { id }", json!({ "fileId": held["id"], "reason": "A case" })).await;
    let receipt = close(&ada).await;
    for _ in 0..3 {
        // As often as the job looks again, and until every free object is proven gone.
        server.advance(Duration::from_secs(600));
        server.quiet().await;
    }
    let waits = closure(&server, &receipt).await;
    assert_eq!(
        (&waits["state"], &waits["filesLeft"], &waits["held"]),
        (&json!("HELD"), &json!(1), &json!(1)),
        "{waits}"
    );
    assert_eq!(waits["erasedAt"], Value::Null);
    let live = server.objects().await.into_iter().filter(|object| object.state == object::State::Live);
    assert_eq!(
        live.map(|object| object.id).collect::<Vec<_>>(),
        kept.iter().map(|object| object.id).collect::<Vec<_>>()
    );
    server.assert_usage_is_counted().await;
    root.mutate("releaseLegalHold", "legalHold { id }", json!({ "id": hold["legalHold"]["id"] })).await;
    server.settle().await;
    assert_gone(&server, &ada, "ada", &receipt).await;
    server.finish().await;
}
