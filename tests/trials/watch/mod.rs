//! The watchdog's trial: SIGKILL, and now and then SIGSTOP past its lease, of a process while a sweep or a repair is under way, with
//! a second process beside it. The run goes on, finds exactly what was planted, and mends it.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use entity::{
    object::{self, Kind},
    object_copy::{self, Site},
    replica_finding, replica_run, user,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sea_orm::{
    ActiveEnum as _, ActiveModelTrait as _, ColumnTrait as _, ConnectOptions, Database, DatabaseConnection,
    EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _, sea_query::Expr,
};
use serde_json::{Value, json};
use snaphaven::adapters::objects::{ObjectStore as _, keys::ObjectKey, s3::S3Store};
use tokio::time::sleep;

use crate::{
    common::{
        Failure,
        client::Client,
        plant::put,
        process::{Launcher, ObjectServer, Process},
        rows,
    },
    servers::{KIND, Kind as Engine},
};

const OBJECTS: usize = 2000;
const FAULTS: usize = 150;
/// From a kill to the end of the run: the lease, and what is left of the run on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

pub struct Options<'a> {
    pub seed: u64,
    /// Kills.
    pub rounds: u32,
    /// `database.url` of an empty database; empty for SQLite in the folder, with one process.
    pub database: &'a str,
    /// Where data and logs go.
    pub folder: &'a Path,
    /// Takes a line of progress.
    pub say: &'a (dyn Fn(&str) + Send + Sync),
}

/// # Errors
/// Every violation found; or what kept the trial from running.
pub async fn run(options: Options<'_>) -> Result<(), Failure> {
    let mut trial = Trial::begin(&options).await?;
    let mut rng = StdRng::seed_from_u64(options.seed);
    let (mut longest, mut stopped) = (Duration::ZERO, 0);
    for round in 0..options.rounds {
        let planted = trial.plant(&mut rng).await?;
        // By turns in the sweep and in the repair; each fifth process is only stopped, and wakes up too late.
        let pause = trial.peers.len() > 1 && round % 5 == 4;
        stopped += u32::from(pause);
        let sweep = trial.order("verifyReplicas", json!({})).await?;
        if round % 2 == 0 {
            longest = longest.max(trial.disturb(&mut rng, pause).await?);
        }
        let run = trial.ended(sweep).await?;
        if run.state != replica_run::State::Complete {
            return Err(format!("round {round}: the sweep is {:?}: {:?}", run.state, run.error).into());
        }
        let found = trial.open().await?;
        if found != planted {
            let (odd, lacks) = (found.difference(&planted).count(), planted.difference(&found).count());
            return Err(
                format!("round {round}: {odd} findings that were not planted, {lacks} planted and not found").into()
            );
        }
        let order = json!({ "dryRun": false, "expectedCount": planted.len(), "beyondLimit": true });
        let repair = trial.order("repairFindings", order).await?;
        if round % 2 == 1 {
            longest = longest.max(trial.disturb(&mut rng, pause).await?);
        }
        trial.ended(repair).await?;
        let after = trial.order("verifyReplicas", json!({})).await?;
        let after = trial.ended(after).await?;
        let counters = snaphaven::replication::counters(&after);
        // And what the server itself has stored: checkpoints of its audit log.
        let well = counters.agreed() >= OBJECTS as u64 && counters.faults == 0;
        if !well || !trial.open().await?.is_empty() {
            return Err(format!("round {round}: after the repair {counters:?}").into());
        }
        if (round + 1) % 10 == 0 {
            (options.say)(&format!("{} kills, {stopped} of them stops; longest until the end {longest:?}", round + 1));
        }
    }
    (options.say)(&format!(
        "judged: {} kills or stops, {stopped} stops past the lease; {FAULTS} faults each time found and mended; longest from a kill to \
         the end of the run {longest:?}",
        options.rounds
    ));
    trial.control().await
}

struct Trial {
    launcher: Launcher,
    peers: Vec<(Process, String)>,
    database: DatabaseConnection,
    stores: [S3Store; 2],
    items: Vec<ObjectKey>,
    admin: Client,
    _objects: ObjectServer,
}

