//! Reports: by those who see a thing, decided once for all who reported it; and what of a snap is kept for that.

use std::time::Duration;

use entity::{audit_entry, object, snap};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use snaphaven::id::{GlobalId, NodeKind};

use super::snaps::{assert_gone, close, fetch, now, open, see, send, with_friends};
use crate::support::{Person, TestServer};

const REPORT: &str = "report { id kind state category comment subjectId reporter { username } accused { username } file { name } \
     facts evidence evidenceUrl sameCount upheldCount decision decisionReason decidedBy { username } }";
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn share(person: &Person, file: &Value) -> String {
    let made = person.mutate("createShareLink", "url", json!({ "fileId": file["id"] })).await;
    made["url"].as_str().unwrap().to_owned()
}

async fn report_file(person: &Person, url: &str) -> Value {
    let input = json!({ "shareUrl": url, "category": "COPYRIGHT", "comment": " Mine,\nnot theirs " });
    person.mutate("reportFile", REPORT, input).await
}

async fn report_snap(person: &Person, snap: &Value) -> Value {
    person.mutate("reportSnap", REPORT, json!({ "id": snap["id"], "category": "HARASSMENT", "comment": "No" })).await
}

async fn resolve(admin: &Person, report: &Value, decision: &str) -> Value {
    let input = json!({ "id": report["id"], "decision": decision, "reason": "Because" });
    let want = format!("resolvedCount alerts {{ kind }} {REPORT}");
    admin.mutate("resolveReport", &want, input).await
}

