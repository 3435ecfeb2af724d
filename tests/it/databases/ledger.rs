//! The ledger: what becomes of bytes when a site is away, slow or wrong, and when writers vanish.

use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use bytesize::ByteSize;
use entity::{
    object::{Kind, Reason, State},
    write_intent,
};
use sea_orm::{DbErr, EntityTrait};
use serde_json::{Value, json};
use snaphaven::{
    adapters::objects::{Body, Condition, ObjectStore, Presence, PutObject, StoreErrorKind, memory::MemoryStore},
    config::ReplicationMode,
    ledger::{self, NewObject, Written},
};

use crate::support::{Person, TestServer, code};

const COPIES: &str = "copies { role region bucket state proof sha256 verifiedAt goneAt }";

fn hash(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

/// Puts bytes under a key behind the ledger's back.
async fn plant(store: &MemoryStore, key: &str, bytes: &'static [u8]) {
    let body = Body::Memory(bytes.into());
    let put = PutObject {
        key: key.to_owned(),
        body,
        bytes: bytes.len() as u64,
        sha256: hash(bytes),
        content_type: "text/plain".to_owned(),
        condition: Condition::None,
    };
    store.put(put, Duration::from_secs(1)).await.unwrap();
}

/// A write that never comes to its end.
async fn half_written(server: &TestServer) -> Written {
    let new = NewObject {
        kind: Kind::Original,
        bytes: 4,
        sha256: hash(b"half"),
        content_type: "text/plain".to_owned(),
        user_id: None,
        file_id: None,
    };
    ledger::write(&server.app, new, Body::Memory("half".into())).await.unwrap()
}

async fn finalise(server: &TestServer, written: &Written) -> bool {
    let app = &server.app;
    app.transaction::<_, DbErr, _, _>(async |tx| ledger::make_live(app, &tx, written).await).await.unwrap()
}

async fn failed_upload(person: &Person) -> String {
    code(&person.send_file("uploadFile", "file { id }", json!({}), ("a.txt", b"lost".to_vec())).await.1)
}

/// Role and state of each copy.
fn by_state(copies: &Value) -> Vec<(&str, &str)> {
    copies["copies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|copy| (copy["role"].as_str().unwrap(), copy["state"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn with_the_primary_away_an_upload_fails_and_leaves_nothing() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    server.first.set_failure(Some(StoreErrorKind::Unavailable));
    assert_eq!(failed_upload(&ada).await, "UNAVAILABLE");
    server.quiet().await;
    let doomed = server.objects().await.pop().unwrap();
    assert_eq!((doomed.state, doomed.reason), (State::Deleting, Some(Reason::Abandoned)));
    server.first.set_failure(None);
    // The request had ended, but its bytes had not: S3 may finish a write whose reply was lost.
    plant(&server.first, &doomed.key, b"lost").await;
    server.settle().await;
    server.assert_buckets_empty().await;
    let erased = server.objects().await.pop().unwrap();
    let settings = &server.app.config;
    let provable = doomed.created_at.plus(settings.objects.write_timeout).plus(settings.ledger.erase_margin);
    assert_eq!(erased.state, State::Erased);
    assert!(erased.erased_at.unwrap() >= provable, "not proven before the write's deadline and its margin");
    assert!(write_intent::Entity::find().all(server.app.db.read()).await.unwrap().is_empty());
    assert_eq!(ada.query("{ files { totalCount } }", json!({})).await["files"]["totalCount"], 0);
    ada.upload("a.txt", *b"lost").await;
    server.finish().await;
}

#[tokio::test]
async fn a_refused_write_is_over_at_once() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    server.settle().await;
    let before = server.app.now();
    for (kind, code) in [
        (StoreErrorKind::Denied, "INTERNAL"),
        (StoreErrorKind::NoSuchBucket, "INTERNAL"),
        // Bytes altered on their way: the next attempt may go well.
        (StoreErrorKind::BadDigest, "UNAVAILABLE"),
    ] {
        server.first.set_failure(Some(kind));
        assert_eq!(failed_upload(&ada).await, code, "{kind:?}");
        server.first.set_failure(None);
    }
    server.settle().await;
    assert!(server.app.now().since(before) < Duration::from_secs(10), "no deadline to wait for");
    assert!(server.objects().await.iter().all(|object| object.state == State::Erased));
    server.finish().await;
}

#[tokio::test]
async fn with_the_replica_away_files_work_and_their_copies_follow() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    server.second.set_failure(Some(StoreErrorKind::Unavailable));
    let file = ada.upload("a.txt", *b"text").await;
    server.quiet().await;
    let behind = ada.file(&file, COPIES).await;
    assert_eq!(by_state(&behind), [("PRIMARY", "VERIFIED"), ("REPLICA", "AWAITING")]);
    let replica = &behind["copies"][1];
    assert_eq!(
        (&replica["sha256"], &replica["verifiedAt"], &replica["proof"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    server.second.set_failure(None);
    server.settle().await;
    let whole = ada.file(&file, COPIES).await;
    assert_eq!(by_state(&whole), [("PRIMARY", "VERIFIED"), ("REPLICA", "VERIFIED")]);
    for (copy, bucket, region) in [(&whole["copies"][0], "first", "here-1"), (&whole["copies"][1], "second", "there-1")]
    {
        assert_eq!((&copy["bucket"], &copy["region"]), (&json!(bucket), &json!(region)));
        assert_eq!((&copy["sha256"], &copy["proof"]), (&file["sha256"], &json!("CHECKSUM")));
        assert!(copy["verifiedAt"].is_string() && copy["goneAt"].is_null());
    }
    server.finish().await;
}

#[tokio::test]
async fn the_edge_serves_from_the_replica_while_the_primary_is_away() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.bin", vec![7; 2 << 20]).await;
    server.settle().await;
    let url = ada.file(&file, "downloadUrl { url }").await["downloadUrl"]["url"].as_str().unwrap().to_owned();
    server.first.set_failure(Some(StoreErrorKind::Unavailable));
    assert_eq!(reqwest::get(&url).await.unwrap().bytes().await.unwrap(), vec![7; 2 << 20]);
    server.second.set_failure(Some(StoreErrorKind::Unavailable));
    assert!(reqwest::get(&url).await.unwrap().status().is_server_error());
    for store in [&server.first, &server.second] {
        store.set_failure(None);
    }
    server.finish().await;
}

#[tokio::test]
async fn copies_take_no_more_of_the_line_than_they_may() {
    let server = TestServer::with(|config| {
        config.replication.copied_per_second = ByteSize::mib(32);
        config.uploads.max_size = ByteSize::mib(64);
    })
    .await;
    let ada = server.person("ada").await;
    let begun = Instant::now();
    // The second in parts; a part goes when those before it have had their time.
    for bytes in [8 << 20, 40 << 20] {
        ada.upload("a.bin", vec![7; bytes]).await;
    }
    server.quiet().await;
    assert_eq!(server.keys(&server.second).await.len(), 2, "all is copied");
    assert!(begun.elapsed() >= Duration::from_millis(1250), "{:?}", begun.elapsed());
    server.finish().await;
}

#[tokio::test]
async fn altered_bytes_are_not_copied() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    ada.upload("a.txt", *b"true").await;
    let key = server.objects().await[0].key.clone();
    plant(&server.first, &key, b"lies").await;
    server.work().await;
    server.quiet().await;
    assert_eq!(server.second.head(&key).await.unwrap(), None);
    let job = server.jobs(entity::job::State::Waiting).await.pop().unwrap();
    assert_eq!(job.kind, "ledger.replicate");
    assert!(job.last_error.unwrap().contains("differs from the ledger"));
    plant(&server.first, &key, b"true").await;
    server.finish().await;
}

#[tokio::test]
async fn an_unfinished_write_is_swept_after_its_deadline_and_the_grace() {
    let server = TestServer::start().await;
    half_written(&server).await;
    let settings = &server.app.config;
    let limit = settings.objects.write_timeout + settings.ledger.abandoned_after;
    server.advance(limit);
    server.schedule("ledger.sweep").await;
    server.settle().await;
    assert_eq!(server.objects().await[0].state, State::Pending, "its writer may still come");
    server.advance(Duration::from_secs(1));
    server.schedule("ledger.sweep").await;
    server.settle().await;
    let swept = server.objects().await.pop().unwrap();
    assert_eq!((swept.state, swept.reason, swept.requested_by), (State::Erased, Some(Reason::Abandoned), None));
    server.assert_buckets_empty().await;
    server.finish().await;
}

#[tokio::test]
async fn a_writer_that_wakes_after_the_sweep_brings_nothing_back() {
    let server = TestServer::start().await;
    let written = half_written(&server).await;
    server.advance(Duration::from_secs(3600));
    server.schedule("ledger.sweep").await;
    server.settle().await;
    plant(&server.first, &written.object.key, b"half").await;
    assert!(!finalise(&server, &written).await);
    server.settle().await;
    assert_eq!(server.objects().await[0].state, State::Erased);
    server.assert_buckets_empty().await;
    server.finish().await;
}

#[tokio::test]
async fn a_promotion_between_write_and_commit_takes_nothing() {
    let server = TestServer::start().await;
    let written = half_written(&server).await;
    let seen = snaphaven::ledger::roles(server.app.db.read()).await.unwrap();
    for _ in 0..2 {
        // There and back: the epoch is another one.
        let system = snaphaven::viewer::Viewer::System("test");
        let roles = snaphaven::ledger::roles(server.app.db.read()).await.unwrap();
        snaphaven::replication::switch(&server.app, &system, roles).await.unwrap();
    }
    assert_eq!(snaphaven::ledger::roles(server.app.db.read()).await.unwrap().primary, seen.primary);
    assert!(!finalise(&server, &written).await, "another primary since");
    server.settle().await;
    for store in [&server.first, &server.second] {
        assert!(!server.keys(store).await.contains(&written.object.key));
    }
    server.finish().await;
}

#[tokio::test]
async fn a_lost_job_is_found_by_the_sweep() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    let [kept, purged] = [ada.upload("kept", *b"1").await, ada.upload("purged", *b"2").await];
    ada.purge(&[&purged]).await;
    entity::job::Entity::delete_many().exec(server.app.db.read()).await.unwrap();
    server.work().await;
    server.settle().await;
    assert_eq!(server.keys(&server.first).await.len(), 2, "nobody knows");
    server.advance(Duration::from_secs(3600));
    server.schedule("ledger.sweep").await;
    server.settle().await;
    assert_eq!(by_state(&ada.file(&kept, COPIES).await)[1], ("REPLICA", "VERIFIED"));
    assert_eq!(server.keys(&server.first).await.len(), 1);
    server.finish().await;
}

