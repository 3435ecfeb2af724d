//! A whole server in this process: real listeners on free ports, a database of its own, both buckets in memory,
//! alerts recorded, and a clock that stands still until the test moves it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use entity::{Timestamp, job, lease, object, object_copy, user};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr};
use snaphaven::{
    accounts::{self, NewAccount},
    adapters::{
        alert_sink::RecordingSink,
        cdn::UrlSigner,
        objects::{ObjectStore, memory::MemoryStore},
    },
    app::{self, App, Failpoints, Parts, Stores},
    clock::Clock,
    config::Config,
    db::Db,
    embedded::edge::EdgeCache,
    http::{self, Supervisor},
    images::Images,
    jobs::{self, Registry},
    password::PasswordHasher,
    server::{self, Listeners},
    viewer::Viewer,
};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{MemoryQueue, PASSWORD, Person};
use crate::{
    judges::{holds, usage},
    servers::TestDatabase,
};

/// How long anything may take that normally takes milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One server process. End every test with [`TestServer::finish`].
pub struct TestServer {
    pub app: App,
    pub first: Arc<MemoryStore>,
    pub second: Arc<MemoryStore>,
    pub sink: RecordingSink,
    /// Where S3 would tell of new objects. The server listens to it where `object_events.queue_url` is set.
    pub queue: MemoryQueue,
    pub url: String,
    time: Arc<AtomicI64>,
    reads: Arc<AtomicUsize>,
    dir: Arc<TempDir>,
    database: Arc<TestDatabase>,
    supervisor: Supervisor,
    checked: bool,
}

