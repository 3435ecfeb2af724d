//! A connection that does not wait for ever: for reads outside a transaction, and the measure of patience for those inside.

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use super::pulse::Pulse;

/// The pool, where each call takes a connection and returns it.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) connection: DatabaseConnection,
    pub(super) patience: Patience,
}

/// How long one statement may take: a database that has stopped keeps its connections open and never answers.
/// A file, which has no pulse, answers in its own time.
#[derive(Clone, Debug)]
pub(super) struct Patience(pub Option<Arc<Pulse>>);

impl Patience {
    /// The outcome, or [`DbErr::Conn`] when it is late. What the statement did is unknown then.
    pub async fn wait<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        match &self.0 {
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
