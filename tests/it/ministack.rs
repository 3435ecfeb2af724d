//! A ministack server (S3, SNS and SQS in memory) of one's own, whose buckets tell of new objects.

use std::{path::PathBuf, process::Stdio, time::Duration};

use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, DeleteMarkerReplication,
    DeleteMarkerReplicationStatus, Destination, Event, NotificationConfiguration, QueueConfiguration,
    ReplicationConfiguration, ReplicationRule, ReplicationRuleFilter, ReplicationRuleStatus, TopicConfiguration,
    VersioningConfiguration,
};
use aws_sdk_sqs::types::QueueAttributeName;
use snaphaven::adapters::aws::{Access, sdk_config};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::support::until;

pub const REGION: &str = "eu-central-1";
const ACCOUNT: &str = "000000000000";
const LIMIT: Duration = Duration::from_secs(20);

pub const BUCKETS: [&str; 2] = ["haven-first", "haven-second"];

/// Two buckets and a queue; ends with the value.
pub struct Ministack {
    pub endpoint: String,
    pub queue_url: String,
    pub s3: aws_sdk_s3::Client,
    pub sqs: aws_sdk_sqs::Client,
    sns: aws_sdk_sns::Client,
    _server: Child,
    _dir: TempDir,
}

impl Ministack {
    pub async fn start() -> Self {
        let venv = std::env::var_os("SNAPHAVEN_TEST_VENV")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".venv"), PathBuf::from);
        let program = venv.join("ministack/bin/ministack");
        let dir = TempDir::new().unwrap();
        let mut server = Command::new(&program)
            .envs([("BIND_HOST", "127.0.0.1"), ("GATEWAY_PORT", "0"), ("SERVICES", "s3,sns,sqs")])
            .env("TMPDIR", dir.path())
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; run scripts/test-tools.sh", program.display()));
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let endpoint = loop {
            let line = lines.next_line().await.unwrap().expect("ministack said where it listens");
            if let Some((_, address)) = line.split_once("Running on ") {
                break address.split_whitespace().next().unwrap().to_owned();
            }
        };
        // A full pipe would stop the server.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let config = sdk_config(&access(&endpoint), LIMIT).await;
        let (s3, sqs) = (make_buckets(&endpoint).await, aws_sdk_sqs::Client::new(&config));
        let queue_url = sqs.create_queue().queue_name("haven").send().await.unwrap().queue_url.unwrap();
        let sns = aws_sdk_sns::Client::new(&config);
        Self { endpoint, queue_url, s3, sqs, sns, _server: server, _dir: dir }
    }

    /// From now on the bucket tells of every new object, whatever its prefix; of itself S3 sends a test event first.
    pub async fn notify(&self, bucket: &str) {
        let queue = QueueConfiguration::builder()
            .queue_arn(format!("arn:aws:sqs:{REGION}:{ACCOUNT}:haven"))
            .events(Event::from("s3:ObjectCreated:*"));
        let configuration = NotificationConfiguration::builder().queue_configurations(queue.build().unwrap());
        self.configure(bucket, configuration.build()).await;
    }

    /// The same through a topic.
    pub async fn notify_by_topic(&self, bucket: &str) {
        let arn = self.sns.create_topic().name("haven").send().await.unwrap().topic_arn.unwrap();
        let queue = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:haven");
        self.sns.subscribe().topic_arn(&arn).protocol("sqs").endpoint(queue).send().await.unwrap();
        let topic = TopicConfiguration::builder().topic_arn(arn).events(Event::from("s3:ObjectCreated:*"));
        let configuration = NotificationConfiguration::builder().topic_configurations(topic.build().unwrap());
        self.configure(bucket, configuration.build()).await;
    }

    async fn configure(&self, bucket: &str, configuration: NotificationConfiguration) {
        let call = self.s3.put_bucket_notification_configuration().bucket(bucket);
        call.notification_configuration(configuration).send().await.unwrap();
    }

    pub async fn send(&self, body: &str) {
        self.sqs.send_message().queue_url(&self.queue_url).message_body(body).send().await.unwrap();
    }

    /// How many messages wait or are being handled.
    pub async fn messages(&self) -> u64 {
        use QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible};
        let asked = [ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible];
        let call = self.sqs.get_queue_attributes().queue_url(&self.queue_url);
        let answer = call.set_attribute_names(Some(asked.to_vec())).send().await.unwrap();
        let counts = answer.attributes.unwrap_or_default();
        asked.iter().map(|name| counts[name].parse::<u64>().unwrap()).sum()
    }

    /// Waits until every message was handled.
    pub async fn drained(&self) {
        until("the queue is empty", async || self.messages().await == 0).await;
    }

    /// Both buckets keep versions, and S3 itself copies from the first to the second; delete markers only where `markers` says so.
    pub async fn replicate(&self, markers: DeleteMarkerReplicationStatus) {
        for bucket in BUCKETS {
            keep_versions(&self.s3, bucket, BucketVersioningStatus::Enabled).await;
        }
        let target = Destination::builder().bucket(format!("arn:aws:s3:::{}", BUCKETS[1])).build().unwrap();
        let rule = ReplicationRule::builder()
            .id("all")
            .priority(1)
            .status(ReplicationRuleStatus::Enabled)
            .filter(ReplicationRuleFilter::builder().prefix("").build())
            .delete_marker_replication(DeleteMarkerReplication::builder().status(markers).build())
            .destination(target)
            .build()
            .unwrap();
        let configuration = ReplicationConfiguration::builder()
            .role(format!("arn:aws:iam::{ACCOUNT}:role/replication"))
            .rules(rule)
            .build()
            .unwrap();
        let call = self.s3.put_bucket_replication().bucket(BUCKETS[0]).replication_configuration(configuration);
        call.send().await.unwrap();
    }

    /// The keys in both buckets.
    pub async fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for bucket in BUCKETS {
            let listed = self.s3.list_objects_v2().bucket(bucket).send().await.unwrap();
            keys.extend(listed.contents().iter().map(|object| format!("{bucket}/{}", object.key().unwrap())));
        }
        keys
    }

    /// What makes a server use these buckets, and the queue at this endpoint.
    pub fn settings(&self, queue_endpoint: &str) -> Vec<String> {
        let settings = [
            format!("object_events.queue_url={}", self.queue_url),
            format!("object_events.region={REGION}"),
            format!("object_events.endpoint={queue_endpoint}"),
            "object_events.access_key_id=test".to_owned(),
            "object_events.secret_access_key=test".to_owned(),
        ];
        let mut settings: Vec<String> =
            settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]).collect();
        settings.extend(bucket_settings(&self.endpoint));
        settings
    }
}