impl Trial {
    async fn begin(options: &Options<'_>) -> Result<Self, Failure> {
        let objects = ObjectServer::start(options.folder).await?;
        let launcher = Launcher::new(options.folder, options.database, objects.settings())
            .with("replication.sweep_interval", "0s")
            .with("replication.scrub_interval", "0s")
            .with("replication.check_interval", "300ms")
            .with("replication.repairs_per_second", "100")
            .with("replication.rpo", "1s");
        let mut peers = vec![launcher.start().await?];
        if *KIND != Engine::Sqlite {
            peers.push(launcher.start().await?);
        }
        let url = match options.database {
            "" => format!("sqlite://{}", launcher.data_dir().join("snaphaven.sqlite").display()),
            url => url.to_owned(),
        };
        let mut connect = ConnectOptions::new(url);
        connect.sqlx_logging(false).max_connections(2);
        let database = Database::connect(connect).await?;
        let admin = Client::sign_up(&peers[0].1, "ada").await?;
        user::Entity::update_many()
            .col_expr(user::Column::Role, Expr::value(user::Role::Admin.to_value()))
            .exec(&database)
            .await?;
        let stores = objects.stores().await;
        let items = fill(&database, &stores).await?;
        Ok(Self { launcher, peers, database, stores, items, admin, _objects: objects })
    }

    /// Takes away, or alters, some copies at random.
    async fn plant(&self, rng: &mut StdRng) -> Result<BTreeSet<(String, String)>, Failure> {
        let mut planted = BTreeSet::new();
        let mut chosen = BTreeSet::new();
        while chosen.len() < FAULTS {
            chosen.insert(rng.random_range(0..self.items.len()));
        }
        for at in chosen {
            let key = self.items[at].to_string();
            let kind = match rng.random_range(0..3) {
                0 => {
                    put(&self.stores[1], &key, b"altered".to_vec()).await?;
                    replica_finding::Kind::StaleInReplica
                }
                1 => {
                    self.stores[0].delete(&key).await?;
                    replica_finding::Kind::MissingInPrimary
                }
                _ => {
                    self.stores[1].delete(&key).await?;
                    replica_finding::Kind::MissingInReplica
                }
            };
            planted.insert((kind.as_str().to_owned(), key));
        }
        Ok(planted)
    }

    async fn open(&self) -> Result<BTreeSet<(String, String)>, Failure> {
        let open = replica_finding::Entity::find()
            .filter(replica_finding::Column::State.ne(replica_finding::State::Resolved))
            .all(&self.database)
            .await?;
        Ok(open.into_iter().map(|finding| (finding.kind.as_str().to_owned(), finding.key)).collect())
    }

    /// A mutation that begins a run; by whichever server answers.
    async fn order(&self, mutation: &str, input: Value) -> Result<uuid::Uuid, Failure> {
        for (_, url) in &self.peers {
            let Ok(answer) = self.order_at(url, mutation, input.clone()).await else { continue };
            let id = answer["data"][mutation]["run"]["id"].as_str().ok_or_else(|| format!("{mutation}: {answer}"))?;
            return Ok(id.parse::<snaphaven::id::GlobalId>()?.key);
        }
        Err("no server answers".into())
    }

    async fn order_at(&self, url: &str, mutation: &str, input: Value) -> Result<Value, Failure> {
        let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
        let query = format!(
            "mutation($input: {kind}!) {{ {mutation}(input: $input) {{ run {{ id }} userErrors {{ message }} }} }}"
        );
        let body = json!({ "query": query, "variables": { "input": input } });
        let asked = reqwest::Client::new().post(url).bearer_auth(self.admin.token()).json(&body);
        Ok(asked.send().await?.json().await?)
    }

