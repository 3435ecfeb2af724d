//! Disaster recovery by the command line: a manifest, a drill, and a server rebuilt on an empty folder from one bucket.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    direct::Sender,
    support::{
        Person,
        process::{ServerProcess, command, run},
        until,
    },
};

const LIMIT: Duration = Duration::from_secs(60);
/// So that tests do not wait for what people would not notice.
const SETTINGS: [&str; 12] = [
    "--set",
    "manifest.interval=0s",
    "--set",
    "uploads.max_size=64 MiB",
    "--set",
    "jobs.poll_interval=50ms",
    "--set",
    "ledger.erase_margin=100ms",
    "--set",
    "replication.sweep_interval=0s",
    "--set",
    "replication.scrub_interval=0s",
];

/// What the command says, and its exit code.
async fn snaphaven(data_dir: &Path, args: &[&str]) -> (i32, String) {
    let mut command = command();
    command.args(args).arg("--data-dir").arg(data_dir);
    let (code, said) = run(&mut command, LIMIT).await;
    (code.unwrap(), said)
}

/// The one line of JSON among what was said.
fn json(said: &str) -> Value {
    let line = said.lines().find_map(|line| serde_json::from_str(line).ok());
    line.unwrap_or_else(|| panic!("{said}"))
}

async fn everything_is_at_both_sites(person: &Person) {
    until("every copy is proven", async || {
        let query = "{ files(first: 50) { nodes { copies { state } } } }";
        let files = person.query(query, json!({})).await["files"]["nodes"].clone();
        let copies = files.as_array().unwrap().iter().flat_map(|file| file["copies"].as_array().unwrap().clone());
        copies.into_iter().all(|copy| copy["state"] == "VERIFIED")
    })
    .await;
}

