//! What counts as evidence: nothing is HEALTHY without it, and no finding is opened or closed on a listing that cannot be believed.

use std::time::Duration;

use entity::{alert, object_copy::Site};
use sea_orm::EntityTrait as _;
use serde_json::json;
use snaphaven::adapters::objects::StoreErrorKind;

use super::shelf::{Shape, Shelf, write};
use crate::support::Heard;

async fn told(shelf: &Shelf) -> Vec<String> {
    let alerts = alert::Entity::find().all(shelf.server.app.db.read()).await.unwrap();
    let mut told: Vec<_> = alerts.into_iter().map(|alert| (alert.id, alert.message)).collect();
    told.sort();
    told.into_iter().map(|(_, message)| message.split_once(". ").unwrap().0.to_owned()).collect()
}

#[tokio::test]
async fn healthy_is_said_on_evidence_alone_and_every_change_is_told() {
    let shelf = Shelf::new(|_| {}).await;
    let items = shelf.put(50, Shape::LIVE).await;
    assert_eq!(shelf.state().await["state"], "INCONCLUSIVE");
    shelf.verify("SWEEP").await;
    let state = shelf.state().await;
    let all = "All 50 objects are at both sites as the ledger says, verified 0s ago.";
    assert_eq!((&state["state"], &state["sentence"]), (&json!("HEALTHY"), &json!(all)));
    assert_eq!(told(&shelf).await, [""; 0]);

    shelf.server.second.set_failure(Some(StoreErrorKind::Unavailable));
    assert_eq!(shelf.state().await["state"], "INCONCLUSIVE");
    shelf.server.second.set_failure(None);
    shelf.server.first.set_failure(Some(StoreErrorKind::Denied));
    let down = shelf.state().await;
    assert_eq!((&down["state"], &down["sites"][0]["isReachable"]), (&json!("DOWN"), &json!(false)));
    shelf.server.first.set_failure(None);

    shelf.server.second.delete_latest(&items[0].row.key);
    shelf.verify("SWEEP").await;
    assert_eq!(shelf.state().await["findings"], json!([{ "kind": "MISSING_IN_REPLICA", "findings": 1 }]));
    assert_eq!(shelf.state().await["exposure"]["objects"], 1);
    let begun = shelf.repair(json!({ "dryRun": false, "expectedCount": 1 })).await;
    shelf.server.quiet().await;
    assert_eq!(shelf.look(&begun["run"]["id"]).await["repaired"], 1);
    let mended = "Verified 0s ago: 49 objects at both sites as the ledger says, 1 fault found and mended since.";
    assert_eq!(shelf.state().await["sentence"], mended);
    shelf.verify("SWEEP").await;
    let state = shelf.state().await;
    assert_eq!((&state["state"], &state["sentence"]), (&json!("HEALTHY"), &json!(all)));
    assert_eq!(told(&shelf).await, ["Replication is DRIFTED", "Replication is HEALTHY"]);
    shelf.server.settle().await;
    shelf.server.abandon();
}

#[tokio::test]
async fn a_flipped_byte_is_found_by_reading_and_a_sweep_does_not_close_it() {
    let shelf = Shelf::new(|_| {}).await;
    let items = shelf.put(20, Shape::LIVE).await;
    let (one, other, both) = (&items[0].row.key, &items[1].row.key, &items[2].row.key);
    shelf.server.first.rot(one);
    shelf.server.second.rot(other);
    shelf.server.first.rot(both);
    shelf.server.second.rot(both);
    assert_eq!(shelf.verify("SWEEP").await["faults"], 0, "a listing shows nothing of it");
    let run = shelf.verify("SCRUB").await;
    assert_eq!((&run["state"], &run["faults"], &run["coverage"]["bytes"]), (&json!("COMPLETE"), &json!(3), &json!(17)));
    let mut expected = vec![
        ("CORRUPT_IN_PRIMARY".to_owned(), one.clone()),
        ("LOST".to_owned(), both.clone()),
        ("STALE_IN_REPLICA".to_owned(), other.clone()),
    ];
    expected.sort();
    assert_eq!(shelf.findings(true).await, expected);
    shelf.verify("SWEEP").await;
    assert_eq!(shelf.findings(true).await, expected);

    shelf.repair(json!({ "dryRun": false, "expectedCount": 3 })).await;
    shelf.server.quiet().await;
    assert_eq!(shelf.findings(true).await, [("LOST".to_owned(), both.clone())]);
    shelf.server.advance(Duration::from_secs(1));
    assert_eq!(shelf.verify("SCRUB").await["coverage"]["bytes"], 19, "each was read again");
    assert_eq!(shelf.verify("SCRUB").await["coverage"]["bytes"], 0, "and none of them twice");
    shelf.server.abandon();
}

