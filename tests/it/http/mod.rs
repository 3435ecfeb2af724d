//! The HTTP layer over real sockets, with a small schema in the place of the real one.

mod connections;
mod documents;
mod forms;
mod graphql;
mod leaks;
mod limits;
mod negotiation;
mod persisted;
mod process;
mod server;
mod uploads;
mod websockets;

use std::{collections::HashMap, io::Read as _, net::SocketAddr, sync::Arc, time::Duration};

use async_graphql::{Context, EmptySubscription, Error, ErrorExtensions, Object, Schema};
use async_trait::async_trait;
use entity::user::Role;
use secrecy::ExposeSecret;
use snaphaven::{
    config::{Config, Sources},
    http::{
        self, AuthError, Authenticate, Check, ClientAddress, ConnectionLimits, CookieJar, Credentials, Readiness,
        RequestId, SessionCookie, Supervisor, UserAgent,
        graphql::{Endpoint, Limits, Live, Upload},
    },
    telemetry,
    viewer::Viewer,
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const DOWNLOADS: &str = "https://downloads.example";

/// A running server. It stops when the test ends.
struct Server {
    address: SocketAddr,
    supervisor: Supervisor,
    gate: Gate,
    database: watch::Sender<Option<String>>,
    stop: CancellationToken,
}

/// Lets a test see that a slow resolver has begun, and let it end.
#[derive(Clone, Default)]
struct Gate {
    entered: Arc<Notify>,
    leave: Arc<Notify>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Server {
    async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With `--set name=value` for each setting.
    async fn with(settings: &[(&str, &str)]) -> Self {
        Self::limited(settings, ConnectionLimits::default()).await
    }

    async fn limited(settings: &[(&str, &str)], limits: ConnectionLimits) -> Self {
        let config = config(settings);
        let gate = Gate::default();
        let (database, health) = watch::channel(None);
        let endpoint = Endpoint {
            executor: Schema::build(Query, Mutation, EmptySubscription).data(gate.clone()).limit_aliases(5).finish(),
            authenticate: Arc::new(Doorman),
            cookie: SessionCookie { secure: config.server.public_url().is_some_and(|url| url.starts_with("https:")) },
            limits: Limits::new(&config, std::env::temp_dir()),
            live: Live::new(&config, CancellationToken::new()),
        };
        let metrics = telemetry::metrics().unwrap();
        let router = http::app_router(&config.server, DOWNLOADS, endpoint.router(), Arc::new(Probe(health)), metrics);
        let supervisor = Supervisor::new(config.server.shutdown_deadline).limits(limits);
        let listener = http::bind(config.server.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        supervisor.serve("app", listener, router);
        Self { address, stop: supervisor.token(), supervisor, gate, database }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A POST of one operation.
    fn post(&self, query: &str) -> reqwest::RequestBuilder {
        reqwest::Client::new().post(self.url("/graphql")).json(&serde_json::json!({ "query": query }))
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(self.url(path)).await.unwrap()
    }
}

fn config(settings: &[(&str, &str)]) -> Config {
    let sources = Sources::default().set("server.listen", "127.0.0.1:0");
    settings.iter().fold(sources, |sources, (name, value)| sources.set(*name, *value)).load().unwrap().config
}

/// The JSON of an answer.
async fn json(response: reqwest::Response) -> serde_json::Value {
    response.json().await.unwrap()
}

/// `extensions.code` of the first error.
fn code(body: &serde_json::Value) -> &str {
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or("none")
}

/// Knows the token `good`; cannot answer for the token `away`.
struct Doorman;

#[async_trait]
impl Authenticate for Doorman {
    async fn authenticate(&self, credentials: Credentials) -> Result<Viewer, AuthError> {
        match &credentials {
            Credentials::None => Ok(Viewer::Anonymous),
            Credentials::Bearer(token) | Credentials::Cookie(token) => match token.expose_secret() {
                "good" => Ok(Viewer::System("test")),
                "away" => Err(AuthError::Unavailable("the database at db.internal is away".to_owned())),
                _ => Err(AuthError::Invalid),
            },
        }
    }

    async fn standing(&self, _: &[Uuid]) -> Result<HashMap<Uuid, Role>, AuthError> {
        Ok(HashMap::new())
    }
}

/// Says what the test says about the database; the second bucket is always away.
struct Probe(watch::Receiver<Option<String>>);

#[async_trait]
impl Readiness for Probe {
    async fn check(&self) -> Vec<Check> {
        let failure = self.0.borrow().clone();
        vec![
            Check { name: "database", required: true, failure },
            Check { name: "second", required: false, failure: Some("unreachable".to_owned()) },
        ]
    }
}

struct Query;

#[Object]
impl Query {
    async fn hello(&self) -> &str {
        "world"
    }

    async fn echo(&self, number: i32) -> i32 {
        number
    }

    async fn viewer(&self, ctx: &Context<'_>) -> Option<&str> {
        match ctx.data_unchecked::<Viewer>() {
            Viewer::System(reason) => Some(reason),
            _ => None,
        }
    }

    /// Request id, client, user agent.
    async fn request(&self, ctx: &Context<'_>) -> Vec<String> {
        let (id, client) = (ctx.data_unchecked::<RequestId>(), ctx.data_unchecked::<ClientAddress>());
        vec![id.to_string(), client.to_string(), ctx.data_unchecked::<UserAgent>().0.clone()]
    }

    async fn leak(&self) -> Result<&str, Error> {
        Err(std::io::Error::other("secret /var/lib/db SELECT").into())
    }

    async fn forbidden(&self) -> Result<&str, Error> {
        Err(Error::new("your role does not allow this")
            .extend_with(|_, extensions| extensions.set("code", "FORBIDDEN")))
    }

    async fn panic(&self, ctx: &Context<'_>) -> i32 {
        assert!(ctx.data_opt::<()>().is_some(), "a planted panic");
        0
    }

    /// Waits until the test lets it go.
    async fn slow(&self, ctx: &Context<'_>) -> &str {
        let gate = ctx.data_unchecked::<Gate>();
        gate.entered.notify_one();
        gate.leave.notified().await;
        "done"
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn log_in(&self, ctx: &Context<'_>) -> bool {
        ctx.data_unchecked::<CookieJar>().set("good".to_owned().into(), 3600);
        true
    }

    async fn log_out(&self, ctx: &Context<'_>) -> bool {
        ctx.data_unchecked::<CookieJar>().clear();
        true
    }

    /// Name, content type, size, SHA-256 as the server hashed it, content.
    async fn upload(&self, ctx: &Context<'_>, file: Upload) -> Vec<String> {
        received(ctx, file)
    }

    /// The same of each.
    async fn upload_all(&self, ctx: &Context<'_>, files: Vec<Upload>) -> Vec<Vec<String>> {
        files.into_iter().map(|file| received(ctx, file)).collect()
    }

    /// A text, which is no file.
    async fn say(&self, text: String) -> String {
        text
    }
}

fn received(ctx: &Context<'_>, file: Upload) -> Vec<String> {
    let spooled = file.spooled(ctx).unwrap();
    let mut content = String::new();
    spooled.open().unwrap().read_to_string(&mut content).unwrap();
    assert!(content.len() as u64 <= spooled.size, "what is over the limit is not kept");
    let kind = spooled.content_type.clone().unwrap_or_default();
    vec![spooled.name.clone(), kind, spooled.size.to_string(), hex::encode(spooled.sha256), content]
}

/// No event of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(20);
