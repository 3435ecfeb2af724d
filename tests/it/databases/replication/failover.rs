//! Another site becomes the primary: what was acknowledged stays readable, what was begun before never becomes live, and a change
//! that both sites take part in leaves nothing behind.

use std::time::Duration;

use entity::{alert, audit_entry, object::State, object_copy::Site};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use snaphaven::{
    adapters::objects::StoreErrorKind,
    ledger::{self, Roles},
    replication::{self, FailoverError},
    viewer::Viewer,
};

use super::shelf::{Shape, Shelf};
use crate::support::{Person, TestServer, code, until};

const OPS: Viewer = Viewer::System("test");

async fn roles(server: &TestServer) -> Roles {
    ledger::roles(server.app.db.read()).await.unwrap()
}

async fn promote(server: &TestServer) -> Roles {
    let plan = replication::plan_promotion(&server.app, &OPS).await.unwrap();
    replication::promote(&server.app, &OPS, plan.roles, plan.exposure).await.unwrap()
}

/// The bytes, and which site they came from.
async fn download(person: &Person, file: &Value) -> (Vec<u8>, String) {
    let url = person.file(file, "downloadUrl { url }").await["downloadUrl"]["url"].as_str().unwrap().to_owned();
    let response = reqwest::get(url).await.unwrap();
    let source = response.headers()["x-snaphaven-source"].to_str().unwrap().to_owned();
    (response.bytes().await.unwrap().to_vec(), source)
}

#[tokio::test]
async fn reads_go_on_without_the_primary_and_writes_after_a_promotion() {
    let server = TestServer::with(|config| {
        config.jobs.backoff_min = Duration::from_millis(10);
        config.embedded.edge_cache_object = bytesize::ByteSize(1);
    })
    .await;
    let admin = server.admin().await;
    let ada = server.person("ada").await;
    let file = ada.upload("kept.txt", *b"kept").await;
    server.settle().await;
    assert_eq!(download(&ada, &file).await, (b"kept".to_vec(), "primary".to_owned()));

    server.first.set_failure(Some(StoreErrorKind::Unavailable));
    assert_eq!(download(&ada, &file).await, (b"kept".to_vec(), "replica".to_owned()), "marked as degraded");
    let (_, refused) = ada.send_file("uploadFile", "file { id }", json!({}), ("new.txt", b"new".to_vec())).await;
    assert_eq!(code(&refused), "UNAVAILABLE", "{refused}");

    let before = roles(&server).await;
    let after = promote(&server).await;
    assert_eq!((after.primary, after.epoch), (Site::Second, before.epoch + 1));
    // Whoever decided on what was so before changes nothing.
    let stale = replication::promote(&server.app, &OPS, before, ledger::Exposure::default()).await;
    assert!(matches!(stale, Err(FailoverError::RolesChanged)), "{stale:?}");
    assert_eq!(roles(&server).await, after);

    let new = ada.upload("new.txt", *b"new").await;
    until("reads ask the new primary first", async || download(&ada, &new).await.1 == "primary").await;
    assert_eq!(download(&ada, &file).await, (b"kept".to_vec(), "primary".to_owned()));
    let object = server.objects().await.into_iter().find(|object| object.bytes == 3 && object.state == State::Live);
    assert!(server.keys(&server.second).await.contains(&object.unwrap().key));

    // The former primary is back: what it lacks is copied to it, and everybody is told.
    server.first.set_failure(None);
    server.take_dead().await;
    let run = admin.mutate("verifyReplicas", "run { id }", json!({ "mode": "SWEEP" })).await["run"].clone();
    server.settle_for_an_hour().await;
    let state = admin.query("{ replication { state sentence sites { role bucket } } }", json!({})).await;
    assert!(run["id"].is_string() && state["replication"]["state"] == "HEALTHY", "{state}");
    assert_eq!(state["replication"]["sites"][0], json!({ "role": "PRIMARY", "bucket": "second" }), "{state}");
    let told = alert::Entity::find().filter(alert::Column::Kind.eq(alert::Kind::PrimaryChanged));
    let told = told.all(server.app.db.read()).await.unwrap();
    assert_eq!(told.len(), 1);
    assert!(told[0].message.ends_with("Nothing is left behind."), "{}", told[0].message);
    let acts = audit_entry::Entity::find().filter(audit_entry::Column::Action.eq("run.ordered"));
    let acts = acts.all(server.app.db.read()).await.unwrap();
    assert!(acts.iter().any(|act| String::from_utf8_lossy(&act.canonical).contains("PROMOTION")));
    let runs = admin.query("{ replicaRuns(first: 10) { nodes { mode state } } }", json!({})).await;
    let runs = runs["replicaRuns"]["nodes"].as_array().unwrap().clone();
    assert!(runs.contains(&json!({ "mode": "PROMOTION", "state": "COMPLETE" })), "{runs:?}");

    for file in [&file, &new] {
        ada.trash(&[file]).await;
        ada.purge(&[file]).await;
    }
    server.settle_for_an_hour().await;
    server.assert_buckets_empty().await;
    server.finish().await;
}