/// The ids of the queue.
async fn queue(admin: &Person, state: &str) -> Vec<Value> {
    let query = format!("{{ reports(state: {state}) {{ totalCount nodes {{ id }} }} }}");
    let found = admin.query(&query, json!({})).await["reports"].clone();
    let ids: Vec<_> = found["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect();
    assert_eq!(found["totalCount"], ids.len());
    ids
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_default()
}

/// What the audit log has of this report, oldest first.
async fn acts(server: &TestServer, report: &Value) -> Vec<String> {
    let key = report["id"].as_str().unwrap().parse::<GlobalId>().unwrap().key;
    let entries = audit_entry::Entity::find().filter(audit_entry::Column::SubjectId.eq(key));
    let entries = entries.order_by_asc(audit_entry::Column::Id).all(server.app.db.read()).await.unwrap();
    entries.into_iter().map(|entry| entry.action).collect()
}

/// A snap's object in the ledger.
async fn picture(server: &TestServer, snap: &Value) -> object::Model {
    let key = NodeKind::Snap.parse(snap["id"].as_str().unwrap()).unwrap();
    let row = snap::Entity::find_by_id(key).one(server.app.db.read()).await.unwrap().unwrap();
    object::Entity::find_by_id(row.object_id).one(server.app.db.read()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_decision_is_for_everybody_who_reported_the_file() {
    let server = TestServer::start().await;
    let (root, ada) = (server.admin().await, server.person("ada").await);
    let (bob, eve) = (server.person("bob").await, server.person("eve").await);
    let (bad, fine) = (ada.upload("bad.txt", *b"bad").await, ada.upload("fine.txt", *b"fine").await);
    let url = share(&ada, &bad).await;
    let first = report_file(&bob, &url).await["report"].clone();
    assert_eq!((&first["comment"], &first["subjectId"]), (&json!("Mine,\nnot theirs"), &bad["id"]));
    for hidden in ["reporter", "accused", "file", "facts", "evidence", "evidenceUrl", "sameCount", "upheldCount"] {
        assert_eq!(first[hidden], Value::Null, "{hidden} is for admins");
    }
    assert_eq!(report_file(&bob, &url).await["report"]["id"], first["id"], "a repeat is no second report");
    let token = url.rsplit('/').next().unwrap();
    let second = report_file(&eve, token).await["report"].clone();
    let third = report_file(&bob, &share(&ada, &fine).await).await["report"].clone();
    assert_eq!(queue(&root, "OPEN").await, [&first["id"], &second["id"], &third["id"]].map(Clone::clone));

    let query = format!("query ($id: ID!) {{ node(id: $id) {{ ... on Report {} }} }}", &REPORT["report ".len()..]);
    let seen = root.query(&query, json!({ "id": first["id"] })).await["node"].clone();
    assert_eq!((&seen["sameCount"], &seen["upheldCount"]), (&json!(2), &json!(0)));
    assert_eq!((&seen["reporter"]["username"], &seen["accused"]["username"]), (&json!("bob"), &json!("ada")));
    assert_eq!((&seen["facts"]["name"], &seen["evidence"]), (&json!("bad.txt"), &json!("FILE")));
    assert_eq!(eve.query(&query, json!({ "id": first["id"] })).await["node"], Value::Null, "another's report");

    let mut live = ada.socket().await;
    live.subscribe("q", "{ viewer { username } }", Value::Null).await;
    live.next("q").await;
    let decided = resolve(&root, &first, "REMOVE_AND_SUSPEND").await;
    assert_eq!(decided["resolvedCount"], 2);
    assert_eq!(decided["alerts"], json!([{ "kind": "USER_SUSPENDED" }, { "kind": "FILES_REMOVED" }]));
    assert_eq!(decided["report"]["decision"], "REMOVE_AND_SUSPEND");
    assert_eq!(live.closed().await.0, 4403);
    assert_eq!(ada.error("{ viewer { id } }", Value::Null).await, "UNAUTHENTICATED");
    assert_eq!(
        root.file(&bad, "state removal { reason }").await,
        json!({ "state": "REMOVED", "removal": { "reason": "Because" } })
    );
    assert_eq!(queue(&root, "OPEN").await, [third["id"].clone()]);
    assert_eq!(queue(&root, "RESOLVED").await.len(), 2);

    let again = resolve(&root, &second, "REMOVE_AND_SUSPEND").await;
    assert_eq!((&again["resolvedCount"], &again["userErrors"]), (&json!(0), &json!([])), "a repeat");
    assert_eq!(code(&resolve(&root, &second, "DISMISS").await), "ALREADY_RESOLVED");
    let dismissed = resolve(&root, &third, "DISMISS").await;
    assert_eq!((&dismissed["alerts"], &dismissed["resolvedCount"]), (&json!([]), &json!(1)));
    assert_eq!(dismissed["report"]["upheldCount"], 2);
    assert_eq!(root.file(&fine, "state").await["state"], "ACTIVE");
    assert_eq!(acts(&server, &first).await, ["report.made", "report.resolved"]);
    server.settle().await;
    server.finish().await;
}

#[tokio::test]
async fn what_is_reported_has_to_be_seen_and_another_persons() {
    let server = TestServer::with(|config| config.reports.per_day = 2).await;
    let (root, ada, bob) = (server.admin().await, server.person("ada").await, server.person("bob").await);
    let files = [ada.upload("a", *b"1").await, ada.upload("b", *b"2").await, ada.upload("c", *b"3").await];
    let by_id = async |person: &Person, id: &Value| {
        person.mutate("reportFile", "report { id }", json!({ "fileId": id, "category": "SPAM" })).await
    };
    assert_eq!(code(&by_id(&bob, &files[0]["id"]).await), "NOT_FOUND");
    assert_eq!(code(&by_id(&ada, &files[0]["id"]).await), "YOUR_OWN");
    assert_eq!(code(&report_file(&bob, "https://example.org/s/nothing").await), "NOT_FOUND");
    let too_long = json!({ "shareUrl": share(&ada, &files[0]).await, "category": "SPAM", "comment": "x".repeat(1001) });
    assert_eq!(code(&bob.mutate("reportFile", "report { id }", too_long).await), "INVALID_COMMENT");
    let neither = "mutation { reportFile(input: { category: SPAM }) { report { id } } }";
    assert_eq!(bob.error(neither, json!({})).await, "BAD_USER_INPUT");

    let urls = [share(&ada, &files[0]).await, share(&ada, &files[1]).await, share(&ada, &files[2]).await];
    let made = [report_file(&bob, &urls[0]).await, report_file(&bob, &urls[1]).await];
    assert_eq!(code(&report_file(&bob, &urls[2]).await), "TOO_MANY_REPORTS");
    assert_eq!(code(&report_file(&bob, &urls[0]).await), "", "a repeat is not counted");
    server.advance(DAY + Duration::from_secs(1));
    assert_eq!(code(&report_file(&bob, &share(&ada, &files[2]).await).await), "");

    // What is gone by itself is decided all the same.
    ada.purge(&[&files[0]]).await;
    assert_eq!(resolve(&root, &made[0]["report"], "REMOVE").await["resolvedCount"], 1);
    assert_eq!(code(&resolve(&root, &json!({ "id": "report_0" }), "REMOVE").await), "NOT_FOUND");
    let own = root.upload("own", *b"4").await;
    let about_root = report_file(&ada, &share(&root, &own).await).await;
    assert_eq!(code(&resolve(&root, &about_root["report"], "DISMISS").await), "YOURSELF");
    server.settle().await;
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snap_is_held_as_evidence_from_a_report_within_its_window_until_the_decision() {
    let server = TestServer::start().await;
    let root = server.admin().await;
    let (ada, [bob]) = with_friends(&server, ["bob"]).await;
    let snap = send(&ada, &[&bob], json!({ "caption": "You!", "viewSeconds": 5 })).await;
    assert_eq!(code(&report_snap(&bob, &snap).await), "NOT_OPENED");
    assert_eq!(code(&report_snap(&ada, &snap).await), "NOT_FOUND", "its sender received none");
    let shown = see(&bob, &open(&bob, &snap).await).await;
    let report = report_snap(&bob, &snap).await["report"].clone();
    assert_eq!(report_snap(&bob, &snap).await["report"], report);
    assert_eq!(picture(&server, &snap).await.holds, 1);
    close(&bob, &snap).await;
    server.settle_for_an_hour().await;

    // It has ended for both, and its picture stays; its sender reads that it is to go.
    let end = now(&ada, &snap).await;
    assert!(end["goneAt"].is_string() && end["caption"].is_null(), "{end}");
    assert_eq!(end["erasure"]["erasedAt"], Value::Null);
    assert_eq!(picture(&server, &snap).await.state, object::State::Live);

    let query = format!("{{ reports {{ nodes {} }} }}", &REPORT["report ".len()..]);
    let seen = root.query(&query, json!({})).await["reports"]["nodes"][0].clone();
    assert_eq!(
        (&seen["kind"], &seen["evidence"], &seen["facts"]["caption"]),
        (&json!("SNAP"), &json!("HELD"), &json!("You!"))
    );
    let evidence = seen["evidenceUrl"].as_str().unwrap();
    for person in [&ada, &bob, &server.stranger(), &server.operator().await] {
        assert_eq!(fetch(person, evidence).await.0, 404, "for admins alone");
    }
    let head = root.request(reqwest::Method::HEAD, evidence).send().await.unwrap();
    assert_eq!(head.status(), 405);
    assert_eq!(acts(&server, &report).await, ["report.made"], "nobody has looked yet");
    assert_eq!(see(&root, evidence).await, shown);
    assert_eq!(acts(&server, &report).await, ["report.made", "report.evidence_viewed"]);

    let decided = resolve(&root, &report, "REMOVE_AND_SUSPEND").await;
    let decided = &decided["report"];
    assert_eq!((&decided["evidence"], &decided["evidenceUrl"]), (&json!("RELEASED"), &Value::Null));
    assert_eq!(decided["facts"]["caption"], Value::Null, "the words go with the picture");
    assert_eq!(fetch(&root, evidence).await.0, 404);
    server.settle().await;
    assert_eq!(picture(&server, &snap).await.state, object::State::Erased);
    server.assert_buckets_empty().await;
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_its_window_a_report_keeps_a_hash_and_no_picture() {
    let server = TestServer::start().await;
    let root = server.admin().await;
    let (ada, [bob, eve]) = with_friends(&server, ["bob", "eve"]).await;
    let snap = send(&ada, &[&bob, &eve], json!({ "viewSeconds": 1 })).await;
    see(&bob, &open(&bob, &snap).await).await;
    close(&bob, &snap).await;
    // Whoever of the two blocks the other.
    ada.mutate("blockUser", "user { id }", json!({ "userId": bob.id })).await;
    let report = report_snap(&bob, &snap).await["report"].clone();
    assert!(report.is_object());
    assert_eq!(picture(&server, &snap).await.holds, 0, "it is over for who reports it");
    let seen =
        root.query("{ reports { nodes { evidence sha256 facts } } }", json!({})).await["reports"]["nodes"][0].clone();
    assert_eq!((&seen["evidence"], &seen["facts"]["caption"]), (&json!("GONE"), &Value::Null));
    assert_eq!(seen["sha256"].as_str().unwrap().len(), 64);
    // Removed, it ends for those who had not opened it.
    resolve(&root, &report, "REMOVE").await;
    assert_eq!(now(&eve, &snap).await, Value::Null);
    server.settle().await;
    assert_gone(&server, &ada, &snap).await;
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_that_nobody_decides_on_is_released_after_its_time() {
    let server = TestServer::with(|config| config.reports.evidence_for = DAY).await;
    let root = server.admin().await;
    let (ada, [bob]) = with_friends(&server, ["bob"]).await;
    let snap = send(&ada, &[&bob], json!({})).await;
    see(&bob, &open(&bob, &snap).await).await;
    let report = report_snap(&bob, &snap).await["report"].clone();
    close(&bob, &snap).await;
    for (wait, state, evidence) in
        [(Duration::ZERO, object::State::Live, "HELD"), (DAY, object::State::Erased, "RELEASED")]
    {
        server.advance(wait + Duration::from_secs(1));
        server.schedule("reports.let_go").await;
        server.settle_for_an_hour().await;
        assert_eq!(picture(&server, &snap).await.state, state);
        let query = "query ($id: ID!) { node(id: $id) { ... on Report { state evidence } } }";
        let seen = root.query(query, json!({ "id": report["id"] })).await["node"].clone();
        assert_eq!(seen, json!({ "state": "OPEN", "evidence": evidence }));
    }
    assert_eq!(resolve(&root, &report, "DISMISS").await["userErrors"], json!([]));
    server.settle().await;
    server.finish().await;
}
