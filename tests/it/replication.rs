//! Replication as S3 itself does it (ministack: versions, COMPLETED, REPLICA), held against the evidence by a real server process;
//! and the rule of equality on answers as AWS gives them.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};
use snaphaven::{
    adapters::objects::{Claim, ObjectMeta, ObjectStore as _, s3::S3Store},
    config::Config,
    ledger::{Equality, compare_pair},
};

use crate::{
    direct::Sender,
    ministack::Ministack,
    support::{
        process::{command, repository, run},
        until,
    },
};

const FIRST: &str = Ministack::BUCKETS[0];
const SECOND: &str = Ministack::BUCKETS[1];

struct Watched {
    cloud: Ministack,
    sender: Sender,
    settings: Vec<String>,
}

impl Watched {
    async fn start(mode: &str) -> Self {
        let cloud = Ministack::start().await;
        if mode == "s3-crr" {
            cloud.replicate().await;
        }
        let mut settings = cloud.settings(&cloud.endpoint);
        let mode = format!("objects.replication={mode}");
        for setting in [&mode, "ledger.erase_margin=100ms", "jobs.poll_interval=50ms", "jobs.backoff_min=50ms"] {
            settings.extend(["--set".to_owned(), setting.to_owned()]);
        }
        for setting in ["replication.orphan_grace=0s", "replication.sweep_interval=0s", "replication.scrub_interval=0s"]
        {
            settings.extend(["--set".to_owned(), setting.to_owned()]);
        }
        let sender = Sender::with(&settings.iter().map(String::as_str).collect::<Vec<_>>()).await;
        Self { cloud, sender, settings }
    }

    /// What the command line says, and its exit code.
    async fn replica(&self, args: &[&str]) -> (i32, Value) {
        let mut replica = command();
        replica.args(["replica"]).args(args).args(["--json", "--data-dir"]).arg(self.sender.server.data_dir());
        replica.args(&self.settings);
        let (code, said) = run(&mut replica, Duration::from_secs(60)).await;
        let json = said.lines().find_map(|line| serde_json::from_str(line).ok());
        (code.unwrap(), json.unwrap_or_else(|| panic!("{said}")))
    }

    async fn upload(&self, name: &str, bytes: &[u8]) -> Value {
        let file = self.sender.ada.upload(name, bytes).await;
        until("both copies are proven", async || {
            let copies = self.sender.ada.file(&file, "copies { state proof }").await;
            copies["copies"].as_array().unwrap().iter().all(|copy| copy["state"] == "VERIFIED")
        })
        .await;
        file
    }

    async fn keys(&self) -> Vec<String> {
        let prefix = format!("{FIRST}/");
        let keys = self.cloud.keys().await.into_iter();
        keys.filter_map(|key| Some(key.strip_prefix(&prefix)?.to_owned()))
            .filter(|key| key.starts_with("original/"))
            .collect()
    }

    /// Purges the file, and waits for the proof of its erasure.
    async fn erase(&self, file: &Value) {
        let ada = &self.sender.ada;
        ada.trash(&[file]).await;
        ada.purge(&[file]).await;
        until("the erasure is proven", async || {
            let query = "{ erasures(first: 100) { nodes { primaryConfirmedAt replicaConfirmedAt } } }";
            let erasures = ada.query(query, json!({})).await;
            let nodes = erasures["erasures"]["nodes"].as_array().unwrap();
            !nodes.is_empty()
                && nodes
                    .iter()
                    .all(|node| node["primaryConfirmedAt"].is_string() && node["replicaConfirmedAt"].is_string())
        })
        .await;
    }

    async fn put(&self, bucket: &str, key: &str, bytes: &'static [u8]) {
        let body = ByteStream::from_static(bytes);
        self.cloud.s3.put_object().bucket(bucket).key(key).body(body).send().await.unwrap();
    }