#[tokio::test]
async fn a_purge_before_replication_leaves_no_copy() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    let file = ada.upload("a", *b"1").await;
    let key = server.objects().await[0].key.clone();
    server.first.begin_upload(&key);
    ada.purge(&[&file]).await;
    server.work().await;
    server.settle().await;
    server.assert_buckets_empty().await;
    assert_eq!(server.first.look(&key).await.unwrap(), Presence::Gone, "unfinished uploads too");
    server.finish().await;
}

#[tokio::test]
async fn an_erasure_is_not_proven_while_a_site_is_away() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a", *b"1").await;
    server.settle().await;
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::Denied] {
        server.second.set_failure(Some(kind));
        ada.purge(&[&file]).await;
        server.quiet().await;
        let proof = "{ erasures { nodes { erasedAt replicaConfirmedAt } } }";
        let erasure = ada.query(proof, json!({})).await["erasures"]["nodes"][0].clone();
        assert_eq!(erasure, json!({ "erasedAt": null, "replicaConfirmedAt": null }), "{kind:?} proves nothing");
    }
    server.second.set_failure(None);
    server.settle().await;
    server.assert_buckets_empty().await;
    server.finish().await;
}

#[tokio::test]
async fn copies_made_by_the_bucket_itself_count_once_their_checksum_is_seen() {
    let server = TestServer::with(|config| config.objects.replication = ReplicationMode::S3Crr).await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"true").await;
    server.quiet().await;
    let key = server.objects().await[0].key.clone();
    assert_eq!(server.second.head(&key).await.unwrap(), None, "the server does not copy");
    plant(&server.second, &key, b"lies").await;
    server.advance(Duration::from_secs(1));
    server.quiet().await;
    assert_eq!(by_state(&ada.file(&file, COPIES).await)[1], ("REPLICA", "AWAITING"));
    plant(&server.second, &key, b"true").await;
    server.settle().await;
    assert_eq!(by_state(&ada.file(&file, COPIES).await)[1], ("REPLICA", "VERIFIED"));
    server.finish().await;
}
