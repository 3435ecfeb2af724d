//! What a trial stands on: object stores and a database behind proxies, server processes, and clients that work.

use std::{
    io,
    time::{Duration, Instant},
};

use sea_orm::ConnectionTrait;
use tokio::{
    sync::mpsc::unbounded_channel,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Options,
    storm::{Storm, Tally, plant, weigh},
};
use crate::{
    common::{
        Failure,
        audit::Auditor,
        client::{Client, End, Log, Sample},
        content::Contents,
        plant as stores_plant,
        process::{Launcher, ObjectServer, Process},
        verdict,
        work::{Act, Noted, Notes, Round, Worker},
    },
    proxy::{HttpProxy, TcpProxy},
    servers::{DatabaseServer, KIND, Kind, TestDatabase},
};

const WORKERS: u32 = 4;
const SETTLE: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(40);
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
/// Between two looks of those who only look.
const LOOK: Duration = Duration::from_millis(30);
const END: Duration = Duration::from_secs(30);
/// How long a request may be on its way to the server.
const SETTING_OUT: Duration = Duration::from_millis(20);

/// The database as servers reach it, and as the judge does.
pub struct Database {
    pub url: String,
    pub direct: String,
    /// Not before SQLite.
    pub proxy: Option<TcpProxy>,
    /// Where it may be killed and stopped.
    pub own: Option<DatabaseServer>,
    _shared: Option<TestDatabase>,
}

impl Database {
    /// On the server that all tests share.
    pub async fn shared() -> Result<Self, Failure> {
        let database = TestDatabase::empty().await;
        if *KIND == Kind::Sqlite {
            return Ok(Self { url: String::new(), direct: String::new(), proxy: None, own: None, _shared: None });
        }
        let port = database.url.rsplit_once('/').and_then(|(server, _)| server.rsplit(':').next()?.parse().ok());
        let port: u16 = port.ok_or("no port in the database's URL")?;
        let proxy = TcpProxy::start(port).await?;
        let url = database.url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port));
        Ok(Self { url, direct: database.url.clone(), proxy: Some(proxy), own: None, _shared: Some(database) })
    }

    /// On a server of its own.
    pub async fn own() -> Result<Self, Failure> {
        let server = DatabaseServer::start(*KIND).await?;
        let maintenance = sea_orm::Database::connect(server.maintenance_url()).await?;
        maintenance.execute_unprepared("CREATE DATABASE weather").await?;
        maintenance.close().await?;
        let proxy = TcpProxy::start(server.port).await?;
        let (url, direct) = (server.url_at(proxy.port, "weather"), server.url("weather"));
        Ok(Self { url, direct, proxy: Some(proxy), own: Some(server), _shared: None })
    }
}

/// A server process and the address of its API.
pub struct Server {
    pub process: Process,
    pub url: String,
}

pub struct World<'a> {
    pub options: Options<'a>,
    pub sites: [HttpProxy; 2],
    pub database: Database,
    pub launcher: Launcher,
    pub servers: Vec<Server>,
    pub client: Client,
    objects: ObjectServer,
    workers: Vec<Worker>,
    notes: Notes,
    round: u32,
}

impl<'a> World<'a> {
    /// Servers with these changes of their settings, one for each; the first makes the account.
    pub async fn new(
        options: Options<'a>,
        database: Database,
        changes: &[&(dyn Fn(Launcher) -> Launcher + Sync)],
    ) -> Result<Self, Failure> {
        let objects = ObjectServer::start(options.folder).await?;
        let sites = [HttpProxy::start(objects.port()).await?, HttpProxy::start(objects.port()).await?];
        let mut launcher = Launcher::new(options.folder, &database.url, objects.settings())
            .with("objects.first.endpoint", sites[0].endpoint())
            .with("objects.second.endpoint", sites[1].endpoint())
            // A storm must not outlast a job's attempts.
            .with("jobs.backoff_max", "1s");
        if options.short {
            // With room for a machine that is busy with other tests.
            launcher = launcher.with("database.statement_timeout", "1500ms").with("database.acquire_timeout", "1s");
        }
        Self::over(options, database, launcher, Some((objects, sites)), changes).await
    }

