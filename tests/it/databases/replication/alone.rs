//! Repairs that nobody has ordered: the findings that the server may mend by itself, and no others.

use std::time::Duration;

use entity::{object_copy::Site, replica_finding::Kind};
use serde_json::{Value, json};

use super::shelf::{Item, Shape, Shelf, write};

async fn shelf() -> Shelf {
    Shelf::new(|config| {
        config.replication.repair_by_itself = vec![Kind::MissingInReplica, Kind::OrphanInPrimary, Kind::Lost];
    })
    .await
}

/// Mode and requester of every repair, the newest first.
async fn repairs(shelf: &Shelf) -> Vec<Value> {
    let query = "{ replicaRuns(first: 50) { nodes { mode repaired leftOpen requestedBy { username } } } }";
    let answer = shelf.admin.query(query, json!({})).await;
    let runs = answer["replicaRuns"]["nodes"].as_array().unwrap();
    runs.iter().filter(|run| run["mode"] == "REPAIR").cloned().collect()
}

fn lose(shelf: &Shelf, items: &[Item]) {
    items.iter().for_each(|item| shelf.store(Site::Second).delete_latest(&item.row.key));
}

#[tokio::test]
async fn what_needs_nobodys_word_is_mended_and_the_rest_waits_for_an_admin() {
    let shelf = shelf().await;
    let items = shelf.put(20, Shape::LIVE).await;
    lose(&shelf, &items[..3]);
    let stale = &items[4];
    write(shelf.store(Site::Second), &stale.row.key, b"other").await;
    // No repair can mend it, so none is begun for it.
    let lost = &items[5].row.key;
    lose(&shelf, &items[5..6]);
    shelf.store(Site::First).delete_latest(lost);
    assert_eq!(shelf.verify("SWEEP").await["faults"], 5);
    let waiting = [("LOST".to_owned(), lost.clone()), ("STALE_IN_REPLICA".to_owned(), stale.row.key.clone())];
    assert_eq!(shelf.findings(true).await, waiting);
    let alone = [json!({ "mode": "REPAIR", "repaired": 3, "leftOpen": 0, "requestedBy": null })];
    assert_eq!(repairs(&shelf).await, alone);
    shelf.verify("SWEEP").await;
    assert_eq!(shelf.findings(true).await, waiting);
    assert_eq!(repairs(&shelf).await, alone, "nothing is begun where nothing is to be mended");
    shelf.server.abandon();
}

#[tokio::test]
async fn too_much_at_once_is_left_to_an_admin() {
    let shelf = shelf().await;
    let items = shelf.put(300, Shape::LIVE).await;
    lose(&shelf, &items[..101]);
    assert_eq!(shelf.verify("SWEEP").await["faults"], 101);
    assert_eq!(shelf.findings(true).await.len(), 101);
    assert_eq!(repairs(&shelf).await, [Value::Null; 0]);
    shelf.server.abandon();
}

#[tokio::test]
async fn what_a_repair_gave_back_is_tried_again_when_it_was_seen_again() {
    let shelf = shelf().await;
    shelf.put(5, Shape::LIVE).await;
    let stray = "stray/one.bin";
    write(shelf.store(Site::First), stray, b"nobody's").await;
    shelf.verify("SWEEP").await;
    assert_eq!(shelf.findings(true).await, [("ORPHAN_IN_PRIMARY".to_owned(), stray.to_owned())]);
    assert_eq!(repairs(&shelf).await.len(), 1, "an orphan is put away when it was seen twice");
    shelf.server.advance(Duration::from_secs(1));
    shelf.server.schedule("replication.watch").await;
    shelf.server.quiet().await;
    assert_eq!(repairs(&shelf).await.len(), 1, "a look at what nobody has seen again begins nothing");
    shelf.verify("SWEEP").await;
    assert_eq!(shelf.findings(true).await, []);
    assert_eq!(repairs(&shelf).await.len(), 2);
    shelf.server.abandon();
}
