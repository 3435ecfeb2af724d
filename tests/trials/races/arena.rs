//! Two server processes on one database and one object server, and a look into their tables and logs.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};
use snaphaven::db::is_transient;
use tokio::time::sleep;

use super::{
    SETTLE,
    door::{Door, Person},
};
use crate::{
    common::{
        Failure,
        audit::Auditor,
        process::{ObjectServer, Process},
    },
    servers::{KIND, Kind},
};

/// By these the database tells the processes apart.
const NAMES: [&str; 2] = ["first", "second"];

/// Between two looks at what other processes do.
const LOOK: Duration = Duration::from_millis(20);

/// Short times, a cheap hash, and one address's failures uncounted: here all come from one.
const SETTINGS: [(&str, &str); 22] = [
    ("server.listen", "127.0.0.1:0"),
    ("objects.write_timeout", "5s"),
    ("ledger.abandoned_after", "500ms"),
    ("ledger.erase_margin", "200ms"),
    ("ledger.late_writes", "500ms"),
    ("ledger.sweep_interval", "200ms"),
    ("jobs.poll_interval", "100ms"),
    ("jobs.backoff_min", "50ms"),
    ("jobs.backoff_max", "500ms"),
    ("jobs.lease", "2s"),
    ("audit.seal_interval", "200ms"),
    ("audit.checkpoint_interval", "1s"),
    ("accounts.hash_memory", "7 MiB"),
    ("accounts.hash_passes", "1"),
    ("accounts.log_in_failures_per_account", "10"),
    ("accounts.log_in_failures_per_address", "1000000"),
    ("graphql.max_page_size", "100"),
    // What a proxy before both edges would be called.
    ("downloads.base_url", "http://downloads.example.org"),
    ("embedded.edge_listen", "127.0.0.1:0"),
    ("log.filter", "info,snaphaven::db=debug,s3s=off"),
    ("log.format", "json"),
    ("server.graphiql", "false"),
];

pub struct Arena {
    pub doors: Vec<Door>,
    pub tables: DatabaseConnection,
    folder: PathBuf,
    database: String,
    objects: ObjectServer,
    processes: Vec<Process>,
    number: AtomicU32,
}

impl Arena {
    /// Starts all. On SQLite, whose file one process serves, both doors lead to that one.
    pub async fn open(folder: &Path, database: &str) -> Result<Self, Failure> {
        let objects = ObjectServer::start(folder).await?;
        let database = as_processes(database).await?;
        let mut arena = Self {
            doors: Vec::new(),
            tables: DatabaseConnection::default(),
            folder: folder.to_owned(),
            database,
            objects,
            processes: Vec::new(),
            number: AtomicU32::new(0),
        };
        let starting = (0..arena.size()).map(|number| arena.launch(number, &[]));
        for (process, door) in futures::future::try_join_all(starting).await? {
            arena.processes.push(process);
            arena.doors.push(door);
        }
        if arena.doors.len() == 1 {
            arena.doors.push(arena.doors[0].clone());
        }
        arena.tables = connect(&arena.url("tables")).await?;
        Ok(arena)
    }

    /// How many processes there are.
    pub fn size(&self) -> usize {
        if *KIND == Kind::Sqlite { 1 } else { NAMES.len() }
    }