    /// One server with the stores within it, without proxies before them.
    pub async fn embedded(options: Options<'a>, database: Database) -> Result<Self, Failure> {
        let launcher = Launcher::new(options.folder, &database.url, Vec::new()).with("jobs.backoff_max", "1s");
        Self::over(options, database, launcher, None, &[&|launcher| launcher]).await
    }

    async fn over(
        options: Options<'a>,
        database: Database,
        launcher: Launcher,
        stores: Option<(ObjectServer, [HttpProxy; 2])>,
        changes: &[&(dyn Fn(Launcher) -> Launcher + Sync)],
    ) -> Result<Self, Failure> {
        let mut servers = Vec::new();
        for change in changes {
            let (process, url) = change(launcher.clone()).start().await?;
            servers.push(Server { process, url });
        }
        let first = servers.first().ok_or("a world needs a server")?;
        let (objects, sites) = match stores {
            Some(stores) => stores,
            None => {
                let objects = ObjectServer::within(&first.process, &launcher.data_dir())?;
                let port = objects.port();
                (objects, [HttpProxy::start(port).await?, HttpProxy::start(port).await?])
            }
        };
        let client = Client::sign_up(&first.url, "weather").await?;
        client.log.take();
        let (contents, notes) = (Contents::new(options.seed), Notes::default());
        let workers = (0..WORKERS).map(|n| Worker::new(options.seed, n, contents.clone(), notes.clone())).collect();
        Ok(Self { options, sites, database, launcher, servers, client, objects, workers, notes, round: 0 })
    }

    pub fn say(&self, line: &str) {
        (self.options.say)(line);
    }

    pub fn noted(&self) -> Noted {
        self.notes.read()
    }

    fn acknowledged(&self) -> u32 {
        self.notes.read().acknowledged.values().sum()
    }

    /// Works on all servers while a fault lasts, and goes on until the work succeeds again. `strike` sets the fault,
    /// `struck` counts it, `clear` takes it away.
    pub async fn storm(
        &mut self,
        storm: &Storm,
        strike: impl AsyncFnOnce(&Self) -> Result<(), Failure>,
        struck: impl Fn(&Self) -> u32,
        clear: impl AsyncFnOnce(&Self) -> Result<(), Failure>,
    ) -> Result<Tally, Failure> {
        self.round += 1;
        let stop = CancellationToken::new();
        let (working, looking, pages) = self.work(&stop)?;
        let mut tally = Tally::default();
        let before = self.acknowledged();
        // Warm first, so that there is something to compare with.
        sleep(Duration::from_millis(300)).await;
        self.until(PATIENCE, |world| world.acknowledged() > before + WORKERS).await;
        let calm = self.acknowledged();
        tally.began = Some(Instant::now());
        strike(self).await?;
        sleep(storm.hold).await;
        self.until(PATIENCE, |world| struck(world) >= storm.least).await;
        tally.struck = struck(self);
        tally.acknowledged = self.acknowledged() - calm;
        clear(self).await?;
        let ended = Instant::now();
        tally.ended = Some(ended);
        let after = self.acknowledged();
        let recovered = self.until(storm.recovery.max(PATIENCE), |world| world.acknowledged() > after).await;
        tally.recovered = Some(ended.elapsed()).filter(|time| recovered && *time <= storm.recovery);
        stop.cancel();
        let late = |_| "requests hang after the fault";
        self.workers = timeout(DRAIN, working.join_all()).await.map_err(late)?;
        timeout(DRAIN, looking.join_all()).await.map_err(late)?;
        tally.work = self.client.log.take();
        tally.pages = pages.take();
        self.report(storm, &tally)?;
        if !self.options.short {
            self.judge(40).await?;
        }
        Ok(tally)
    }

