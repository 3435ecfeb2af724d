//! A moto server (AWS in memory) of one's own: what it speaks is a second opinion on how the SDKs are used.

use std::{path::PathBuf, process::Stdio};

use serde_json::{Value, json};
use snaphaven::adapters::aws::Access;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

pub const REGION: &str = "eu-central-1";

/// Ends with the value.
pub struct Moto {
    pub endpoint: String,
    http: reqwest::Client,
    _server: Child,
}

impl Moto {
    pub async fn start() -> Self {
        let venv = std::env::var_os("SNAPHAVEN_TEST_VENV")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".venv"), PathBuf::from);
        let program = venv.join("bin/moto_server");
        let mut server = Command::new(&program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; run scripts/test-tools.sh", program.display()));
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let endpoint = loop {
            let line = lines.next_line().await.unwrap().expect("moto_server said where it listens");
            if let Some((_, address)) = line.split_once("Running on ") {
                break address.trim().to_owned();
            }
        };
        // A full pipe would stop the server.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { endpoint, http: reqwest::Client::new(), _server: server }
    }

    pub fn access(&self) -> Access {
        Access {
            region: REGION.to_owned(),
            endpoint: self.endpoint.clone(),
            access_key_id: "test".to_owned(),
            secret_access_key: "test".into(),
        }
    }

    /// Calls SQS, for which the server itself has no SDK.
    pub async fn sqs(&self, action: &str, input: Value) -> Value {
        let scope = format!("Credential=test/20260101/{REGION}/sqs/aws4_request");
        let answer = self
            .http
            .post(&self.endpoint)
            .header("Authorization", format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=x"))
            .header("X-Amz-Target", format!("AmazonSQS.{action}"))
            .header("Content-Type", "application/x-amz-json-1.0")
            .body(input.to_string())
            .send()
            .await
            .unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{action}: {status}: {text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// A queue that hears a topic; its URL.
    pub async fn subscribe(&self, sns: &aws_sdk_sns::Client, topic_arn: &str, queue: &str) -> String {
        let fifo = queue.ends_with(".fifo");
        let attributes = if fifo { json!({ "FifoQueue": "true" }) } else { json!({}) };
        let created = self.sqs("CreateQueue", json!({ "QueueName": queue, "Attributes": attributes })).await;
        let arn = format!("arn:aws:sqs:{REGION}:123456789012:{queue}");
        sns.subscribe().topic_arn(topic_arn).protocol("sqs").endpoint(arn).send().await.unwrap();
        created["QueueUrl"].as_str().unwrap().to_owned()
    }

    /// The notifications in a queue, taken out.
    pub async fn receive(&self, queue_url: &str) -> Vec<Value> {
        let input = json!({
            "QueueUrl": queue_url, "MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"],
        });
        let answer = self.sqs("ReceiveMessage", input).await;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        for message in &messages {
            let input = json!({ "QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"] });
            self.sqs("DeleteMessage", input).await;
        }
        messages
    }
}