/// What the processes of one test share beside their database.
struct Outside {
    first: Arc<MemoryStore>,
    second: Arc<MemoryStore>,
    sink: RecordingSink,
    queue: MemoryQueue,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With settings of its own.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let server = Self::idle(change).await;
        server.work().await;
        server
    }

    /// Starts a worker, and waits until what is scheduled is in the queue: whoever settles the server then has it done too.
    pub async fn work(&self) {
        server::work(&self.app, &self.supervisor).unwrap();
        let start = Instant::now();
        while lease::Entity::find()
            .filter(lease::Column::Holder.is_not_null())
            .all(self.app.db.read())
            .await
            .unwrap()
            .is_empty()
        {
            assert!(start.elapsed() < PATIENCE, "nobody keeps the schedules");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Serves, but runs no jobs.
    pub async fn idle(change: impl FnOnce(&mut Config)) -> Self {
        let dir = Arc::new(TempDir::new().unwrap());
        let time = Arc::new(AtomicI64::new(1_800_000_000_000_000));
        let [first, second] = [("first", "here-1"), ("second", "there-1")]
            .map(|(bucket, region)| Arc::new(MemoryStore::new(bucket, region)));
        let database = Arc::new(TestDatabase::new().await);
        let outside = Outside { first, second, sink: RecordingSink::new(), queue: MemoryQueue::default() };
        Self::open(dir, database, time, outside, change).await
    }

    /// A second process on the same database and buckets, which runs no jobs.
    pub async fn another(&self) -> Self {
        let (first, second) = (self.first.clone(), self.second.clone());
        let (jobs, object_events) = (self.app.config.jobs.clone(), self.app.config.object_events.clone());
        let change = |config: &mut Config| (config.jobs, config.object_events) = (jobs, object_events);
        let (dir, database, time) = (self.dir.clone(), self.database.clone(), self.time.clone());
        let outside = Outside { first, second, sink: self.sink.clone(), queue: self.queue.clone() };
        let mut other = Self::open(dir, database, time, outside, change).await;
        other.checked = true;
        other
    }

    async fn open(
        dir: Arc<TempDir>,
        database: Arc<TestDatabase>,
        time: Arc<AtomicI64>,
        outside: Outside,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let Outside { first, second, sink, queue } = outside;
        let mut config: Config = toml::from_str(snaphaven::config::DEFAULTS).unwrap();
        config.data_dir = dir.path().to_owned();
        config.database.url = database.url.clone().into();
        // As cheap as argon2 allows: what is tested is not how slow it is.
        config.accounts.hash_memory = bytesize::ByteSize::kib(8);
        config.accounts.hash_passes = 1;
        config.jobs.poll_interval = Duration::from_millis(20);
        // Schedules run once, at the start; tests enqueue what they want to see run later.
        config.ledger.sweep_interval = Duration::from_secs(24 * 3600);
        config.audit.seal_interval = Duration::from_secs(24 * 3600);
        config.audit.checkpoint_interval = Duration::from_secs(24 * 3600);
        config.replication.check_interval = Duration::from_secs(24 * 3600);
        config.replication.sweep_interval = Duration::ZERO;
        config.replication.scrub_interval = Duration::ZERO;
        config.replication.canary_interval = Duration::ZERO;
        config.manifest.interval = Duration::ZERO;
        change(&mut config);
        app::prepare_data_dir(&config).unwrap();
        let [listener, edge] = [http::bind(([127, 0, 0, 1], 0).into()), http::bind(([127, 0, 0, 1], 0).into())];
        let (listener, edge) = (listener.await.unwrap(), edge.await.unwrap());
        config.server.listen = listener.local_addr().unwrap();

        let (of_clock, reads) = (time.clone(), Arc::new(AtomicUsize::new(0)));
        let counter = reads.clone();
        let clock = Clock::from_fn(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            Timestamp(of_clock.load(Ordering::Relaxed))
        });
        let db = Db::connect(&config.database, &config.data_dir, clock.clone()).await.unwrap();
        db.migrate().await.unwrap();
        let (key, id) = app::signing_key(&config).unwrap();
        let edge_url = format!("http://{}", edge.local_addr().unwrap());
        let cache = EdgeCache::new(config.embedded.edge_cache.as_u64(), config.embedded.edge_cache_object.as_u64());
        let app = App::new(Parts {
            signer: UrlSigner::new(key, id, &edge_url, config.downloads.window, config.downloads.max_ttl).unwrap(),
            clock,
            db,
            stores: Stores { first: first.clone(), second: second.clone() },
            alert_sink: Arc::new(sink.clone()),
            object_events: (!config.object_events.queue_url.is_empty()).then(|| Arc::new(queue.clone()) as _),
            purger: Arc::new(cache.clone()),
            images: Images::new((&config.images).into()),
            password_hasher: PasswordHasher::new(&config.accounts).unwrap(),
            wake: Notify::new(),
            failpoints: Failpoints::default(),
            config,
        });
        let supervisor = Supervisor::new(Duration::from_secs(5));
        let url = format!("http://{}", app.config.server.listen);
        let listeners = Listeners { app: listener, edge: Some((edge, cache)), metrics: None };
        server::serve(&app, listeners, &supervisor).await.unwrap();
        Self { app, first, second, sink, queue, url, time, reads, dir, database, supervisor, checked: false }
    }

    /// Starts a worker with jobs of the test's own. It stops with the token.
    pub fn run_jobs(&self, registry: Registry) -> CancellationToken {
        let stop = self.supervisor.token().child_token();
        self.supervisor.spawn(jobs::run(self.app.clone(), Arc::new(registry), stop.clone()));
        stop
    }

    /// Begins the shutdown of this process.
    pub fn stop(&self) {
        self.supervisor.token().cancel();
    }

    /// Moves the clock.
    pub fn advance(&self, duration: Duration) {
        self.time.fetch_add(i64::try_from(duration.as_micros()).unwrap(), Ordering::Relaxed);
        self.app.wake.notify_one();
    }

    /// How often this process asked for the time.
    pub fn clock_reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    /// Somebody without an account.
    pub fn stranger(&self) -> Person {
        Person::new(&self.url)
    }

    /// Somebody who has just signed up under this name.
    pub async fn person(&self, username: &str) -> Person {
        let input = serde_json::json!({
            "username": username, "email": format!("{username}@example.org"),
            "firstName": "Ada", "lastName": "Lovelace", "password": PASSWORD,
        });
        let payload = self.stranger().mutate("signUp", "user { id } token", input).await;
        assert_eq!(payload["userErrors"], serde_json::json!([]));
        self.stranger().known_as(&payload)
    }

    pub async fn admin(&self) -> Person {
        let account = NewAccount {
            username: "root".to_owned(),
            email: "root@example.org".to_owned(),
            first_name: "Root".to_owned(),
            last_name: String::new(),
            password: PASSWORD.to_owned().into(),
        };
        accounts::create_admin(&self.app, &Viewer::System("test"), &account).await.unwrap();
        let input = serde_json::json!({ "login": "root", "password": PASSWORD });
        let payload = self.stranger().mutate("logIn", "user { id } token", input).await;
        self.stranger().known_as(&payload)
    }

    pub async fn operator(&self) -> Person {
        let person = self.person("watch").await;
        user::Entity::update_many()
            .col_expr(user::Column::Role, Expr::value(user::Role::Operator))
            .filter(user::Column::UsernameKey.eq("watch"))
            .exec(self.app.db.read())
            .await
            .unwrap();
        person
    }

    /// Lets a scheduled job run once more.
    pub async fn schedule(&self, kind: &str) {
        use sea_orm::ActiveValue::Set;
        let now = self.app.now();
        let row = job::ActiveModel {
            id: Set(uuid::Uuid::now_v7()),
            kind: Set(kind.to_owned()),
            lane: Set(job::Lane::Prompt),
            payload: Set("{}".to_owned()),
            state: Set(job::State::Waiting),
            run_at: Set(now),
            attempts: Set(0),
            max_attempts: Set(25),
            created_at: Set(now),
            ..Default::default()
        };
        job::Entity::insert(row).exec_without_returning(self.app.db.read()).await.unwrap();
        self.app.wake.notify_one();
    }

    /// The jobs that wait, are at work, or are dead.
    pub async fn jobs(&self, state: job::State) -> Vec<job::Model> {
        let jobs = job::Entity::find().filter(job::Column::State.eq(state)).order_by_asc(job::Column::RunAt);
        jobs.all(self.app.db.read()).await.unwrap()
    }

    /// Waits until `done` says so of the waiting jobs.
    pub async fn until(&self, what: &str, done: impl Fn(&[job::Model]) -> bool) {
        let start = Instant::now();
        loop {
            let jobs = self.jobs(job::State::Waiting).await;
            if done(&jobs) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{what}: {jobs:#?}");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Waits until no job is due or at work. Retries wait for the clock.
    pub async fn quiet(&self) {
        let app = self.app.clone();
        self.until("jobs go on", move |jobs| {
            jobs.iter().all(|job| job.lease_until.is_none() && job.run_at > app.now())
        })
        .await;
    }

    /// Waits until no job is left, moving the clock to each retry.
    pub async fn settle(&self) {
        self.settle_until(Timestamp(i64::MAX)).await;
    }

    /// The same for the next hour: what is to come later waits.
    pub async fn settle_for_an_hour(&self) {
        self.settle_until(self.app.now().plus(Duration::from_secs(3600))).await;
    }

    async fn settle_until(&self, end: Timestamp) {
        let start = Instant::now();
        loop {
            self.quiet().await;
            let next = self.jobs(job::State::Waiting).await.first().map(|job| job.run_at);
            let Some(next) = next.filter(|next| *next <= end) else { return };
            assert!(start.elapsed() < PATIENCE, "jobs never end: {:#?}", self.jobs(job::State::Waiting).await);
            self.time.fetch_max(next.0, Ordering::Relaxed);
            self.app.wake.notify_one();
        }
    }

    /// The dead jobs, taken out of the queue: a test that expects them says so.
    pub async fn take_dead(&self) -> Vec<job::Model> {
        let dead = self.jobs(job::State::Dead).await;
        let ids = dead.iter().map(|job| job.id);
        job::Entity::delete_many().filter(job::Column::Id.is_in(ids)).exec(self.app.db.read()).await.unwrap();
        dead
    }

    /// The keys in one bucket.
    pub async fn keys(&self, store: &MemoryStore) -> BTreeSet<String> {
        store.list("", None, 1000).await.unwrap().into_iter().map(|listed| listed.key).collect()
    }

    /// Nothing of this test is left in either bucket.
    pub async fn assert_buckets_empty(&self) {
        for store in [&self.first, &self.second] {
            assert_eq!(self.keys(store).await, BTreeSet::new(), "in {store:?}");
        }
    }

    /// Ledger rows, oldest first.
    pub async fn objects(&self) -> Vec<object::Model> {
        object::Entity::find().order_by_asc(object::Column::Id).all(self.app.db.read()).await.unwrap()
    }

    /// Everyone's usage is the sum of their rows.
    pub async fn assert_usage_is_counted(&self) {
        let wrong = usage::wrong(self.app.db.read()).await.unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// For a test that has cooked the books: ends without looking at them.
    pub fn abandon(mut self) {
        self.checked = true;
    }

    /// What every test ends with: no job is left over or dead, and the ledger and both buckets agree exactly.
    pub async fn finish(mut self) {
        self.settle().await;
        let dead = self.jobs(job::State::Dead).await;
        assert!(dead.is_empty(), "dead jobs: {dead:#?}");
        self.assert_usage_is_counted().await;
        let wrong = holds::wrong(self.app.db.read()).await.unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
        let objects = self.objects().await;
        let copies = object_copy::Entity::find().all(self.app.db.read()).await.unwrap();
        for (site, store) in [(object_copy::Site::First, &self.first), (object_copy::Site::Second, &self.second)] {
            let claimed: BTreeSet<String> = copies
                .iter()
                .filter(|copy| copy.site == site && copy.state == object_copy::State::Verified)
                .filter_map(|copy| objects.iter().find(|object| object.id == copy.object_id))
                .filter(|object| object.state == object::State::Live)
                .map(|object| object.key.clone())
                .collect();
            assert_eq!(claimed, self.keys(store).await, "ledger and {site:?} bucket differ");
        }
        self.checked = true;
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.supervisor.token().cancel();
        assert!(self.checked || std::thread::panicking(), "end the test with finish()");
    }
}