    /// Another first or second process on the same data, with these settings too.
    pub async fn launch(&self, number: usize, more: &[(&'static str, &str)]) -> Result<(Process, Door), Failure> {
        let url = if *KIND == Kind::Sqlite { String::new() } else { self.url(NAMES[number]) };
        self.start(&self.data_dir(), url, &self.log(number), more).await
    }

    /// A process on another database and data folder, with the same object server.
    pub async fn launch_on(&self, folder: &Path, database: &str, number: usize) -> Result<(Process, Door), Failure> {
        self.start(&folder.join("data"), database.to_owned(), &folder.join(format!("{number}.log")), &[]).await
    }

    async fn start(
        &self,
        data_dir: &Path,
        database: String,
        log: &Path,
        more: &[(&'static str, &str)],
    ) -> Result<(Process, Door), Failure> {
        let settings = SETTINGS.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned()));
        let settings: Vec<_> = settings.chain(self.objects.settings()).chain([("database.url", database)]).collect();
        let process = Process::start("serve", data_dir, &settings, log).await?;
        let door = Door::new(&process.address("app")?, &process.address("downloads")?)?;
        Ok((process, door))
    }

    /// Starts a process in the place of one that was killed.
    pub async fn restart(&mut self, number: usize) -> Result<(), Failure> {
        let (process, door) = self.launch(number, &[]).await?;
        self.processes[number] = process;
        let at = |other| number == other || self.size() == 1;
        for other in (0..self.doors.len()).filter(|other| at(*other)).collect::<Vec<_>>() {
            self.doors[other] = door.clone();
        }
        Ok(())
    }

    pub async fn signal(&self, number: usize, name: &str) -> Result<(), Failure> {
        Ok(self.processes[number].signal(name).await?)
    }

    pub async fn auditor(&self) -> Result<Auditor, Failure> {
        let url = if *KIND == Kind::Sqlite { String::new() } else { self.url("tables") };
        Ok(Auditor::open(&url, &self.data_dir(), self.objects.stores().await).await?)
    }

    /// A name that nobody has.
    pub fn fresh(&self, kind: &str) -> String {
        format!("{kind}{}", self.number.fetch_add(1, Ordering::Relaxed))
    }

    pub async fn person(&self, kind: &str) -> Result<Person, Failure> {
        self.doors[0].person(&self.fresh(kind)).await
    }

    /// Makes the account one of an admin.
    pub async fn promote(&self, person: &Person) -> Result<(), Failure> {
        use entity::user::{Column, Entity, Role};
        use sea_orm::{ActiveEnum, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
        let promotion = Entity::update_many()
            .col_expr(Column::Role, Expr::value(Role::Admin.to_value()))
            .filter(Column::Username.eq(person.name.as_str()));
        self.write(async || promotion.clone().exec(&self.tables).await).await?;
        Ok(())
    }

    pub async fn run(&self, sql: &str) -> Result<(), Failure> {
        self.write(async || self.tables.execute_unprepared(sql).await).await?;
        Ok(())
    }

    /// Writes into the tables beside the processes, as they do: what the database gave up in favour of another is done again.
    pub async fn write<T>(&self, work: impl AsyncFn() -> Result<T, DbErr>) -> Result<T, DbErr> {
        let began = Instant::now();
        loop {
            match work().await {
                Err(error) if is_transient(&error) && began.elapsed() < SETTLE => sleep(LOOK).await,
                outcome => return outcome,
            }
        }
    }

    pub async fn number(&self, sql: &str) -> Result<i64, Failure> {
        let statement = Statement::from_string(self.tables.get_database_backend(), sql);
        let row = self.tables.query_one_raw(statement).await?.ok_or("no row")?;
        Ok(row.try_get_by_index(0)?)
    }

    pub fn log(&self, number: usize) -> PathBuf {
        self.folder.join(format!("{}.log", NAMES[number]))
    }

    /// Everything the processes have logged.
    pub fn logs(&self) -> Vec<String> {
        (0..self.size()).map(|number| fs::read_to_string(self.log(number)).unwrap_or_default()).collect()
    }

    /// Transactions that were run again so far, as the logs tell.
    pub fn retries(&self) -> usize {
        self.logs().iter().map(|log| log.matches("transaction runs again").count()).sum()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn is_mysql(&self) -> bool {
        self.tables.get_database_backend() == DbBackend::MySql
    }

    /// A global id as a literal of the database's own type.
    pub fn key(&self, id: &str) -> String {
        let hex = id.rsplit('_').next().unwrap_or_default();
        if *KIND == Kind::Postgres { format!("'{hex}'") } else { format!("X'{hex}'") }
    }

    /// Rows that the table's primary key kept out come in from now on.
    pub async fn without_primary_key(&self, table: &str) -> Result<(), Failure> {
        match *KIND {
            Kind::Postgres => self.run(&format!("ALTER TABLE {table} DROP CONSTRAINT {table}_pkey")).await,
            Kind::MariaDb => self.run(&format!("ALTER TABLE {table} DROP PRIMARY KEY")).await,
            Kind::Sqlite => {
                let sql = format!("SELECT sql FROM sqlite_master WHERE name = '{table}'");
                let row = self.tables.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
                let definition: String = row.ok_or("no such table")?.try_get_by_index(0)?;
                let key = definition
                    .find(", PRIMARY KEY")
                    .or_else(|| definition.find(", CONSTRAINT"))
                    .ok_or("no primary key")?;
                self.run(&format!("DROP TABLE {table}; {})", &definition[..key])).await
            }
        }
    }

    fn url(&self, name: &str) -> String {
        match *KIND {
            Kind::Sqlite => format!("sqlite://{}?mode=rw", self.data_dir().join("snaphaven.sqlite").display()),
            Kind::Postgres => format!("{}?application_name={name}", self.database),
            Kind::MariaDb if NAMES.contains(&name) => self.database.replace("root@", &format!("{name}@")),
            Kind::MariaDb => self.database.clone(),
        }
    }
}

/// On MariaDB the processes log in as users of their own; on Postgres their connections have names.
async fn as_processes(database: &str) -> Result<String, Failure> {
    if *KIND == Kind::MariaDb {
        let root = connect(database).await?;
        for name in NAMES {
            root.execute_unprepared(&format!("CREATE USER IF NOT EXISTS '{name}'@'%'")).await?;
            root.execute_unprepared(&format!("GRANT ALL ON *.* TO '{name}'@'%'")).await?;
        }
        root.close().await?;
    }
    Ok(database.to_owned())
}

/// What is looked for, once it is there; none if it does not come while other things settle.
pub async fn seen<T>(look: impl AsyncFn() -> Result<Option<T>, Failure>) -> Result<Option<T>, Failure> {
    let began = Instant::now();
    loop {
        let found = look().await?;
        if found.is_some() || began.elapsed() > SETTLE {
            return Ok(found);
        }
        sleep(LOOK).await;
    }
}

pub async fn connect(url: &str) -> Result<DatabaseConnection, Failure> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(3).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}
