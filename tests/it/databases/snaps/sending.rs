//! Who receives what, and what is refused.

use serde_json::{Value, json};

use super::{
    DAY, FETCH, PHOTO, SNAP, VIEW, assert_gone, codes, fetch, key, now, open, received, revoke, rows, see, send, sides,
    snaps, states, time, told, try_send, unopened, with_friends,
};
use crate::{
    databases::files::direct,
    images::fixtures::{self, Picture},
    support::{Person, TestServer},
};

#[tokio::test]
async fn friends_receive_a_snap_and_nobody_else() {
    let server = TestServer::start().await;
    let (ada, [ben, cleo]) = with_friends(&server, ["ben", "cleo"]).await;
    let dan = server.person("dan").await;
    let more = json!({ "caption": " Look! ", "viewSeconds": 5 });
    let payload = try_send(&ada, &[&dan, &cleo, &ben], &PHOTO, more).await;
    assert_eq!(payload["refused"], json!([{ "code": "NOT_A_FRIEND", "recipientId": dan.id }]));
    let snap = &payload["snap"];
    assert_eq!((&snap["caption"], &snap["viewSeconds"]), (&json!("Look!"), &json!(5)));
    assert_eq!(states(&ada, snap).await, ["DELIVERED", "DELIVERED"]);
    assert_eq!(time(&snap["expiresAt"]).since(time(&snap["sentAt"])), DAY);

    for friend in [&ben, &cleo] {
        let [inbox] = snaps(friend, "INBOX").await.try_into().unwrap();
        assert_eq!((&inbox["id"], &inbox["sender"]["username"]), (&snap["id"], &json!("ada")));
        assert_eq!((&inbox["state"], &inbox["canOpen"]), (&json!("DELIVERED"), &json!(true)));
        // Nothing of what it shows is told before it is opened, nor who else received it.
        assert_eq!((&inbox["caption"], &inbox["recipients"]), (&Value::Null, &Value::Null));
        assert_eq!((unopened(friend).await, told(&server, friend).await), (json!(1), vec!["snap.received".to_owned()]));
    }
    assert_eq!((snaps(&dan, "INBOX").await.len(), unopened(&dan).await), (0, json!(0)));
    assert_eq!(now(&dan, snap).await, Value::Null);
    let [sent] = snaps(&ada, "SENT").await.try_into().unwrap();
    assert_eq!(sent["id"], snap["id"]);
    assert!(snaps(&ada, "INBOX").await.is_empty());
    server.finish().await;
}

