//! What other processes tell by Postgres's NOTIFY, over a connection of its own.

use std::time::Duration;

use sea_orm::{DbBackend, DbErr, RuntimeErr};
use sqlx::{
    Executor as _,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::time::timeout;

use super::Db;

/// After so much silence the connection is asked whether it still lives, and how long the answer may take.
const SILENCE: Duration = Duration::from_secs(5);
const PROBE: Duration = Duration::from_secs(2);

/// Listens to one channel.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Db {
    /// Listens to `channel` from now on; nothing where the database cannot tell.
    pub async fn listen(&self, channel: &str) -> Result<Option<Listener>, DbErr> {
        if self.backend() != DbBackend::Postgres {
            return Ok(None);
        }
        let options = self.reader.connection.get_postgres_connection_pool().connect_options();
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with((*options).clone());
        let connecting = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            // Whoever listens is to know that the connection was lost.
            listener.eager_reconnect(false);
            listener.listen(channel).await?;
            Ok(listener)
        };
        match timeout(PROBE, connecting).await {
            Ok(listener) => listener.map(|listener| Some(Listener(listener))).map_err(lost),
            Err(_) => Err(lost(sqlx::Error::PoolTimedOut)),
        }
    }
}

impl Listener {
    /// The payload of the next notification. After an error some may have been missed: listen anew.
    pub async fn next(&mut self) -> Result<String, DbErr> {
        loop {
            match timeout(SILENCE, self.0.try_recv()).await {
                Ok(Ok(Some(notification))) => return Ok(notification.payload().to_owned()),
                Ok(Ok(None)) => return Err(lost(sqlx::Error::PoolClosed)),
                Ok(Err(error)) => return Err(lost(error)),
                Err(_) => match timeout(PROBE, self.0.execute("SELECT 1")).await {
                    Ok(answer) => answer.map(drop).map_err(lost)?,
                    Err(_) => return Err(lost(sqlx::Error::PoolTimedOut)),
                },
            }
        }
    }
}

fn lost(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}
