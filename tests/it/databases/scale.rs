//! A hundred thousand files in one account, and as many people: what a page costs in every order and by every filter that
//! is promised to be cheap (`src/files/find.rs`, `src/accounts/find.rs`), by the database's own counters, and what the
//! server keeps.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use snaphaven::{clock::Clock, config::Config, db::Db};

use super::crowd::{self, make_findable, multiply};
use crate::{
    servers::TestDatabase,
    support::{PASSWORD, Person, TestServer, process::ServerProcess},
};

const PAGE: u64 = 100;
/// As many as there are in the benches, or in SNAPHAVEN_TEST_FILES.
#[expect(clippy::disallowed_methods, reason = "how much a test does is no setting of the server")]
static FILES: LazyLock<u64> = LazyLock::new(|| {
    std::env::var("SNAPHAVEN_TEST_FILES").map_or(crowd::FILES, |files| files.parse().expect("a number of files"))
});
const PEOPLE: u64 = 100_000;
/// SQLite counts steps of its virtual machine instead of rows: some fifty for each row with its owner.
const STEPS_PER_ROW: u64 = 50;
/// The files' times of creation begin with the clock's, and half of them are after this one.
const MIDDLE: &str = "2027-01-15T08:00:00.025000Z";

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

    /// What `work` comes to, and what it read.
    async fn measure<T>(&self, server: &TestServer, work: impl Future<Output = T>) -> (T, u64) {
        let before = self.read(server).await;
        let outcome = work.await;
        // Asking costs something itself.
        let after = self.read(server).await;
        let asking = self.read(server).await - after;
        (outcome, after - before - asking)
    }

    fn per_row(&self) -> u64 {
        if self.backend == DbBackend::Sqlite { STEPS_PER_ROW } else { 1 }
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

/// A server in a process of its own, with many files of one person's.
pub(super) struct Crowded {
    pub server: ServerProcess,
    pub db: Db,
    /// Of the name `ada`.
    pub person: Person,
    _database: TestDatabase,
}

pub(super) async fn crowded_process(files: u64) -> Crowded {
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
    multiply(db.read().pool(), files).await;
    Crowded { server, db, person, _database: database }
}

/// A server with one connection, and its person with a hundred thousand files.
async fn crowded() -> (TestServer, Person) {
    let one_connection = |config: &mut Config| {
        config.database.max_connections = 1;
        config.graphql.max_page_size = PAGE as usize;
    };
    let server = TestServer::idle(one_connection).await;
    let person = server.person("ada").await;
    let payload = person.try_upload("common needle.txt", "a file", json!({ "tags": ["half"] })).await;
    assert_eq!(payload["userErrors"], json!([]));
    multiply(server.app.db.read().pool(), *FILES).await;
    (server, person)
}

async fn page(person: &Person, variables: Value) -> Value {
    let query = "query ($filter: FileFilter, $order: FileOrder, $first: Int, $after: String, $last: Int, $before: String, \
        $owner: Boolean = false, $count: Boolean = false) { \
        files(filter: $filter, orderBy: $order, first: $first, after: $after, last: $last, before: $before) { \
            totalCount @include(if: $count) totalCountIsExact @include(if: $count) \
            nodes { id name size owner @include(if: $owner) { username } } \
            pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } }";
    person.query(query, variables).await["files"].clone()
}

#[tokio::test]
async fn page_one_thousand_reads_as_many_rows_as_page_one() {
    let (server, person) = crowded().await;
    let counter = Counter::new(&server).await;
    let measured = async |variables: Value| counter.measure(&server, page(&person, variables)).await;

    // Statements are prepared by a first round.
    page(&person, json!({ "first": PAGE })).await;
    let (first, at_first) = measured(json!({ "first": PAGE })).await;
    let end = page(&person, json!({ "last": PAGE })).await;
    let (before_end, at_end) = measured(json!({ "last": PAGE, "before": end["pageInfo"]["startCursor"] })).await;
    let after = &before_end["pageInfo"]["endCursor"];
    page(&person, json!({ "first": PAGE, "after": after })).await;
    let (last, at_last) = measured(json!({ "first": PAGE, "after": after })).await;
    // Where few rows are left Postgres joins the owner row by row.
    let (_, with_owner) = measured(json!({ "first": PAGE, "after": after, "owner": true })).await;

    for (page, next) in [(&first, true), (&before_end, true), (&last, false)] {
        assert_eq!(page["nodes"].as_array().unwrap().len() as u64, PAGE);
        assert_eq!(page["pageInfo"]["hasNextPage"], next);
    }
    assert_eq!(last["nodes"], end["nodes"], "page 1,000 from either side");

    let per_row = counter.per_row();
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
    assert!(read >= *FILES, "the counter misses what OFFSET reads: {read}");
    // The copied rows share one object, which nothing in the product does: the books cannot agree.
    server.abandon();
}

#[tokio::test]
async fn every_filter_and_order_that_is_promised_reads_few_rows() {
    let (server, person) = crowded().await;
    let root = server.admin().await;
    let connection = server.app.db.read().pool();
    make_findable(connection).await;
    let counter = Counter::new(&server).await;
    let order = |field: &str, direction: &str| json!({ "field": field, "direction": direction });
    let newest = "CREATED_AT";
    for (filter, field) in [
        (json!({}), newest),
        (json!({}), "UPDATED_AT"),
        (json!({}), "NAME"),
        (json!({}), "SIZE"),
        (json!({ "createdAfter": MIDDLE, "createdBefore": "2027-01-15T08:00:00.030Z" }), newest),
        (json!({ "updatedAfter": "1970-01-01T00:00:00.05Z" }), "UPDATED_AT"),
        (json!({ "sizeFrom": 50_000, "sizeTo": 60_000 }), "SIZE"),
        (json!({ "tags": ["half"] }), newest),
        (json!({ "contentType": "text/plain" }), newest),
        (json!({ "contentType": "text/*" }), newest),
        (json!({ "tags": ["half"], "createdBefore": MIDDLE }), newest),
    ] {
        for (who, everyone) in [(&person, false), (&root, true)] {
            let mut filter = filter.clone();
            filter["everyone"] = json!(everyone);
            for direction in ["ASC", "DESC"] {
                let asked = async |paging: Value| {
                    let mut variables = paging;
                    variables["filter"] = filter.clone();
                    variables["order"] = order(field, direction);
                    // Statements are prepared by a first round.
                    page(who, variables.clone()).await;
                    let (page, read) = counter.measure(&server, page(who, variables.clone())).await;
                    assert_eq!(page["nodes"].as_array().unwrap().len() as u64, PAGE, "{variables}");
                    assert!(read >= PAGE, "the counter does not count: {read} for {variables}");
                    assert!(read <= 3 * PAGE * counter.per_row(), "{variables} reads {read}");
                    page
                };
                let first = asked(json!({ "first": PAGE })).await;
                let second = asked(json!({ "first": PAGE, "after": first["pageInfo"]["endCursor"] })).await;
                let again = asked(json!({ "last": PAGE, "before": second["pageInfo"]["startCursor"] })).await;
                assert_eq!(again["nodes"], first["nodes"], "{filter} {field} {direction}");
                // A range may end before.
                if filter.as_object().unwrap().keys().all(|key| ["everyone", "tags", "contentType"].contains(&&**key)) {
                    let amid = json!({ "everyone": everyone, "sizeFrom": 50_000, "sizeTo": 50_004 });
                    let amid = json!({ "filter": amid, "order": order(field, direction), "first": 1 });
                    let cursor = page(who, amid).await["pageInfo"]["endCursor"].clone();
                    asked(json!({ "first": PAGE, "after": cursor })).await;
                    asked(json!({ "last": PAGE, "before": cursor })).await;
                }
            }
        }
    }

    // The control: an order without an index reads everything, and the counter shows it.
    let unordered = "SELECT name FROM file WHERE state = 'ACTIVE' ORDER BY updated_at + bytes, id LIMIT 100";
    let statement = Statement::from_string(server.app.db.backend(), unordered);
    let (_, read) = counter.measure(&server, server.app.db.read().query_all_raw(statement)).await;
    assert!(read >= *FILES, "the counter misses what is read to be sorted: {read}");
    server.abandon();
}

/// A word of one file and a word of fifty thousand, few and many files of a range: in every order, whether the files are
/// fetched and sorted or the order is walked.
#[tokio::test]
async fn what_is_rare_and_what_is_common_is_found_in_every_order() {
    let (server, person) = crowded().await;
    make_findable(server.app.db.read().pool()).await;
    let counter = Counter::new(&server).await;
    for (filter, limit) in [
        (json!({ "search": "needle" }), 100),
        (json!({ "search": "needle com" }), 3_000),
        (json!({ "search": "common" }), 3_000),
        (json!({ "search": "comm", "tags": ["half"] }), 5_000),
        (json!({ "sizeFrom": 50_000, "sizeTo": 51_900 }), 6_000),
        (json!({ "createdAfter": MIDDLE, "updatedAfter": "1970-01-01T00:00:00.05Z" }), 5_000),
    ] {
        for field in ["CREATED_AT", "UPDATED_AT", "NAME", "SIZE"] {
            let asked = async |paging: Value| {
                let mut variables = paging;
                variables["filter"] = filter.clone();
                variables["order"] = json!({ "field": field });
                page(&person, variables.clone()).await;
                let start = Instant::now();
                page(&person, variables.clone()).await;
                let took = start.elapsed();
                let (page, read) = counter.measure(&server, page(&person, variables)).await;
                println!("{:?}: {read} in {took:.1?} for {filter} by {field}", server.app.db.backend());
                // MariaDB puts what it counts into a temporary table and reads it again.
                let twice = if server.app.db.backend() == DbBackend::MySql { 2 } else { 1 };
                assert!(read <= twice * limit * counter.per_row(), "{filter} by {field} reads {read}");
                page
            };
            let first = asked(json!({ "first": PAGE })).await;
            let nodes = first["nodes"].as_array().unwrap();
            let search = filter["search"].as_str().unwrap_or_default();
            let even = nodes.iter().filter(|node| node["size"].as_i64().unwrap() % 2 == 0).count();
            assert!(search.is_empty() || even == nodes.len(), "{filter}: {even} have the word");
            if search.starts_with("needle") {
                assert_eq!((nodes.len(), &first["pageInfo"]["hasNextPage"]), (1, &json!(false)));
            } else {
                assert_eq!((nodes.len() as u64, &first["pageInfo"]["hasNextPage"]), (PAGE, &json!(true)));
                let second = asked(json!({ "first": PAGE, "after": first["pageInfo"]["endCursor"] })).await;
                let again = asked(json!({ "last": PAGE, "before": second["pageInfo"]["startCursor"] })).await;
                assert_eq!(again["nodes"], first["nodes"], "{filter} {field}");
            }
        }
    }
    for (filter, count, is_exact) in [
        (json!({}), 10_000, false),
        (json!({ "search": "needle" }), 1, true),
        (json!({ "search": "common" }), 10_000, false),
        (json!({ "search": "common", "tags": ["half"], "sizeTo": 1_000 }), 501, true),
        (json!({ "sizeTo": 5_000 }), 5_000, true),
    ] {
        let found = page(&person, json!({ "filter": filter, "first": 0, "count": true })).await;
        let counted = found["totalCount"].as_u64().unwrap();
        assert!(counted.abs_diff(count) <= count / 10, "{filter}: {counted}");
        assert_eq!(found["totalCountIsExact"], is_exact, "{filter}");
    }
    server.abandon();
}

/// Makes the one person there is a hundred thousand, all found by one name beside their own.
async fn populate(connection: &impl ConnectionTrait) {
    let backend = connection.get_database_backend();
    let (id, user) = match backend {
        DbBackend::Postgres => ("gen_random_uuid()", "\"user\""),
        DbBackend::MySql => ("RANDOM_BYTES(16)", "`user`"),
        _ => ("randomblob(16)", "\"user\""),
    };
    let mut people = 1;
    while people < PEOPLE {
        let more = people.min(PEOPLE - people);
        let name = format!("CONCAT('crowd', created_at + {people})");
        let sql = format!(
            "INSERT INTO {user} (id, username, username_key, email, email_key, first_name, last_name, about, password_hash, \
                 role, status, created_at, updated_at, shows_last_seen) \
             SELECT {id}, {name}, {name}, {name}, {name}, first_name, last_name, about, password_hash, role, status, \
                 created_at + {people}, updated_at, shows_last_seen \
             FROM {user} ORDER BY created_at LIMIT {more}"
        );
        connection.execute_unprepared(&sql).await.unwrap();
        people += more;
    }
    for (term, previous) in [("username_key", "''"), ("'smith'", "username_key")] {
        let sql = format!(
            "INSERT INTO user_term (user_id, term, previous, closing) SELECT id, {term}, {previous}, shows_last_seen FROM {user} \
             WHERE username_key >= 'crowd' ORDER BY id"
        );
        connection.execute_unprepared(&sql).await.unwrap();
    }
    let sql = if backend == DbBackend::MySql { "ANALYZE TABLE `user`, user_term" } else { "ANALYZE" };
    connection.execute_unprepared(sql).await.unwrap();
}

/// People by a name that all of them have, and by the beginning of all their user names.
#[tokio::test]
async fn a_page_of_people_who_were_searched_reads_few_rows() {
    let one_connection = |config: &mut Config| {
        config.database.max_connections = 1;
        config.graphql.max_page_size = PAGE as usize;
    };
    let server = TestServer::idle(one_connection).await;
    let person = server.person("ada").await;
    populate(server.app.db.read().pool()).await;
    let counter = Counter::new(&server).await;
    let query = "query ($search: String, $first: Int, $after: String, $last: Int, $before: String) { \
         users(search: $search, first: $first, after: $after, last: $last, before: $before) { nodes { username } \
             pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } }";
    let ask = async |variables: &Value| person.query(query, variables.clone()).await["users"].clone();
    for search in ["smi", "crow", "crowd1800000000"] {
        let asked = async |paging: Value| {
            let mut variables = paging;
            variables["search"] = json!(search);
            // Statements are prepared by a first round.
            ask(&variables).await;
            let (page, read) = counter.measure(&server, ask(&variables)).await;
            assert_eq!(page["nodes"].as_array().unwrap().len() as u64, PAGE, "{variables}");
            assert!(read >= PAGE, "the counter does not count: {read} for {variables}");
            assert!(read <= 3 * PAGE * counter.per_row(), "{variables} reads {read}");
            page
        };
        let first = asked(json!({ "first": PAGE })).await;
        let second = asked(json!({ "first": PAGE, "after": first["pageInfo"]["endCursor"] })).await;
        let again = asked(json!({ "last": PAGE, "before": second["pageInfo"]["startCursor"] })).await;
        assert_eq!(again["nodes"], first["nodes"], "{search}");
        let end = asked(json!({ "last": PAGE })).await;
        let before_end = asked(json!({ "last": PAGE, "before": end["pageInfo"]["startCursor"] })).await;
        let after = asked(json!({ "first": PAGE, "after": before_end["pageInfo"]["endCursor"] })).await;
        assert_eq!(after["nodes"], end["nodes"], "{search}: page 1,000 from either side");
    }
    server.abandon();
}

#[tokio::test]
async fn memory_does_not_grow_with_the_list() {
    let Crowded { server, person, .. } = &mut crowded_process(*FILES).await;
    let mut after = Value::Null;
    let mut seen = 0;
    let mut walk = async |pages: u64| {
        for _ in 0..pages {
            let page = page(person, json!({ "first": PAGE, "after": after, "owner": true })).await;
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