    /// Deletes every version at one site, behind the server's back.
    async fn lose(&self, bucket: &str, key: &str) {
        let listed = self.cloud.s3.list_object_versions().bucket(bucket).prefix(key).send().await.unwrap();
        for version in listed.versions() {
            let delete = self.cloud.s3.delete_object().bucket(bucket).key(key);
            delete.set_version_id(version.version_id().map(str::to_owned)).send().await.unwrap();
        }
    }

    async fn stop(mut self) {
        assert!(self.sender.server.stop().await.success(), "{}", self.sender.server.log());
    }
}

/// An upload, its copies proven, a fault that S3 calls COMPLETED, its repair, the purge, and bytes that land after it.
async fn life_of_a_file(mode: &str) {
    let watched = Watched::start(mode).await;
    assert_eq!(watched.replica(&["status"]).await.0, 2, "nothing is verified yet");
    let kept = watched.upload("kept.txt", b"kept").await;
    let file = watched.upload("gone.txt", b"to be gone").await;
    let (code, run) = watched.replica(&["verify"]).await;
    assert_eq!((code, &run["agreed"], &run["state"]), (0, &json!(2), &json!("COMPLETE")), "{run}");
    assert_eq!(watched.replica(&["status"]).await.0, 0);

    let keys = watched.keys().await;
    watched.lose(SECOND, &keys[0]).await;
    let (code, run) = watched.replica(&["verify"]).await;
    let kind = if mode == "s3-crr" { "FALSE_COMPLETED" } else { "MISSING_IN_REPLICA" };
    assert_eq!((code, &run["findings"]), (1, &json!({ kind: 1 })), "{run}");
    let (code, plan) = watched.replica(&["repair"]).await;
    assert_eq!((code, &plan["findings"]), (0, &json!(1)));
    let (code, run) = watched.replica(&["repair", "--apply"]).await;
    assert_eq!((code, &run["repaired"]), (0, &json!(1)), "{run}");
    watched.put(SECOND, &keys[0], b"another").await;
    assert_eq!(watched.replica(&["verify"]).await.1["findings"], json!({ "STALE_IN_REPLICA": 1 }));
    let (code, run) = watched.replica(&["repair", "--apply"]).await;
    assert_eq!((code, &run["repaired"]), (0, &json!(1)), "{run}");
    let (code, run) = watched.replica(&["verify"]).await;
    assert_eq!((code, &run["agreed"]), (0, &json!(2)), "{run}");

    let before = watched.keys().await;
    watched.erase(&file).await;
    let after = watched.keys().await;
    let key = before.iter().find(|key| !after.contains(key)).unwrap();
    assert_eq!(watched.replica(&["verify"]).await.0, 0);
    // A copy that was still on its way lands now; and where there are versions, also one that a marker hides.
    watched.put(SECOND, key, b"to be gone").await;
    if mode == "s3-crr" {
        watched.cloud.s3.delete_object().bucket(SECOND).key(key).send().await.unwrap();
    }
    let (code, run) = watched.replica(&["verify"]).await;
    assert_eq!((code, &run["findings"]), (1, &json!({ "NOT_ERASED": 1 })), "{run}");
    let (code, run) = watched.replica(&["repair", "--apply"]).await;
    assert_eq!((code, &run["repaired"]), (0, &json!(1)), "{run}");
    let (code, run) = watched.replica(&["verify"]).await;
    assert_eq!((code, &run["agreed"]), (0, &json!(1)), "{run}");

    watched.erase(&kept).await;
    for bucket in [FIRST, SECOND] {
        assert_eq!(watched.cloud.versions(bucket).await, 0, "nothing is left in {bucket}");
    }
    // What the dashboard and the alert rules ask for is there.
    let scrape = reqwest::get(format!("{}/metrics", watched.sender.server.app)).await.unwrap().text().await.unwrap();
    assert!(scrape.contains("snaphaven_replication_backlog_objects 0"), "{scrape}");
    let files = ["prometheus/snaphaven.rules.yml", "grafana/replication.json"]
        .map(|file| repository().join("deploy").join(file));
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let names: BTreeSet<&str> = text
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| word.starts_with("snaphaven_replication_"))
            .collect();
        assert!(names.len() > 4, "{names:?}");
        for name in names {
            assert!(scrape.contains(&format!("# TYPE {name} gauge")), "{name} of {} is not measured", file.display());
        }
    }
    watched.stop().await;
}

