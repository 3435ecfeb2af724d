//! Uploads whose client never came back after its last part, with S3's notifications and without, and clients that do
//! come back, at any moment.

use std::time::Duration;

use entity::job;
use serde_json::{Value, json};
use snaphaven::adapters::objects::{ObjectStore as _, Presence, StoreErrorKind};

use super::{
    direct::{PART, abort, codes, complete, content, create, send, session, sha256, sign},
    notifications::{listen, staged, tell},
};
use crate::support::{Person, TestServer, until};

const MINUTE: Duration = Duration::from_secs(60);

/// The parts are all sent, and their client is gone.
async fn sent(server: &TestServer, person: &Person, bytes: &[u8]) -> Value {
    let upload = create(person, "last.bin", bytes, json!({})).await;
    let numbers: Vec<usize> = (1..=bytes.len().div_ceil(PART)).collect();
    send(server, person, &upload, bytes, &numbers).await;
    upload
}

/// So much later the server looks after idle uploads.
async fn look(server: &TestServer, later: Duration) {
    server.advance(later);
    server.schedule("files.finish_uploads").await;
    server.quiet().await;
}

/// It became a file of these bytes.
async fn assert_completed(server: &TestServer, person: &Person, upload: &Value, bytes: &[u8]) {
    server.settle().await;
    let found = session(person, upload).await;
    assert_eq!((&found["state"], &found["file"]["state"]), (&json!("COMPLETED"), &json!("ACTIVE")), "{found}");
    assert_eq!(found["file"]["sha256"], sha256(bytes));
    let files = person.query("{ files { totalCount } }", json!({})).await;
    assert_eq!(files["files"]["totalCount"], 1, "one upload, one file");
}

#[tokio::test]
async fn an_upload_whose_client_died_after_its_last_part_is_completed() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let bytes = content(PART + 5);
    let upload = sent(&server, &ada, &bytes).await;
    look(&server, MINUTE).await;
    assert_eq!(session(&ada, &upload).await["state"], "OPEN", "its client may be about to complete it");
    look(&server, MINUTE).await;
    assert_completed(&server, &ada, &upload, &bytes).await;
    assert_eq!(codes(&complete(&ada, &upload).await), [""; 0], "and who comes back finds it done");
    server.finish().await;
}

#[tokio::test]
async fn an_upload_that_lacks_a_part_is_left_alone_and_asked_about_ever_more_rarely() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let bytes = content(PART + 5);
    let upload = create(&ada, "slow.bin", &bytes, json!({})).await;
    look(&server, 10 * MINUTE).await;
    assert_eq!(session(&ada, &upload).await["state"], "OPEN", "nothing was ever sent");

    let signed = sign(&ada, &upload, &bytes, &[1, 2]).await;
    let url = |at: usize| signed["parts"][at]["url"].as_str().unwrap();
    assert!(server.first.send(url(0), bytes[..PART].to_vec()));
    // Of another length it has not arrived whole.
    assert!(server.first.send(url(1), bytes[PART + 1..].to_vec()));
    look(&server, 2 * MINUTE).await;
    assert_eq!(session(&ada, &upload).await["state"], "OPEN");
    assert!(server.first.send(url(1), bytes[PART..].to_vec()));
    look(&server, MINUTE).await;
    assert_eq!(session(&ada, &upload).await["state"], "OPEN", "the next look is after as long as it has been idle");
    look(&server, MINUTE).await;
    assert_completed(&server, &ada, &upload, &bytes).await;
    server.finish().await;
}

#[tokio::test]
async fn a_part_that_is_signed_puts_the_look_off() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let bytes = content(5);
    let upload = sent(&server, &ada, &bytes).await;
    server.advance(MINUTE);
    sign(&ada, &upload, &bytes, &[1]).await;
    look(&server, MINUTE).await;
    assert_eq!(session(&ada, &upload).await["state"], "OPEN");
    look(&server, MINUTE).await;
    assert_completed(&server, &ada, &upload, &bytes).await;
    server.finish().await;
}

#[tokio::test]
async fn where_s3_tells_the_parts_are_joined_and_its_word_completes_the_upload() {
    let server = TestServer::with(listen).await;
    let ada = server.person("ada").await;
    let bytes = content(PART + 5);
    let upload = create(&ada, "last.bin", &bytes, json!({})).await;
    let key = staged(&server).await;
    send(&server, &ada, &upload, &bytes, &[1]).await;
    tell(&server, "first", &key, bytes.len()).await;
    assert_eq!(session(&ada, &upload).await["state"], "OPEN", "a word alone makes no file of parts that are missing");
    send(&server, &ada, &upload, &bytes, &[2]).await;
    look(&server, 2 * MINUTE).await;
    assert_eq!(session(&ada, &upload).await["state"], "OPEN", "S3 has not told yet");
    assert!(server.keys(&server.first).await.contains(&key), "the parts are joined");
    tell(&server, "first", &key, bytes.len()).await;
    assert_completed(&server, &ada, &upload, &bytes).await;
    server.finish().await;
}

#[tokio::test]
async fn where_s3_does_not_tell_after_all_the_next_look_completes_the_upload() {
    let server = TestServer::with(listen).await;
    let ada = server.person("ada").await;
    let bytes = content(5);
    let upload = sent(&server, &ada, &bytes).await;
    look(&server, 2 * MINUTE).await;
    assert_eq!(session(&ada, &upload).await["state"], "OPEN");
    look(&server, 2 * MINUTE).await;
    assert_completed(&server, &ada, &upload, &bytes).await;
    server.finish().await;
}