    fn work(&mut self, stop: &CancellationToken) -> Result<(JoinSet<Worker>, JoinSet<()>, Log), Failure> {
        let (mut working, mut looking) = (JoinSet::new(), JoinSet::new());
        let servers: Vec<String> = self.servers.iter().map(|server| server.url.clone()).collect();
        for (mut worker, url) in self.workers.drain(..).zip(servers.iter().cycle()) {
            let (started, _) = unbounded_channel();
            let client = self.client.at(url)?;
            let round = Round { number: self.round, client, favour: Act::Upload, started, stop: stop.clone() };
            working.spawn(async move {
                worker.work(&round).await;
                worker
            });
        }
        let pages = Log::default();
        let look = if self.options.short { 3 * LOOK } else { LOOK };
        for url in &servers {
            let looker = self.client.at(url)?.with_log(pages.clone());
            let stop = stop.clone();
            looking.spawn(async move {
                while stop.run_until_cancelled(sleep(look)).await.is_some() {
                    _ = looker.page().await;
                }
            });
        }
        Ok((working, looking, pages))
    }

    /// Whether it came to pass in time.
    pub async fn until(&self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let began = Instant::now();
        while !done(self) {
            if began.elapsed() > limit {
                return false;
            }
            sleep(POLL).await;
        }
        true
    }

    fn report(&self, storm: &Storm, tally: &Tally) -> Result<(), Failure> {
        let mut violations = weigh(storm, tally);
        violations.extend(self.noted().violations);
        let ratio = tally.looks().p99().map_or_else(String::new, |(calm, stormy)| {
            let ratio = stormy.as_secs_f64() / calm.as_secs_f64();
            format!(", pages' p99 {} ms, calm {} ms (× {ratio:.1})", stormy.as_millis(), calm.as_millis())
        });
        let recovered = tally.recovered.map_or_else(|| "never".to_owned(), |time| format!("{} ms", time.as_millis()));
        self.say(&format!(
            "{:<44} struck {:>4}, acknowledged {:>4}, refused {:>4}, unknown {:>3}, longest {:>5} ms, recovered in {recovered}{ratio}: {}",
            storm.what,
            tally.struck,
            tally.acknowledged,
            tally.refused(),
            tally.unknown(),
            tally.longest().as_millis(),
            if violations.is_empty() { "kept".to_owned() } else { violations.join("; ") },
        ));
        if violations.is_empty() { Ok(()) } else { Err(format!("{}: {}", storm.what, violations.join("\n")).into()) }
    }

    pub async fn auditor(&self) -> Result<Auditor, Failure> {
        let stores = self.objects.stores().await;
        Ok(Auditor::open(&self.database.direct, &self.launcher.data_dir(), stores).await?)
    }

    /// Settles what nobody knows, waits until all is quiet, and compares ledger, buckets and what was acknowledged.
    pub async fn judge(&mut self, read: usize) -> Result<(), Failure> {
        self.round += 1;
        let url = self.servers.first().ok_or("no server is left to ask")?.url.clone();
        let client = self.client.at(&url)?;
        let (started, _) = unbounded_channel();
        let stop = CancellationToken::new();
        let round = Round { number: self.round, client: client.clone(), favour: Act::Read, started, stop };
        for worker in &mut self.workers {
            worker.settle_some(&round, 0.8).await;
        }
        let auditor = self.auditor().await?;
        let (quiet, mut findings) = auditor.quiet(SETTLE).await?;
        let report = auditor.audit(read).await?;
        findings.extend(report.findings);
        let files = client.files().await?;
        let verdict = verdict::judge(&client, &self.records(), &files).await;
        client.log.take();
        let lines = findings.iter().map(ToString::to_string).chain(verdict.violations).chain(self.noted().violations);
        let violations: Vec<String> = lines.collect();
        self.say(&format!(
            "{:<44} {} live, {} erased, {} copies read, {} files downloaded whole; {quiet}: {}",
            "  judged",
            report.live,
            report.erased,
            report.read,
            verdict.downloaded,
            if violations.is_empty() { "nothing amiss".to_owned() } else { format!("{} findings", violations.len()) },
        ));
        if violations.is_empty() { Ok(()) } else { Err(violations.join("\n").into()) }
    }

