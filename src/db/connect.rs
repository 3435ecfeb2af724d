//! Connecting, and migrations that several processes may start at once.

use std::{fmt::Display, path::Path, sync::Arc, time::Duration};

use futures::FutureExt as _;
use migration::MigratorTrait as _;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, DbErr};
use secrecy::ExposeSecret;
use sqlx::{Connection as _, Executor as _};

use super::{
    Db,
    pulse::{Probe, Pulse},
    reader::{Patience, Reader},
};
use crate::{clock::Clock, config};

/// How long a statement waits for another transaction's lock before its own is run again.
const LOCK_WAIT: Duration = Duration::from_secs(3);
/// How long a transaction may wait for its next statement before the server takes it back, locks and all: a process that
/// is stopped in the middle of one must not hold up the others.
const IDLE: Duration = Duration::from_secs(5);
/// A connection that has rested this long is asked whether it still lives before it is used: asking each time would
/// double the round trips of a query. One that died sooner fails one request, which may be sent again.
const RESTED: Duration = Duration::from_secs(1);
/// The advisory lock of those that migrate, on Postgres; on MariaDB [`MIGRATION_LOCK_NAME`].
const MIGRATION_LOCK: i64 = 0x736e_6170_6861_7665;
const MIGRATION_LOCK_NAME: &str = "snaphaven.migrations";

/// The database could not be reached or refused the connection.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the database at {url}: {reason}")]
pub struct ConnectError {
    /// Without its password.
    pub url: String,
    pub reason: String,
}

impl Db {
    /// Connects by `database.url`, or to SQLite in `data_dir`.
    pub async fn connect(settings: &config::Database, data_dir: &Path, clock: Clock) -> Result<Self, ConnectError> {
        let url = match settings.url.expose_secret() {
            "" => format!("sqlite://{}?mode=rwc", data_dir.join("snaphaven.sqlite").display()),
            url => url.to_owned(),
        };
        let failed = |error: &dyn Display| ConnectError { url: without_password(&url), reason: error.to_string() };
        let sqlite = url.starts_with("sqlite:");
        let pulse = (!sqlite).then(|| Pulse::new(settings.statement_timeout, probe(options(&url, settings, None))));
        let connection =
            Database::connect(options(&url, settings, pulse.as_ref())).await.map_err(|error| failed(&error))?;
        let reader = Reader { connection, patience: Patience { pulse, statements: Arc::default() } };
        reader.execute_unprepared("SELECT 1").await.map_err(|error| failed(&error))?;
        Ok(Self { reader, clock, bell: Arc::default(), writer: sqlite.then(Arc::default) })
    }

    /// Applies pending migrations.
    pub async fn migrate(&self) -> Result<(), DbErr> {
        self.migrating(async |connection| migration::Migrator::up(connection, None).await).await
    }

    /// Runs `work` on the bare connection while no other process migrates the same Postgres or MariaDB.
    pub async fn migrating<T>(
        &self,
        work: impl AsyncFnOnce(&DatabaseConnection) -> Result<T, DbErr>,
    ) -> Result<T, DbErr> {
        let connection = &self.reader.connection;
        let fault = |error: sqlx::Error| DbErr::Custom(format!("the lock for migrations: {error}"));
        match connection.get_database_backend() {
            DbBackend::Postgres => {
                let mut holder = connection.get_postgres_connection_pool().acquire().await.map_err(fault)?.detach();
                // Whoever migrates may take its time, so this waits without the usual limit.
                holder.execute("SET lock_timeout = 0").await.map_err(fault)?;
                let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(MIGRATION_LOCK);
                lock.execute(&mut holder).await.map_err(fault)?;
                let outcome = work(connection).await;
                holder.close().await.map_err(fault)?;
                outcome
            }
            DbBackend::MySql => {
                let mut holder = connection.get_mysql_connection_pool().acquire().await.map_err(fault)?.detach();
                let lock = sqlx::query("SELECT GET_LOCK(CONCAT(?, '.', DATABASE()), 600)").bind(MIGRATION_LOCK_NAME);
                lock.execute(&mut holder).await.map_err(fault)?;
                let outcome = work(connection).await;
                holder.close().await.map_err(fault)?;
                outcome
            }
            _ => work(connection).await,
        }
    }
}

