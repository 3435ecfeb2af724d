//! Replication as S3 itself does it (ministack: versions, COMPLETED, REPLICA), held against the evidence by a real server process;
//! and the rule of equality on answers as AWS gives them.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{BucketVersioningStatus, DeleteMarkerReplicationStatus, ReplicationStatus},
};
use serde_json::{Value, json};
use snaphaven::{
    adapters::objects::{Claim, ObjectMeta, ObjectStore as _, s3::S3Store},
    config::Config,
    ledger::{Equality, compare_pair},
};

use crate::{
    direct::Sender,
    ministack::{self, BUCKETS, Ministack, keep_versions, make_buckets},
    moto::Moto,
    support::{
        process::{command, repository, run},
        until,
    },
};

const FIRST: &str = BUCKETS[0];
const SECOND: &str = BUCKETS[1];

/// Whose S3 it is, and who copies.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// S3 itself, and its delete markers too or not.
    Crr { markers: bool },
    /// The server, on ministack, whose buckets keep no versions.
    Managed,
    /// The server, on moto, whose buckets keep versions.
    ManagedOnMoto,
}

/// Lives as long as its server.
enum Cloud {
    Ministack(Ministack),
    Moto { s3: Client, _moto: Moto },
}

impl Cloud {
    fn s3(&self) -> &Client {
        match self {
            Self::Ministack(ministack) => &ministack.s3,
            Self::Moto { s3, .. } => s3,
        }
    }
}

/// What the command line says beside a server with these settings, and its exit code.
pub async fn replica(sender: &Sender, settings: &[String], args: &[&str]) -> (i32, Value) {
    let mut replica = command();
    replica.args(["replica"]).args(args).args(["--json", "--data-dir"]).arg(sender.server.data_dir()).args(settings);
    let (code, said) = run(&mut replica, Duration::from_secs(60)).await;
    let json = said.lines().find_map(|line| serde_json::from_str(line).ok());
    (code.unwrap(), json.unwrap_or_else(|| panic!("{said}")))
}

struct Watched {
    cloud: Cloud,
    sender: Sender,
    settings: Vec<String>,
}

impl Watched {
    async fn start(way: Way) -> Self {
        let (cloud, mut settings) = if way == Way::ManagedOnMoto {
            let moto = Moto::start().await;
            let (s3, settings) = (make_buckets(&moto.endpoint).await, ministack::bucket_settings(&moto.endpoint));
            for bucket in BUCKETS {
                keep_versions(&s3, bucket, BucketVersioningStatus::Enabled).await;
            }
            (Cloud::Moto { s3, _moto: moto }, settings)
        } else {
            let cloud = Ministack::start().await;
            let settings = cloud.settings(&cloud.endpoint);
            (Cloud::Ministack(cloud), settings)
        };
        if let (Cloud::Ministack(cloud), Way::Crr { markers }) = (&cloud, way) {
            let markers =
                if markers { DeleteMarkerReplicationStatus::Enabled } else { DeleteMarkerReplicationStatus::Disabled };
            cloud.replicate(markers).await;
        }
        let mode = if matches!(way, Way::Crr { .. }) { "s3-crr" } else { "managed" };
        let mode = format!("objects.replication={mode}");
        let quick = ["ledger.erase_margin=100ms", "jobs.poll_interval=50ms", "jobs.backoff_min=50ms"];
        let expiry = ["files.version_retention=1s", "ledger.sweep_interval=1s"];
        let quiet = ["sweep_interval", "scrub_interval", "orphan_grace"].map(|name| format!("replication.{name}=0s"));
        let given = quick.into_iter().chain(expiry).chain(quiet.iter().map(String::as_str));
        for setting in given.chain([mode.as_str()]) {
            settings.extend(["--set".to_owned(), setting.to_owned()]);
        }
        let sender = Sender::with(&settings.iter().map(String::as_str).collect::<Vec<_>>()).await;
        Self { cloud, sender, settings }
    }

    async fn replica(&self, args: &[&str]) -> (i32, Value) {
        replica(&self.sender, &self.settings, args).await
    }

    async fn upload(&self, name: &str, bytes: &[u8]) -> Value {
        let file = self.sender.ada.upload(name, bytes).await;
        self.copied(&file).await;
        file
    }

    async fn copied(&self, file: &Value) {
        until("both copies are proven", async || {
            let copies = self.sender.ada.file(file, "copies { state proof }").await;
            copies["copies"].as_array().unwrap().iter().all(|copy| copy["state"] == "VERIFIED")
        })
        .await;
    }

    /// The keys at the primary.
    async fn keys(&self) -> Vec<String> {
        let listed = self.cloud.s3().list_objects_v2().bucket(FIRST).prefix("original/").send().await.unwrap();
        listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    }

    /// What is left in a bucket: versions and markers.
    async fn versions(&self, bucket: &str) -> usize {
        let listed = self.cloud.s3().list_object_versions().bucket(bucket).send().await.unwrap();
        listed.versions().len() + listed.delete_markers().len()
    }

    /// Purges the file, and waits for the proof of its erasure.
    async fn erase(&self, file: &Value, reason: &str) {
        let ada = &self.sender.ada;
        ada.trash(&[file]).await;
        ada.purge(&[file]).await;
        self.erased(file, reason).await;
    }

    /// Waits until the erasure of something of this file, for this reason, is proven at both sites.
    async fn erased(&self, file: &Value, reason: &str) {
        until("the erasure is proven", async || {
            let query = "{ erasures(first: 100) { nodes { fileId reason primaryConfirmedAt replicaConfirmedAt } } }";
            let erasures = self.sender.ada.query(query, json!({})).await;
            let all = erasures["erasures"]["nodes"].as_array().unwrap();
            let own: Vec<_> =
                all.iter().filter(|node| node["fileId"] == file["id"] && node["reason"] == reason).collect();
            let proven =
                |node: &&Value| node["primaryConfirmedAt"].is_string() && node["replicaConfirmedAt"].is_string();
            !own.is_empty() && own.iter().all(proven)
        })
        .await;
    }

