//! `serve` and `worker`: the long-running processes.

use std::{fmt::Write as _, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

use super::{Failure, print};
use crate::{
    accounts,
    adapters::{cdn::UrlVerifier, objects::s3::S3Store},
    app::{self, App, StartError, Stores, Surroundings},
    clock::Clock,
    compose,
    config::{self, Backend, Config},
    embedded::{
        edge::{self, EdgeCache, EdgeState},
        s3::{self, Durability, EmbeddedS3, EmbeddedS3Options},
    },
    http::{self, AuthError, Authenticate, Check, Credentials, Readiness, SessionCookie, Supervisor},
    jobs,
    ledger::{self, LedgerCatalog},
    telemetry,
    viewer::Viewer,
};

/// Serves until SIGTERM or SIGINT.
pub async fn serve(mut config: Config) -> Result<(), Failure> {
    let supervisor = Supervisor::new(config.server.shutdown_deadline);
    supervisor.stop_on_signals().map_err(fault)?;
    app::prepare_data_dir(&config).map_err(start)?;

    let listener = http::bind(config.server.listen).await.map_err(in_use)?;
    let address = listener.local_addr().map_err(fault)?;
    // With port 0 only now known; the origin rules compare with it.
    config.server.listen = address;
    let edge_listener = match config.downloads.base_url.as_str() {
        "" => Some(bind_beside(address, 1, &config.embedded.edge_listen).await?),
        _ if config.embedded.edge_listen.is_empty() => None,
        _ => Some(bind_beside(address, 1, &config.embedded.edge_listen).await?),
    };
    let edge_address = edge_listener.as_ref().map(TcpListener::local_addr).transpose().map_err(fault)?;
    let edge_cache = edge_address
        .map(|_| EdgeCache::new(config.embedded.edge_cache.as_u64(), config.embedded.edge_cache_object.as_u64()));
    let (stores, s3_address) = open_stores(&config, &supervisor, address).await?;
    let edge_url = format!("http://{}", edge_address.unwrap_or(address));
    let around = Surroundings { stores, edge_url: edge_url.clone(), edge_cache: edge_cache.clone() };
    let app = App::start(config, Clock::system(), around).await.map_err(start)?;

    if let (Some(listener), Some(cache)) = (edge_listener, edge_cache) {
        supervisor.serve("edge", listener, edge_router(&app, &edge_url, cache).await?);
    }
    let metrics = telemetry::metrics().map_err(fault)?;
    if let Some(address) = app.config.server.metrics_listen() {
        let listener = http::bind(address).await.map_err(fault)?;
        supervisor.serve("metrics", listener, http::metrics_router(metrics.clone()));
    }
    let endpoint = http::graphql::Endpoint {
        executor: compose::schema(&app),
        authenticate: Arc::new(Accounts(app.clone())),
        cookie: SessionCookie { secure: app.config.server.public_url.starts_with("https://") },
        limits: http::graphql::Limits::new(&app.config, app.spool().map_err(fault)?.path().to_owned()),
    };
    let router = http::app_router(&app.config.server, endpoint.router(), Arc::new(Ready(app.clone())), metrics);
    supervisor.serve("app", listener, router);
    work(&app, &supervisor)?;
    print(&greeting(&app, address, edge_address, s3_address).await?)?;
    finish(supervisor).await
}

/// Runs jobs until SIGTERM or SIGINT.
pub async fn worker(config: Config) -> Result<(), Failure> {
    let supervisor = Supervisor::new(config.server.shutdown_deadline);
    supervisor.stop_on_signals().map_err(fault)?;
    let app = connect(config).await?;
    work(&app, &supervisor)?;
    print("Running jobs. Stop with Ctrl-C.\n")?;
    finish(supervisor).await
}

/// An app without listeners, for commands that need services.
pub(super) async fn connect(config: Config) -> Result<App, Failure> {
    app::prepare_data_dir(&config).map_err(start)?;
    let stores = remote_stores(&config).await?;
    let edge_url = format!("http://{}", config.server.listen);
    App::start(config, Clock::system(), Surroundings { stores, edge_url, edge_cache: None }).await.map_err(start)
}

/// The two buckets; embedded ones are opened here and served on a listener of their own.
async fn open_stores(
    config: &Config,
    supervisor: &Supervisor,
    app: SocketAddr,
) -> Result<(Stores, Option<SocketAddr>), Failure> {
    if config.objects.backend == Backend::S3 {
        return Ok((remote_stores(config).await?, None));
    }
    let listener = bind_beside(app, 2, &config.embedded.s3_listen).await?;
    let address = listener.local_addr().map_err(fault)?;
    let s3 = open_embedded(config, app).await?;
    let store = |bucket: &config::Bucket| {
        let keys = s3.credentials();
        let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
        Arc::new(S3Store::in_process(s3.service(), &bucket.bucket, &bucket.region, id, secret))
    };
    let stores = Stores { first: store(&config.objects.first), second: store(&config.objects.second) };
    supervisor.spawn(s3.serve(listener, supervisor.token()));
    Ok((stores, Some(address)))
}

pub(super) async fn open_embedded(config: &Config, app: SocketAddr) -> Result<EmbeddedS3, Failure> {
    let dir = config.data_dir.join("s3");
    let credentials = s3::Credentials::load_or_create(&credentials_file(config)).map_err(fault)?;
    let origin = match config.server.public_url.as_str() {
        "" => format!("http://{app}"),
        url => url.trim_end_matches('/').to_owned(),
    };
    let bucket = |bucket: &config::Bucket| (bucket.bucket.clone(), bucket.region.clone());
    let options = EmbeddedS3Options {
        dir,
        buckets: [bucket(&config.objects.first), bucket(&config.objects.second)],
        credentials,
        cors_origins: config.server.allowed_origins.iter().cloned().chain([origin]).collect(),
        durability: Durability::Full,
        clock: Clock::system(),
    };
    let opened = tokio::task::spawn_blocking(move || EmbeddedS3::open(options)).await.map_err(fault)?;
    opened.map_err(|error| {
        Failure::fault(error.to_string())
            .help("one process serves a data folder; others reach it with objects.backend = \"s3\"")
    })
}

/// Where the embedded S3 server's keys are.
pub(super) fn credentials_file(config: &Config) -> PathBuf {
    config.data_dir.join("keys").join("s3-credentials.env")
}

/// Buckets that another process or AWS serves. Embedded ones are those of the `serve` or `s3` beside this process.
async fn remote_stores(config: &Config) -> Result<Stores, Failure> {
    let (mut first, mut second) = (config.objects.first.clone(), config.objects.second.clone());
    if config.objects.backend == Backend::Embedded {
        let keys = s3::Credentials::load_or_create(&credentials_file(config)).map_err(fault)?;
        let mut beside = config.server.listen;
        beside.set_port(beside.port().saturating_add(2));
        let address = match config.embedded.s3_listen.as_str() {
            "" => beside.to_string(),
            given => given.to_owned(),
        };
        for bucket in [&mut first, &mut second] {
            bucket.endpoint = format!("http://{address}");
            bucket.access_key_id.clone_from(&keys.access_key_id);
            bucket.secret_access_key = keys.secret_access_key.clone();
            bucket.path_style = true;
        }
    }
    Ok(Stores { first: Arc::new(S3Store::connect(&first).await), second: Arc::new(S3Store::connect(&second).await) })
}

async fn edge_router(app: &App, edge_url: &str, cache: EdgeCache) -> Result<axum::Router, Failure> {
    let (key, id) = app::signing_key(&app.config).map_err(start)?;
    let public = key.verifying_key().map_err(fault)?;
    let base = match app.config.downloads.base_url.as_str() {
        "" => edge_url,
        base => base,
    };
    let verifier = UrlVerifier::new(base, [(id, public)]).map_err(fault)?;
    let roles = ledger::roles(app.db.read()).await.map_err(fault)?;
    let stores = [roles.primary, roles.replica()].map(|site| app.stores.at(site).clone()).to_vec();
    let catalog = Arc::new(LedgerCatalog(app.clone()));
    let max_age = app.config.downloads.max_ttl;
    Ok(edge::router(EdgeState::new(verifier, catalog, stores, cache, app.clock.clone(), max_age)))
}

fn work(app: &App, supervisor: &Supervisor) -> Result<(), Failure> {
    let registry = compose::registry(&app.config).map_err(fault)?;
    supervisor.spawn(jobs::run(app.clone(), Arc::new(registry), supervisor.token()));
    Ok(())
}

async fn finish(supervisor: Supervisor) -> Result<(), Failure> {
    if supervisor.finished().await {
        return Ok(());
    }
    tracing::warn!("the shutdown deadline cut off what still ran; jobs run again at the next start");
    Ok(())
}

/// The given address, or the app's with a port `offset` higher; any free port where that one is taken.
async fn bind_beside(app: SocketAddr, offset: u16, given: &str) -> Result<TcpListener, Failure> {
    if !given.is_empty() {
        let address = given.parse().map_err(|_| Failure::fault(format!("cannot listen on {given:?}")))?;
        return http::bind(address).await.map_err(fault);
    }
    let mut beside = app;
    beside.set_port(app.port().checked_add(offset).unwrap_or(0));
    match http::bind(beside).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            beside.set_port(0);
            http::bind(beside).await.map_err(fault)
        }
        outcome => outcome.map_err(fault),
    }
}

