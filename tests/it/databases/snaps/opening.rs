//! Opening once, a second look, and what time does.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    DAY, FETCH, assert_gone, audited, close, codes, fetch, now, open, replay, report_screenshot, rows, see, send,
    snaps, states, told, try_open, unopened, url, with_friends,
};
use crate::support::TestServer;

const VIEW_TIME: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_snap_is_seen_once_and_then_gone_at_both_sites() {
    let server = TestServer::with(|config| config.accounts.session_ttl = DAY * 100).await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let snap = send(&ada, &[&ben], json!({ "caption": "Look!", "viewSeconds": 5 })).await;
    let payload = try_open(&ben, &snap, None).await;
    let view = &payload["view"];
    assert_eq!((&view["caption"], &view["viewSeconds"]), (&json!("Look!"), &json!(5)));
    assert_eq!(
        (&view["width"], &view["height"], &view["snap"]["state"]),
        (&json!(1200), &json!(900), &json!("OPENED"))
    );
    assert_eq!(codes(&try_open(&ben, &snap, None).await), ["ALREADY_OPENED"]);
    let link = url(&payload);
    assert!(see(&ben, &link).await.len() > 10_000);
    assert_eq!(fetch(&ben, &link).await.0, 404);
    assert_eq!((states(&ada, &snap).await, unopened(&ben).await), (vec!["OPENED".to_owned()], json!(0)));
    assert_eq!(audited(&server, &snap).await, ["snap.opened"]);
    // While it is looked at it is there.
    assert_eq!(now(&ada, &snap).await["goneAt"], Value::Null);

    server.advance(VIEW_TIME);
    server.quiet().await;
    server.advance(FETCH);
    server.quiet().await;
    assert_gone(&server, &ada, &snap).await;
    assert_eq!(told(&server, &ada).await, ["snap.changed", "snap.changed"]);
    // That it was sent, and opened, stays for a while.
    assert_eq!((states(&ada, &snap).await, snaps(&ben, "INBOX").await.len()), (vec!["OPENED".to_owned()], 1));
    assert_eq!(codes(&try_open(&ben, &snap, None).await), ["ALREADY_OPENED"]);
    server.advance(DAY * 30);
    server.schedule("snaps.forget").await;
    server.quiet().await;
    assert_eq!((now(&ada, &snap).await, snaps(&ben, "INBOX").await.len()), (Value::Null, 0));
    server.finish().await;
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let snap = send(&ada, &[&ben], json!({})).await;
    let first = try_open(&ben, &snap, Some("k")).await;
    let again = try_open(&ben, &snap, Some("k")).await;
    assert_eq!(first, again);
    assert_eq!(codes(&try_open(&ben, &snap, Some("other")).await), ["ALREADY_OPENED"]);
    let other = send(&ada, &[&ben], json!({})).await;
    assert_eq!(codes(&try_open(&ben, &other, Some("k")).await), ["IDEMPOTENCY_KEY_REUSED"]);
    // Another session of the same person has another key ring.
    let input = json!({ "login": "ben", "password": crate::support::PASSWORD });
    let elsewhere = server.stranger().mutate("logIn", "user { id } token", input).await;
    let elsewhere = server.stranger().known_as(&elsewhere);
    assert_eq!(codes(&try_open(&elsewhere, &snap, Some("k")).await), ["ALREADY_OPENED"]);
    see(&ben, &url(&again)).await;
    assert_eq!(codes(&try_open(&ben, &snap, Some("k")).await), ["ALREADY_OPENED"]);
    assert_eq!(audited(&server, &snap).await, ["snap.opened"]);
    server.finish().await;
}

#[tokio::test]
async fn what_nobody_fetched_is_not_burnt() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let snap = send(&ada, &[&ben], json!({ "viewSeconds": 5 })).await;
    let first = url(&try_open(&ben, &snap, Some("k")).await);
    server.advance(FETCH);
    server.quiet().await;
    assert_eq!((fetch(&ben, &first).await.0, states(&ada, &snap).await), (404, vec!["DELIVERED".to_owned()]));
    assert_eq!((unopened(&ben).await, &now(&ben, &snap).await["openedAt"]), (json!(1), &Value::Null));
    // Also with the key of the view that nobody saw.
    let second = url(&try_open(&ben, &snap, Some("k")).await);
    assert_ne!(first, second);
    assert_eq!(fetch(&ben, &first).await.0, 404);
    see(&ben, &second).await;
    assert_eq!(audited(&server, &snap).await, ["snap.opened", "snap.opened"]);
    server.finish().await;
}

