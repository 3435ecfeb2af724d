//! The log of one's own events: by pages, live, how much is unread, and what is not kept any more.

use std::time::Duration;

use entity::event;
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use snaphaven::{events, id::NodeKind};

use super::{append, append_at, cursor, latest, seq};
use crate::support::{TestServer, code, until};

const LIVE: &str = "subscription ($kinds: [EventKind!], $after: String) { eventReceived(kinds: $kinds, after: $after) { \
     cursor kind createdAt subject { __typename id } } }";
const PAGE: &str = "query ($first: Int, $after: String) { events(first: $first, after: $after) { latestCursor \
     nodes { cursor kind createdAt subject { __typename id } } pageInfo { hasNextPage endCursor } } }";

#[tokio::test]
async fn whoever_polls_reads_every_event_once_and_in_order() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    append(&server.app, &bob, 2).await;
    append(&server.app, &ada, 7).await;
    let (mut after, mut seen) = (Value::Null, Vec::new());
    loop {
        let page = ada.query(PAGE, json!({ "first": 3, "after": after })).await["events"].clone();
        seen.extend(page["nodes"].as_array().unwrap().iter().map(|node| seq(&node["cursor"])));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            assert_eq!(page["latestCursor"], after);
            break;
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
    let rest = ada.query(PAGE, json!({ "after": after })).await["events"].clone();
    assert_eq!((&rest["nodes"], &rest["latestCursor"]), (&json!([]), &after));
    server.finish().await;
}

#[tokio::test]
async fn an_event_is_told_at_once_with_what_it_is_about() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let (mut socket, mut his) = (ada.socket().await, bob.socket().await);
    let start = latest(&ada).await;
    socket.subscribe("all", LIVE, json!({ "after": start })).await;
    socket.subscribe("snaps", LIVE, json!({ "after": start, "kinds": ["SNAP_RECEIVED"] })).await;
    his.subscribe("all", LIVE, json!({ "after": latest(&bob).await })).await;
    let made = ada.mutate("createUpload", "uploadSession { id }", json!({ "name": "a", "size": 1 })).await;
    let event = socket.next("all").await["data"]["eventReceived"].clone();
    assert_eq!(event["kind"], "UPLOAD_CHANGED");
    let subject = json!({ "__typename": "UploadSession", "id": made["uploadSession"]["id"] });
    assert_eq!(event["subject"], subject);
    append(&server.app, &ada, 1).await;
    let mut heard = [socket.message().await, socket.message().await];
    heard.sort_by_key(|message| message["id"].to_string());
    for message in &heard {
        let event = &message["payload"]["data"]["eventReceived"];
        assert_eq!((&event["kind"], seq(&event["cursor"])), (&json!("SNAP_RECEIVED"), 2), "{heard:?}");
    }
    // Nobody is told of another's.
    append(&server.app, &bob, 1).await;
    assert_eq!(seq(&his.next("all").await["data"]["eventReceived"]["cursor"]), 1);
    server.finish().await;
}

#[tokio::test]
async fn another_process_tells_too() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let other = server.another().await;
    let mut socket = ada.at(&other.url).socket().await;
    socket.subscribe("a", LIVE, json!({ "after": latest(&ada).await })).await;
    for expected in 1..=5 {
        append(&server.app, &ada, 1).await;
        assert_eq!(seq(&socket.next("a").await["data"]["eventReceived"]["cursor"]), expected);
    }
    other.finish().await;
    server.finish().await;
}

#[tokio::test]
async fn what_was_rolled_back_never_was() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let mut socket = ada.socket().await;
    socket.subscribe("a", LIVE, json!({ "after": latest(&ada).await })).await;
    let recipient = NodeKind::User.parse(&ada.id).unwrap();
    let refused = server
        .app
        .transaction::<(), sea_orm::DbErr, _, _>(async |tx| {
            events::append(&tx, recipient, events::SNAP_RECEIVED, json!({}), server.app.now()).await?;
            Err(sea_orm::DbErr::Custom("changed its mind".to_owned()))
        })
        .await;
    assert!(refused.is_err());
    append(&server.app, &ada, 1).await;
    assert_eq!(seq(&socket.next("a").await["data"]["eventReceived"]["cursor"]), 1);
    server.finish().await;
}