/// Where everything is, and how to make an admin where there is none.
async fn greeting(
    app: &App,
    address: SocketAddr,
    edge: Option<SocketAddr>,
    s3: Option<SocketAddr>,
) -> Result<String, Failure> {
    let config = &app.config;
    let mut text = format!("Snaphaven {} is ready.\n\n", env!("CARGO_PKG_VERSION"));
    let graphiql = if config.server.graphiql { ", try it at /graphiql" } else { "" };
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<10} {value}");
    };
    line("app", format!("http://{address}   GraphQL at /graphql{graphiql}"));
    if let Some(edge) = edge {
        line("downloads", format!("http://{edge}   the local edge for signed URLs"));
    }
    if config.downloads.base_url != "" {
        line("downloads", config.downloads.base_url.clone());
    }
    if let Some(s3) = s3 {
        let keys = credentials_file(config);
        line("s3", format!("http://{s3}   keys in {}", keys.display()));
    }
    for (role, bucket) in [("bucket", &config.objects.first), ("replica", &config.objects.second)] {
        line(role, format!("{} in {}", bucket.bucket, bucket.region));
    }
    let database = match config.database.url.expose_secret() {
        "" => format!("SQLite in {}", config.data_dir.display()),
        _ => format!("{:?}", app.db.backend()),
    };
    line("database", database);
    line("alerts", format!("{:?}", config.alerts.sink).to_lowercase());
    let admin = accounts::has_admin(app, &Viewer::System("start")).await.map_err(fault)?;
    if !admin {
        let _ = write!(
            text,
            "\nThere is no admin yet. Make one with:\n  snaphaven admin create --username admin --email you@example.org --data-dir {}\n",
            config.data_dir.display()
        );
    }
    text.push_str("\nStop with Ctrl-C.\n");
    Ok(text)
}

