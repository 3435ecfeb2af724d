//! S3's notifications as ministack sends them (S3 → SQS, S3 → SNS → SQS), taken in by real server processes.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    direct::{PART, Sender, sha256},
    images::fixtures::Picture,
    ministack::{BUCKETS, Ministack},
    proxy::{TcpFault, TcpProxy},
    support::{
        process::{BINARY, command, run},
        until,
    },
};

const FIRST: &str = BUCKETS[0];
const SECOND: &str = BUCKETS[1];
const LOST: &str = "notifications of new objects cannot be taken in";
const FOUND: &str = "notifications of new objects are taken in again";

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at: usize| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A server over these buckets, and somebody who sends to it.
async fn serve(cloud: &Ministack, queue_endpoint: &str) -> Sender {
    let mut args = cloud.settings(queue_endpoint);
    for setting in ["uploads.idle_after=2s", "ledger.sweep_interval=1s"] {
        args.extend(["--set".to_owned(), setting.to_owned()]);
    }
    Sender::with(&args.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// What `snaphaven events` shows of new objects.
async fn told(sender: &Sender) -> Vec<Value> {
    let mut events = command();
    events.args(["events", "--data-dir"]).arg(sender.server.data_dir());
    let (code, said) = run(&mut events, Duration::from_secs(30)).await;
    assert_eq!(code, Some(0), "{said}");
    let lines = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|event| event["event"] == "object.created").map(|event| event["payload"].clone()).collect()
}

/// Waits until so many are told.
async fn until_told(sender: &Sender, count: usize) -> Vec<Value> {
    until("the event log tells of it", async || told(sender).await.len() >= count).await;
    told(sender).await
}

/// The key of the only original in the first bucket.
async fn original(cloud: &Ministack) -> String {
    let prefix = format!("{FIRST}/original/");
    let keys: Vec<_> = cloud.keys().await.into_iter().filter(|key| key.starts_with(&prefix)).collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys[0][FIRST.len() + 1..].to_owned()
}

fn created(bucket: &str, key: &str, size: usize) -> String {
    json!({ "Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": { "bucket": { "name": bucket }, "object": { "key": key, "size": size } },
    }] })
    .to_string()
}

async fn stop(mut sender: Sender) {
    let start = Instant::now();
    assert!(sender.server.stop().await.success(), "{}", sender.server.log());
    assert!(start.elapsed() < Duration::from_secs(10), "a long poll must not hold up the end: {:?}", start.elapsed());
}

#[tokio::test]
async fn an_upload_whose_client_died_after_its_last_part_is_completed_by_the_notification() {
    for notified in [true, false] {
        let cloud = Ministack::start().await;
        if notified {
            cloud.notify(FIRST).await;
            cloud.notify(SECOND).await;
        }
        let sender = serve(&cloud, &cloud.endpoint).await;
        let bytes = content(PART + 1000);
        let upload = sender.create(&bytes).await;
        for (number, part) in bytes.chunks(PART).enumerate() {
            let signed = sender.sign(&upload, number + 1, part).await;
            assert_eq!(sender.put(&signed, part).await, StatusCode::OK);
        }
        // Nobody completes it.
        let ended = sender.ended(&upload).await;
        assert_eq!((&ended["state"], &ended["file"]["state"]), (&json!("COMPLETED"), &json!("ACTIVE")));
        assert_eq!(ended["file"]["sha256"], sha256(&bytes));
        let log = sender.server.log();
        // The control: without notifications the server has to look itself.
        assert_eq!(log.contains("S3 told of its object"), notified, "{log}");
        assert_eq!(log.contains("S3 has not told of its object"), !notified, "{log}");
        if notified {
            let told = until_told(&sender, 1).await;
            let key = original(&cloud).await;
            let expected = json!({ "message": "new file uploaded", "key": key, "bucket": FIRST, "size": bytes.len() });
            cloud.drained().await;
            assert_eq!(told, [expected]);
        }
        stop(sender).await;
    }
}

