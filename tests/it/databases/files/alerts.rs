//! Alerts of deletions: one per act, delivered under one id, and what failures of the topic do.

use serde_json::{Value, json};

use crate::support::TestServer;

const STATE: &str = "query ($id: ID!) { node(id: $id) { ... on Alert { id kind state subject message details count actorId \
     attempts lastError deliveredAt } } }";

#[tokio::test]
async fn each_act_is_told_once_with_its_count() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let mut files = Vec::new();
    for number in 0..12 {
        files.push(ada.upload(&format!("file {number}"), vec![number]).await);
    }
    let files: Vec<&Value> = files.iter().collect();
    let trashed = ada.trash(&files).await["alert"].clone();
    let purged = ada.purge(&files).await["alert"].clone();
    assert_eq!((&trashed["kind"], &trashed["count"]), (&json!("FILES_TRASHED"), &json!(12)));
    assert_eq!((&purged["kind"], &purged["count"]), (&json!("FILES_PURGED"), &json!(12)));
    ada.trash(&files).await;
    server.settle().await;
    let delivered = server.sink.delivered();
    let ids: Vec<_> = delivered.iter().map(|alert| format!("alert_{}", alert.id.simple())).collect();
    assert_eq!(json!(ids), json!([trashed["id"], purged["id"]]), "one delivery each, under the alert's id");
    for alert in &delivered {
        assert!(alert.subject.is_ascii() && alert.subject.len() <= 100);
        assert!(alert.message.contains("12 files") && alert.message.contains("and 2 more"), "{}", alert.message);
        assert_eq!(alert.details["files"].as_array().unwrap().len(), 12);
        assert_eq!(alert.details["files"][0]["id"], files[0]["id"]);
    }
    let own = ada.query(STATE, json!({ "id": purged["id"] })).await["node"].clone();
    assert_eq!((&own["state"], &own["attempts"], &own["actorId"]), (&json!("DELIVERED"), &json!(1), &json!(ada.id)));
    assert!(own["deliveredAt"].is_string());
    server.finish().await;
}

#[tokio::test]
async fn a_topic_that_is_away_gets_the_same_alert_later() {
    let server = TestServer::start().await;
    let (ada, watch) = (server.person("ada").await, server.operator().await);
    let file = ada.upload("a", *b"a").await;
    server.settle().await;
    server.sink.fail_next(3);
    let alert = ada.trash(&[&file]).await["alert"].clone();
    server.quiet().await;
    let waiting = watch.query(STATE, json!({ "id": alert["id"] })).await["node"].clone();
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("PENDING"), &json!(1)));
    assert!(waiting["lastError"].is_string());
    server.settle().await;
    assert_eq!((server.sink.attempts(), server.sink.delivered().len()), (4, 1));
    let state = ada.query(STATE, json!({ "id": alert["id"] })).await["node"].clone();
    assert_eq!((&state["state"], &state["attempts"]), (&json!("DELIVERED"), &json!(4)));
    server.finish().await;
}

#[tokio::test]
async fn a_refusal_fails_the_alert_and_keeps_its_job() {
    let server = TestServer::start().await;
    let (ada, watch) = (server.person("ada").await, server.operator().await);
    let file = ada.upload("a", *b"a").await;
    server.settle().await;
    server.sink.refuse_next();
    let alert = ada.trash(&[&file]).await["alert"].clone();
    server.settle().await;
    let state = watch.query(STATE, json!({ "id": alert["id"] })).await["node"].clone();
    assert_eq!(state["state"], "FAILED");
    assert!(state["lastError"].as_str().unwrap().contains("told to refuse"));
    let dead = server.take_dead().await;
    assert_eq!((dead.len(), dead[0].kind.as_str(), dead[0].attempts), (1, "alerts.deliver", 1));
    assert_eq!(ada.file(&file, "state").await["state"], "TRASHED", "the act itself stands");
    server.finish().await;
}

#[tokio::test]
async fn alerts_are_listed_by_operators_and_admins_only() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let file = ada.upload("a", *b"a").await;
    let alert = ada.trash(&[&file]).await["alert"].clone();
    ada.purge(&[&file]).await;
    let list = "{ alerts { nodes { id kind } } }";
    for person in [&ada, &bob] {
        assert_eq!(person.error(list, json!({})).await, "FORBIDDEN");
    }
    assert_eq!(server.stranger().error(list, json!({})).await, "UNAUTHENTICATED");
    for person in [server.operator().await, server.admin().await] {
        let nodes = person.query(list, json!({})).await["alerts"]["nodes"].clone();
        assert_eq!((&nodes[0]["kind"], &nodes[1]["id"]), (&json!("FILES_PURGED"), &alert["id"]), "newest first");
    }
    assert_eq!(bob.query(STATE, json!({ "id": alert["id"] })).await["node"], Value::Null);
    server.finish().await;
}
