//! The end of people: what they sent and received goes with them.

use entity::job::State;
use serde_json::{Value, json};

use super::{assert_gone, codes, fetch, now, open, see, send, snaps, states, try_open, with_friends};
use crate::support::{PASSWORD, TestServer};

#[tokio::test]
async fn a_closed_account_takes_its_snaps_along() {
    let server = TestServer::start().await;
    let (ada, [ben, cleo]) = with_friends(&server, ["ben", "cleo"]).await;
    let sent = send(&ada, &[&ben, &cleo], json!({})).await;
    let url = open(&ben, &sent).await;
    super::befriend(&ben, &cleo).await;
    let received = send(&ben, &[&ada, &cleo], json!({ "viewSeconds": 5 })).await;
    ada.mutate("closeAccount", "receipt", json!({ "currentPassword": PASSWORD })).await;
    server.settle_for_an_hour().await;
    assert!(server.jobs(State::Waiting).await.iter().all(|job| job.kind != "closing.erase"), "the account is not gone");

    assert_eq!((fetch(&ben, &url).await.0, now(&cleo, &sent).await), (404, Value::Null));
    assert_eq!(codes(&try_open(&cleo, &sent, None).await), ["NOT_FOUND"]);
    // Who else received what came from others still does.
    see(&cleo, &open(&cleo, &received).await).await;
    assert_eq!(states(&ben, &received).await, ["OPENED"]);
    assert_eq!(snaps(&cleo, "INBOX").await.len(), 1);
    server.advance(super::FETCH);
    server.quiet().await;
    server.advance(super::FETCH);
    server.quiet().await;
    assert_gone(&server, &ben, &received).await;
    server.finish().await;
    // Its objects are proven gone with the rest of the account.
}
