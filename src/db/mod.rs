//! The database as every module uses it: connecting, transactions with retry, the database's time.

mod bell;
mod connect;
mod error;
pub mod idempotency;
mod json;
mod listen;
pub mod page;
mod pulse;
mod reader;
mod tally;
mod tx;

use std::{
    future::Future,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use entity::Timestamp;
use rand::RngExt as _;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait, sea_query::Expr,
};
use tokio::sync::Mutex;

pub use self::{
    bell::{Bell, Waiting},
    connect::ConnectError,
    error::{AsDbErr, is_transient, is_unavailable, is_unique_violation},
    json::{all_json, json_array},
    listen::Listener,
    reader::Reader,
    tally::{Batch, Counted, Tally},
    tx::Tx,
};

use crate::clock::Clock;

const ATTEMPTS: u32 = 8;

/// How long lost races may be run again: with a wait for a lock that began just before, still within the 5 s of any answer.
const RETRY: Duration = Duration::from_secs(2);

/// A handle on the one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    reader: Reader,
    clock: Clock,
    bell: Arc<Bell>,
    /// SQLite has one writer: waiting here is fair and costs no busy polling.
    writer: Option<Arc<Mutex<()>>>,
}

impl Db {
    /// For single reads outside a transaction.
    #[must_use]
    pub fn read(&self) -> &Reader {
        &self.reader
    }

    /// How many statements this process has run.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.reader.patience.statements.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.reader.get_database_backend()
    }

    /// Who in this process waits for what is committed.
    #[must_use]
    pub fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// Runs `work` in a transaction and commits. Deadlocks and serialization failures roll back and run the whole of
    /// `work` again, up to eight times within two seconds, so it must have no effect outside the transaction.
    pub async fn transaction<T, E, F, W>(&self, work: F) -> Result<T, E>
    where
        F: Fn(Tx) -> W,
        W: Future<Output = Result<T, E>>,
        E: From<DbErr> + AsDbErr,
    {
        let (mut attempt, started) = (0, Instant::now());
        loop {
            attempt += 1;
            let again = attempt < ATTEMPTS && started.elapsed() < RETRY;
            match self.attempt(&work).await {
                Err(error) if again && error.as_db_err().is_some_and(is_transient) => {
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
        E: From<DbErr> + AsDbErr,
    {
        let _writer = match &self.writer {
            Some(writer) => Some(writer.lock().await),
            None => None,
        };
        let options = TransactionOptions {
            isolation_level: (self.backend() == DbBackend::MySql).then_some(IsolationLevel::ReadCommitted),
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let patience = self.reader.patience.clone();
        let connection = self.reader.connection.clone();
        // On a task of its own, which nobody gives up: a BEGIN dropped half-way would leave its connection in the pool with an
        // open transaction that nobody knows of.
        let begin = tokio::spawn(async move { connection.begin_with_options(options).await });
        let begin =
            async { begin.await.map_err(|error| DbErr::Custom(format!("a transaction did not begin: {error}")))? };
        let transaction = Tx {
            transaction: Arc::new(patience.wait(begin).await?),
            patience: patience.clone(),
            names: Arc::default(),
        };
        let outcome = work(transaction.clone()).await;
        let names = transaction.names.clone();
        let transaction = Arc::into_inner(transaction.transaction)
            .ok_or_else(|| DbErr::Custom("a transaction was kept beyond its end".to_owned()))?;
        match outcome {
            Ok(value) => {
                let committed = patience.wait(transaction.commit()).await;
                // Also where the answer was lost: whoever is woken looks for itself.
                for name in names.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                    self.bell.ring(name);
                }
                committed?;
                Ok(value)
            }
            // Its connection goes with it, and so does the transaction.
            Err(error) if error.as_db_err().is_some_and(is_unavailable) => Err(error),
            Err(error) => {
                // MariaDB's lock timeout undoes only the statement: without this the retry would run on a half-done transaction.
                if let Err(rollback) = patience.wait(transaction.rollback()).await {
                    tracing::debug!(error = %rollback, "rollback failed; the connection is dropped");
                }
                Err(error)
            }
        }
    }

    /// Begins a transaction that only reads, and sees the database as it is at its first statement, whatever is written meanwhile.
    /// Its rows can be streamed; it is not counted, and nobody limits its statements but whoever reads.
    pub async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        let sqlite = self.writer.is_some();
        let options = TransactionOptions {
            isolation_level: (!sqlite).then_some(IsolationLevel::RepeatableRead),
            access_mode: (!sqlite).then_some(AccessMode::ReadOnly),
            sqlite_transaction_mode: sqlite.then_some(SqliteTransactionMode::Deferred),
        };
        self.reader.connection.begin_with_options(options).await
    }

    /// The time that decides leases, windows and expiry: the database's own, read now. SQLite's is the host's.
    pub async fn now(&self, connection: &impl ConnectionTrait) -> Result<Timestamp, DbErr> {
        let Some(time) = self.time() else { return Ok(self.clock.now()) };
        let statement = Statement::from_string(self.backend(), format!("SELECT {time} AS now"));
        let row = connection.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("the database's time".to_owned()))?;
        Ok(self.clock.of_database(Timestamp(row.try_get("", "now")?)))
    }

    /// The database's time in microseconds as a column of a query that decides by it; [`Db::at`] reads it.
    #[must_use]
    pub fn time_column(&self) -> Expr {
        self.time().map_or_else(|| Expr::value(self.clock.now().0), Expr::cust)
    }

    /// What [`Db::time_column`] gave.
    #[must_use]
    pub fn at(&self, time: i64) -> Timestamp {
        self.clock.of_database(Timestamp(time))
    }

    fn time(&self) -> Option<&'static str> {
        match self.backend() {
            DbBackend::Postgres => Some("(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint"),
            DbBackend::MySql => Some("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"),
            _ => None,
        }
    }
}

/// The sum of a column of whole numbers, as one: the databases give decimals.
pub fn sum(connection: &impl ConnectionTrait, column: &str) -> Expr {
    let integer = if connection.get_database_backend() == DbBackend::MySql { "SIGNED" } else { "BIGINT" };
    Expr::cust(format!("CAST(SUM({column}) AS {integer})"))
}
