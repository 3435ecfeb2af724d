//! A hundred thousand files in one account: what a page costs, by the database's own counters, and what the server keeps.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use snaphaven::{clock::Clock, config::Config, db::Db};

use crate::{
    servers::TestDatabase,
    support::{PASSWORD, Person, TestServer, process::ServerProcess},
};

const FILES: u64 = 100_000;
const PAGE: u64 = 100;
/// SQLite counts steps of its virtual machine instead of rows: some fifty for each row with its owner.
const STEPS_PER_ROW: u64 = 50;

/// Makes the one file there is a hundred thousand, in a few statements. Neighbours share their time.
async fn multiply(connection: &impl ConnectionTrait) {
    let backend = connection.get_database_backend();
    let id = match backend {
        DbBackend::Postgres => "gen_random_uuid()",
        DbBackend::MySql => "RANDOM_BYTES(16)",
        _ => "randomblob(16)",
    };
    let mut files = 1;
    while files < FILES {
        let more = files.min(FILES - files);
        let sql = format!(
            "INSERT INTO file (id, owner_id, name, name_key, description, tags, metadata, state, revision, version_id, \
                 object_id, content_type, bytes, sha256, created_at, updated_at) \
             SELECT {id}, owner_id, name, name_key, description, tags, metadata, state, revision, version_id, \
                 object_id, content_type, bytes, sha256, created_at + {}, updated_at \
             FROM file ORDER BY created_at LIMIT {more}",
            files.div_ceil(2)
        );
        connection.execute_unprepared(&sql).await.unwrap();
        files += more;
    }
    let analyze = if backend == DbBackend::MySql { "ANALYZE TABLE file" } else { "ANALYZE" };
    connection.execute_unprepared(analyze).await.unwrap();
}

/// What the only connection of a server has read so far: rows, or on SQLite steps.
struct Counter {
    backend: DbBackend,
    steps: Arc<AtomicU64>,
}

impl Counter {
    async fn new(server: &TestServer) -> Self {
        let backend = server.app.db.backend();
        let steps = Arc::<AtomicU64>::default();
        if backend == DbBackend::Sqlite {
            let counter = steps.clone();
            let mut connection = server.app.db.read().pool().get_sqlite_connection_pool().acquire().await.unwrap();
            connection.lock_handle().await.unwrap().set_progress_handler(1, move || {
                counter.fetch_add(1, Ordering::Relaxed);
                true
            });
        }
        Self { backend, steps }
    }

    async fn read(&self, server: &TestServer) -> u64 {
        let connection = server.app.db.read();
        let ask = async |sql: &str| connection.query_all_raw(Statement::from_string(self.backend, sql)).await.unwrap();
        match self.backend {
            DbBackend::MySql => {
                let rows = ask("SHOW SESSION STATUS LIKE 'Handler_read%'").await;
                rows.iter().map(|row| row.try_get_by_index::<String>(1).unwrap().parse::<u64>().unwrap()).sum()
            }
            DbBackend::Postgres => {
                ask("SELECT pg_stat_force_next_flush()").await;
                let sql =
                    "SELECT (SELECT SUM(seq_tup_read + COALESCE(idx_tup_fetch, 0)) FROM pg_stat_user_tables)::bigint";
                u64::try_from(ask(sql).await[0].try_get_by_index::<i64>(0).unwrap()).unwrap()
            }
            _ => self.steps.load(Ordering::Relaxed),
        }
    }
}

/// A server in a process of its own, whose memory can be read; a hundred thousand files, and their owner.
async fn crowded_process() -> (ServerProcess, TestDatabase, Person) {
    let database = TestDatabase::new().await;
    let server = ServerProcess::start(&["--set", &format!("database.url={}", database.url)]).await;
    let input = json!({
        "username": "ada", "email": "ada@example.org", "firstName": "Ada", "lastName": "Lovelace", "password": PASSWORD,
    });
    let stranger = Person::new(&server.app);
    let payload = stranger.mutate("signUp", "user { id } token", input).await;
    let person = stranger.known_as(&payload);
    person.upload("a.txt", "a file").await;
    let mut settings = toml::from_str::<Config>(snaphaven::config::DEFAULTS).unwrap().database;
    settings.url = database.url.clone().into();
    let db = Db::connect(&settings, &server.data_dir(), Clock::system()).await.unwrap();
    multiply(db.read().pool()).await;
    (server, database, person)
}