#[tokio::test]
async fn a_client_may_come_back_at_any_step() {
    for step in ["sent", "joined", "told", "verified"] {
        let bytes = content(if step == "joined" { PART + 5 } else { 5 });
        let server = TestServer::idle(listen).await;
        let ada = server.person("ada").await;
        let upload = sent(&server, &ada, &bytes).await;
        let key = staged(&server).await;
        if step != "sent" {
            server.work().await;
            look(&server, 2 * MINUTE).await;
            assert!(server.keys(&server.first).await.contains(&key), "{step}: joined");
        }
        if step == "joined" {
            // What it sees is that all has arrived; what it sends again, S3 refuses.
            let parts = session(&ada, &upload).await["parts"].clone();
            assert_eq!(
                parts,
                json!([{ "number": 1, "size": PART, "sha256": null }, { "number": 2, "size": 5, "sha256": null }])
            );
            let query = "query ($id: ID!) { uploadSession(id: $id) { parts(after: 1) { number } } }";
            let later = ada.query(query, json!({ "id": upload["id"] })).await;
            assert_eq!(later["uploadSession"]["parts"], json!([{ "number": 2 }]));
            let signed = sign(&ada, &upload, &bytes, &[2]).await;
            assert!(!server.first.send(signed["parts"][0]["url"].as_str().unwrap(), bytes[PART..].to_vec()));
        }
        if matches!(step, "told" | "verified") {
            tell(&server, "first", &key, bytes.len()).await;
        }
        if step == "verified" {
            server.settle().await;
        }
        for _ in 0..2 {
            let payload = complete(&ada, &upload).await;
            assert_eq!(codes(&payload), [""; 0], "{step}");
            assert_ne!(payload["uploadSession"]["state"], "OPEN", "{step}");
        }
        if step == "sent" {
            server.work().await;
        }
        // Whatever comes late.
        tell(&server, "first", &key, bytes.len()).await;
        look(&server, 2 * MINUTE).await;
        assert_completed(&server, &ada, &upload, &bytes).await;
        server.finish().await;
    }
}

#[tokio::test]
async fn a_joined_object_goes_with_its_upload() {
    let bytes = content(5);
    for ending in ["ABORTED", "EXPIRED"] {
        let server = TestServer::with(listen).await;
        let ada = server.person("ada").await;
        let upload = sent(&server, &ada, &bytes).await;
        let key = staged(&server).await;
        look(&server, 2 * MINUTE).await;
        assert!(server.keys(&server.first).await.contains(&key), "{ending}: joined");
        if ending == "ABORTED" {
            assert_eq!(codes(&abort(&ada, &upload).await), [""; 0]);
        } else {
            server.advance(8 * 24 * 60 * MINUTE);
            server.schedule("files.expire_uploads").await;
            server.quiet().await;
        }
        tell(&server, "first", &key, bytes.len()).await;
        look(&server, 2 * MINUTE).await;
        server.settle().await;
        assert_eq!(session(&ada, &upload).await["state"], ending);
        assert_eq!(codes(&complete(&ada, &upload).await), ["WRONG_STATE"]);
        assert_eq!(ada.query("{ files { totalCount } }", json!({})).await["files"]["totalCount"], 0);
        server.assert_buckets_empty().await;
        server.finish().await;
    }
}

#[tokio::test]
async fn parts_joined_after_their_upload_was_aborted_are_erased_again() {
    let server = TestServer::with(listen).await;
    let ada = server.person("ada").await;
    let bytes = content(5);
    let upload = sent(&server, &ada, &bytes).await;
    let key = staged(&server).await;
    server.first.hold_joins();
    server.advance(2 * MINUTE);
    server.schedule("files.finish_uploads").await;
    until("the parts are being joined", async || server.first.look(&key).await.unwrap() == Presence::Gone).await;
    assert_eq!(codes(&abort(&ada, &upload).await), [""; 0]);
    server.advance(Duration::from_secs(10));
    let app = server.app.clone();
    let others_are_done = move |jobs: &[job::Model]| {
        let mut others = jobs.iter().filter(|job| job.kind != "files.finish_upload");
        others.all(|job| job.lease_until.is_none() && job.run_at > app.now())
    };
    server.until("the erasure is proven", others_are_done).await;
    server.first.release_joins();
    server.quiet().await;
    assert!(!server.keys(&server.first).await.contains(&key), "what landed late must not wait for the sweeper");
    server.finish().await;
}

#[tokio::test]
async fn a_store_that_is_away_only_delays() {
    let server = TestServer::with(listen).await;
    let ada = server.person("ada").await;
    let bytes = content(5);
    let upload = sent(&server, &ada, &bytes).await;
    let key = staged(&server).await;
    server.first.set_failure(Some(StoreErrorKind::Unavailable));
    server.queue.send(super::notifications::created("first", &key, bytes.len()));
    server.queue.until_hidden(1).await;
    look(&server, 2 * MINUTE).await;
    server.first.set_failure(None);
    assert_eq!(session(&ada, &upload).await["state"], "OPEN");
    server.queue.redeliver();
    server.queue.drained().await;
    assert_completed(&server, &ada, &upload, &bytes).await;
    server.finish().await;
}
