//! A migrated template, copied for each test in milliseconds, and the janitor that drops the copies.

use std::{
    sync::{OnceLock, mpsc},
    thread,
};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};
use snaphaven::{clock::Clock, config::Config, db::Db};

use super::{DatabaseServer, Kind};

const TEMPLATE: &str = "template_snaphaven";

/// What makes a copy of the template on MariaDB, which has no templates: filled once.
static COPY: OnceLock<Vec<String>> = OnceLock::new();
static JANITOR: OnceLock<mpsc::Sender<String>> = OnceLock::new();

/// Migrates the template.
pub async fn prepare(server: &DatabaseServer) {
    create(server, TEMPLATE).await;
    let mut config: Config = toml::from_str(snaphaven::config::DEFAULTS).unwrap();
    config.database.url = server.url(TEMPLATE).into();
    let db = Db::connect(&config.database, &config.data_dir, Clock::system()).await.unwrap();
    db.migrate().await.unwrap();
    if server.kind == Kind::MariaDb {
        COPY.set(definitions(db.read()).await).unwrap();
    }
}

/// An empty database.
pub async fn create(server: &DatabaseServer, name: &str) {
    connect(&server.maintenance_url()).await.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
}

/// A copy of the template.
pub async fn copy(server: &DatabaseServer, name: &str) {
    let connection = connect(&server.maintenance_url()).await;
    if server.kind == Kind::Postgres {
        let sql = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}");
        connection.execute_unprepared(&sql).await.unwrap();
        return;
    }
    let mut script = format!("CREATE DATABASE {name}; USE {name}; SET foreign_key_checks = 0;");
    script.extend(COPY.get().unwrap().iter().map(String::as_str));
    connection.execute_unprepared(&script).await.unwrap();
}

/// Has it dropped, some time later: whoever holds it need not wait.
pub fn forget(server: &DatabaseServer, name: String) {
    let (kind, url) = (server.kind, server.maintenance_url());
    let janitor = JANITOR.get_or_init(|| {
        let (names, forgotten) = mpsc::channel::<String>();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                while let Ok(name) = forgotten.recv() {
                    let how = if kind == Kind::Postgres { " WITH (FORCE)" } else { "" };
                    // Of a server that is being taken down nothing has to be dropped.
                    let _ = connect(&url).await.execute_unprepared(&format!("DROP DATABASE {name}{how}")).await;
                }
            });
        });
        names
    });
    let _ = janitor.send(name);
}

/// One connection, for a moment.
async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

/// Every table of the template as statements, each with its rows.
async fn definitions(template: &impl ConnectionTrait) -> Vec<String> {
    let ask = async |sql: String| {
        template.query_all_raw(Statement::from_string(template.get_database_backend(), sql)).await.unwrap()
    };
    let mut statements = Vec::new();
    for row in ask("SHOW TABLES".to_owned()).await {
        let table: String = row.try_get_by_index(0).unwrap();
        let definition = ask(format!("SHOW CREATE TABLE `{table}`")).await;
        let definition: String = definition[0].try_get_by_index(1).unwrap();
        statements.push(format!("{definition};"));
        if !ask(format!("SELECT 1 FROM `{table}` LIMIT 1")).await.is_empty() {
            statements.push(format!("INSERT INTO `{table}` SELECT * FROM {TEMPLATE}.`{table}`;"));
        }
    }
    statements
}