    /// Ends, or stops for longer than its lease, one of the processes at a random moment. How long the run went on from there.
    async fn disturb(&mut self, rng: &mut StdRng, pause: bool) -> Result<Duration, Failure> {
        sleep(Duration::from_secs_f64(10_f64.powf(rng.random_range(-2.5..0.2)))).await;
        let victim = rng.random_range(0..self.peers.len());
        let began = Instant::now();
        if pause {
            self.peers[victim].0.signal("STOP").await?;
            // Where the run was this process's, it ends only after the lease, by the other.
            self.idle().await?;
            let before = self.rows().await?;
            self.peers[victim].0.signal("CONT").await?;
            // It is awake once it answers; what it writes later the judgement of the round sees.
            self.order_at(&self.peers[victim].1, "repairFindings", json!({ "dryRun": true })).await?;
            if self.rows().await? != before {
                return Err("a process that woke up after its lease changed a run or a finding".into());
            }
        } else {
            let (process, _) = self.peers.swap_remove(victim);
            process.kill().await?;
            if self.peers.is_empty() {
                self.peers.push(self.launcher.start().await?);
            }
            self.idle().await?;
        }
        let took = began.elapsed();
        if !pause && self.peers.len() == 1 && *KIND != Engine::Sqlite {
            self.peers.push(self.launcher.start().await?);
        }
        Ok(took)
    }

    /// Until no run is under way.
    async fn idle(&self) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            let running = replica_run::Entity::find()
                .filter(replica_run::Column::State.eq(replica_run::State::Running))
                .all(&self.database)
                .await?;
            if running.is_empty() {
                return Ok(());
            }
            if began.elapsed() > LIMIT {
                return Err(format!("a run does not end: {running:?}").into());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ended(&self, run: uuid::Uuid) -> Result<replica_run::Model, Failure> {
        self.idle().await?;
        let found = replica_run::Entity::find_by_id(run).one(&self.database).await?;
        found.ok_or_else(|| "the run is gone".into())
    }

    /// Every run and finding as they are.
    async fn rows(&self) -> Result<(Vec<replica_run::Model>, Vec<replica_finding::Model>), Failure> {
        let runs = replica_run::Entity::find().order_by_asc(replica_run::Column::Id).all(&self.database).await?;
        let findings =
            replica_finding::Entity::find().order_by_asc(replica_finding::Column::Id).all(&self.database).await?;
        Ok((runs, findings))
    }

    /// The judge itself: a fault that nobody planted is told.
    async fn control(&self) -> Result<(), Failure> {
        self.stores[1].delete(&self.items[0].to_string()).await?;
        let run = self.order("verifyReplicas", json!({})).await?;
        self.ended(run).await?;
        if self.open().await?.len() == 1 { Ok(()) } else { Err("the control, a copy taken away, was not found".into()) }
    }
}

/// Live objects at both sites, in the ledger and in the buckets.
async fn fill(database: &DatabaseConnection, stores: &[S3Store; 2]) -> Result<Vec<ObjectKey>, Failure> {
    let items: Vec<ObjectKey> = (0..OBJECTS).map(|_| ObjectKey::new(Kind::Original)).collect();
    let etags: Vec<(ObjectKey, [String; 2])> = stream::iter(items.iter().copied())
        .map(async |key| {
            let text = key.to_string();
            let first = put(&stores[0], &text, text.clone().into_bytes()).await?;
            let second = put(&stores[1], &text, text.clone().into_bytes()).await?;
            Ok::<_, Failure>((key, [first, second]))
        })
        .buffer_unordered(16)
        .try_collect()
        .await?;
    let at = entity::Timestamp::from_utc(chrono::Utc::now()).minus(Duration::from_secs(3600));
    let (mut objects, mut copies) = (Vec::new(), Vec::new());
    for (key, etags) in etags {
        let row = rows::live(key, key.to_string().as_bytes(), at);
        objects.push(row.into_active_model().reset_all());
        for (site, etag) in Site::ALL.into_iter().zip(etags) {
            copies.push(rows::proven(key.id, site, etag, at).into_active_model().reset_all());
        }
    }
    for some in objects.chunks(500) {
        object::Entity::insert_many(some.to_vec()).exec_without_returning(database).await?;
    }
    for some in copies.chunks(500) {
        object_copy::Entity::insert_many(some.to_vec()).exec_without_returning(database).await?;
    }
    Ok(items)
}
