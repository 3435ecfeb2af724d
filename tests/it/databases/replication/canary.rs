//! The verifier is tried: what is planted has to be found, and a blind one is found out.

use std::{sync::atomic::Ordering, time::Duration};

use entity::{
    alert,
    object::{Kind, State},
};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use snaphaven::adapters::objects::{
    Body, Condition, ObjectStore as _, PutObject, keys::ObjectKey, memory::MemoryStore, sha256,
};

use crate::support::{Person, TestServer};

async fn watched() -> (TestServer, Person) {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.person("ada").await.upload("a.txt", *b"1").await;
    server.settle_for_an_hour().await;
    verify(&server, &admin, "SWEEP").await;
    (server, admin)
}

async fn verify(server: &TestServer, admin: &Person, mode: &str) -> Value {
    let begun = admin.mutate("verifyReplicas", "run { id }", json!({ "mode": mode })).await;
    server.settle_for_an_hour().await;
    let query = "query ($id: ID!) { node(id: $id) { ... on ReplicaRun { mode state done total faults error } } }";
    admin.query(query, json!({ "id": begun["run"]["id"] })).await["node"].clone()
}

async fn state(admin: &Person) -> Value {
    admin.query("{ replication { state sentence findings { kind } exposure { objects } } }", json!({})).await["replication"]
        .clone()
}

async fn canaries(server: &TestServer, store: &MemoryStore) -> usize {
    server.keys(store).await.iter().filter(|key| key.starts_with("canary/")).count()
}

async fn alerts(server: &TestServer) -> Vec<alert::Kind> {
    server.schedule("replication.watch").await;
    server.settle_for_an_hour().await;
    alert::Entity::find().all(server.app.db.read()).await.unwrap().into_iter().map(|alert| alert.kind).collect()
}

#[tokio::test]
async fn what_is_planted_is_found_and_nothing_is_left_of_it() {
    let (server, admin) = watched().await;
    let whole = json!({ "state": "HEALTHY", "findings": [], "exposure": { "objects": 0 } });
    let told = async || {
        let mut state = state(&admin).await;
        state.as_object_mut().unwrap().remove("sentence");
        state
    };
    assert_eq!(told().await, whole);
    // Left by a run that was cut off.
    let stray = ObjectKey::new(Kind::Canary).to_string();
    let put = PutObject {
        key: stray,
        body: Body::Memory(b"stray"[..].into()),
        bytes: 5,
        sha256: sha256(b"stray"),
        content_type: "text/plain".to_owned(),
        condition: Condition::None,
    };
    server.second.put(put, Duration::from_secs(5)).await.unwrap();
    for _ in 0..2 {
        let run = verify(&server, &admin, "CANARY").await;
        assert_eq!(
            run,
            json!({ "mode": "CANARY", "state": "COMPLETE", "done": 4, "total": 4, "faults": 4, "error": null })
        );
        assert_eq!((canaries(&server, &server.first).await, canaries(&server, &server.second).await), (0, 0));
        assert_eq!(told().await, whole);
    }
    let objects = server.objects().await.into_iter().filter(|object| object.kind == Kind::Canary);
    assert_eq!(objects.map(|object| object.state).collect::<Vec<_>>(), [State::Erased; 6]);
    // They are nobody's findings, and a sweep does not look at them.
    let query = "{ replicaFindings(first: 10) { nodes { key } } }";
    assert_eq!(admin.query(query, json!({})).await["replicaFindings"]["nodes"], json!([]));
    assert_eq!(verify(&server, &admin, "SWEEP").await["faults"], 0);
    assert_eq!(alerts(&server).await, []);
    server.finish().await;
}

#[tokio::test]
async fn a_verifier_that_has_gone_blind_is_found_out() {
    let (server, admin) = watched().await;
    assert_eq!(verify(&server, &admin, "CANARY").await["done"], 4);
    server.app.failpoints.blind_verifier.store(true, Ordering::Relaxed);
    // It says that all is well, of whatever is wrong.
    let original = server.objects().await.into_iter().find(|object| object.kind == Kind::Original).unwrap();
    server.second.delete_latest(&original.key);
    assert_eq!(verify(&server, &admin, "SWEEP").await["faults"], 0);
    assert_eq!(state(&admin).await["state"], "HEALTHY");

    let run = verify(&server, &admin, "CANARY").await;
    assert_eq!((&run["state"], &run["done"], &run["total"]), (&json!("INCONCLUSIVE"), &json!(0), &json!(4)));
    let why = "it did not find what was planted: MISSING_IN_REPLICA, STALE_IN_REPLICA, CORRUPT_IN_PRIMARY, \
               ORPHAN_IN_PRIMARY";
    assert_eq!(run["error"], why);
    let told = state(&admin).await;
    assert_eq!(told["state"], "INCONCLUSIVE");
    assert_eq!(told["sentence"], format!("The verifier cannot be trusted: {why}."));
    assert_eq!(alerts(&server).await, [alert::Kind::ReplicationFault]);
    // A sweep that finds nothing does not calm anybody.
    verify(&server, &admin, "SWEEP").await;
    assert_eq!(state(&admin).await["state"], "INCONCLUSIVE");

    server.app.failpoints.blind_verifier.store(false, Ordering::Relaxed);
    assert_eq!(verify(&server, &admin, "CANARY").await["done"], 4);
    verify(&server, &admin, "SWEEP").await;
    assert_eq!(state(&admin).await["state"], "DRIFTED", "it sees again");
    server.abandon();
}

#[tokio::test]
async fn the_verifier_is_tried_on_a_schedule() {
    let server = TestServer::with(|config| config.replication.canary_interval = Duration::from_secs(6 * 3600)).await;
    let admin = server.admin().await;
    let runs = async || {
        server.schedule("replication.watch").await;
        server.settle_for_an_hour().await;
        let runs = admin.query("{ replicaRuns(first: 9) { nodes { mode state } } }", json!({})).await;
        let runs = runs["replicaRuns"]["nodes"].as_array().unwrap().clone();
        runs.iter().filter(|run| run["mode"] == "CANARY" && run["state"] == "COMPLETE").count()
    };
    server.advance(Duration::from_secs(7 * 3600));
    assert_eq!(runs().await, 0, "nothing was verified yet");
    verify(&server, &admin, "SWEEP").await;
    assert_eq!(runs().await, 0);
    server.advance(Duration::from_secs(6 * 3600));
    assert_eq!(runs().await, 1);
    assert_eq!(runs().await, 1);
    server.advance(Duration::from_secs(6 * 3600));
    assert_eq!(runs().await, 2);
    // Tried for the last time too long ago.
    verify(&server, &admin, "SWEEP").await;
    assert_eq!(state(&admin).await["state"], "HEALTHY");
    server.advance(Duration::from_secs(19 * 3600));
    assert!(state(&admin).await["sentence"].as_str().unwrap().starts_with("The verifier was not tried for 19h"));
    server.finish().await;
}
