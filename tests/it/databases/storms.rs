//! What happens again and again: refused log-ins are told in a handful of alerts whose counts add up, whatever is killed
//! meanwhile, and however many names somebody makes up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use entity::{alert, alert_storm};
use futures::future::join_all;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use snaphaven::{clock::Clock, config::Config, db::Db};

use crate::{
    common::process::Launcher,
    servers::TestDatabase,
    support::{PASSWORD, Person, TestServer, until},
};

const WINDOW: Duration = Duration::from_secs(10 * 60);
/// `accounts.log_in_failures_per_account`.
const LIMIT: usize = 10;

/// The code of what a log-in with a wrong password is answered.
async fn guess(stranger: &Person, login: &str) -> String {
    let input = json!({ "login": login, "password": "not the password" });
    let payload = stranger.mutate("logIn", "token", input).await;
    payload["userErrors"][0]["code"].as_str().unwrap().to_owned()
}

/// So many refused log-ins, some at once.
async fn refused(stranger: &Person, login: &str, count: usize) {
    for first in (0..count).step_by(25) {
        let codes = join_all((first..count.min(first + 25)).map(|_| guess(stranger, login))).await;
        assert!(codes.iter().all(|code| code == "TOO_MANY_ATTEMPTS"), "{codes:?}");
    }
}

async fn alerts(db: &impl ConnectionTrait) -> Vec<alert::Model> {
    let alerts = alert::Entity::find().filter(alert::Column::Kind.eq(alert::Kind::LogInThrottled));
    alerts.order_by_asc(alert::Column::CreatedAt).order_by_asc(alert::Column::Id).all(db).await.unwrap()
}

