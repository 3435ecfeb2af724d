//! `serve` and `worker`: the long-running processes.

use std::{fmt::Write as _, io, net::SocketAddr, path::PathBuf, sync::Arc};

use secrecy::ExposeSecret;
use tokio::net::TcpListener;

use super::{Failure, print, s3_address::S3Address};
use crate::{
    accounts,
    adapters::objects::{breaker::Breaker, s3::S3Store},
    app::{self, App, StartError, Stores, Surroundings},
    clock::Clock,
    config::{self, Backend, Config},
    embedded::{
        edge::EdgeCache,
        s3::{self, Durability, EmbeddedS3, EmbeddedS3Options},
    },
    http::{self, Supervisor},
    server::{self, Listeners},
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
    let _announced = s3_address.map(|address| S3Address::announce(&config.data_dir, address)).transpose()?;
    let edge_url = format!("http://{}", edge_address.unwrap_or(address));
    let around = Surroundings { stores, edge_url, edge_cache: edge_cache.clone() };
    let app = App::start(config, Clock::system(), around).await.map_err(start)?;

    let metrics = match app.config.server.metrics_listen() {
        Some(address) => Some(http::bind(address).await.map_err(fault)?),
        None => None,
    };
    let listeners = Listeners { app: listener, edge: edge_listener.zip(edge_cache), metrics };
    server::serve(&app, listeners, &supervisor).await.map_err(fault)?;
    server::work(&app, &supervisor).map_err(fault)?;
    print(&greeting(&app, address, edge_address, s3_address).await?)?;
    finish(supervisor).await
}

/// Runs jobs until SIGTERM or SIGINT.
pub async fn worker(config: Config) -> Result<(), Failure> {
    let supervisor = Supervisor::new(config.server.shutdown_deadline);
    supervisor.stop_on_signals().map_err(fault)?;
    let app = connect(config).await?;
    server::work(&app, &supervisor).map_err(fault)?;
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
    let endpoint = match config.uploads.endpoint.as_str() {
        "" => format!("http://{address}"),
        endpoint => endpoint.to_owned(),
    };
    let store = |bucket: &config::Bucket| {
        let keys = s3.credentials();
        let (id, secret) = (&keys.access_key_id, &keys.secret_access_key);
        let store = S3Store::in_process(s3.service(), &bucket.bucket, &bucket.region, id, secret);
        Arc::new(store.reached_at(&endpoint))
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
        buckets: vec![bucket(&config.objects.first), bucket(&config.objects.second)],
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
pub(super) async fn remote_stores(config: &Config) -> Result<Stores, Failure> {
    let (mut first, mut second) = (config.objects.first.clone(), config.objects.second.clone());
    if config.objects.backend == Backend::Embedded {
        let keys = s3::Credentials::load_or_create(&credentials_file(config)).map_err(fault)?;
        let mut beside = config.server.listen;
        beside.set_port(beside.port().saturating_add(2));
        let address = match config.embedded.s3_listen.as_str() {
            "" => S3Address::read(&config.data_dir).unwrap_or_else(|| beside.to_string()),
            given => given.to_owned(),
        };
        for bucket in [&mut first, &mut second] {
            bucket.endpoint = format!("http://{address}");
            bucket.access_key_id.clone_from(&keys.access_key_id);
            bucket.secret_access_key = keys.secret_access_key.clone();
            bucket.path_style = true;
        }
    }
    let [first, second] = [S3Store::connect(&first).await, S3Store::connect(&second).await];
    let [first, second] = match config.uploads.endpoint.as_str() {
        "" => [first, second],
        endpoint => [first, second].map(|store| store.reached_at(endpoint)),
    };
    let [first, second] = [first, second].map(|store| Arc::new(Breaker::new(Arc::new(store))));
    Ok(Stores { first, second })
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
    if !config.downloads.base_url.is_empty() {
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