fn in_use(error: io::Error) -> Failure {
    let taken = error.kind() == io::ErrorKind::AddrInUse;
    let failure = Failure::fault(error.to_string());
    if taken {
        failure.help("another server has this address; choose one with --listen, port 0 for any free one")
    } else {
        failure
    }
}

fn fault(error: impl std::fmt::Display) -> Failure {
    Failure::fault(error.to_string())
}

fn start(error: StartError) -> Failure {
    let help = match &error {
        StartError::DataDir { .. } => "choose another folder with --data-dir, or make this one writable",
        StartError::Database(_) | StartError::Schema(_) => {
            "check that the database runs and that database.url (SNAPHAVEN_DATABASE__URL) is right"
        }
        StartError::SigningKey { .. } => "give a PEM file with an ECDSA P-256 or RSA-2048 private key",
        StartError::BaseUrl(_) => "set downloads.base_url to an origin, or leave it empty for the local edge",
        StartError::EmbeddedKey(_) | StartError::Passwords(_) => return Failure::fault(error.to_string()),
    };
    Failure::fault(error.to_string()).help(help)
}

/// Tokens and cookies are accounts' business.
struct Accounts(App);

#[async_trait]
impl Authenticate for Accounts {
    async fn authenticate(&self, credentials: Credentials) -> Result<Viewer, AuthError> {
        let (Credentials::Bearer(token) | Credentials::Cookie(token)) = credentials else {
            return Ok(Viewer::Anonymous);
        };
        let found = accounts::authenticate(&self.0, token.expose_secret()).await;
        found.map_err(|error| AuthError::Unavailable(error.to_string()))?.ok_or(AuthError::Invalid)
    }
}

struct Ready(App);

const CHECK_TIME: Duration = Duration::from_secs(4);

#[async_trait]
impl Readiness for Ready {
    async fn check(&self) -> Vec<Check> {
        let app = &self.0;
        let roles = async { ledger::roles(app.db.read()).await };
        let (database, first, second) = tokio::join!(
            tokio::time::timeout(CHECK_TIME, roles),
            tokio::time::timeout(CHECK_TIME, app.stores.first.check()),
            tokio::time::timeout(CHECK_TIME, app.stores.second.check()),
        );
        let primary = match &database {
            Ok(Ok(roles)) => Some(roles.primary),
            _ => None,
        };
        let bucket = |name, site, ok: bool| Check {
            name,
            required: primary == Some(site),
            failure: (!ok).then(|| "the bucket does not answer".to_owned()),
        };
        vec![
            Check {
                name: "database",
                required: true,
                failure: primary.is_none().then(|| "the database does not answer".to_owned()),
            },
            bucket("first", entity::object_copy::Site::First, matches!(first, Ok(Ok(())))),
            bucket("second", entity::object_copy::Site::Second, matches!(second, Ok(Ok(())))),
        ]
    }
}
