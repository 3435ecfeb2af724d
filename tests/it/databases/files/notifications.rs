//! S3's notifications taken in: each new file told once in the event log, and nothing done about all else.

use entity::object::Kind;
use serde_json::{Value, json};
use snaphaven::{config::Config, events};

use crate::{images::fixtures::Picture, support::TestServer};

/// The server listens to its queue.
pub(super) fn listen(config: &mut Config) {
    config.object_events.queue_url = "memory".to_owned();
}

/// As S3 says it.
pub(super) fn created(bucket: &str, key: &str, size: usize) -> String {
    json!({ "Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:CompleteMultipartUpload",
        "s3": { "bucket": { "name": bucket }, "object": { "key": key, "size": size, "sequencer": "00" } },
    }] })
    .to_string()
}

/// Says so, and waits until it is taken in.
pub(super) async fn tell(server: &TestServer, bucket: &str, key: &str, size: usize) {
    server.queue.send(created(bucket, key, size));
    server.queue.drained().await;
}

/// The keys of this kind that the ledger has.
async fn keys(server: &TestServer, kind: Kind) -> Vec<String> {
    let objects = server.objects().await.into_iter();
    objects.filter(|object| object.kind == kind).map(|object| object.key).collect()
}

/// The key of the only direct upload.
pub(super) async fn staged(server: &TestServer) -> String {
    let keys = keys(server, Kind::Staging).await;
    assert_eq!(keys.len(), 1);
    keys[0].clone()
}

/// What the event log says of new objects.
async fn told(server: &TestServer) -> Vec<Value> {
    let events = events::after(server.app.db.read(), events::SERVER_LOG, 0, 1000).await.unwrap().into_iter();
    events.filter(|event| event.kind == "object.created").map(|event| event.payload).collect()
}

#[tokio::test]
async fn a_new_file_is_told_once_however_often_s3_says_so() {
    let server = TestServer::with(listen).await;
    let other = server.another().await;
    other.work().await;
    let ada = server.person("ada").await;
    ada.upload("a.txt", *b"some text").await;
    server.settle().await;
    let key = keys(&server, Kind::Original).await.remove(0);
    for _ in 0..50 {
        server.queue.send(created("first", &key, 9));
        // At the other site it is a copy.
        server.queue.send(created("second", &key, 9));
    }
    server.queue.drained().await;
    let expected = json!({ "message": "new file uploaded", "key": key, "bucket": "first", "size": 9 });
    assert_eq!(told(&server).await, std::slice::from_ref(&expected));
    tell(&server, "first", &key, 9).await;
    assert_eq!(told(&server).await, [expected]);
    drop(other);
    server.finish().await;
}

#[tokio::test]
async fn what_the_server_writes_itself_and_what_is_not_ours_sets_nothing_off() {
    let server = TestServer::with(listen).await;
    let ada = server.person("ada").await;
    ada.upload("a.png", Picture::quarters(64, 48).png()).await;
    server.settle().await;
    let before = server.objects().await;
    let renditions = keys(&server, Kind::Rendition).await;
    assert!(!renditions.is_empty());
    for key in &renditions {
        server.queue.send(created("first", key, 100));
    }
    let unknown = entity_key(Kind::Original);
    for body in [
        created("first", &unknown, 1),
        created("first", &entity_key(Kind::Staging), 1),
        created("first", "etc/passwd", 1),
        created("elsewhere", &keys(&server, Kind::Original).await[0], 1),
        created("first", &keys(&server, Kind::Original).await[0], 1).replace("ObjectCreated:", "ObjectRemoved:"),
        json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "first" }).to_string(),
        "not JSON".to_owned(),
        json!({ "order": 7 }).to_string(),
        created("first", "%FF", 1),
        created("first", &unknown, 1).replace("\"size\":1", "\"size\":-1"),
        String::new(),
    ] {
        server.queue.send(body);
    }
    server.queue.drained().await;
    server.settle().await;
    assert_eq!(told(&server).await, [Value::Null; 0]);
    assert_eq!(server.objects().await, before, "the ledger has changed");
    server.finish().await;
}

/// A key as the server makes them, that it did not make.
fn entity_key(kind: Kind) -> String {
    snaphaven::adapters::objects::keys::ObjectKey::new(kind).to_string()
}

#[tokio::test]
async fn every_shape_that_s3_sends_is_read() {
    let server = TestServer::with(listen).await;
    let ada = server.person("ada").await;
    for name in ["straight", "sns", "event bridge", "encoded"] {
        ada.upload(name, name.as_bytes()).await;
    }
    server.settle().await;
    let keys = keys(&server, Kind::Original).await;
    server.queue.send(created("first", &keys[0], 1));
    let notification = json!({
        "Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:eu-central-1:1:t",
        "Subject": "Amazon S3 Notification", "Message": created("first", &keys[1], 2),
    });
    server.queue.send(notification.to_string());
    let event = json!({
        "version": "0", "source": "aws.s3", "detail-type": "Object Created",
        "detail": { "bucket": { "name": "first" }, "object": { "key": keys[2], "size": 3, "etag": "e" } },
    });
    server.queue.send(event.to_string());
    server.queue.send(event.to_string().replace("Object Created", "Object Deleted"));
    server.queue.send(created("first", &keys[3].replace('/', "%2F").replace('-', "%2d"), 4));
    server.queue.drained().await;
    let mut told = told(&server).await;
    told.sort_by_key(|event| event["size"].as_u64());
    let expected = keys
        .iter()
        .zip(1..)
        .map(|(key, size)| json!({ "message": "new file uploaded", "key": key, "bucket": "first", "size": size }));
    assert_eq!(told, expected.collect::<Vec<_>>());
    server.finish().await;
}