#[tokio::test]
async fn what_was_verified_before_a_promotion_counts_no_longer() {
    let shelf = Shelf::new(|_| {}).await;
    let items = shelf.put(20, Shape::LIVE).await;
    shelf.verify("SWEEP").await;
    assert_eq!(shelf.state().await["state"], "HEALTHY");
    // One that the replica lost, and nobody knows: the promotion does not hide it.
    shelf.server.second.delete_latest(&items[0].row.key);
    promote(&shelf.server).await;
    let state = shelf.state().await;
    assert_eq!(state["state"], "INCONCLUSIVE", "{state}");
    shelf.verify("SWEEP").await;
    assert_eq!(shelf.findings(true).await, [("MISSING_IN_PRIMARY".to_owned(), items[0].row.key.clone())]);
    let plan = replication::lacking(&shelf.server.app, &OPS, roles(&shelf.server).await).await.unwrap();
    assert_eq!(plan, 0, "the replica of now has it");
    shelf.repair(json!({ "dryRun": false, "expectedCount": 1 })).await;
    shelf.server.settle_for_an_hour().await;
    shelf.verify("SWEEP").await;
    assert_eq!(shelf.state().await["state"], "HEALTHY");
    assert!(shelf.server.keys(&shelf.server.second).await.contains(&items[0].row.key));
    shelf.server.finish().await;
}

#[tokio::test]
async fn a_change_of_the_primary_under_load_leaves_nothing_behind() {
    const CHANGES: usize = 6;
    let server = TestServer::with(|config| config.jobs.backoff_min = Duration::from_millis(10)).await;
    let ada = server.person("ada").await;
    let stop = tokio_util::sync::CancellationToken::new();
    let writers = (0..4).map(|writer| {
        let (ada, stop) = (&ada, stop.clone());
        async move {
            let mut kept = Vec::new();
            let mut refused = 0;
            while !stop.is_cancelled() {
                let bytes = format!("{writer} {}", kept.len());
                let name = (bytes.as_str(), bytes.clone().into_bytes());
                let (_, answer) = ada.send_file("uploadFile", "file { id } userErrors { code }", json!({}), name).await;
                if answer["data"]["uploadFile"]["file"].is_object() {
                    kept.push((answer["data"]["uploadFile"]["file"].clone(), bytes));
                } else {
                    // Refused for the moment, or the primary changed under it: both may be repeated.
                    assert_eq!(code(&answer), "UNAVAILABLE", "{answer}");
                    refused += 1;
                }
            }
            (kept, refused)
        }
    });
    let changes = async {
        for _ in 0..CHANGES {
            let seen = roles(&server).await;
            replication::close(&server.app, &OPS, seen, Duration::from_secs(60)).await.unwrap();
            let now = loop {
                match replication::switch(&server.app, &OPS, seen).await {
                    Ok(now) => break now,
                    Err(FailoverError::NotReplicated { .. }) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            };
            assert_ne!(now.primary, seen.primary);
            let store = if now.primary == Site::First { &server.first } else { &server.second };
            // Whatever became live before the change is at the new primary; what comes after is written there.
            let keys = server.keys(store).await;
            let lacking: Vec<_> =
                server.objects().await.into_iter().filter(|object| object.state == State::Live).collect();
            let lacking = lacking.iter().filter(|object| !keys.contains(&object.key));
            let lacking = futures::future::join_all(
                lacking.map(|object| async { ledger::copies(server.app.db.read(), &[object.id]).await.unwrap() }),
            );
            for copies in lacking.await {
                let at = copies.iter().find(|copy| copy.site == now.primary).unwrap();
                assert_eq!(
                    at.state,
                    entity::object_copy::State::Verified,
                    "it came after the keys were read: {copies:?}"
                );
            }
            let kept = server.objects().await.len();
            until("somebody writes again", async || server.objects().await.len() > kept + 4).await;
        }
        stop.cancel();
    };
    let (kept, ()) = tokio::join!(futures::future::join_all(writers), changes);
    server.settle_for_an_hour().await;
    assert!(kept.iter().all(|(kept, _)| !kept.is_empty()));
    for (file, bytes) in kept.into_iter().flat_map(|(kept, _)| kept) {
        assert_eq!(download(&ada, &file).await.0, bytes.into_bytes());
    }
    let admin = server.admin().await;
    admin.mutate("verifyReplicas", "run { id }", json!({ "mode": "SCRUB" })).await;
    server.settle().await;
    admin.mutate("verifyReplicas", "run { id }", json!({ "mode": "SWEEP" })).await;
    server.settle().await;
    let state = admin.query("{ replication { state sentence } }", json!({})).await;
    assert_eq!(state["replication"]["state"], "HEALTHY", "{state}");
    server.finish().await;
}

#[tokio::test]
async fn a_change_waits_for_the_copies_and_gives_up_without_a_trace() {
    // Nobody copies.
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    ada.upload("a", *b"1").await;
    let seen = roles(&server).await;
    replication::close(&server.app, &OPS, seen, Duration::from_secs(60)).await.unwrap();
    let (_, refused) = ada.send_file("uploadFile", "file { id }", json!({}), ("b", b"2".to_vec())).await;
    assert_eq!(code(&refused), "UNAVAILABLE");
    let waiting = replication::switch(&server.app, &OPS, seen).await;
    assert!(matches!(waiting, Err(FailoverError::NotReplicated { left: 1 })), "{waiting:?}");
    assert_eq!(roles(&server).await, seen);
    replication::reopen(&server.app, &OPS, seen).await.unwrap();
    ada.upload("b", *b"2").await;
    // Whoever closes and dies keeps nobody out for long.
    replication::close(&server.app, &OPS, seen, Duration::from_secs(60)).await.unwrap();
    server.advance(Duration::from_secs(61));
    ada.upload("c", *b"3").await;
    let stranger = replication::promote(&server.app, &Viewer::Anonymous, seen, ledger::Exposure::default()).await;
    assert!(matches!(stranger, Err(FailoverError::Fault(_))));
    assert_eq!(roles(&server).await, seen);
    server.work().await;
    server.settle().await;
    replication::switch(&server.app, &OPS, seen).await.unwrap();
    server.finish().await;
}