#[tokio::test]
async fn what_s3_copies_is_proven_and_its_word_is_held_against_the_evidence() {
    life_of_a_file("s3-crr").await;
}

#[tokio::test]
async fn what_the_server_copies_is_proven_and_a_late_copy_is_caught() {
    life_of_a_file("managed").await;
}

/// A HEAD's answer with these headers, as the adapter reads it.
async fn head(headers: &[(&'static str, &'static str)]) -> ObjectMeta {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = axum::response::AppendHeaders(headers.to_vec());
    let answer = move |request: axum::extract::Request| async move {
        assert_eq!((request.method().as_str(), request.uri().path()), ("HEAD", "/haven/key"));
        assert_eq!(request.headers()["x-amz-checksum-mode"], "ENABLED");
        (answer, "eleven long")
    };
    let server = tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    let mut config: Config = toml::from_str(snaphaven::config::DEFAULTS).unwrap();
    let bucket = &mut config.objects.first;
    (bucket.bucket, bucket.endpoint) = ("haven".to_owned(), format!("http://{address}"));
    (bucket.access_key_id, bucket.secret_access_key) = ("test".to_owned(), "test".into());
    bucket.path_style = true;
    let found = S3Store::connect(bucket).await.head("key").await.unwrap().unwrap();
    server.abort();
    found
}

#[tokio::test]
async fn etags_are_compared_only_where_they_are_digests_of_the_same_bytes() {
    const MD5: (&str, &str) = ("etag", "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"");
    const KMS: (&str, &str) = ("x-amz-server-side-encryption", "aws:kms");
    const SUM: (&str, &str) = ("x-amz-checksum-crc64nvme", "jSnVw/bqjr4=");
    const WHOLE: (&str, &str) = ("x-amz-checksum-type", "FULL_OBJECT");
    let plain =
        head(&[MD5, ("x-amz-server-side-encryption", "AES256"), ("x-amz-replication-status", "COMPLETED")]).await;
    assert_eq!((plain.sealed, plain.claim), (false, Some(Claim::Completed)));
    let copy = head(&[MD5, ("x-amz-replication-status", "REPLICA")]).await;
    assert_eq!(copy.claim, Some(Claim::Replica));
    assert!(matches!(compare_pair(&plain, &copy), Equality::Equal(_)));
    // Under a KMS key the ETag is no digest: the same one proves nothing, another one is no difference.
    let sealed =
        head(&[MD5, KMS, ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:eu-central-1:1:key/1")]).await;
    assert!(sealed.sealed);
    assert_eq!(compare_pair(&plain, &sealed), Equality::Unknown);
    let other = head(&[("etag", "\"0123456789abcdef0123456789abcdef\""), KMS]).await;
    assert_eq!(compare_pair(&sealed, &other), Equality::Unknown);
    // The sum of the whole object decides, sealed or not, in parts or not.
    let (one, parts) = (
        head(&[MD5, SUM, WHOLE]).await,
        head(&[("etag", "\"9b2cf535f27731c974343645a3985328-2\""), KMS, SUM, WHOLE]).await,
    );
    assert!(matches!(compare_pair(&one, &parts), Equality::Equal(_)));
    let altered = head(&[MD5, ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="), WHOLE]).await;
    assert_eq!(compare_pair(&one, &altered), Equality::Differs);
    // A sum of the parts' sums says nothing of an object with other parts.
    let composite = head(&[
        ("etag", "\"9b2cf535f27731c974343645a3985328-2\""),
        ("x-amz-checksum-sha256", "AAAA-2"),
        ("x-amz-checksum-type", "COMPOSITE"),
    ])
    .await;
    assert_eq!((composite.sha256, &composite.crc64nvme), (None, &None));
    assert_eq!(compare_pair(&one, &composite), Equality::Unknown);
}
