//! A connection that does not wait for ever: for reads outside a transaction, and the measure of patience for those inside.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use super::pulse::Pulse;

/// The pool, where each call takes a connection and returns it.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) connection: DatabaseConnection,
    pub(super) patience: Patience,
}

impl Reader {
    /// The pool itself, for what the trait does not offer. Its statements wait as long as they like.
    #[must_use]
    pub fn pool(&self) -> &DatabaseConnection {
        &self.connection
    }
}

/// How long one statement may take: a database that has stopped keeps its connections open and never answers. Counts
/// them too.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    /// None of a file, which answers in its own time.
    pub pulse: Option<Arc<Pulse>>,
    pub statements: Arc<AtomicU64>,
}

impl Patience {
    /// The outcome, or [`DbErr::Conn`] when it is late. What the statement did is unknown then.
    pub async fn wait<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        match &self.pulse {
            Some(pulse) => pulse.wait(work).await,
            None => work.await,
        }
    }
}

#[async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.patience.wait(self.connection.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.patience.wait(self.connection.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.patience.wait(self.connection.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.patience.wait(self.connection.query_all_raw(statement)).await
    }
}
