//! A replica that takes what it is sent and does not answer, over HTTP: its copies wait, and nothing else does.

use std::time::Duration;

use snaphaven::adapters::objects::ObjectStore as _;

use crate::{
    common::process::ObjectServer,
    direct::Sender,
    images::fixtures::Picture,
    proxy::{HttpFault, HttpProxy, Op},
    support::until,
};

/// Jobs at work at once in a lane; more copies than that get stuck.
const WORKERS: u32 = 2;

#[tokio::test]
async fn a_replica_that_does_not_answer_holds_up_its_copies_alone() {
    let folder = tempfile::tempdir().unwrap();
    let objects = ObjectServer::start(folder.path()).await.unwrap();
    let [first, second] = objects.stores().await;
    let proxy = HttpProxy::start(objects.port()).await.unwrap();
    let given = objects.settings().into_iter().map(|(name, value)| match name {
        "objects.second.endpoint" => format!("{name}={}", proxy.endpoint()),
        _ => format!("{name}={value}"),
    });
    let quick = ["jobs.poll_interval=50ms".to_owned(), format!("jobs.concurrency={WORKERS}")];
    let quiet = ["sweep_interval", "scrub_interval", "canary_interval"].map(|name| format!("replication.{name}=0s"));
    let settings: Vec<String> =
        given.chain(quick).chain(quiet).flat_map(|setting| ["--set".to_owned(), setting]).collect();
    let mut sender = Sender::with(&settings.iter().map(String::as_str).collect::<Vec<_>>()).await;
    proxy.set(HttpFault::Slow(Duration::from_secs(600)), &[Op::Put]);
    let mut files = Vec::new();
    for number in 0..3 * WORKERS {
        files.push(sender.ada.upload(&format!("{number}.txt"), format!("file {number}")).await);
    }
    until("the copies are stuck", async || proxy.struck() >= WORKERS).await;

    let photo = sender.ada.upload("photo.png", Picture::quarters(640, 480).png()).await;
    let shown = async || sender.ada.file(&photo, "rendition(size: SQUARE_150) { state }").await;
    until("the photo has its renditions", async || shown().await["rendition"]["state"] == "READY").await;
    let at = async |store: &snaphaven::adapters::objects::s3::S3Store| -> usize {
        store.list("original/", None, 100).await.unwrap().len()
    };
    assert_eq!(at(&second).await, 0, "a copy came through");
    // Whoever watches sees which lane waits, and for how long.
    let waits = async |lane: &str| -> f64 {
        let text = reqwest::get(format!("{}/metrics", sender.server.app)).await.unwrap().text().await.unwrap();
        let name = format!("snaphaven_jobs_oldest_due_seconds{{lane=\"{lane}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
    };
    until("the copies are seen to wait", async || waits("COPIES").await > 0.5).await;
    assert_eq!(at(&first).await, files.len() + 1);
    let gone: Vec<_> = files.iter().collect();
    sender.ada.trash(&gone).await;
    sender.ada.purge(&gone).await;
    until("what was deleted is gone from the primary", async || at(&first).await == 1).await;

    proxy.clear();
    until("the photo is copied", async || at(&second).await == 1).await;
    until("no copy waits", async || waits("COPIES").await == 0.0).await;
    assert!(sender.server.stop().await.success());
}