#[tokio::test]
async fn unread_events_are_counted_until_they_are_marked_as_read() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let unread = async |kinds: Value| {
        let query = "query ($kinds: [EventKind!]) { unreadCount(kinds: $kinds) }";
        ada.query(query, json!({ "kinds": kinds })).await["unreadCount"].clone()
    };
    let mark = async |cursor: &str| ada.mutate("markEventsRead", "unreadCount", json!({ "cursor": cursor })).await;
    assert_eq!(unread(Value::Null).await, 0);
    append(&server.app, &ada, 3).await;
    append(&server.app, &bob, 9).await;
    ada.mutate("createUpload", "uploadSession { id }", json!({ "name": "a", "size": 1 })).await;
    assert_eq!(unread(Value::Null).await, 4);
    assert_eq!(unread(json!(["SNAP_RECEIVED", "SNAP_CHANGED"])).await, 3);
    assert_eq!(unread(json!([])).await, 0);
    for _ in 0..2 {
        assert_eq!(mark(&cursor(2)).await, json!({ "unreadCount": 2, "userErrors": [] }));
    }
    assert_eq!(mark(&cursor(1)).await["unreadCount"], 2, "what was read stays read");
    for wrong in [cursor(5), cursor(-1), "nonsense".to_owned(), String::new()] {
        let payload = mark(&wrong).await;
        assert_eq!(payload["userErrors"][0]["code"], "INVALID_CURSOR", "{wrong}");
        assert_eq!(payload["unreadCount"], 2);
    }
    assert_eq!(mark(latest(&ada).await.as_str().unwrap()).await["unreadCount"], 0);
    assert_eq!(bob.query("{ unreadCount }", Value::Null).await["unreadCount"], 9);
    server.finish().await;
}

#[tokio::test]
async fn old_events_go_and_whoever_would_have_missed_them_is_told_so() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let recipient = NodeKind::User.parse(&ada.id).unwrap();
    // More than one batch.
    for _ in 0..620 {
        append_at(&server.app, recipient, events::SNAP_RECEIVED, snaphaven_time(&server).await).await;
    }
    let retention = server.app.config.events.retention;
    let later = snaphaven_time(&server).await.plus(retention + Duration::from_secs(60));
    append_at(&server.app, recipient, events::SNAP_RECEIVED, later).await;
    age(&server, retention + Duration::from_secs(30)).await;
    server.schedule("events.sweep").await;
    server.quiet().await;
    until("old events are gone", async || {
        event::Entity::find()
            .all(server.app.db.read())
            .await
            .unwrap()
            .iter()
            .filter(|row| row.recipient == recipient)
            .count()
            == 1
    })
    .await;
    let page = ada.query(PAGE, json!({})).await["events"].clone();
    assert_eq!(page["nodes"].as_array().unwrap().len(), 1);
    let mut socket = ada.socket().await;
    for after in [0, 619] {
        assert_eq!(code(&ada.send(PAGE, json!({ "after": cursor(after) })).await), "CURSOR_EXPIRED");
        socket.subscribe("a", LIVE, json!({ "after": cursor(after) })).await;
        assert_eq!(socket.error("a").await, "CURSOR_EXPIRED");
    }
    for unknown in [cursor(622), cursor(-1)] {
        assert_eq!(code(&ada.send(PAGE, json!({ "after": unknown })).await), "BAD_USER_INPUT");
        socket.subscribe("a", LIVE, json!({ "after": unknown })).await;
        assert_eq!(socket.error("a").await, "BAD_USER_INPUT");
    }
    socket.subscribe("a", LIVE, json!({ "after": cursor(620) })).await;
    assert_eq!(seq(&socket.next("a").await["data"]["eventReceived"]["cursor"]), 621);
    server.finish().await;
}

/// The database's time.
async fn snaphaven_time(server: &TestServer) -> entity::Timestamp {
    server.app.db.now(server.app.db.read()).await.unwrap()
}

/// Makes all events so much older: the time of Postgres and MariaDB cannot be moved.
async fn age(server: &TestServer, by: Duration) {
    use sea_orm::{ExprTrait as _, sea_query::Expr};
    let by = i64::try_from(by.as_micros()).unwrap();
    let update =
        event::Entity::update_many().col_expr(event::Column::CreatedAt, Expr::col(event::Column::CreatedAt).sub(by));
    update.exec(server.app.db.read()).await.unwrap();
}

/// The control of the reader: a number that was not taken from the counter row could be seen before the one below it.
#[tokio::test]
async fn a_number_taken_without_the_counter_is_noticed_and_nothing_is_passed_over() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    append(&server.app, &ada, 1).await;
    let mut socket = ada.socket().await;
    socket.subscribe("a", LIVE, json!({ "after": cursor(1) })).await;
    let row = event::ActiveModel {
        recipient: Set(NodeKind::User.parse(&ada.id).unwrap()),
        seq: Set(3),
        kind: Set(events::SNAP_RECEIVED.to_owned()),
        payload: Set(json!({})),
        created_at: Set(server.app.now()),
    };
    row.insert(server.app.db.read()).await.unwrap();
    server.app.db.bell().ring_all();
    assert_eq!(socket.error("a").await, "CURSOR_EXPIRED", "the second may still be on its way");
    server.finish().await;
}
