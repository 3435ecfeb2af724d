//! Alerts through SNS as moto speaks it, into the log, and into memory.

use aws_sdk_sns::Client;
use serde_json::{Value, json};
use snaphaven::adapters::{
    alert_sink::{AlertSink as _, LogSink, OutgoingAlert, Receipt, RecordingSink, SinkError, SnsSink},
    aws::{Access, sdk_config},
};
use uuid::Uuid;

use crate::moto::{Moto, REGION};

fn alert(message: &str, details: Value) -> OutgoingAlert {
    OutgoingAlert {
        id: Uuid::now_v7(),
        kind: "FILES_PURGED".to_owned(),
        subject: "Snaphaven: files were purged",
        message: message.to_owned(),
        details,
    }
}

/// The text for people and the JSON for machines of a notification.
fn parts(notification: &Value) -> (String, Value) {
    let (message, machine) = notification["Message"].as_str().unwrap().rsplit_once("\n\n").unwrap();
    (message.to_owned(), serde_json::from_str(machine).unwrap())
}

async fn topic(moto: &Moto, name: &str) -> (Client, String) {
    let sns = Client::new(&sdk_config(&moto.access(), std::time::Duration::from_secs(20)).await);
    let mut call = sns.create_topic().name(name);
    if name.ends_with(".fifo") {
        call = call.attributes("FifoTopic", "true");
    }
    let arn = call.send().await.unwrap().topic_arn.unwrap();
    (sns, arn)
}

#[tokio::test]
async fn sns_delivers_any_text_of_any_size() {
    let moto = Moto::start().await;
    let (sns, arn) = topic(&moto, "alerts").await;
    let queue = moto.subscribe(&sns, &arn, "alerts").await;
    let sink = SnsSink::connect(&moto.access(), &arn).await;
    let received = async || {
        let messages = moto.receive(&queue).await;
        assert_eq!(messages.len(), 1);
        let body = messages[0]["Body"].as_str().unwrap();
        serde_json::from_str::<Value>(body).unwrap()
    };

    let sent =
        alert("Zoë purged “Möwe 🐦.jpg”\nfor good\0\u{FFFE}", json!({ "files": ["Möwe 🐦.jpg\u{7}"], "count": 1 }));
    let Receipt(receipt) = sink.deliver(&sent).await.unwrap();
    let notification = received().await;
    assert_eq!(notification["MessageId"], receipt.as_str());
    assert_eq!(notification["Subject"], sent.subject);
    assert_eq!(notification["MessageAttributes"]["id"]["Value"], sent.id.to_string());
    assert_eq!(notification["MessageAttributes"]["kind"]["Value"], "FILES_PURGED");
    let (message, machine) = parts(&notification);
    assert_eq!(message, "Zoë purged “Möwe 🐦.jpg”\nfor good\u{FFFD}\u{FFFD}");
    assert_eq!(machine, json!({ "id": sent.id, "kind": "FILES_PURGED", "details": sent.details }));

    let many: Vec<_> = (0..20_000).map(|n| format!("Möwe {n}.jpg")).collect();
    sink.deliver(&alert("20000 files", json!({ "files": many, "count": 20_000 }))).await.unwrap();
    let notification = received().await;
    let (message, machine) = parts(&notification);
    assert_eq!((message.as_str(), &machine["shortened"]), ("20000 files", &json!(true)));
    assert_eq!(machine["details"]["count"], 20_000);
    assert_eq!(machine["details"]["files"].as_array().unwrap().len(), 100);

    let fields: serde_json::Map<_, _> = (0..100_000).map(|n| (format!("field {n}"), json!(n))).collect();
    sink.deliver(&alert("many fields", Value::Object(fields))).await.unwrap();
    let (message, machine) = parts(&received().await);
    assert_eq!((message.as_str(), &machine["details"]), ("many fields", &Value::Null));

    for text in ["ö".repeat(400_000), "\u{1}".repeat(400_000)] {
        let sent = alert(&text, Value::Null);
        sink.deliver(&sent).await.unwrap();
        let notification = received().await;
        assert!(notification["Message"].as_str().unwrap().len() <= 256 * 1024);
        let (message, machine) = parts(&notification);
        assert!(message.ends_with('…') && machine["id"] == sent.id.to_string());
    }
}

#[tokio::test]
async fn a_fifo_topic_drops_repeats_by_id() {
    let moto = Moto::start().await;
    let (sns, arn) = topic(&moto, "alerts.fifo").await;
    let queue = moto.subscribe(&sns, &arn, "alerts.fifo").await;
    let sink = SnsSink::connect(&moto.access(), &arn).await;
    let sent = alert("once", json!({}));
    sink.deliver(&sent).await.unwrap();
    sink.deliver(&sent).await.unwrap();
    let messages = moto.receive(&queue).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["Attributes"]["MessageDeduplicationId"], sent.id.to_string());
    assert_eq!(messages[0]["Attributes"]["MessageGroupId"], "snaphaven");
}

#[tokio::test]
async fn a_failed_delivery_says_whether_a_retry_can_help() {
    let moto = Moto::start().await;
    let sent = alert("lost", json!({}));
    let arn = format!("arn:aws:sns:{REGION}:123456789012:nobody");
    let sink = SnsSink::connect(&moto.access(), &arn).await;
    assert!(matches!(sink.deliver(&sent).await, Err(SinkError::Refused(_))));

    // A port that nobody listens on.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let sink = SnsSink::connect(&Access { region: String::new(), endpoint, ..moto.access() }, &arn).await;
    assert!(matches!(sink.deliver(&sent).await, Err(SinkError::Unavailable(_))));

    // A service that is up and ill.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let ill = axum::Router::new().fallback(async || (http::StatusCode::SERVICE_UNAVAILABLE, "later"));
    let server = tokio::spawn(async move { axum::serve(listener, ill).await });
    let sink = SnsSink::connect(&Access { endpoint, ..moto.access() }, &arn).await;
    assert!(matches!(sink.deliver(&sent).await, Err(SinkError::Unavailable(_))));
    server.abort();
}

#[tokio::test]
async fn the_log_always_delivers() {
    let receipt = LogSink.deliver(&alert("a\nb", json!({ "files": 1 }))).await.unwrap();
    assert_eq!(receipt, Receipt("log".to_owned()));
}

#[tokio::test]
async fn a_recording_fails_as_told() {
    let sink = RecordingSink::new();
    let sent = alert("hello", json!({}));
    sink.fail_next(2);
    sink.refuse_next();
    assert!(matches!(sink.deliver(&sent).await, Err(SinkError::Unavailable(_))));
    assert!(matches!(sink.deliver(&sent).await, Err(SinkError::Unavailable(_))));
    assert!(matches!(sink.deliver(&sent).await, Err(SinkError::Refused(_))));
    assert!(sink.delivered().is_empty());
    sink.clone().deliver(&sent).await.unwrap();
    assert_eq!((sink.delivered(), sink.attempts()), (vec![sent], 4));
}
