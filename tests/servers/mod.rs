//! The database servers that tests and trials run on: Postgres and MariaDB, each started in a temporary folder on a free
//! port when the first test asks for it, and gone with the process. SQLite needs none.

pub mod server;
mod template;

use std::{env, sync::LazyLock};

use futures::future::BoxFuture;
use tokio::sync::OnceCell;

pub use self::server::DatabaseServer;

/// The database that this run is about: `SNAPHAVEN_TEST_DATABASE`, or SQLite.
pub static KIND: LazyLock<Kind> = LazyLock::new(|| match env::var("SNAPHAVEN_TEST_DATABASE").as_deref() {
    Err(_) | Ok("" | "sqlite") => Kind::Sqlite,
    Ok("postgres") => Kind::Postgres,
    Ok("mariadb") => Kind::MariaDb,
    other => panic!("SNAPHAVEN_TEST_DATABASE is {other:?}; it can be sqlite, postgres or mariadb"),
});

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
    MariaDb,
}

impl Kind {
    /// As in `SNAPHAVEN_TEST_DATABASE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
        }
    }
}

/// A database of a test's own, with every migration applied; dropped with it.
#[derive(Debug)]
pub struct TestDatabase {
    /// For `database.url`; empty for SQLite, whose file lies in the data folder.
    pub url: String,
    name: String,
}

/// The server of this process and its template. It lives as long as the process.
static SERVER: OnceCell<DatabaseServer> = OnceCell::const_new();

async fn server() -> &'static DatabaseServer {
    SERVER
        .get_or_init(async || {
            let server = DatabaseServer::start(*KIND).await.unwrap_or_else(|error| panic!("{error}"));
            template::prepare(&server).await;
            server
        })
        .await
}

impl TestDatabase {
    /// With every migration applied.
    pub async fn new() -> Self {
        Self::made(true).await
    }

    /// Without a table.
    pub async fn empty() -> Self {
        Self::made(false).await
    }

    /// Boxed: the compiler gives up on the layout of so deep a future in a test's own.
    fn made(migrated: bool) -> BoxFuture<'static, Self> {
        Box::pin(async move {
            if *KIND == Kind::Sqlite {
                return Self { url: String::new(), name: String::new() };
            }
            let name = format!("test_{}", uuid::Uuid::now_v7().simple());
            let server = server().await;
            if migrated {
                template::copy(server, &name).await;
            } else {
                template::create(server, &name).await;
            }
            Self { url: server.url(&name), name }
        })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(server) = SERVER.get().filter(|_| !self.name.is_empty()) {
            template::forget(server, std::mem::take(&mut self.name));
        }
    }
}