#[tokio::test]
async fn renditions_cause_no_loop() {
    let cloud = Ministack::start().await;
    cloud.notify(FIRST).await;
    cloud.notify(SECOND).await;
    let sender = serve(&cloud, &cloud.endpoint).await;
    let file = sender.ada.upload("a.png", Picture::quarters(640, 480).png()).await;
    let ready = "a: rendition(size: SQUARE_150) { state } b: rendition(size: FIT_320) { state }";
    until("the renditions are ready", async || {
        let shown = sender.ada.file(&file, ready).await;
        shown["a"]["state"] == "READY" && shown["b"]["state"] == "READY"
    })
    .await;
    // Each in both buckets: the copies come last.
    let whole = |keys: &[String], kind: &str| keys.iter().filter(|key| key.contains(&format!("/{kind}/"))).count();
    until("all is copied", async || {
        let keys = cloud.keys().await;
        let renditions = whole(&keys, "rendition");
        whole(&keys, "original") == 2 && renditions >= 4 && renditions % 2 == 0
    })
    .await;
    cloud.drained().await;
    let keys = cloud.keys().await;
    let rendition = keys.iter().find(|key| key.starts_with(&format!("{FIRST}/rendition/"))).unwrap();
    // Were one notification to cause a write, its own would cause the next: now some more rounds.
    for _ in 0..3 {
        for _ in 0..10 {
            cloud.send(&created(FIRST, &rendition[FIRST.len() + 1..], 100)).await;
        }
        cloud.drained().await;
        assert_eq!(cloud.keys().await, keys, "a notification of a rendition has caused a write");
    }
    assert_eq!(told(&sender).await.len(), 1, "the original alone is news");
    stop(sender).await;
}

#[tokio::test]
async fn repeats_strangers_and_what_cannot_be_read_change_nothing() {
    let cloud = Ministack::start().await;
    cloud.notify_by_topic(FIRST).await;
    let sender = serve(&cloud, &cloud.endpoint).await;
    sender.ada.upload("a.txt", *b"some text").await;
    let expected = until_told(&sender, 1).await;
    let key = original(&cloud).await;
    assert_eq!(
        expected,
        [json!({ "message": "new file uploaded", "key": key, "bucket": FIRST, "size": 9 })],
        "through SNS too"
    );
    let stranger = "original/00/of somebody else + ü";
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"strange");
    cloud.s3.put_object().bucket(FIRST).key(stranger).body(body).send().await.unwrap();
    for body in [
        created(FIRST, &key, 9),
        created(FIRST, &key, 9),
        created("elsewhere", &key, 9),
        json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": FIRST }).to_string(),
        "poison".to_owned(),
    ] {
        cloud.send(&body).await;
    }
    cloud.drained().await;
    assert_eq!(told(&sender).await, expected);
    let log = sender.server.log();
    assert_eq!(log.matches("an unreadable message was taken out of the queue").count(), 1, "{log}");
    stop(sender).await;
}

#[tokio::test]
async fn a_queue_that_is_away_is_waited_for() {
    let cloud = Ministack::start().await;
    cloud.notify(FIRST).await;
    let port = cloud.endpoint.rsplit_once(':').unwrap().1.parse().unwrap();
    let proxy = TcpProxy::start(port).await.unwrap();
    proxy.set(TcpFault::Down);
    let sender = serve(&cloud, &format!("http://127.0.0.1:{}", proxy.port)).await;
    let seen = async |line: &str, times| {
        until(line, async || sender.server.log().matches(line).count() == times).await;
    };
    seen(LOST, 1).await;
    sender.ada.upload("a.txt", *b"some text").await;
    let first = original(&cloud).await;
    proxy.clear();
    until_told(&sender, 1).await;
    seen(FOUND, 1).await;

    proxy.set(TcpFault::Down);
    seen(LOST, 2).await;
    proxy.clear();
    sender.ada.upload("b.txt", *b"more text").await;
    let keys = cloud.keys().await;
    let second = keys.iter().filter_map(|key| key.strip_prefix(&format!("{FIRST}/")));
    let second = second.filter(|key| key.starts_with("original/")).find(|key| *key != first).unwrap();
    until("the second file is told", async || {
        // What comes while the queue answers the poll that was cut off is hidden for minutes.
        cloud.send(&created(FIRST, second, 9)).await;
        told(&sender).await.len() == 2
    })
    .await;
    seen(FOUND, 2).await;
    let log = sender.server.log();
    assert_eq!((log.matches(LOST).count(), log.matches(FOUND).count()), (2, 2), "one line each: {log}");
    stop(sender).await;
}

#[tokio::test]
async fn two_processes_share_a_queue() {
    let cloud = Ministack::start().await;
    let sender = serve(&cloud, &cloud.endpoint).await;
    let mut worker = Command::new(BINARY);
    worker.args(["worker", "--data-dir"]).arg(sender.server.data_dir()).args(cloud.settings(&cloud.endpoint));
    let mut worker = worker.kill_on_drop(true).spawn().unwrap();
    sender.ada.upload("a.txt", *b"some text").await;
    let key = original(&cloud).await;
    for _ in 0..60 {
        cloud.send(&created(FIRST, &key, 9)).await;
    }
    cloud.drained().await;
    assert_eq!(told(&sender).await.len(), 1);
    assert!(worker.try_wait().unwrap().is_none(), "the worker has ended");
    worker.kill().await.unwrap();
    stop(sender).await;
}