#[tokio::test]
async fn the_picture_is_made_fit_and_loses_what_it_told() {
    let server = TestServer::with(|config| config.snaps.max_side = 640).await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    // Turned by its orientation, with a place and a camera in its metadata.
    let exif = [b"Exif\0\0".as_slice(), &fixtures::exif(6, true)].concat();
    let original = fixtures::with_segments(&Picture::quarters(64, 48).jpeg(), &[(0xe1, &exif)]);
    let snap = try_send(&ada, &[&ben], &original, json!({})).await["snap"].clone();
    let url = open(&ben, &snap).await;
    let picture = see(&ben, &url).await;
    assert!(picture.starts_with(&[0xff, 0xd8]) && !picture.windows(4).any(|window| window == b"Exif"));
    assert_eq!(sides(&picture).await, (48, 64));

    // Larger ones are made smaller.
    let snap = send(&ada, &[&ben], json!({})).await;
    assert_eq!(sides(&see(&ben, &open(&ben, &snap).await).await).await, (640, 480));
    // Of all that was sent only the pictures made here were ever stored.
    assert!(server.objects().await.iter().all(|object| object.key.starts_with("snap/")));
    server.finish().await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_and_leaves_nothing() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let stranger = server.person("dan").await;
    let to = [&ben];
    let long = "x".repeat(501);
    for (picture, people, more, code) in [
        (&PHOTO[..], &[][..], json!({}), "INVALID_COUNT"),
        (&PHOTO[..], &[&ben, &ben][..], json!({}), "DUPLICATE_RECIPIENT"),
        (&PHOTO[..], &[&stranger][..], json!({}), "NOT_A_FRIEND"),
        (&PHOTO[..], &[&ada][..], json!({}), "NOT_A_FRIEND"),
        (&b"no picture"[..], &to[..], json!({}), "NOT_A_PICTURE"),
        (&PHOTO[..2000], &to[..], json!({}), "NOT_A_PICTURE"),
        (&PHOTO[..], &to[..], json!({ "caption": long }), "INVALID_CAPTION"),
        (&PHOTO[..], &to[..], json!({ "viewSeconds": 0 }), "INVALID_VIEW_SECONDS"),
        (&PHOTO[..], &to[..], json!({ "viewSeconds": 61 }), "INVALID_VIEW_SECONDS"),
        (&PHOTO[..], &to[..], json!({ "expiresIn": 0 }), "INVALID_EXPIRY"),
        (&PHOTO[..], &to[..], json!({ "expiresIn": 32 * 24 * 3600 }), "INVALID_EXPIRY"),
    ] {
        let payload = try_send(&ada, people, picture, more.clone()).await;
        assert_eq!((codes(&payload), &payload["snap"]), (vec![code], &Value::Null), "{more} {payload}");
    }
    let crowd: Vec<String> = (0..101).map(|n| format!("user_{n:032x}")).collect();
    for (recipients, code) in [(json!(crowd), "INVALID_COUNT"), (json!(["nobody"]), "NOT_A_FRIEND")] {
        let payload = try_send(&ada, &[], &PHOTO, json!({ "recipientIds": recipients })).await;
        assert_eq!(codes(&payload), [code]);
    }
    let input = json!({ "recipientIds": [ben.id] });
    let query = "mutation ($input: SendSnapInput!) { sendSnap(input: $input) { snap { id } } }";
    assert_eq!(ada.error(query, json!({ "input": input })).await, "BAD_USER_INPUT");
    server.settle().await;
    assert!(snaps(&ada, "SENT").await.is_empty() && snaps(&ben, "INBOX").await.is_empty());
    server.assert_buckets_empty().await;
    server.finish().await;
}

#[tokio::test]
async fn a_repeat_sends_nothing_twice() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let dan = server.person("dan").await;
    let more = json!({ "idempotencyKey": "once" });
    let first = try_send(&ada, &[&ben, &dan], &PHOTO, more.clone()).await;
    let again = try_send(&ada, &[&ben, &dan], &PHOTO, more.clone()).await;
    assert_eq!(first, again);
    let other = try_send(&ada, &[&ben], &PHOTO, more.clone()).await;
    assert_eq!(codes(&other), ["IDEMPOTENCY_KEY_REUSED"]);
    assert_eq!((snaps(&ben, "INBOX").await.len(), told(&server, &ben).await.len()), (1, 1));
    server.settle().await;
    server.finish().await;
}

/// The payload of `sendSnap` without a file sent along.
async fn send_by(sender: &Person, to: &Person, input: Value) -> Value {
    let mut input = input;
    input["recipientIds"] = json!([to.id]);
    sender.mutate("sendSnap", &format!("snap {{ {SNAP} }}"), input).await
}