fn sum(alerts: &[alert::Model]) -> i64 {
    alerts.iter().map(|alert| alert.count).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_refused_log_ins_are_told_in_a_handful_of_alerts() {
    let server = TestServer::start().await;
    let (watch, stranger) = (server.operator().await, server.stranger());
    server.person("ada").await;
    let db = server.app.db.read();
    for _ in 0..LIMIT {
        assert_eq!(guess(&stranger, "ada").await, "BAD_CREDENTIALS");
    }
    assert!(alerts(db).await.is_empty(), "wrong ones are not told");
    refused(&stranger, "ada", 1).await;
    server.quiet().await;
    assert_eq!(sum(&alerts(db).await), 1, "the first is told at once");
    refused(&stranger, "Ada", 599).await;
    server.quiet().await;
    assert_eq!(alerts(db).await.len(), 1, "the others wait for the window's end");
    server.advance(WINDOW);
    server.quiet().await;
    assert_eq!((alerts(db).await.len(), sum(&alerts(db).await)), (2, 600));
    refused(&stranger, "ada", 400).await;
    server.settle().await;

    let told = alerts(db).await;
    assert_eq!(told.iter().map(|alert| alert.count).collect::<Vec<_>>(), [1, 599, 400]);
    let messages: Vec<&str> = told.iter().map(|alert| alert.message.as_str()).collect();
    let what = "Too many failed log-ins to ada, further ones are refused";
    assert_eq!(
        messages,
        [
            format!("{what}: 1 so far"),
            format!("{what}: 599 more, 600 in all"),
            format!("{what}: 400 more, 1000 in all"),
        ]
    );
    assert_eq!((&told[2].details["total"], &told[2].details["username"]), (&json!(1000), &json!("ada")));
    let delivered: Vec<_> = server.sink.delivered().iter().map(|alert| alert.id).collect();
    assert_eq!(delivered, told.iter().map(|alert| alert.id).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(alert_storm::Entity::find().count(db).await.unwrap(), 0, "it is over");
    let seen = watch.query("{ alerts(first: 1) { nodes { kind subject count actorId } } }", json!({})).await;
    let expected = json!({
        "kind": "LOG_IN_THROTTLED", "subject": "Snaphaven: log-ins refused after too many failures", "count": 400,
        "actorId": null,
    });
    assert_eq!(seen["alerts"]["nodes"][0], expected);
    server.finish().await;
}

#[tokio::test]
async fn the_sum_waits_for_the_alert_before_it() {
    let server = TestServer::with(|config| config.accounts.log_in_window = Duration::from_secs(24 * 3600)).await;
    let (stranger, db) = (server.stranger(), server.app.db.read());
    for _ in 0..LIMIT {
        guess(&stranger, "nobody").await;
    }
    // Until 27 minutes later.
    server.sink.fail_next(11);
    refused(&stranger, "nobody", 1).await;
    refused(&stranger, "nobody", 6).await;
    server.quiet().await;
    let pending = alerts(db).await;
    assert_eq!((pending.len(), pending[0].state), (1, alert::State::Pending));
    server.settle().await;
    let told = alerts(db).await;
    assert_eq!((told.len(), sum(&told)), (2, 7));
    assert_eq!(server.sink.attempts(), 13, "eleven failed, two arrived");
    assert!(told[1].created_at >= told[0].delivered_at.unwrap());
    let delivered: Vec<_> = server.sink.delivered().iter().map(|alert| alert.id).collect();
    assert_eq!(delivered, told.iter().map(|alert| alert.id).collect::<Vec<_>>(), "in order");
    assert!(!told[1].message.contains("nobody,"), "what was typed may be a password: {}", told[1].message);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_up_names_fill_no_table() {
    const NAMES: usize = 110;
    let server = TestServer::with(|config| {
        config.accounts.log_in_failures_per_account = 1;
        config.accounts.log_in_failures_per_address = 1_000_000;
    })
    .await;
    let (stranger, db) = (server.stranger(), server.app.db.read());
    for number in 0..NAMES {
        let name = format!("secret{number}");
        assert_eq!(guess(&stranger, &name).await, "BAD_CREDENTIALS");
        assert_eq!(guess(&stranger, &name).await, "TOO_MANY_ATTEMPTS");
    }
    assert_eq!(alert_storm::Entity::find().count(db).await.unwrap(), 101, "a hundred, and one for all others");
    server.settle().await;
    let told = alerts(db).await;
    assert_eq!(sum(&told), i64::try_from(NAMES).unwrap());
    assert_eq!(told.len(), 102, "all others are told twice: the first, and the rest");
    assert!(
        told.iter().all(|alert| !alert.message.contains("secret") && !alert.details.to_string().contains("secret"))
    );
    assert_eq!(alert_storm::Entity::find().count(db).await.unwrap(), 0);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_no_refused_log_in() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::new().await;
    let launcher = Launcher::new(folder.path(), &database.url, Vec::new()).with("alerts.storm_window", "2s");
    let (mut process, _) = launcher.start().await.unwrap();
    let stranger = Person::new(&process.address("app").unwrap());
    for _ in 0..LIMIT {
        assert_eq!(guess(&stranger, "nobody").await, "BAD_CREDENTIALS");
    }
    let mut settings = toml::from_str::<Config>(snaphaven::config::DEFAULTS).unwrap().database;
    settings.url = database.url.clone().into();
    let db = Db::connect(&settings, &launcher.data_dir(), Clock::system()).await.unwrap();
    let db = db.read();
    let (sent, answered) = (Arc::<AtomicI64>::default(), Arc::<AtomicI64>::default());
    for _ in 0..3 {
        let url = process.address("app").unwrap();
        let guessing: Vec<_> = (0..8)
            .map(|_| {
                let (stranger, sent, answered) = (stranger.at(&url), sent.clone(), answered.clone());
                tokio::spawn(async move {
                    let query = "mutation ($input: LogInInput!) { logIn(input: $input) { userErrors { code } } }";
                    let body = json!({
                        "query": query, "variables": { "input": { "login": "nobody", "password": PASSWORD } },
                    });
                    loop {
                        sent.fetch_add(1, Ordering::Relaxed);
                        let request = stranger.request(reqwest::Method::POST, &format!("{}/graphql", stranger.url()));
                        let Ok(response) = request.json(&body).send().await else { return };
                        let Ok(answer) = response.json::<Value>().await else { return };
                        if answer["data"]["logIn"]["userErrors"][0]["code"] == "TOO_MANY_ATTEMPTS" {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        let before = answered.load(Ordering::Relaxed);
        until("some are refused", async || answered.load(Ordering::Relaxed) > before + 50).await;
        process.kill().await.unwrap();
        for task in guessing {
            task.await.unwrap();
        }
        (process, _) = launcher.start().await.unwrap();
    }
    until("the storm is over", async || alert_storm::Entity::find().count(db).await.unwrap() == 0).await;
    let told = sum(&alerts(db).await);
    let (sent, answered) = (sent.load(Ordering::Relaxed), answered.load(Ordering::Relaxed));
    assert!(
        (answered..=sent).contains(&told),
        "{told} are told of {answered} that were answered and {sent} that were sent"
    );
    process.kill().await.unwrap();
}
