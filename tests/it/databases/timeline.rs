//! The timeline of a file: all that happened to it and to its bytes, in order, also once it is gone.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Person, TestServer};

async fn told(person: &Person, file: &Value) -> Vec<Value> {
    let query = "query ($id: ID!) { fileTimeline(id: $id) \
                 { at event kind key region bucket proof reason by { username } action } }";
    let told = person.query(query, json!({ "id": file["id"] })).await["fileTimeline"].clone();
    told.as_array().unwrap().clone()
}

/// Each line in a few words.
fn words(entries: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(|text| format!(" {text}")).unwrap_or_default();
    let line = |entry: &Value| {
        let parts = [&entry["region"], &entry["proof"], &entry["reason"], &entry["by"]["username"], &entry["action"]];
        format!("{}{}", entry["event"].as_str().unwrap(), parts.map(text).concat())
    };
    entries.iter().map(line).collect()
}

#[tokio::test]
async fn the_timeline_of_a_file_tells_its_whole_life() {
    let server = TestServer::start().await;
    let (ada, admin, operator) = (server.person("ada").await, server.admin().await, server.operator().await);
    let later = async || {
        server.settle_for_an_hour().await;
        server.advance(Duration::from_secs(60));
    };
    let file = ada.upload("a.txt", *b"1").await;
    later().await;
    let stored = ["STORED", "COPIED there-1"];
    assert_eq!(words(&told(&admin, &file).await), stored);
    admin.mutate("verifyReplicas", "run { id }", json!({ "mode": "SCRUB" })).await;
    later().await;
    let removal = json!({ "ids": [file["id"]], "reason": "no reason" });
    admin.mutate("removeFiles", "files { id }", removal).await;
    later().await;
    ada.purge(&[&file]).await;
    later().await;
    let entries = told(&admin, &file).await;
    assert_eq!(
        words(&entries),
        [
            "STORED",
            "COPIED there-1",
            "VERIFIED here-1 BYTES",
            "VERIFIED there-1 BYTES",
            "DONE root file.removed",
            "ERASURE_ASKED PURGED ada",
            "GONE here-1",
            "GONE there-1",
            "ERASED",
        ]
    );
    let times: Vec<&str> = entries.iter().map(|entry| entry["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!((&entries[0]["kind"], &entries[1]["bucket"]), (&json!("ORIGINAL"), &json!("second")));
    assert!(entries[0]["key"].as_str().unwrap().starts_with("original/"));
    // What admins did is for admins; and what never was has no timeline.
    let seen = words(&told(&operator, &file).await);
    assert_eq!(seen.len(), 8, "{seen:?}");
    assert!(!seen.iter().any(|line| line.starts_with("DONE")), "{seen:?}");
    let never = json!({ "id": format!("file_{}", "0".repeat(32)) });
    assert_eq!(told(&admin, &never).await, Vec::<Value>::new());
    let query = "query ($id: ID!) { fileTimeline(id: $id) { at } }";
    assert_eq!(ada.error(query, json!({ "id": file["id"] })).await, "FORBIDDEN");
    server.finish().await;
}
