//! Alerts while their server is killed, at any moment between the commit and the sending: each one that was committed arrives at
//! SNS, more than once perhaps and always as the same, and none that was not. `SNAPHAVEN_TEST_KILLS` says how often (3).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_sqs::types::QueueAttributeName;
use entity::alert;
use rand::RngExt as _;
use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::{Value, json};
use snaphaven::{
    adapters::{
        alert_sink::{AlertSink as _, OutgoingAlert, SnsSink},
        aws::{Access, sdk_config},
    },
    clock::Clock,
    config::Config,
    db::Db,
    id::NodeKind,
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    common::process::Launcher,
    ministack::{self, Ministack},
    moto::Moto,
    servers::TestDatabase,
    support::{PASSWORD, Person, until},
};

/// Deletions on their way when the server is killed.
const AT_ONCE: usize = 4;
/// Within which of them it is killed.
const SPAN: Duration = Duration::from_millis(250);

/// A topic, and a queue that hears it.
struct Topic {
    access: Access,
    arn: String,
    sqs: aws_sdk_sqs::Client,
    queue: String,
}

impl Topic {
    async fn new(access: Access) -> Self {
        let config = sdk_config(&access, Duration::from_secs(20)).await;
        let (sns, sqs) = (aws_sdk_sns::Client::new(&config), aws_sdk_sqs::Client::new(&config));
        let arn = sns.create_topic().name("killed").send().await.unwrap().topic_arn.unwrap();
        let queue = sqs.create_queue().queue_name("killed").send().await.unwrap().queue_url.unwrap();
        let asked = sqs.get_queue_attributes().queue_url(&queue).attribute_names(QueueAttributeName::QueueArn);
        let attributes = asked.send().await.unwrap().attributes.unwrap();
        let hears = &attributes[&QueueAttributeName::QueueArn];
        sns.subscribe().topic_arn(&arn).protocol("sqs").endpoint(hears).send().await.unwrap();
        Self { access, arn, sqs, queue }
    }

    /// All that has arrived: the messages of each id.
    async fn arrived(&self) -> BTreeMap<String, Vec<String>> {
        let mut arrived: BTreeMap<String, Vec<String>> = BTreeMap::new();
        loop {
            let call = self.sqs.receive_message().queue_url(&self.queue).max_number_of_messages(10);
            let messages = call.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return arrived;
            }
            for message in messages {
                let body: Value = serde_json::from_str(message.body().unwrap()).unwrap();
                let id = body["MessageAttributes"]["id"]["Value"].as_str().unwrap().to_owned();
                arrived.entry(id).or_default().push(body["Message"].as_str().unwrap().to_owned());
                let done = self.sqs.delete_message().queue_url(&self.queue);
                done.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
            }
        }
    }

    fn launcher(&self, launcher: Launcher) -> Launcher {
        launcher
            .with("alerts.sink", "sns")
            .with("alerts.topic_arn", &self.arn)
            .with("alerts.endpoint", &self.access.endpoint)
            .with("alerts.access_key_id", "test")
            .with("alerts.secret_access_key", "test")
            // What a killed process had taken up is soon free again.
            .with("jobs.lease", "2s")
    }
}

#[expect(clippy::disallowed_methods, reason = "how often is no setting of the server")]
fn kills() -> usize {
    std::env::var("SNAPHAVEN_TEST_KILLS").map_or(3, |kills| kills.parse().expect("a number"))
}

/// What is wrong with what arrived, held against the alerts that were committed, of which these were acknowledged.
fn judged(
    committed: &BTreeSet<String>,
    acknowledged: &BTreeSet<String>,
    arrived: &BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    let mut wrong: Vec<String> = Vec::new();
    wrong.extend(acknowledged.difference(committed).map(|id| format!("{id} was acknowledged, and is not there")));
    wrong.extend(committed.iter().filter(|id| !arrived.contains_key(*id)).map(|id| format!("{id} never arrived")));
    wrong.extend(arrived.keys().filter(|id| !committed.contains(*id)).map(|id| format!("{id} was never committed")));
    let differs = |messages: &Vec<String>| messages.iter().any(|message| *message != messages[0]);
    wrong.extend(arrived.iter().filter(|(_, messages)| differs(messages)).map(|(id, _)| format!("{id} came as two")));
    wrong
}

