//! The watchdog's trial: SIGKILL, and now and then SIGSTOP past its lease, of the process that has a sweep, a repair or copies under
//! way, with a second process waiting. The work goes on from its checkpoint when the lease is over, finds exactly what was planted,
//! and mends it.

mod shelf;
mod tally;

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    time::{Duration, Instant},
};

use entity::{job, object, object_copy, replica_finding, replica_range, replica_run, user};
use futures::future::try_join_all;
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use sea_orm::{
    ActiveEnum as _, ActiveModelTrait as _, ColumnTrait as _, ConnectOptions, Database, DatabaseConnection,
    EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, sea_query::Expr,
};
use serde_json::{Value, json};
use snaphaven::adapters::objects::{ObjectStore as _, keys::ObjectKey, s3::S3Store};
use tokio::time::sleep;
use uuid::Uuid;

use self::tally::{Tally, Work};
use crate::{
    common::{
        Failure,
        client::Client,
        plant::put,
        process::{Launcher, ObjectServer, Process},
    },
    proxy::{HttpFault, HttpProxy, Op},
    servers::{KIND, Kind as Engine},
};

const FAULTS: usize = 100;
const FILES: usize = 24;
/// How long a sweep that is disturbed takes at the least: its listings are slow.
const SWEEP: Duration = Duration::from_secs(4);
/// How long a repair of the faults takes, at the pace of `replication.repairs_per_second`.
const REPAIR: Duration = Duration::from_millis(1000 * FAULTS as u64 / REPAIRS);
const REPAIRS: u64 = 40;
/// How long a copy takes at the least, while copying is disturbed.
const COPY: Duration = Duration::from_millis(400);
/// Until anything that is awaited.
pub const LIMIT: Duration = Duration::from_secs(30);
/// Objects of a page of a listing.
const PAGE: usize = 1000;

pub struct Options<'a> {
    pub seed: u64,
    /// Kills of the process that has the work; stops come on top.
    pub rounds: u32,
    /// At both sites. A sweep walks some 8,000 between two checkpoints.
    pub objects: usize,
    /// How soon after a kill the work has to go on.
    pub within: Duration,
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
    let mut tally = Tally::default();
    for round in 0.. {
        if tally.kills() == options.rounds {
            break;
        }
        if tally.missed > options.rounds {
            return Err(format!("the work ends before it is disturbed: {tally}").into());
        }
        let work = [Work::Sweep, Work::Repair, Work::Copies][round % 3];
        // Each fifth process is only stopped, and wakes up too late.
        let pause = *KIND != Engine::Sqlite && round % 5 == 4 && work != Work::Copies;
        let at = |error: Failure| format!("round {round}, {work:?}: {error}");
        let before = tally.kills();
        trial.round(work, pause, &mut rng, &mut tally).await.map_err(at)?;
        if let Some(late) = tally.times.iter().find(|(_, time)| *time > options.within) {
            return Err(at(format!("after a kill the work went on only after {late:?}").into()).into());
        }
        if tally.kills() != before && tally.kills().is_multiple_of(10) {
            (options.say)(&tally.to_string());
        }
    }
    (options.say)(&format!("judged: {tally}; {FAULTS} faults each time found and mended"));
    trial.control().await
}

struct Trial {
    launcher: Launcher,
    /// One at the beginning of a round.
    peers: Vec<(Process, String)>,
    database: DatabaseConnection,
    stores: [S3Store; 2],
    /// Before the stores, for the server.
    sites: [HttpProxy; 2],
    /// What was laid out.
    items: Vec<ObjectKey>,
    uploaded: usize,
    admin: Client,
    _objects: ObjectServer,
}

