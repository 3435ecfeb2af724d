//! The accounts module behind a GraphQL schema of its own.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_graphql::{EmptySubscription, Request, Schema, Variables};
use entity::Timestamp;
use serde_json::{Value, json};
use snaphaven::{
    accounts::{
        self,
        graphql::{AccountsMutation, AccountsQuery},
    },
    adapters::{
        alert_sink::RecordingSink,
        cdn::{NoPurger, SigningKey, UrlSigner},
    },
    app::{App, Failpoints, Parts, Stores},
    clock::Clock,
    config::Config,
    db::Db,
    graphql::{request::RequestInfo, session::SessionCookie},
    images::Images,
    password::PasswordHasher,
    viewer::Viewer,
};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::stores::NoStore;
use crate::servers::TestDatabase;

/// Strong enough for every account of the tests.
pub const PASSWORD: &str = "a fox jumps 7 times";

type TestSchema = Schema<AccountsQuery, AccountsMutation, EmptySubscription>;

/// One server process: an app, its schema, and a clock that tests move.
pub struct TestApp {
    pub app: App,
    schema: TestSchema,
    time: Arc<AtomicI64>,
    dir: Arc<TempDir>,
    database: Arc<TestDatabase>,
}

impl TestApp {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With settings of its own.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = Arc::new(TempDir::new().unwrap());
        let database = Arc::new(TestDatabase::new().await);
        Self::start(dir, database, Arc::new(AtomicI64::new(1_800_000_000_000_000)), change).await
    }

    /// A second process on the same database.
    pub async fn another(&self) -> Self {
        self.another_with(|_| {}).await
    }

    pub async fn another_with(&self, change: impl FnOnce(&mut Config)) -> Self {
        Self::start(self.dir.clone(), self.database.clone(), self.time.clone(), change).await
    }

    async fn start(
        dir: Arc<TempDir>,
        database: Arc<TestDatabase>,
        time: Arc<AtomicI64>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = config(dir.path());
        config.database.url = database.url.clone().into();
        change(&mut config);
        let of_clock = time.clone();
        let clock = Clock::from_fn(move || Timestamp(of_clock.load(Ordering::Relaxed)));
        let db = Db::connect(&config.database, &config.data_dir, clock.clone()).await.unwrap();
        db.migrate().await.unwrap();
        let app = App::new(Parts {
            clock,
            db,
            stores: Stores { first: Arc::new(NoStore), second: Arc::new(NoStore) },
            object_events: None,
            alert_sink: Arc::new(RecordingSink::new()),
            signer: signer(&config),
            purger: Arc::new(NoPurger),
            images: Images::new((&config.images).into()),
            password_hasher: PasswordHasher::new(&config.accounts).unwrap(),
            wake: Notify::new(),
            failpoints: Failpoints::default(),
            config,
        });
        let schema = Schema::build(AccountsQuery, AccountsMutation, EmptySubscription)
            .data(app.clone())
            .data(accounts::graphql::user_loader(&app))
            .data(accounts::graphql::friend_loader(&app))
            .finish();
        Self { app, schema, time, dir, database }
    }

    pub fn advance(&self, duration: Duration) {
        self.time.fetch_add(i64::try_from(duration.as_micros()).unwrap(), Ordering::Relaxed);
    }

    /// A client that has not logged in.
    pub fn client(&self) -> Client {
        Client {
            app: self.app.clone(),
            schema: self.schema.clone(),
            token: None,
            info: RequestInfo { address: Some([192, 0, 2, 1].into()), user_agent: "tests".to_owned() },
            cookie: Arc::default(),
        }
    }

    /// A client that has just signed up under this name.
    pub async fn sign_up(&self, username: &str) -> Client {
        let answer = self.client().sign_up(username, &format!("{username}@example.org")).await;
        assert_eq!(answer["userErrors"], json!([]));
        self.client().with_token(answer["token"].as_str().unwrap())
    }
}

fn signer(config: &Config) -> UrlSigner {
    let key = SigningKey::generate().unwrap();
    UrlSigner::new(key, "K1", "http://127.0.0.1:1", config.downloads.window, config.downloads.max_ttl).unwrap()
}