#[tokio::test]
async fn a_listing_that_ends_early_opens_and_closes_nothing() {
    let shelf = Shelf::new(|_| {}).await;
    let mut items = shelf.put(60, Shape::LIVE).await;
    items.sort_by(|one, other| one.row.key.cmp(&other.row.key));
    // A finding that is open, and one that is well again: neither may change on such evidence.
    let (open, mended) = (items[40].row.key.clone(), &items[50]);
    shelf.server.second.delete_latest(&open);
    shelf.server.second.delete_latest(&mended.row.key);
    shelf.verify("SWEEP").await;
    let expected = shelf.findings(true).await;
    assert_eq!(expected.len(), 2);
    write(shelf.store(Site::Second), &mended.row.key, &mended.bytes).await;

    for cut in ["", items[30].row.key.as_str()] {
        for store in [&shelf.server.first, &shelf.server.second] {
            store.cut_listings(Some(cut));
            let run = shelf.verify("SWEEP").await;
            assert_eq!(run["state"], "INCONCLUSIVE", "{run}");
            assert_eq!(shelf.findings(true).await, expected, "behind {cut:?}");
            assert_eq!(shelf.state().await["state"], "INCONCLUSIVE");
            store.cut_listings(None);
        }
    }
    for kind in [StoreErrorKind::Denied, StoreErrorKind::NoSuchBucket, StoreErrorKind::Unavailable] {
        shelf.server.second.set_failure(Some(kind));
        let begun = shelf.admin.mutate("verifyReplicas", "run { id }", json!({})).await;
        shelf.server.quiet().await;
        let run = shelf.look(&begun["run"]["id"]).await;
        assert_eq!(run["state"], "INCONCLUSIVE", "{kind:?}: {run}");
        shelf.server.second.set_failure(None);
        assert_eq!(shelf.findings(true).await, expected, "{kind:?}");
    }
    assert!(told(&shelf).await.contains(&"Replication is INCONCLUSIVE".to_owned()));

    // With evidence again, the one that is well is closed, and the other stays.
    shelf.verify("SWEEP").await;
    assert_eq!(shelf.findings(true).await, [("MISSING_IN_REPLICA".to_owned(), open)]);
    assert_eq!(shelf.findings(false).await, [("MISSING_IN_REPLICA".to_owned(), mended.row.key.clone())]);
    shelf.server.abandon();
}

#[tokio::test]
async fn an_empty_bucket_is_believed_where_somebody_says_so() {
    let shelf = Shelf::new(|_| {}).await;
    let items = shelf.put(30, Shape::LIVE).await;
    for item in &items {
        shelf.server.second.delete_latest(&item.row.key);
    }
    assert_eq!(shelf.verify("SWEEP").await["state"], "INCONCLUSIVE");
    assert_eq!(shelf.findings(true).await, []);
    let run = shelf.run(json!({ "trustListings": true })).await;
    assert_eq!((&run["state"], &run["faults"]), (&json!("COMPLETE"), &json!(30)));
    shelf.repair(json!({ "dryRun": false, "expectedCount": 30 })).await;
    shelf.server.quiet().await;
    assert_eq!(shelf.findings(true).await, []);
    let mended = "Verified 0s ago: 0 objects at both sites as the ledger says, 30 faults found and mended since.";
    assert_eq!(shelf.state().await["sentence"], mended);
    assert_eq!(shelf.verify("SWEEP").await["agreed"], 30);
    shelf.server.finish().await;
}

#[tokio::test]
async fn a_repair_on_a_stale_report_loses_nothing() {
    let shelf = Shelf::new(|_| {}).await;
    let items = shelf.put(20, Shape::LIVE).await;
    let [again, deleted, changed] = [0, 1, 2].map(|at| &items[at]);
    for item in [again, deleted, changed] {
        shelf.server.second.delete_latest(&item.row.key);
    }
    let orphan = "backup/yesterday.tar";
    write(shelf.store(Site::First), orphan, b"one").await;
    shelf.verify("SWEEP").await;
    shelf.verify("SWEEP").await;
    assert_eq!(shelf.findings(true).await.len(), 4);

    // Since the report: one came back, one was deleted with its object, one is another fault now, and the orphan has new bytes.
    write(shelf.store(Site::Second), &again.row.key, &again.bytes).await;
    let app = &shelf.server.app;
    app.transaction::<_, sea_orm::DbErr, _, _>(async |tx| {
        let reason = entity::object::Reason::Purged;
        snaphaven::ledger::doom(app, &tx, &[deleted.row.id], None, reason).await.map(drop)
    })
    .await
    .unwrap();
    write(shelf.store(Site::Second), &changed.row.key, b"other").await;
    write(shelf.store(Site::First), orphan, b"another").await;
    shelf.repair(json!({ "dryRun": false, "expectedCount": 4 })).await;
    shelf.server.settle_for_an_hour().await;

    let second = shelf.server.keys(&shelf.server.second).await;
    assert!(second.contains(&again.row.key) && !second.contains(&deleted.row.key));
    let kept = shelf.server.objects().await;
    let kept = kept.iter().find(|object| object.kind == entity::object::Kind::Quarantine).unwrap();
    assert_eq!(kept.bytes, 7, "what was there when it was put away is kept");
    shelf.verify("SWEEP").await;
    assert_eq!(shelf.findings(true).await, [("STALE_IN_REPLICA".to_owned(), changed.row.key.clone())]);
    shelf.repair(json!({ "dryRun": false, "expectedCount": 1 })).await;
    shelf.server.settle_for_an_hour().await;
    assert_eq!(shelf.verify("SWEEP").await["faults"], 0);
    shelf.server.finish().await;
}