/// The id of the alert that a deletion was answered with; `None`: the server was killed.
async fn trash(person: Person, file: Value) -> Option<String> {
    let body = json!({
        "query": "mutation ($input: TrashFilesInput!) { trashFiles(input: $input) { alert { id } } }",
        "variables": { "input": { "ids": [file["id"]] } },
    });
    let request = person.request(reqwest::Method::POST, &format!("{}/graphql", person.url())).json(&body);
    let answer: Value = request.send().await.ok()?.json().await.ok()?;
    Some(answer["data"]["trashFiles"]["alert"]["id"].as_str()?.to_owned())
}

async fn committed(db: &impl ConnectionTrait) -> Vec<alert::Model> {
    alert::Entity::find().all(db).await.unwrap()
}

async fn kill_over_and_over(topic: Topic) {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::new().await;
    let launcher = topic.launcher(Launcher::new(folder.path(), &database.url, Vec::new()));
    let (mut process, _) = launcher.start().await.unwrap();
    let stranger = Person::new(&process.address("app").unwrap());
    let input = json!({
        "username": "ada", "email": "ada@example.org", "firstName": "Ada", "lastName": "", "password": PASSWORD,
    });
    let mut ada = stranger.clone().known_as(&stranger.mutate("signUp", "user { id } token", input).await);
    let mut settings = toml::from_str::<Config>(snaphaven::config::DEFAULTS).unwrap().database;
    settings.url = database.url.clone().into();
    let db = Db::connect(&settings, &launcher.data_dir(), Clock::system()).await.unwrap();
    let db = db.read();

    let mut acknowledged = BTreeSet::new();
    for _ in 0..kills() {
        let mut files = Vec::new();
        for number in 0..AT_ONCE {
            files.push(ada.upload(&format!("{number}.txt"), *b"to be deleted").await);
        }
        let deletions: Vec<_> = files.into_iter().map(|file| tokio::spawn(trash(ada.clone(), file))).collect();
        // Whatever they are at then.
        let moment = rand::rng().random_range(Duration::ZERO..SPAN);
        sleep(moment).await;
        process.kill().await.unwrap();
        for deletion in deletions {
            acknowledged.extend(deletion.await.unwrap());
        }
        (process, _) = launcher.start().await.unwrap();
        ada = ada.at(&process.address("app").unwrap());
    }
    let began = Instant::now();
    until("every alert was delivered", async || {
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", committed(db).await);
        committed(db).await.iter().all(|alert| alert.state == alert::State::Delivered)
    })
    .await;
    process.kill().await.unwrap();
    let ids: BTreeSet<String> = committed(db).await.iter().map(|alert| alert.id.to_string()).collect();
    let acknowledged: BTreeSet<String> =
        acknowledged.iter().map(|id: &String| NodeKind::Alert.parse(id).unwrap().to_string()).collect();
    let mut arrived = topic.arrived().await;
    assert_eq!(judged(&ids, &acknowledged, &arrived), [""; 0]);
    let copies: usize = arrived.values().map(Vec::len).sum();
    println!("{} kills: {} committed, {} acknowledged, {copies} arrived", kills(), ids.len(), acknowledged.len());

    // The controls: one that was sent before a commit that never came, and one that was lost.
    let sent = OutgoingAlert {
        id: Uuid::now_v7(),
        kind: "FILES_TRASHED".to_owned(),
        subject: "Snaphaven: files moved to the trash",
        message: "1 file moved to the trash".to_owned(),
        details: json!({}),
    };
    SnsSink::connect(&topic.access, &topic.arn).await.deliver(&sent).await.unwrap();
    arrived.extend(topic.arrived().await);
    assert_eq!(judged(&ids, &acknowledged, &arrived), [format!("{} was never committed", sent.id)]);
    arrived.remove(&sent.id.to_string());
    if let Some(lost) = ids.first() {
        arrived.remove(lost);
        assert_eq!(judged(&ids, &acknowledged, &arrived), [format!("{lost} never arrived")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_no_alert_and_send_none_that_was_not_committed_at_ministack() {
    let ministack = Ministack::start().await;
    let access = Access {
        region: ministack::REGION.to_owned(),
        endpoint: ministack.endpoint.clone(),
        access_key_id: "test".to_owned(),
        secret_access_key: "test".into(),
    };
    kill_over_and_over(Topic::new(access).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_no_alert_and_send_none_that_was_not_committed_at_moto() {
    let moto = Moto::start().await;
    kill_over_and_over(Topic::new(moto.access()).await).await;
}