    async fn put(&self, bucket: &str, key: &str, bytes: &'static [u8]) {
        let body = ByteStream::from_static(bytes);
        self.cloud.s3().put_object().bucket(bucket).key(key).body(body).send().await.unwrap();
    }

    /// Deletes every version at one site, behind the server's back.
    async fn lose(&self, bucket: &str, key: &str) {
        let listed = self.cloud.s3().list_object_versions().bucket(bucket).prefix(key).send().await.unwrap();
        for version in listed.versions() {
            let delete = self.cloud.s3().delete_object().bucket(bucket).key(key);
            delete.set_version_id(version.version_id().map(str::to_owned)).send().await.unwrap();
        }
    }

    async fn stop(mut self) {
        assert!(self.sender.server.stop().await.success(), "{}", self.sender.server.log());
    }
}

/// An upload and another content, the expiry of the first: copies and erasure proven. A fault that S3 calls COMPLETED, its repair, the
/// purge, and bytes that land after it.
async fn life_of_a_file(way: Way) {
    let watched = Watched::start(way).await;
    let ada = &watched.sender.ada;
    assert_eq!(watched.replica(&["status"]).await.0, 2, "nothing is verified yet");
    let kept = watched.upload("kept.txt", b"first of it").await;
    let replaced = ada.replace(&kept, "kept.txt", *b"kept", json!({})).await;
    assert_eq!(replaced["userErrors"], json!([]));
    watched.copied(&kept).await;
    watched.erased(&kept, "VERSION_EXPIRED").await;
    let file = watched.upload("gone.txt", b"to be gone").await;
    let (code, run) = watched.replica(&["verify"]).await;
    assert_eq!((code, &run["agreed"], &run["state"]), (0, &json!(2), &json!("COMPLETE")), "{run}");
    assert_eq!(watched.replica(&["status"]).await.0, 0);

    let keys = watched.keys().await;
    watched.lose(SECOND, &keys[0]).await;
    let (code, run) = watched.replica(&["verify"]).await;
    let kind = if matches!(way, Way::Crr { .. }) { "FALSE_COMPLETED" } else { "MISSING_IN_REPLICA" };
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
    watched.erase(&file, "PURGED").await;
    let after = watched.keys().await;
    let key = before.iter().find(|key| !after.contains(key)).unwrap();
    let (code, run) = watched.replica(&["verify"]).await;
    assert_eq!((code, &run["agreed"]), (0, &json!(1)), "{run}");
    // A copy that was still on its way lands now; and where there are versions, also one that a marker hides.
    watched.put(SECOND, key, b"to be gone").await;
    if way != Way::Managed {
        watched.cloud.s3().delete_object().bucket(SECOND).key(key).send().await.unwrap();
    }
    let (code, run) = watched.replica(&["verify"]).await;
    assert_eq!((code, &run["findings"]), (1, &json!({ "NOT_ERASED": 1 })), "{run}");
    let (code, run) = watched.replica(&["repair", "--apply"]).await;
    assert_eq!((code, &run["repaired"]), (0, &json!(1)), "{run}");
    let (code, run) = watched.replica(&["verify"]).await;
    assert_eq!((code, &run["agreed"]), (0, &json!(1)), "{run}");

    watched.erase(&kept, "PURGED").await;
    for bucket in [FIRST, SECOND] {
        assert_eq!(watched.versions(bucket).await, 0, "nothing is left in {bucket}");
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
            .filter(|word| word.starts_with("snaphaven_"))
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
    life_of_a_file(Way::Crr { markers: true }).await;
}

#[tokio::test]
async fn what_is_erased_is_gone_where_s3_does_not_copy_delete_markers() {
    life_of_a_file(Way::Crr { markers: false }).await;
}

#[tokio::test]
async fn what_the_server_copies_is_proven_and_a_late_copy_is_caught() {
    life_of_a_file(Way::Managed).await;
}

#[tokio::test]
async fn what_the_server_copies_is_proven_on_moto_too() {
    life_of_a_file(Way::ManagedOnMoto).await;
}

#[tokio::test]
async fn what_s3_failed_to_copy_is_found_at_once_and_repaired() {
    let watched = Watched::start(Way::Crr { markers: true }).await;
    // S3 copies to no bucket that keeps no versions.
    keep_versions(watched.cloud.s3(), SECOND, BucketVersioningStatus::Suspended).await;
    let file = watched.sender.ada.upload("a.txt", *b"not copied").await;
    let key = watched.keys().await.remove(0);
    let head = watched.cloud.s3().head_object().bucket(FIRST).key(&key).send().await.unwrap();
    assert_eq!(head.replication_status().map(ReplicationStatus::as_str), Some("FAILED"));
    let (code, run) = watched.replica(&["verify"]).await;
    assert_eq!((code, &run["findings"]), (1, &json!({ "MISSING_IN_REPLICA": 1 })), "it is not on its way: {run}");
    keep_versions(watched.cloud.s3(), SECOND, BucketVersioningStatus::Enabled).await;
    let (code, run) = watched.replica(&["repair", "--apply"]).await;
    assert_eq!((code, &run["repaired"]), (0, &json!(1)), "{run}");
    watched.copied(&file).await;
    let (code, run) = watched.replica(&["verify"]).await;
    assert_eq!((code, &run["agreed"]), (0, &json!(1)), "{run}");
    watched.stop().await;
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
