//! Each row of the three-way table, planted among objects that are well.

use entity::{
    object::{Kind, State},
    object_copy::Site,
};
use serde_json::json;
use snaphaven::adapters::objects::keys::ObjectKey;

use super::shelf::{Item, Shape, Shelf, write};
use crate::support::setting;

/// Objects, and of each fault: `SNAPHAVEN_TEST_OBJECTS=20000 SNAPHAVEN_TEST_FAULTS=50` for the whole measure.
fn sizes() -> (usize, usize) {
    (setting("SNAPHAVEN_TEST_OBJECTS", 400), setting("SNAPHAVEN_TEST_FAULTS", 4))
}

fn other(item: &Item) -> Vec<u8> {
    let mut bytes = item.bytes.clone();
    bytes[0] ^= 1;
    bytes
}

struct Planted {
    shelf: Shelf,
    /// Kind and key of every finding that there has to be.
    expected: Vec<(String, String)>,
    lagging: usize,
    in_flight: usize,
}

async fn plant(well: usize, each: usize) -> Planted {
    let shelf = Shelf::new(|_| {}).await;
    let (first, second) = (shelf.store(Site::First), shelf.store(Site::Second));
    shelf.put(well, Shape::LIVE).await;
    shelf.put(well / 10, Shape { kind: Kind::Snap, ..Shape::LIVE }).await;
    let mut expected = Vec::new();
    let mut expect = |kind: &str, key: &str| expected.push((kind.to_owned(), key.to_owned()));

    for item in shelf.put(each, Shape::LIVE).await {
        second.delete_latest(&item.row.key);
        expect("MISSING_IN_REPLICA", &item.row.key);
    }
    // One that never came, and is late.
    for item in shelf.put(each, Shape::LIVE.awaited()).await {
        expect("MISSING_IN_REPLICA", &item.row.key);
    }
    for item in shelf.put(each, Shape::LIVE).await {
        write(second, &item.row.key, &other(&item)).await;
        expect("STALE_IN_REPLICA", &item.row.key);
    }
    for item in shelf.put(each, Shape { kind: Kind::Snap, ..Shape::LIVE }).await {
        first.delete_latest(&item.row.key);
        expect("MISSING_IN_PRIMARY", &item.row.key);
    }
    for item in shelf.put(each, Shape::LIVE).await {
        write(first, &item.row.key, b"short").await;
        expect("CORRUPT_IN_PRIMARY", &item.row.key);
    }
    for item in shelf.put(each, Shape::LIVE).await {
        first.delete_latest(&item.row.key);
        second.delete_latest(&item.row.key);
        expect("LOST", &item.row.key);
    }
    for item in shelf.put(each, Shape::LIVE).await {
        write(first, &item.row.key, &other(&item)).await;
        write(second, &item.row.key, b"short").await;
        expect("LOST", &item.row.key);
    }
    for item in shelf.put(each, Shape::LIVE.state(State::Deleting)).await {
        write(second, &item.row.key, &item.bytes).await;
        expect("NOT_ERASED", &item.row.key);
    }
    for (item, site) in
        shelf.put(2 * each, Shape::LIVE.state(State::Erased)).await.iter().zip(Site::ALL.into_iter().cycle())
    {
        write(shelf.store(site), &item.row.key, &item.bytes).await;
        expect("NOT_ERASED", &item.row.key);
    }
    for item in shelf.put(each, Shape::LIVE.state(State::Pending)).await {
        write(first, &item.row.key, &item.bytes).await;
        expect("IN_FLIGHT", &item.row.key);
    }
    for at in 0..each {
        // As ours, and as nobody's: with signs that a listing has to encode.
        let keys = [ObjectKey::new(Kind::Original).to_string(), format!("backup/ä {at}+%20?.tar")];
        for key in keys {
            write(first, &key, key.as_bytes()).await;
            expect("ORPHAN_IN_PRIMARY", &key);
        }
        let key = ObjectKey::new(Kind::Rendition).to_string();
        write(first, &key, b"both").await;
        write(second, &key, b"both").await;
        expect("ORPHAN_IN_PRIMARY", &key);
        let key = format!("~/{at}");
        write(second, &key, key.as_bytes()).await;
        expect("ORPHAN_IN_REPLICA", &key);
    }

    // What is under way is counted and no fault.
    shelf.put(each, Shape::LIVE.awaited().young()).await;
    shelf.put(each, Shape::LIVE.state(State::Pending).young()).await;
    for item in shelf.put(each, Shape::LIVE.state(State::Deleting).young()).await {
        write(first, &item.row.key, &item.bytes).await;
    }
    // Erased and gone.
    shelf.put(each, Shape::LIVE.state(State::Erased)).await;
    expected.sort();
    Planted { shelf, expected, lagging: each, in_flight: 2 * each }
}