#[tokio::test]
async fn a_repair_stops_where_too_much_would_change() {
    let shelf = Shelf::new(|config| config.replication.repair_limit = 0.1).await;
    let items = shelf.put(250, Shape::LIVE).await;
    for item in &items[..110] {
        shelf.server.second.delete_latest(&item.row.key);
    }
    shelf.verify("SWEEP").await;
    let refused = shelf.repair(json!({ "dryRun": false, "expectedCount": 110 })).await;
    assert_eq!(refused["userErrors"][0]["code"], "TOO_MANY", "{refused}");
    assert_eq!(shelf.findings(true).await.len(), 110);
    let order = json!({ "dryRun": false, "expectedCount": 110, "beyondLimit": true });
    assert_eq!(shelf.repair(order).await["userErrors"], json!([]));
    shelf.server.quiet().await;
    assert_eq!(shelf.findings(true).await, []);
    shelf.server.finish().await;
}

#[tokio::test]
async fn whoever_watches_sees_each_change_and_strangers_see_none() {
    const CHANGED: &str = "subscription { replicationChanged { state findings { kind findings } running { mode } } }";
    let shelf = Shelf::new(|_| {}).await;
    let items = shelf.put(20, Shape::LIVE).await;
    let watch = shelf.server.operator().await;
    let mut socket = watch.socket().await;
    socket.subscribe("r", CHANGED, json!({})).await;
    let mut seen = vec![socket.next("r").await["data"]["replicationChanged"]["state"].clone()];
    shelf.verify("SWEEP").await;
    for wanted in ["HEALTHY", "DRIFTED"] {
        while seen.last().unwrap() != wanted {
            seen.push(socket.next("r").await["data"]["replicationChanged"]["state"].clone());
        }
        shelf.server.second.delete_latest(&items[0].row.key);
        shelf.verify("SWEEP").await;
    }
    seen.dedup();
    assert_eq!(seen, ["INCONCLUSIVE", "HEALTHY", "DRIFTED"]);
    let ada = shelf.server.person("ada").await;
    let mut socket = ada.socket().await;
    socket.subscribe("r", CHANGED, json!({})).await;
    match socket.hear().await {
        Heard::Message(message) => assert_eq!(message["payload"][0]["extensions"]["code"], "FORBIDDEN", "{message}"),
        other => panic!("{other:?}"),
    }
    shelf.server.settle().await;
    shelf.server.abandon();
}

/// Two processes take the same run up: what the one that lost it still has in hand is not written.
#[tokio::test]
async fn a_run_that_two_processes_take_up_is_written_by_one() {
    let shelf = Shelf::new(|_| {}).await;
    shelf.put(3000, Shape::LIVE).await;
    let other = shelf.server.another().await;
    let system = snaphaven::viewer::Viewer::System("test");
    let mode = entity::replica_run::Mode::Sweep;
    let run = snaphaven::replication::verify(&shelf.server.app, &system, mode, false).await.unwrap();
    let works = [&shelf.server.app, &other.app, &shelf.server.app, &other.app]
        .map(|app| snaphaven::replication::work(app, run.id));
    futures::future::try_join_all(works).await.unwrap();
    shelf.server.quiet().await;
    let id = snaphaven::id::NodeKind::ReplicaRun.id(run.id).to_string();
    let run = shelf.look(&json!(id)).await;
    // Counted once, however many have walked.
    assert_eq!((&run["state"], &run["agreed"], &run["faults"]), (&json!("COMPLETE"), &json!(3000), &json!(0)), "{run}");
    // Both mend at once: what one did the other meets, and neither says that anything is left.
    let lost: Vec<_> = shelf.put(40, Shape::LIVE).await;
    for item in &lost {
        shelf.server.second.delete_latest(&item.row.key);
    }
    shelf.verify("SWEEP").await;
    let order = snaphaven::replication::Order {
        filter: snaphaven::replication::FindingFilter::default(),
        expected: 40,
        beyond_the_limit: false,
        idempotency_key: None,
    };
    let run = snaphaven::replication::repair(&shelf.server.app, &system, &order).await.unwrap();
    let works = [&shelf.server.app, &other.app, &shelf.server.app, &other.app]
        .map(|app| snaphaven::replication::work(app, run.id));
    futures::future::try_join_all(works).await.unwrap();
    shelf.server.quiet().await;
    let run = shelf.look(&json!(snaphaven::id::NodeKind::ReplicaRun.id(run.id).to_string())).await;
    assert_eq!((&run["repaired"], &run["leftOpen"], &run["error"]), (&json!(40), &json!(0), &json!(null)), "{run}");
    shelf.server.settle().await;
    shelf.server.abandon();
}
