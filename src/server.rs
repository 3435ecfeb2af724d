//! The server: its listeners and its job worker, composed over one App. `cli` runs it in a process, tests within theirs.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use entity::{object_copy::Site, user::Role};
use secrecy::ExposeSecret;
use tokio::{net::TcpListener, time::timeout};
use uuid::Uuid;

use crate::{
    accounts,
    adapters::cdn::UrlVerifier,
    app::{self, App},
    compose,
    embedded::edge::{self, EdgeCache, EdgeState, Primary, Sources},
    error::Fault,
    events,
    http::{
        self, AuthError, Authenticate, Check, Credentials, Readiness, SessionCookie, ShareLinks, SnapViews, Supervisor,
    },
    jobs,
    ledger::{self, LedgerCatalog},
    object_events, replication, telemetry,
    viewer::Viewer,
};

/// The open sockets of one server process.
#[derive(Debug)]
pub struct Listeners {
    pub app: TcpListener,
    /// Where this process serves downloads, with the cache that the app's purger empties.
    pub edge: Option<(TcpListener, EdgeCache)>,
    /// Where `/metrics` has a listener of its own.
    pub metrics: Option<TcpListener>,
}

/// Serves on all listeners until the supervisor stops. `app.config.server.listen` is the address of `listeners.app`,
/// and `app.signer` signs for the edge.
///
/// # Errors
///
/// What the listeners need cannot be read: the signing key, the sites' roles, the folder of uploads.
pub async fn serve(app: &App, listeners: Listeners, supervisor: &Supervisor) -> Result<(), Fault> {
    let sources = sources(app, supervisor).await?;
    if let Some((listener, cache)) = listeners.edge {
        let base_url = edge_url(app, &listener)?;
        supervisor.serve("edge", listener, edge_router(app, &base_url, sources.clone(), cache)?);
    }
    let metrics = telemetry::metrics().map_err(Fault::internal)?;
    let (stop, upkeep) = (supervisor.token(), telemetry::upkeep(metrics.clone()));
    supervisor.spawn(async move {
        stop.run_until_cancelled(upkeep).await;
    });
    if let Some(listener) = listeners.metrics {
        supervisor.serve("metrics", listener, http::metrics_router(metrics.clone(), Arc::new(Ready(app.clone()))));
    }
    let config = &app.config;
    let authenticate: Arc<dyn Authenticate> = Arc::new(Accounts(app.clone()));
    let cookie = SessionCookie { secure: config.server.public_url.starts_with("https://") };
    let live = http::graphql::Live::new(config, supervisor.token());
    supervisor.spawn(live.clone().run(authenticate.clone()));
    supervisor.spawn(events::run(app.clone(), supervisor.token()));
    let endpoint = http::graphql::Endpoint {
        executor: compose::schema(app),
        authenticate: authenticate.clone(),
        cookie,
        limits: http::graphql::Limits::new(config, app.spool().map_err(Fault::internal)?.path().to_owned()),
        live,
    };
    let links = ShareLinks { app: app.clone(), sources: sources.clone() };
    let views = SnapViews { app: app.clone(), sources, authenticate, cookie };
    let api = endpoint.router().merge(links.router()).merge(views.router());
    let router = http::app_router(&config.server, app.signer.origin(), api, Arc::new(Ready(app.clone())), metrics);
    supervisor.serve("app", listeners.app, router);
    Ok(())
}

/// Runs jobs, keeps the schedules where this process leads, and takes in what S3 tells, until the supervisor stops.
///
/// # Errors
///
/// A job cannot be registered.
pub fn work(app: &App, supervisor: &Supervisor) -> Result<(), Fault> {
    let registry = compose::registry(&app.config)?;
    supervisor.spawn(jobs::run(app.clone(), Arc::new(registry), supervisor.token()));
    if let Some(queue) = &app.object_events {
        supervisor.spawn(object_events::run(app.clone(), queue.clone(), supervisor.token()));
    }
    Ok(())
}

fn edge_url(app: &App, listener: &TcpListener) -> Result<String, Fault> {
    match app.config.downloads.base_url.as_str() {
        "" => Ok(format!("http://{}", listener.local_addr().map_err(Fault::internal)?)),
        base_url => Ok(base_url.to_owned()),
    }
}

fn edge_router(app: &App, base_url: &str, sources: Sources, cache: EdgeCache) -> Result<axum::Router, Fault> {
    let (key, id) = app::signing_key(&app.config).map_err(Fault::internal)?;
    let public = key.verifying_key().map_err(Fault::internal)?;
    let verifier = UrlVerifier::new(base_url, [(id, public)]).map_err(Fault::internal)?;
    let catalog = Arc::new(LedgerCatalog(app.clone()));
    let max_age = app.config.downloads.max_ttl;
    Ok(edge::router(EdgeState::new(verifier, catalog, sources, cache, app.clock.clone(), max_age)))
}

/// Between two looks at which site is the primary, while somebody reads. Until the next, reads ask the former one first: the
/// bytes are held to the ledger either way.
const ROLES_AGE: Duration = Duration::from_secs(2);

/// The two buckets, the primary first, also when another site becomes it.
async fn sources(app: &App, supervisor: &Supervisor) -> Result<Sources, Fault> {
    let stores = Site::ALL.map(|site| app.stores.at(site).clone()).to_vec();
    let primary = Primary::new(primary_now(app).await?);
    let (app, known, stop) = (app.clone(), primary.clone(), supervisor.token());
    let keep = async move {
        loop {
            known.wanted().await;
            match primary_now(&app).await {
                Ok(index) => known.set(index),
                Err(error) => tracing::debug!(%error, "the roles of the sites cannot be read"),
            }
            tokio::time::sleep(ROLES_AGE).await;
        }
    };
    supervisor.spawn(async move { _ = stop.run_until_cancelled(keep).await });
    Ok(Sources::new(stores, primary))
}

/// As an index of [`Site::ALL`].
async fn primary_now(app: &App) -> Result<usize, Fault> {
    let roles = ledger::roles(app.db.read()).await?;
    Ok(Site::ALL.into_iter().position(|site| site == roles.primary).unwrap_or_default())
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

    async fn standing(&self, sessions: &[Uuid]) -> Result<HashMap<Uuid, Role>, AuthError> {
        let found = accounts::standing(&self.0, sessions).await;
        found.map_err(|error| AuthError::Unavailable(error.to_string()))
    }
}

struct Ready(App);

const CHECK_TIME: Duration = Duration::from_secs(4);
/// A scrape that is later tells nothing at all.
const SCRAPE_TIME: Duration = Duration::from_secs(5);

#[async_trait]
impl Readiness for Ready {
    async fn check(&self) -> Vec<Check> {
        let app = &self.0;
        let (roles, first, second) = tokio::join!(
            timeout(CHECK_TIME, ledger::roles(app.db.read())),
            timeout(CHECK_TIME, app.stores.first.check()),
            timeout(CHECK_TIME, app.stores.second.check()),
        );
        let primary = roles.ok().and_then(Result::ok).map(|roles| roles.primary);
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
            bucket("first", Site::First, matches!(first, Ok(Ok(())))),
            bucket("second", Site::Second, matches!(second, Ok(Ok(())))),
        ]
    }

    async fn measure(&self) {
        tokio::join!(replication::measure(&self.0, SCRAPE_TIME), jobs::measure(&self.0, SCRAPE_TIME));
    }
}