/// The SHA-256 of each file's bytes, as they are downloaded, and what the server says of them.
async fn downloads(person: &Person) -> Vec<(String, String, String)> {
    let query = "{ files(first: 50) { nodes { name sha256 downloadUrl { url } } } }";
    let mut files = Vec::new();
    for file in person.query(query, json!({})).await["files"]["nodes"].as_array().unwrap() {
        let answer = person.get(file["downloadUrl"]["url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let sha256 = hex::encode(snaphaven::adapters::objects::sha256(&answer.bytes().await.unwrap()));
        files.push((file["name"].as_str().unwrap().to_owned(), file["sha256"].as_str().unwrap().to_owned(), sha256));
    }
    files.sort();
    files
}

#[tokio::test]
async fn a_server_is_rebuilt_on_an_empty_folder_from_the_replica() {
    let mut sender = Sender::with(&SETTINGS).await;
    let ada = &sender.ada;
    for number in 0..6_usize {
        ada.upload(&format!("{number}.bin"), vec![number as u8; number * 300_000]).await;
    }
    // Goes in parts.
    ada.upload("large.bin", (0..40 << 20).map(|at: u32| (at % 251) as u8).collect::<Vec<_>>()).await;
    let old = sender.server.data_dir();
    assert_eq!(snaphaven(&old, &["replica", "drill", "--json"]).await.0, 2, "there is no manifest");
    let (code, said) = snaphaven(&old, &["manifest", "write"]).await;
    assert_eq!(code, 0, "{said}");
    everything_is_at_both_sites(ada).await;
    until("the manifest is at both sites", async || {
        let (code, said) = snaphaven(&old, &["manifest", "list"]).await;
        code == 0 && said.lines().count() == 2
    })
    .await;

    // A drill beside the running server changes nothing and measures.
    let (code, said) = snaphaven(&old, &["replica", "drill", "--json"]).await;
    assert_eq!(code, 0, "{said}");
    let drill = json(&said)["drill"].clone();
    assert_eq!((&drill["objects"], &drill["sample"], &drill["right"]), (&json!(7), &json!(7), &json!(7)), "{said}");
    assert!(drill["rpo"].as_f64().unwrap() > 0.0 && drill["rto"].as_f64().unwrap() > 0.0, "{said}");
    let before = downloads(ada).await;
    assert_eq!(before.len(), 7);
    // Uploaded after the manifest: what a restoration loses of the ledger.
    ada.upload("late.txt", *b"late").await;
    everything_is_at_both_sites(ada).await;
    assert!(sender.server.stop().await.success());

    // The database alone is lost: nothing is copied, and what came after the manifest is put away rather than deleted.
    std::fs::remove_file(old.join("snaphaven.sqlite")).unwrap();
    let (code, said) = snaphaven(&old, &["restore", "--from-bucket", "s3://snaphaven-first", "--json"]).await;
    let told = json(&said);
    assert_eq!(
        (code, &told["there"], &told["copied"], &told["backlog"]),
        (0, &json!(8), &json!(0), &json!(0)),
        "{said}"
    );
    assert_eq!(told["findings"], json!({ "ORPHAN_IN_PRIMARY": 1 }));

    // Nothing is left but the replica's folder.
    let (first, second) = (old.join("s3/snaphaven-first"), old.join("s3/snaphaven-second"));
    std::fs::remove_dir_all(&first).unwrap();
    std::fs::remove_file(old.join("snaphaven.sqlite")).unwrap();
    let new = TempDir::new().unwrap();
    let data = new.path().join("data");
    let bucket = second.to_str().unwrap().to_owned();
    let (code, said) = snaphaven(&data, &["restore", "--from-bucket", &bucket, "--json"]).await;
    assert_eq!(code, 0, "{said}");
    // The seven files, and the manifest itself.
    assert_eq!((&json(&said)["copied"], &json(&said)["missing"]), (&json!(8), &json!([])), "{said}");
    let (code, said) = snaphaven(&data, &["restore", "--from-bucket", &bucket]).await;
    assert!(code == 1 && said.contains("only an empty one is filled"), "{said}");

    let settings = [&SETTINGS[..], &["--set", "replication.orphan_grace=0s"]].concat();
    let mut server = ServerProcess::start_in(new, &settings).await;
    let ada = ada.at(&server.app);
    everything_is_at_both_sites(&ada).await;
    let after = downloads(&ada).await;
    assert_eq!(after, before, "every file is there with its bytes, under the same session");
    assert!(after.iter().all(|(_, said, is)| said == is));
    let data_dir = server.data_dir();
    let (code, said) = snaphaven(&data_dir, &["smoke-test", "--url", &server.app]).await;
    assert_eq!(code, 0, "{said}");
    // The keys are new ones; the old signatures hold by the old one.
    let (code, said) = snaphaven(&data_dir, &["replica", "verify", "--json"]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = snaphaven(&data_dir, &["replica", "status", "--json"]).await;
    assert_eq!((code, &json(&said)["state"]), (0, &json!("HEALTHY")), "{said}");
    assert!(server.stop().await.success());
}

#[tokio::test]
async fn what_the_bucket_lacks_is_told_and_the_rest_is_there() {
    let mut sender = Sender::with(&SETTINGS).await;
    let ada = &sender.ada;
    let (kept, lost) = (ada.upload("kept", *b"kept").await, ada.upload("lost", *b"lost").await);
    let old = sender.server.data_dir();
    assert_eq!(snaphaven(&old, &["manifest", "write"]).await.0, 0);
    until("the manifest is at both sites", async || {
        snaphaven(&old, &["manifest", "list"]).await.1.lines().count() == 2
    })
    .await;
    // What is deleted after the manifest was taken stays gone: no bucket has it.
    ada.trash(&[&lost]).await;
    ada.purge(&[&lost]).await;
    until("it is gone", async || {
        let erasures = ada.query("{ erasures(first: 5) { nodes { erasedAt } } }", json!({})).await;
        erasures["erasures"]["nodes"].as_array().unwrap().iter().any(|erasure| erasure["erasedAt"].is_string())
    })
    .await;
    everything_is_at_both_sites(ada).await;
    // The control of the drill: what it cannot restore it tells.
    let (code, said) = snaphaven(&old, &["replica", "drill", "--json"]).await;
    assert_eq!(code, 1, "{said}");
    assert_eq!((&json(&said)["drill"]["sample"], &json(&said)["drill"]["right"]), (&json!(2), &json!(1)), "{said}");
    assert!(sender.server.stop().await.success());

    let new = TempDir::new().unwrap();
    let data = new.path().join("data");
    let bucket = old.join("s3/snaphaven-first");
    let (stranger, private) = (new.path().join("stranger.pem"), new.path().join("private.pem"));
    for arguments in [
        vec!["genpkey", "-algorithm", "ed25519", "-out", private.to_str().unwrap()],
        vec!["pkey", "-pubout", "-in", private.to_str().unwrap(), "-out", stranger.to_str().unwrap()],
    ] {
        assert!(std::process::Command::new("openssl").args(arguments).status().unwrap().success());
    }
    let from = ["restore", "--from-bucket", bucket.to_str().unwrap()];
    let (code, said) = snaphaven(&data, &[&from[..], &["--public-key", stranger.to_str().unwrap()]].concat()).await;
    assert!(code == 1 && said.contains("which was not given"), "{said}");
    let (code, said) = snaphaven(&data, &["restore", "--from-bucket", "nowhere"]).await;
    assert!(code == 2 && said.contains("there is no bucket"), "{said}");
    let (code, said) = snaphaven(&data, &["restore", "--from-bucket", "second"]).await;
    assert!(code == 1 && said.contains("has no manifest"), "{said}");
    let (code, said) = snaphaven(&data, &[&from[..], &["--json"]].concat()).await;
    assert_eq!(code, 1, "{said}");
    assert_eq!(json(&said)["missing"].as_array().unwrap().len(), 1, "{said}");
    assert_eq!(json(&said)["findings"], json!({ "LOST": 1 }), "{said}");
    let server = ServerProcess::start_in(new, &SETTINGS).await;
    let ada = ada.at(&server.app);
    let answer = ada.file(&kept, "downloadUrl { url }").await;
    let bytes = ada.get(answer["downloadUrl"]["url"].as_str().unwrap()).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes.as_ref(), b"kept");
}