/// With a pulse, connections that may be stuck are not kept.
fn options(url: &str, settings: &config::Database, pulse: Option<&Arc<Pulse>>) -> ConnectOptions {
    let (for_mysql, for_postgres) = (pulse.cloned(), pulse.cloned());
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(settings.max_connections)
        .min_connections(0)
        .connect_timeout(settings.acquire_timeout)
        .acquire_timeout(settings.acquire_timeout)
        .test_before_acquire_if_idle_for(RESTED)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|options| {
            options
                .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
                .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(5))
                .foreign_keys(true)
                .pragma("cache_size", "-2000")
                // Not mapped (mmap_size): each commit of another connection unmaps it, and reads beside writes take a fifth longer.
                // A page of a list fits: its rows cross over from SQLite's thread without either waiting for the other.
                .row_buffer_size(128)
        })
        // On a full disk SQLite ends a transaction by itself and the driver's ROLLBACK fails; from then on it would open no
        // transactions on this connection but savepoints, which are not IMMEDIATE and see an old state.
        .map_sqlx_sqlite_pool_opts(|pool| {
            pool.after_release(|connection, _| {
                let at_rest = !connection.is_in_transaction();
                Box::pin(async move { Ok(at_rest) })
            })
        })
        .map_sqlx_mysql_opts(|options| options.timezone(Some("+00:00".to_owned())))
        // Strict: a server set up without it cuts text that is too long, silently. What stands in /*M! only MariaDB reads.
        .map_sqlx_mysql_pool_opts(move |pool| {
            let (wait, idle) = (LOCK_WAIT.as_secs(), IDLE.as_secs());
            let set = format!(
                "SET SESSION innodb_lock_wait_timeout = {wait}, sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES') \
                 /*M!100300 , idle_transaction_timeout = {idle} */"
            );
            if_steady(after_connect(pool, set), for_mysql.clone())
        })
        .map_sqlx_postgres_pool_opts(move |pool| {
            let (wait, idle) = (LOCK_WAIT.as_millis(), IDLE.as_millis());
            let set = format!("SET lock_timeout = {wait}; SET idle_in_transaction_session_timeout = {idle}");
            if_steady(after_connect(pool, set), for_postgres.clone())
        });
    options
}

/// Asks over a connection of its own: the pool's may be stuck, or all in use.
fn probe(mut options: ConnectOptions) -> Probe {
    options.max_connections(1);
    Box::new(move || {
        let options = options.clone();
        async move {
            let Ok(connection) = Database::connect(options).await else { return false };
            let answered = connection.execute_unprepared("SELECT 1").await.is_ok();
            let closed = connection.close().await;
            answered && closed.is_ok()
        }
        .boxed()
    })
}

/// Drops connections rather than keep what may be stuck: the pool would wait for their answer for ever, and have fewer.
fn if_steady<D: sqlx::Database>(
    pool: sqlx::pool::PoolOptions<D>,
    pulse: Option<Arc<Pulse>>,
) -> sqlx::pool::PoolOptions<D> {
    let Some(pulse) = pulse else { return pool };
    pool.after_release(move |_, _| {
        let steady = pulse.is_steady();
        // An error closes it without a farewell, which a stuck one would not take.
        let stuck = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
        Box::pin(async move { if steady { Ok(true) } else { Err(stuck()) } })
    })
}

/// Runs `statement` on each new connection.
fn after_connect<D: sqlx::Database>(pool: sqlx::pool::PoolOptions<D>, statement: String) -> sqlx::pool::PoolOptions<D>
where
    for<'c> &'c mut D::Connection: sqlx::Executor<'c, Database = D>,
{
    pool.after_connect(move |connection, _| {
        let statement = sqlx::AssertSqlSafe(statement.clone());
        Box::pin(async move { connection.execute(statement).await.map(drop) })
    })
}

fn without_password(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
        Some((scheme, (_, host))) => format!("{scheme}://…@{host}"),
        None => url.to_owned(),
    }
}