impl Trial {
    async fn begin(options: &Options<'_>) -> Result<Self, Failure> {
        let laid = shelf::lay_out(options.folder, options.objects).await?;
        (options.say)(&format!("{} objects are laid out at two sites", options.objects));
        let objects = ObjectServer::start(options.folder).await?;
        let sites = [HttpProxy::start(objects.port()).await?, HttpProxy::start(objects.port()).await?];
        let launcher = Launcher::new(options.folder, options.database, objects.settings())
            .with("objects.first.endpoint", sites[0].endpoint())
            .with("objects.second.endpoint", sites[1].endpoint())
            .with("replication.sweep_interval", "0s")
            .with("replication.scrub_interval", "0s")
            .with("replication.canary_interval", "0s")
            .with("replication.check_interval", "300ms")
            .with("replication.ranges_at_once", "1")
            .with("replication.repairs_per_second", REPAIRS.to_string())
            .with("replication.rpo", "1s");
        let peers = vec![launcher.start().await?];
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
        let items = laid.iter().map(|(key, _)| *key).collect();
        shelf::enter(&database, laid).await?;
        let stores = objects.stores().await;
        Ok(Self { launcher, peers, database, stores, sites, items, uploaded: 0, admin, _objects: objects })
    }

    /// Faults, a sweep that finds them, a repair, a sweep that finds all well; one process ended in the middle of it.
    async fn round(&mut self, work: Work, pause: bool, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
        if work == Work::Copies {
            self.disturb_copies(rng, tally).await?;
        }
        let planted = self.plant(rng).await?;
        let sweep = if work == Work::Sweep {
            self.slow_listings();
            let sweep = self.order("verifyReplicas", json!({})).await?;
            self.disturb(work, sweep, pause, rng, tally).await?;
            sweep
        } else {
            self.order("verifyReplicas", json!({})).await?
        };
        let run = self.ended(sweep).await?;
        self.as_planted(&run, &planted).await?;
        let order = json!({ "dryRun": false, "expectedCount": planted.len(), "beyondLimit": true });
        let repair = self.order("repairFindings", order).await?;
        if work == Work::Repair {
            self.disturb(work, repair, pause, rng, tally).await?;
        }
        self.ended(repair).await?;
        let after = self.order("verifyReplicas", json!({})).await?;
        let after = self.ended(after).await?;
        self.as_planted(&after, &BTreeSet::new()).await
    }

