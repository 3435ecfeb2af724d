//! The database as every module uses it: connecting, transactions with retry, the database's time.

pub mod idempotency;
pub mod page;
mod tx;

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use entity::Timestamp;
use migration::MigratorTrait as _;
use rand::RngExt as _;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;

pub use tx::Tx;

use crate::{clock::Clock, config};

const ATTEMPTS: u32 = 8;

/// A handle on the one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    connection: DatabaseConnection,
    clock: Clock,
    /// SQLite has one writer: waiting here is fair and costs no busy polling.
    writer: Option<Arc<Mutex<()>>>,
}

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
        let mut options = ConnectOptions::new(&url);
        options
            .max_connections(settings.max_connections)
            .min_connections(0)
            .connect_timeout(settings.acquire_timeout)
            .acquire_timeout(settings.acquire_timeout)
            .sqlx_logging(false)
            .map_sqlx_sqlite_opts(|options| {
                options
                    .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
                    .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
                    .busy_timeout(Duration::from_secs(5))
                    .foreign_keys(true)
                    .pragma("cache_size", "-2000")
            });
        options.map_sqlx_mysql_opts(|options| options.timezone(Some("+00:00".to_owned())));
        let failed = |error: DbErr| ConnectError { url: without_password(&url), reason: error.to_string() };
        let connection = Database::connect(options).await.map_err(failed)?;
        let sqlite = connection.get_database_backend() == DbBackend::Sqlite;
        let db = Self { connection, clock, writer: sqlite.then(Arc::default) };
        db.read().execute_unprepared("SELECT 1").await.map_err(failed)?;
        Ok(db)
    }

    /// Applies pending migrations.
    pub async fn migrate(&self) -> Result<(), DbErr> {
        migration::Migrator::up(&self.connection, None).await
    }

    /// For single reads outside a transaction.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.connection
    }

    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    /// Runs `work` in a transaction and commits. Deadlocks and serialization failures roll back and run the whole of
    /// `work` again, up to eight times, so it must have no effect outside the transaction.
    pub async fn transaction<T, E, F, W>(&self, work: F) -> Result<T, E>
    where
        F: Fn(Tx) -> W,
        W: Future<Output = Result<T, E>>,
        E: From<DbErr> + AsDbErr,
    {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.attempt(&work).await {
                Err(error) if attempt < ATTEMPTS && error.as_db_err().is_some_and(is_transient) => {
                    tracing::debug!(attempt, "transaction runs again");
                    let pause = rand::rng().random_range(2..=10u64) << attempt.min(5);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt<T, E, F, W>(&self, work: &F) -> Result<T, E>
    where
        F: Fn(Tx) -> W,
        W: Future<Output = Result<T, E>>,
        E: From<DbErr>,
    {
        let _writer = match &self.writer {
            Some(writer) => Some(writer.lock().await),
            None => None,
        };
        let options = TransactionOptions {
            isolation_level: (self.backend() == DbBackend::MySql).then_some(sea_orm::IsolationLevel::ReadCommitted),
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let transaction = Tx(Arc::new(self.connection.begin_with_options(options).await?));
        let outcome = work(transaction.clone()).await;
        let transaction = Arc::into_inner(transaction.0)
            .ok_or_else(|| DbErr::Custom("a transaction was kept beyond its end".to_owned()))?;
        match outcome {
            Ok(value) => {
                transaction.commit().await?;
                Ok(value)
            }
            Err(error) => {
                // MariaDB's lock timeout undoes only the statement: without this the retry would run on a half-done transaction.
                if let Err(rollback) = transaction.rollback().await {
                    tracing::debug!(error = %rollback, "rollback failed; the connection is dropped");
                }
                Err(error)
            }
        }
    }

    /// The time that decides leases, windows and expiry: the database's own, read now. SQLite's is the host's.
    pub async fn now(&self, connection: &impl ConnectionTrait) -> Result<Timestamp, DbErr> {
        let sql = match self.backend() {
            DbBackend::Postgres => "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint AS now",
            DbBackend::MySql => "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) AS now",
            _ => return Ok(self.clock.now()),
        };
        let row = connection.query_one_raw(Statement::from_string(self.backend(), sql)).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("the database's time".to_owned()))?;
        Ok(Timestamp(row.try_get("", "now")?))
    }
}

/// An error that may hold a database error which makes a transaction worth running again.
pub trait AsDbErr {
    fn as_db_err(&self) -> Option<&DbErr>;
}

impl AsDbErr for DbErr {
    fn as_db_err(&self) -> Option<&DbErr> {
        Some(self)
    }
}

/// MariaDB 1213 and 1205, Postgres 40001 and 40P01, SQLite BUSY and its extended forms.
fn is_transient(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))
    | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    let sqlx::Error::Database(error) = &**error else { return false };
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return matches!(error.number(), 1213 | 1205);
    }
    let code = error.code();
    matches!(code.as_deref(), Some("40001" | "40P01" | "5" | "261" | "517" | "773"))
}

/// Whether the database could not be reached at all, so that the caller may say "try again".
#[must_use]
pub fn is_unavailable(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            matches!(
                &**error,
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed
            )
        }
        _ => false,
    }
}

/// Whether an insert lost against a unique key.
#[must_use]
pub fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_)))
}

fn without_password(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
        Some((scheme, (_, host))) => format!("{scheme}://…@{host}"),
        None => url.to_owned(),
    }
}