#[tokio::test]
async fn a_file_of_ones_own_is_sent_and_stays() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let file = ada.upload("a.jpg", PHOTO.clone()).await;
    let text = ada.upload("a.txt", *b"text").await;
    let foreign = ben.upload("b.jpg", PHOTO.clone()).await;
    assert_eq!(codes(&send_by(&ada, &ben, json!({ "fileId": text["id"] })).await), ["NOT_A_PICTURE"]);
    assert_eq!(codes(&send_by(&ada, &ben, json!({ "fileId": foreign["id"] })).await), ["NOT_FOUND"]);
    let payload = send_by(&ada, &ben, json!({ "fileId": file["id"] })).await;
    let snap = &payload["snap"];
    let url = open(&ben, snap).await;
    assert_eq!(sides(&see(&ben, &url).await).await, (1200, 900));
    ada.trash(&[&file]).await;
    assert_eq!(codes(&send_by(&ada, &ben, json!({ "fileId": file["id"] })).await), ["WRONG_STATE"]);
    ada.restore(&[&file]).await;
    server.advance(FETCH * 20);
    server.quiet().await;
    assert_gone(&server, &ada, snap).await;
    assert_eq!(ada.file(&file, "state").await["state"], "ACTIVE");
    server.finish().await;
}

#[tokio::test]
async fn a_direct_upload_becomes_a_snap_and_nothing_else() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let more = json!({ "purpose": "SNAP", "sha256": direct::sha256(&PHOTO) });
    let upload = direct::create(&ada, "a.jpg", &PHOTO, more).await;
    let id = json!({ "uploadId": upload["id"] });
    assert_eq!(codes(&send_by(&ada, &ben, id.clone()).await), ["PARTS_MISSING"]);
    direct::send(&server, &ada, &upload, &PHOTO, &[1]).await;
    assert_eq!(codes(&direct::complete(&ada, &upload).await), ["WRONG_STATE"]);
    assert_eq!(codes(&send_by(&ben, &ada, id.clone()).await), ["NOT_FOUND"]);
    let payload = send_by(&ada, &ben, id.clone()).await;
    assert_eq!(payload["userErrors"], json!([]));
    let done = direct::session(&ada, &upload).await;
    assert_eq!((&done["state"], &done["file"]), (&json!("COMPLETED"), &Value::Null));
    assert_eq!(codes(&send_by(&ada, &ben, id).await), ["WRONG_STATE"]);
    let file = direct::create(&ada, "b.jpg", &PHOTO, json!({})).await;
    assert_eq!(codes(&send_by(&ada, &ben, json!({ "uploadId": file["id"] })).await), ["WRONG_STATE"]);
    direct::abort(&ada, &file).await;
    assert_eq!(sides(&see(&ben, &open(&ben, &payload["snap"]).await).await).await, (1200, 900));
    server.finish().await;
}

#[tokio::test]
async fn a_snap_that_was_taken_back_looks_as_one_that_never_was() {
    let server = TestServer::start().await;
    let (ada, [ben, cleo]) = with_friends(&server, ["ben", "cleo"]).await;
    let snap = send(&ada, &[&ben, &cleo], json!({ "caption": "oops" })).await;
    let url = open(&ben, &snap).await;
    assert_eq!(codes(&revoke(&ben, &snap).await), ["NOT_FOUND"]);
    let revoked = revoke(&ada, &snap).await;
    assert_eq!(revoked["userErrors"], json!([]));
    // Who had opened it had; but the picture is not given any more.
    let ends: Vec<_> = received(&server, &snap).await.into_iter().map(|row| (row.recipient_id, row.state)).collect();
    assert!(ends.contains(&(key(&cleo), entity::snap_recipient::State::Revoked)), "{ends:?}");
    assert_eq!(fetch(&ben, &url).await.0, 404);
    let opened = cleo.mutate("openSnap", VIEW, json!({ "id": snap["id"] })).await;
    assert_eq!((codes(&opened), now(&cleo, &snap).await), (vec!["NOT_FOUND"], Value::Null));
    assert_eq!((snaps(&cleo, "INBOX").await.len(), unopened(&cleo).await), (0, json!(0)));
    let again = revoke(&ada, &snap).await;
    assert_eq!(again["userErrors"], json!([]));
    server.quiet().await;
    server.advance(FETCH);
    server.quiet().await;
    assert_gone(&server, &ada, &snap).await;
    assert_eq!(rows(&server, &snap).await.0.remaining, 0);
    server.finish().await;
}