    /// A purge takes a file away once, so it is told of once, however often it was asked for.
    pub async fn alerts_are_single(&self) -> Result<(), Failure> {
        let mut told = std::collections::BTreeSet::new();
        for alert in self.auditor().await?.alerts().await? {
            if alert.kind != entity::alert::Kind::FilesPurged {
                continue;
            }
            for file in alert.details["files"].as_array().into_iter().flatten() {
                if !told.insert(file["id"].to_string()) {
                    return Err(format!("two alerts tell of the purge of {}", file["name"]).into());
                }
            }
        }
        self.say(&format!("{:<44} {} files purged, each told of once", "  alerts", told.len()));
        Ok(())
    }

    fn records(&self) -> Vec<crate::common::work::Record> {
        self.workers.iter().flat_map(|worker| &worker.records).cloned().collect()
    }

    /// The last judgement, of everything.
    pub async fn finish(&mut self) -> Result<(), Failure> {
        self.judge(usize::MAX).await
    }

    /// The same, and then one of the judges: faults planted for each to find.
    pub async fn finish_and_plant(&mut self) -> Result<(), Failure> {
        self.finish().await?;
        let files = self.client.at(&self.servers[0].url)?.files().await?;
        let caught = stores_plant::check(&self.auditor().await?, &self.client, &self.records(), &files).await?;
        self.say(&format!("planted faults caught: {}; {}", caught.join("; "), plant()?));
        Ok(())
    }

    /// Ends the one server by SIGTERM while clients work; how long that took.
    pub async fn terminate(&mut self, what: &str) -> Result<Duration, Failure> {
        self.round += 1;
        let stop = CancellationToken::new();
        let (working, looking, pages) = self.work(&stop)?;
        let before = self.acknowledged();
        self.until(PATIENCE, |world| world.acknowledged() > before + 2 * WORKERS).await;
        let server = self.servers.remove(0);
        let signalled = Instant::now();
        server.process.signal("TERM").await?;
        let status = server.process.end(END).await?;
        let took = signalled.elapsed();
        stop.cancel();
        let late = |_| "requests hang although their server has ended";
        self.workers = timeout(DRAIN, working.join_all()).await.map_err(late)?;
        timeout(DRAIN, looking.join_all()).await.map_err(late)?;
        let samples = [self.client.log.take(), pages.take()].concat();
        // A connection kept alive may be closed just as the next request sets out on it.
        let early = |sample: &&Sample| matches!(sample.end, End::Broken(_)) && sample.began + SETTING_OUT < signalled;
        let cut: Vec<String> = samples.iter().filter(early).map(|sample| format!("{:?}", sample.end)).collect();
        let broken = samples.iter().filter(|sample| matches!(sample.end, End::Broken(_))).count();
        let answered = samples.iter().filter(|sample| sample.end == End::Answered && sample.began < signalled);
        let finished = answered.filter(|sample| sample.began + sample.took > signalled).count();
        let fine = status.success() && cut.is_empty();
        self.say(&format!(
            "{what:<44} struck    1, acknowledged {:>4}, {finished} under way finished, {broken} found a closed door, ended in {} ms with {status}: {}",
            self.acknowledged() - before,
            took.as_millis(),
            if fine { "kept" } else { "not kept" },
        ));
        if fine { Ok(took) } else { Err(format!("{what}: {status}, cut off: {cut:?}").into()) }
    }

    /// Starts a server again in place of one that has ended.
    pub async fn restart(&mut self, at: usize) -> io::Result<()> {
        let (process, url) = self.launcher.start().await?;
        self.servers.insert(at, Server { process, url });
        Ok(())
    }
}
