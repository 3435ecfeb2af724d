//! A transaction as modules hold it. A function that takes a `&Tx` has to run inside one.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use uuid::Uuid;

use super::reader::Patience;

/// An open transaction; committed by [`super::Db::transaction`] alone. Owned and cheap to clone, because closures that
/// take it by reference do not give futures that can move between threads.
#[derive(Clone, Debug)]
pub struct Tx {
    pub(super) transaction: Arc<DatabaseTransaction>,
    pub(super) patience: Patience,
    pub(super) names: Arc<Mutex<Vec<Uuid>>>,
}

impl Tx {
    /// Rings the [`super::Bell`] for `name` when this transaction has ended.
    pub fn ring(&self, name: Uuid) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).push(name);
    }
}

#[async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.transaction.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.patience.wait(self.transaction.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.patience.wait(self.transaction.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.patience.wait(self.transaction.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.patience.wait(self.transaction.query_all_raw(statement)).await
    }
}