fn config(dir: &Path) -> Config {
    let mut config: Config = toml::from_str(include_str!("../../../config.default.toml")).unwrap();
    config.data_dir = dir.to_owned();
    // As cheap as argon2 allows: what is tested is not how slow it is.
    config.accounts.hash_memory = bytesize::ByteSize::kib(8);
    config.accounts.hash_passes = 1;
    config
}

/// Sends requests as one person, the way the HTTP layer does.
#[derive(Clone)]
pub struct Client {
    pub app: App,
    schema: TestSchema,
    token: Option<String>,
    info: RequestInfo,
    cookie: Arc<Mutex<Cookie>>,
}

/// What the server last did to the session cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cookie {
    #[default]
    Untouched,
    Set(String),
    Cleared,
}

struct Slot(Arc<Mutex<Cookie>>);

impl SessionCookie for Slot {
    fn set(&self, token: &str, _expires_at: Timestamp) {
        *self.0.lock().unwrap() = Cookie::Set(token.to_owned());
    }

    fn clear(&self) {
        *self.0.lock().unwrap() = Cookie::Cleared;
    }
}

impl Client {
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub fn with_address(mut self, address: impl Into<std::net::IpAddr>) -> Self {
        self.info.address = Some(address.into());
        self
    }

    pub fn cookie(&self) -> Cookie {
        self.cookie.lock().unwrap().clone()
    }

    pub async fn viewer(&self) -> Viewer {
        match &self.token {
            Some(token) => accounts::authenticate(&self.app, token).await.unwrap().unwrap_or(Viewer::Anonymous),
            None => Viewer::Anonymous,
        }
    }

    /// The whole answer: `{ data, errors }`.
    pub async fn send(&self, query: &str, variables: Value) -> Value {
        let slot: Arc<dyn SessionCookie> = Arc::new(Slot(self.cookie.clone()));
        let request = Request::new(query)
            .variables(Variables::from_json(variables))
            .data(self.viewer().await)
            .data(self.info.clone())
            .data(slot);
        serde_json::to_value(self.schema.execute(request).await).unwrap()
    }

    /// The data; panics on top-level errors.
    pub async fn query(&self, query: &str, variables: Value) -> Value {
        let answer = self.send(query, variables).await;
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].clone()
    }

    /// The code of the first top-level error.
    pub async fn error_code(&self, query: &str, variables: Value) -> String {
        let answer = self.send(query, variables).await;
        answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no error: {answer}")).to_owned()
    }

    /// Runs `name(input)`, with these fields of its payload besides `userErrors`.
    pub async fn mutate(&self, name: &str, fields: &str, input: Value) -> Value {
        let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let query = format!(
            "mutation ($input: {kind}!) {{ {name}(input: $input) {{ {fields} userErrors {{ code field message retryAfter }} }} }}"
        );
        self.query(&query, json!({ "input": input })).await[name].clone()
    }

    pub async fn sign_up(&self, username: &str, email: &str) -> Value {
        let input = json!({
            "username": username, "email": email, "firstName": "Ada", "lastName": "Lovelace", "password": PASSWORD,
        });
        self.mutate("signUp", "user { id username email role } token expiresAt", input).await
    }

    pub async fn log_in(&self, login: &str, password: &str) -> Value {
        let input = json!({ "login": login, "password": password });
        self.mutate("logIn", "user { id username email } token expiresAt", input).await
    }

    /// The viewer's user name; `None` where the token is not good.
    pub async fn me(&self) -> Option<String> {
        let data = self.query("{ viewer { username } }", json!({})).await;
        data["viewer"]["username"].as_str().map(str::to_owned)
    }
}

/// The codes of a payload's user errors, with their fields.
pub fn problems(payload: &Value) -> Vec<(String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let errors = payload["userErrors"].as_array().unwrap();
    errors.iter().map(|error| (text(&error["code"]).unwrap(), text(&error["field"]))).collect()
}