/// A server with one connection, and its person with a hundred thousand files.
async fn crowded() -> (TestServer, Person) {
    let one_connection = |config: &mut Config| {
        config.database.max_connections = 1;
        config.graphql.max_page_size = PAGE as usize;
    };
    let server = TestServer::idle(one_connection).await;
    let person = server.person("ada").await;
    person.upload("a.txt", "a file").await;
    multiply(server.app.db.read().pool()).await;
    (server, person)
}

async fn page(person: &Person, variables: Value) -> Value {
    let query = "query ($first: Int, $after: String, $last: Int, $before: String, $owner: Boolean = false) { \
        files(first: $first, after: $after, last: $last, before: $before) { \
            nodes { id name owner @include(if: $owner) { username } } pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } }";
    person.query(query, variables).await["files"].clone()
}

#[tokio::test]
async fn page_one_thousand_reads_as_many_rows_as_page_one() {
    let (server, person) = crowded().await;
    let counter = Counter::new(&server).await;
    let measured = async |variables: Value| {
        let before = counter.read(&server).await;
        let page = page(&person, variables).await;
        // Asking costs something itself.
        let after = counter.read(&server).await;
        let asking = counter.read(&server).await - after;
        (page, after - before - asking)
    };

    // Statements are prepared by a first round.
    page(&person, json!({ "first": PAGE })).await;
    let (first, at_first) = measured(json!({ "first": PAGE })).await;
    let end = page(&person, json!({ "last": PAGE })).await;
    let (before_end, at_end) = measured(json!({ "last": PAGE, "before": end["pageInfo"]["startCursor"] })).await;
    let after = &before_end["pageInfo"]["endCursor"];
    let (last, at_last) = measured(json!({ "first": PAGE, "after": after })).await;
    // Where few rows are left Postgres joins the owner row by row.
    let (_, with_owner) = measured(json!({ "first": PAGE, "after": after, "owner": true })).await;

    for (page, next) in [(&first, true), (&before_end, true), (&last, false)] {
        assert_eq!(page["nodes"].as_array().unwrap().len() as u64, PAGE);
        assert_eq!(page["pageInfo"]["hasNextPage"], next);
    }
    assert_eq!(last["nodes"], end["nodes"], "page 1,000 from either side");

    let per_row = if server.app.db.backend() == DbBackend::Sqlite { STEPS_PER_ROW } else { 1 };
    println!("{:?}: {at_first} for page 1, {at_last} for page 1,000, {at_end} backwards", server.app.db.backend());
    for (what, count) in
        [("1", at_first), ("1,000", at_last), ("999 from the end", at_end), ("1,000 with owners", with_owner)]
    {
        assert!(count >= PAGE, "the counter does not count: {count} for page {what}");
        assert!(count <= 3 * PAGE * per_row, "page {what} reads {count}");
    }
    // SQLite's steps hold the comparisons with the cursor too.
    assert!(at_last.abs_diff(at_first) <= at_first / 5, "page 1 reads {at_first}, page 1,000 {at_last}");

    // The control: a page by OFFSET reads all that it skips, and the counter shows it.
    let before = counter.read(&server).await;
    let skip = "SELECT name FROM file ORDER BY state, created_at, id LIMIT 100 OFFSET 99900";
    server.app.db.read().query_all_raw(Statement::from_string(server.app.db.backend(), skip)).await.unwrap();
    let read = counter.read(&server).await - before;
    assert!(read >= FILES, "the counter misses what OFFSET reads: {read}");
    // The copied rows share one object, which nothing in the product does: the books cannot agree.
    server.abandon();
}

#[tokio::test]
async fn memory_does_not_grow_with_the_list() {
    let (mut server, _database, person) = crowded_process().await;
    let mut after = Value::Null;
    let mut seen = 0;
    let mut walk = async |pages: u64| {
        for _ in 0..pages {
            let page = page(&person, json!({ "first": PAGE, "after": after, "owner": true })).await;
            seen += page["nodes"].as_array().unwrap().len() as u64;
            after = page["pageInfo"]["endCursor"].clone();
        }
    };
    walk(60).await;
    let warm = server.memory("RssAnon");
    walk(240).await;
    let grown = server.memory("RssAnon").saturating_sub(warm);
    println!("{warm} bytes after 60 pages, {grown} more after 300");
    assert_eq!(seen, 300 * PAGE);
    // SQLite's connections keep 2 MB of pages each; the rows that were shown would be some 30 MB.
    assert!(grown < 16 << 20, "240 pages of {PAGE} leave {grown} bytes behind");
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
}