#[tokio::test]
async fn what_nobody_opens_expires() {
    let server = TestServer::start().await;
    let (ada, [ben, cleo]) = with_friends(&server, ["ben", "cleo"]).await;
    let snap = send(&ada, &[&ben, &cleo], json!({ "viewSeconds": 5, "expiresIn": 90 })).await;
    server.advance(Duration::from_secs(89));
    see(&ben, &open(&ben, &snap).await).await;
    server.advance(Duration::from_secs(1));
    assert_eq!(codes(&try_open(&cleo, &snap, None).await), ["EXPIRED"]);
    assert_eq!(
        (&now(&cleo, &snap).await["state"], &now(&cleo, &snap).await["canOpen"]),
        (&json!("EXPIRED"), &json!(false))
    );
    server.quiet().await;
    // Who opened it in time looks at it to the end.
    assert_eq!((rows(&server, &snap).await.0.remaining, &now(&ada, &snap).await["goneAt"]), (1, &Value::Null));
    server.advance(Duration::from_secs(4));
    server.quiet().await;
    server.advance(FETCH);
    server.quiet().await;
    assert_gone(&server, &ada, &snap).await;
    let mut states = states(&ada, &snap).await;
    states.sort();
    assert_eq!(states, ["EXPIRED", "OPENED"]);
    assert_eq!(codes(&try_open(&cleo, &snap, None).await), ["EXPIRED"]);
    server.finish().await;
}

#[tokio::test]
async fn a_second_look_where_the_sender_allows_it() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let once = send(&ada, &[&ben], json!({ "viewSeconds": 5 })).await;
    assert_eq!(codes(&replay(&ben, &once).await), ["NOT_OPENED"]);
    see(&ben, &open(&ben, &once).await).await;
    assert_eq!(codes(&replay(&ben, &once).await), ["NO_REPLAY"]);

    let twice = send(&ada, &[&ben], json!({ "viewSeconds": 5, "allowReplay": true })).await;
    see(&ben, &open(&ben, &twice).await).await;
    server.advance(VIEW_TIME);
    server.quiet().await;
    assert_eq!(
        (&now(&ben, &twice).await["canReplay"], &now(&ada, &twice).await["goneAt"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(codes(&try_open(&ben, &twice, None).await), ["ALREADY_OPENED"]);
    let view = url(&replay(&ben, &twice).await);
    assert_eq!(codes(&replay(&ben, &twice).await), ["NO_REPLAY"]);
    see(&ben, &view).await;
    assert_eq!((fetch(&ben, &view).await.0, states(&ada, &twice).await), (404, vec!["REPLAYED".to_owned()]));
    assert_eq!(audited(&server, &twice).await, ["snap.opened", "snap.replayed"]);
    server.advance(VIEW_TIME);
    server.quiet().await;
    assert_eq!(codes(&replay(&ben, &twice).await), ["NO_REPLAY"]);

    // One that is not used is over after its time.
    let late = send(&ada, &[&ben], json!({ "viewSeconds": 5, "allowReplay": true })).await;
    see(&ben, &open(&ben, &late).await).await;
    server.advance(Duration::from_secs(2 * 3600));
    assert_eq!(codes(&replay(&ben, &late).await), ["NO_REPLAY"]);
    server.quiet().await;
    server.advance(FETCH);
    server.quiet().await;
    for snap in [&once, &twice, &late] {
        assert_gone(&server, &ada, snap).await;
    }
    server.finish().await;
}

#[tokio::test]
async fn until_it_is_closed_under_a_hard_cap() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let closed = send(&ada, &[&ben], json!({ "expiresIn": 3600 })).await;
    assert_eq!(codes(&close(&ben, &closed).await), ["NOT_OPENED"]);
    see(&ben, &open(&ben, &closed).await).await;
    server.advance(FETCH);
    server.quiet().await;
    assert_eq!(now(&ada, &closed).await["goneAt"], Value::Null);
    for _ in 0..2 {
        assert_eq!(close(&ben, &closed).await["userErrors"], json!([]));
        assert!(now(&ada, &closed).await["goneAt"].is_string());
    }
    assert_eq!(codes(&close(&ada, &closed).await), ["NOT_FOUND"]);

    // Closed before it was fetched, it stays closed.
    let unseen = send(&ada, &[&ben], json!({})).await;
    let view = open(&ben, &unseen).await;
    close(&ben, &unseen).await;
    assert_eq!(
        (fetch(&ben, &view).await.0, codes(&try_open(&ben, &unseen, None).await)),
        (404, vec!["ALREADY_OPENED"])
    );

    let capped = send(&ada, &[&ben], json!({})).await;
    see(&ben, &open(&ben, &capped).await).await;
    server.advance(Duration::from_secs(5 * 60));
    server.quiet().await;
    server.advance(FETCH);
    server.quiet().await;
    for snap in [&closed, &unseen, &capped] {
        assert_gone(&server, &ada, snap).await;
    }
    server.finish().await;
}

#[tokio::test]
async fn a_picture_of_the_screen_is_told_of() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let cleo = server.person("cleo").await;
    let snap = send(&ada, &[&ben], json!({ "viewSeconds": 5 })).await;
    assert_eq!(codes(&report_screenshot(&ben, &snap).await), ["NOT_OPENED"]);
    assert_eq!(codes(&report_screenshot(&cleo, &snap).await), ["NOT_FOUND"]);
    assert_eq!(codes(&report_screenshot(&ada, &snap).await), ["NOT_FOUND"]);
    see(&ben, &open(&ben, &snap).await).await;
    for _ in 0..2 {
        assert_eq!(report_screenshot(&ben, &snap).await["userErrors"], json!([]));
    }
    assert_eq!(states(&ada, &snap).await, ["SCREENSHOT"]);
    assert_eq!(told(&server, &ada).await, ["snap.changed", "snap.changed"]);
    server.finish().await;
}