    /// A complete sweep of everything, each once, and what it was to find.
    async fn as_planted(&self, run: &replica_run::Model, planted: &BTreeSet<(String, String)>) -> Result<(), Failure> {
        let counters = snaphaven::replication::counters(run);
        if run.state != replica_run::State::Complete {
            return Err(format!("the sweep is {:?}: {:?}", run.state, run.error).into());
        }
        let found = self.open().await?;
        if found != *planted {
            let (odd, lacks) = (found.difference(planted).count(), planted.difference(&found).count());
            return Err(format!("{odd} findings that were not planted, {lacks} planted and not found").into());
        }
        // And what the server itself has stored, such as checkpoints of its audit log.
        let (here, most) = (self.items.len() + self.uploaded, object::Entity::find().count(&self.database).await?);
        let well = counters.agreed() + counters.faults >= here as u64 && counters.objects <= most;
        if well && counters.faults == planted.len() as u64 {
            Ok(())
        } else {
            Err(format!("of {here} files and {most} objects in all, each once: {counters:?}").into())
        }
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

    /// Ends, or stops for longer than its lease, the process that works on this run, with another one waiting.
    async fn disturb(
        &mut self,
        work: Work,
        run: Uuid,
        pause: bool,
        rng: &mut StdRng,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        // Nobody else is there to take it up.
        self.until("a run is taken up", async || Ok(self.run(run).await?.epoch > 0)).await?;
        self.add_second().await?;
        let time = if work == Work::Sweep {
            // Behind any of the checkpoints, or before the first.
            let most = rng.random_range(1..=self.ranges());
            self.until("a checkpoint", async || Ok(self.open_ranges(run).await? <= most)).await?;
            SWEEP / u32::try_from(self.ranges())?
        } else {
            REPAIR
        };
        sleep(rng.random_range(Duration::ZERO..time)).await;
        let began = Instant::now();
        let victim = self.peers.remove(0);
        let stopped = if pause {
            victim.0.signal("STOP").await?;
            Some(victim)
        } else {
            victim.0.kill().await?;
            None
        };
        let (left, asked) = (self.run(run).await?, self.asked());
        let open = self.open_ranges(run).await?;
        if self.peers.is_empty() {
            self.peers.push(self.launcher.start().await?);
        }
        let went_on = async || {
            let now = self.run(run).await?;
            Ok(now.epoch > left.epoch || now.state != replica_run::State::Running)
        };
        self.until("a run goes on", went_on).await?;
        let took = began.elapsed();
        let now = self.run(run).await?;
        if now.epoch == left.epoch {
            tally.missed += 1;
        } else if now.done < left.done {
            return Err(format!("{} were done, and then {}", left.done, now.done).into());
        } else if pause {
            tally.stops += 1;
        } else {
            tally.times.push((work, took));
        }
        self.idle().await?;
        if work == Work::Sweep && now.epoch > left.epoch {
            tally.behind_a_checkpoint += u32::from(open < self.ranges());
            self.walked_once(asked, open)?;
        }
        if let Some((process, url)) = stopped {
            self.sleeps_on(process, &url).await?;
        }
        for site in &self.sites {
            site.clear();
        }
        Ok(())
    }

    /// A process that wakes up behind its lease changes nothing. It is ended then.
    async fn sleeps_on(&self, process: Process, url: &str) -> Result<(), Failure> {
        let before = self.rows().await?;
        process.signal("CONT").await?;
        // It is awake once it answers; what it writes later the judgement of the round sees.
        self.order_at(url, "repairFindings", json!({ "dryRun": true })).await?;
        if self.rows().await? != before {
            return Err("a process that woke up after its lease changed a run or a finding".into());
        }
        Ok(process.kill().await?)
    }

    /// Ends one of two processes while files are copied, which goes on as the copies' leases end.
    async fn disturb_copies(&mut self, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
        self.add_second().await?;
        self.sites[1].set(HttpFault::Slow(COPY), &[Op::Put]);
        let client = self.admin.at(&self.peers[0].1)?;
        let files = (self.uploaded..self.uploaded + FILES).map(|number| {
            let mut bytes = vec![0; rng.random_range(1..50_000)];
            rng.fill_bytes(&mut bytes);
            (format!("file {number}"), bytes.into())
        });
        let files: Vec<(String, bytes::Bytes)> = files.collect();
        let upload = async |(name, bytes): &(String, bytes::Bytes)| {
            // A busy machine may need longer for a PUT than the trials allow; the same key is the same upload.
            self.until("a file is uploaded", async || Ok(client.upload(name, bytes, name).await.is_ok())).await
        };
        try_join_all(files.iter().map(upload)).await?;
        self.uploaded += FILES;
        sleep(rng.random_range(Duration::ZERO..2 * COPY)).await;
        let began = Instant::now();
        let victim = rng.random_range(0..self.peers.len());
        self.peers.swap_remove(victim).0.kill().await?;
        let left = self.copying().await?;
        if self.peers.is_empty() {
            self.peers.push(self.launcher.start().await?);
        }
        let all = async || {
            let now = self.copying().await?;
            Ok(left.iter().all(|(id, token)| now.get(id) != Some(token)))
        };
        self.until("copies go on", all).await?;
        let took = began.elapsed();
        let now = self.copying().await?;
        let taken = left.keys().filter(|id| now.contains_key(id)).count();
        if taken == 0 {
            tally.missed += 1;
        } else {
            tally.times.push((Work::Copies, took));
        }
        self.sites[1].clear();
        let none = async || {
            let awaited = object_copy::Column::State.eq(object_copy::State::Awaiting);
            Ok(object_copy::Entity::find().filter(awaited).count(&self.database).await? == 0)
        };
        self.until("all is copied", none).await
    }

    /// The copies that are at work, or were when their process ended: the token of each one's lease.
    async fn copying(&self) -> Result<HashMap<Uuid, Uuid>, Failure> {
        let leased = job::Entity::find()
            .filter(job::Column::Lane.eq(job::Lane::Copies))
            .filter(job::Column::LeaseToken.is_not_null())
            .all(&self.database)
            .await?;
        Ok(leased.into_iter().filter_map(|job| Some((job.id, job.lease_token?))).collect())
    }

    /// A process that waits. SQLite's database has one.
    async fn add_second(&mut self) -> Result<(), Failure> {
        if *KIND != Engine::Sqlite {
            self.peers.push(self.launcher.start().await?);
        }
        Ok(())
    }

    /// So slow that a sweep takes its time.
    fn slow_listings(&self) {
        let pages = u32::try_from(self.items.len() / PAGE).unwrap_or(u32::MAX).max(1);
        for site in &self.sites {
            site.set(HttpFault::Slow(SWEEP / pages), &[Op::List]);
        }
    }

    /// How many pages of listings were asked for since they are slow, of the site that was asked more.
    fn asked(&self) -> u32 {
        self.sites.each_ref().map(HttpProxy::struck).into_iter().max().unwrap_or_default()
    }

    /// How a sweep is cut, one to some 8,000 objects.
    fn ranges(&self) -> u64 {
        (self.items.len() as u64 / 8192).max(1)
    }

    async fn open_ranges(&self, run: Uuid) -> Result<u64, Failure> {
        let open = replica_range::Entity::find()
            .filter(replica_range::Column::RunId.eq(run))
            .filter(replica_range::Column::State.eq(replica_range::State::Open));
        Ok(open.count(&self.database).await?)
    }

    /// What was done at the last checkpoints is not asked for again.
    fn walked_once(&self, asked: u32, open: u64) -> Result<(), Failure> {
        let again = u64::from(self.asked() - asked);
        // Of each range that was left its objects, the page behind them, and one that began with the last object of another.
        let most = open * (self.items.len() as u64 / self.ranges() / PAGE as u64 + 3);
        if again <= most {
            Ok(())
        } else {
            Err(format!("{open} of {} ranges were left, and {again} pages were read again", self.ranges()).into())
        }
    }

    async fn run(&self, run: Uuid) -> Result<replica_run::Model, Failure> {
        let found = replica_run::Entity::find_by_id(run).one(&self.database).await?;
        found.ok_or_else(|| "the run is gone".into())
    }

    async fn until(&self, what: &str, is_so: impl AsyncFn() -> Result<bool, Failure>) -> Result<(), Failure> {
        let began = Instant::now();
        while !is_so().await? {
            if began.elapsed() > LIMIT {
                return Err(format!("not within {LIMIT:?}: {what}").into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Until no run is under way.
    async fn idle(&self) -> Result<(), Failure> {
        let none = async || {
            let running = replica_run::Column::State.eq(replica_run::State::Running);
            Ok(replica_run::Entity::find().filter(running).count(&self.database).await? == 0)
        };
        self.until("no run is under way", none).await
    }

    async fn ended(&self, run: Uuid) -> Result<replica_run::Model, Failure> {
        self.idle().await?;
        self.run(run).await
    }

    /// Every run and finding as they are.
    async fn rows(&self) -> Result<(Vec<replica_run::Model>, Vec<replica_finding::Model>), Failure> {
        let runs = replica_run::Entity::find().order_by_asc(replica_run::Column::Id).all(&self.database).await?;
        let findings =
            replica_finding::Entity::find().order_by_asc(replica_finding::Column::Id).all(&self.database).await?;
        Ok((runs, findings))
    }

    /// The judge itself: a fault that nobody planted is told, and so is a sweep that begins again.
    async fn control(&mut self) -> Result<(), Failure> {
        self.stores[1].delete(&self.items[0].to_string()).await?;
        let run = self.order("verifyReplicas", json!({})).await?;
        let run = self.ended(run).await?;
        if self.as_planted(&run, &BTreeSet::new()).await.is_ok() {
            return Err("the control, a copy taken away, was not found".into());
        }
        if self.ranges() == 1 {
            return Ok(());
        }
        self.slow_listings();
        let run = self.order("verifyReplicas", json!({})).await?;
        let ranges = replica_range::Entity::find().filter(replica_range::Column::RunId.eq(run));
        let at_first = ranges.all(&self.database).await?;
        self.until("a range is done", async || Ok(self.open_ranges(run).await? < self.ranges())).await?;
        self.peers.remove(0).0.kill().await?;
        let (asked, open) = (self.asked(), self.open_ranges(run).await?);
        for range in at_first {
            range.into_active_model().reset_all().update(&self.database).await?;
        }
        self.peers.push(self.launcher.start().await?);
        self.ended(run).await?;
        match self.walked_once(asked, open) {
            Err(_) => Ok(()),
            Ok(()) => Err("the control, a sweep that began again, was not noticed".into()),
        }
    }
}