fn access(endpoint: &str) -> Access {
    Access {
        region: REGION.to_owned(),
        endpoint: endpoint.to_owned(),
        access_key_id: "test".to_owned(),
        secret_access_key: "test".into(),
    }
}

/// Makes the two buckets at an endpoint; a client of both.
pub async fn make_buckets(endpoint: &str) -> aws_sdk_s3::Client {
    let config = sdk_config(&access(endpoint), LIMIT).await;
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build());
    let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(REGION));
    for bucket in BUCKETS {
        let call = s3.create_bucket().bucket(bucket).create_bucket_configuration(place.clone().build());
        call.send().await.unwrap();
    }
    s3
}

pub async fn keep_versions(s3: &aws_sdk_s3::Client, bucket: &str, status: BucketVersioningStatus) {
    let versioning = VersioningConfiguration::builder().status(status).build();
    s3.put_bucket_versioning().bucket(bucket).versioning_configuration(versioning).send().await.unwrap();
}

/// What makes a server use the two buckets at an endpoint.
pub fn bucket_settings(endpoint: &str) -> Vec<String> {
    let mut settings = vec!["objects.backend=s3".to_owned()];
    for (site, bucket) in ["first", "second"].into_iter().zip(BUCKETS) {
        let given = [
            ("bucket", bucket),
            ("region", REGION),
            ("endpoint", endpoint),
            ("access_key_id", "test"),
            ("secret_access_key", "test"),
            ("path_style", "true"),
        ];
        settings.extend(given.map(|(name, value)| format!("objects.{site}.{name}={value}")));
    }
    settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]).collect()
}