#[tokio::test]
async fn every_fault_is_found_under_its_name_and_mended_and_nothing_else() {
    let (well, each) = sizes();
    let Planted { shelf, expected, lagging, in_flight } = plant(well, each).await;
    assert_eq!(shelf.state().await["state"], "INCONCLUSIVE", "nothing was verified yet");
    let run = shelf.verify("SWEEP").await;
    assert_eq!((&run["state"], &run["error"]), (&json!("COMPLETE"), &json!(null)));
    assert_eq!(shelf.findings(true).await, expected);
    let count = |key: &str| run[key].as_u64().unwrap() as usize;
    assert_eq!((count("faults"), count("lagging"), count("inFlight")), (expected.len(), lagging, in_flight));
    assert_eq!(count("agreed"), well + well / 10);
    assert_eq!(run["coverage"]["checksum"], run["agreed"]);
    assert_eq!(run["requestedBy"]["username"], "root");
    assert_eq!(shelf.state().await["state"], "DRIFTED");

    // A second look finds the same ones, and opens none twice.
    let again = shelf.verify("SWEEP").await;
    assert_eq!(again["faults"], run["faults"]);
    assert_eq!(shelf.findings(true).await, expected);

    let dry = shelf.repair(json!({})).await;
    let lost = expected.iter().filter(|(kind, _)| kind == "LOST").count();
    assert_eq!((&dry["run"], &dry["plan"]["findings"]), (&json!(null), &json!(expected.len())));
    assert_eq!(dry["plan"]["beyondRepair"], lost);
    assert_eq!(shelf.findings(true).await, expected, "a dry run changes nothing");

    let wrong = shelf.repair(json!({ "dryRun": false, "expectedCount": 1 })).await;
    assert_eq!(wrong["userErrors"][0]["code"], "COUNT_CHANGED");
    let order =
        json!({ "dryRun": false, "expectedCount": expected.len(), "idempotencyKey": "mend", "beyondLimit": true });
    let begun = shelf.repair(order.clone()).await;
    assert_eq!(begun["userErrors"], json!([]));
    assert_eq!(shelf.repair(order).await["run"], begun["run"], "a repeat returns the first");
    shelf.server.settle_for_an_hour().await;
    let repair = shelf.look(&begun["run"]["id"]).await;
    // What nobody can mend stays open: the lost ones, and the writes that the ledger's own sweeper ends.
    let left: Vec<_> = expected.iter().filter(|(kind, _)| kind == "LOST" || kind == "IN_FLIGHT").cloned().collect();
    assert_eq!(repair["leftOpen"], left.len(), "{repair}");
    assert_eq!(shelf.findings(true).await, left);

    shelf.server.schedule("ledger.sweep").await;
    shelf.server.settle_for_an_hour().await;
    let after = shelf.verify("SWEEP").await;
    assert_eq!(after["faults"], lost, "{after}");
    let open = shelf.findings(true).await;
    assert!(open.iter().all(|(kind, _)| kind == "LOST") && open.len() == lost, "{open:?}");

    let idle = shelf.repair(json!({ "kinds": ["MISSING_IN_REPLICA", "ORPHAN_IN_REPLICA"] })).await;
    assert_eq!(idle["plan"]["findings"], 0);
    let nothing = json!({ "kinds": ["MISSING_IN_REPLICA"], "dryRun": false, "expectedCount": 0 });
    assert_eq!(shelf.repair(nothing).await["userErrors"][0]["code"], "NOTHING_TO_REPAIR");
    // Every orphan's bytes are kept, under a key of the ledger's.
    let orphans = expected.iter().filter(|(kind, _)| kind.starts_with("ORPHAN")).count();
    let kept = shelf.server.objects().await;
    let kept = kept.iter().filter(|object| object.kind == Kind::Quarantine && object.state == State::Live);
    assert_eq!(kept.count(), orphans);
    shelf.server.abandon();
}
