//! The crash trial: SIGKILL at seeded random moments of upload, replace, purge, the closing of accounts and the sending
//! and opening of snaps, over and over on the same data, and then a judge that compares what was acknowledged with what is there, and the ledger with both
//! buckets.

use std::{fmt, path::Path, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use snaphaven::id::GlobalId;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::common::{
    Failure,
    audit::{self, Auditor},
    client::Client,
    content::Contents,
    leaving::{Leaver, Standing},
    plant,
    process::{Launcher, ObjectServer, Process},
    snaps::{self, Circle, Pictures},
    verdict,
    work::{Act, Notes, Round, Worker},
};

const WORKERS: u32 = 4;
const LEAVERS: u32 = 2;
const CIRCLES: u32 = 2;
/// Rounds between two judgements on the way.
const JUDGE_EVERY: u32 = 10;
/// Copies read back by a judgement on the way.
const SAMPLE: usize = 40;
/// How long leftovers may take to settle: the grace period of 2 s, and what a busy machine needs to work them off.
const SETTLE: Duration = Duration::from_secs(60);
/// How long a kill waits for the act that it is aimed at.
const AIM: Duration = Duration::from_secs(5);
/// How long requests may take to notice that their server is dead.
const DRAIN: Duration = Duration::from_secs(30);

pub struct Options<'a> {
    pub seed: u64,
    /// Kills.
    pub rounds: u32,
    /// `database.url` of an empty database; empty for SQLite in the folder.
    pub database: &'a str,
    /// Where data and logs go.
    pub folder: &'a Path,
    /// Takes a line of progress.
    pub say: &'a (dyn Fn(&str) + Send + Sync),
}

/// When a round's kill comes.
enum Moment {
    /// So long after the work began.
    After(Duration),
    /// So long after the n-th request of a kind was sent, counted after some work.
    In { lead: Duration, act: Act, nth: u32, delay: Duration },
}

impl Moment {
    fn draw(rng: &mut StdRng) -> Self {
        // Evenly over the orders of magnitude, since the steps of a request differ by as much.
        let delay = |rng: &mut StdRng| Duration::from_secs_f64(10_f64.powf(rng.random_range(-3.0..-0.3)));
        let act = match rng.random_range(0..27) {
            0..2 => return Self::After(Duration::from_millis(rng.random_range(50..1_500))),
            2..5 => Act::Upload,
            5..7 => Act::Replace,
            7..9 => Act::Purge,
            9 => Act::Trash,
            10..13 => Act::Send,
            13 => Act::Revert,
            14..16 => Act::Close,
            16..19 => Act::Snap,
            19..21 => Act::Open,
            21..24 => Act::View,
            _ => Act::End,
        };
        let lead = Duration::from_millis(rng.random_range(0..1_000));
        Self::In { lead, act, nth: rng.random_range(1..4), delay: delay(rng) }
    }

    fn favour(&self) -> Act {
        match self {
            Self::After(_) => Act::Upload,
            Self::In { act, .. } => *act,
        }
    }

    async fn wait(&self, started: &mut UnboundedReceiver<Act>) {
        match self {
            Self::After(time) => sleep(*time).await,
            Self::In { lead, act, nth, delay } => {
                sleep(*lead).await;
                while started.try_recv().is_ok() {}
                let aimed = async {
                    let mut left = *nth;
                    while left > 0 {
                        left -= u32::from(started.recv().await == Some(*act));
                    }
                };
                // A first round may have nothing to purge yet.
                _ = timeout(AIM, aimed).await;
                sleep(*delay).await;
            }
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(time) => write!(f, "{:>4} ms into the work", time.as_millis()),
            Self::In { act, nth, delay, .. } => write!(f, "{:>4} ms after {act} {nth} was sent", delay.as_millis()),
        }
    }
}

struct Trial<'a> {
    options: Options<'a>,
    launcher: Launcher,
    objects: ObjectServer,
    client: Client,
    workers: Vec<Worker>,
    leavers: Vec<Leaver>,
    circles: Vec<Circle>,
    notes: Notes,
}

/// Runs the trial.
///
/// # Errors
/// Every violation found, each on a line; or what kept the trial from running.
pub async fn run(options: Options<'_>) -> Result<(), Failure> {
    let objects = ObjectServer::start(options.folder).await?;
    let launcher = Launcher::new(options.folder, options.database, objects.settings());
    let (first, url) = launcher.start().await?;
    let client = Client::sign_up(&url, "trial").await?;
    let contents = Contents::new(options.seed);
    let notes = Notes::default();
    let workers =
        (0..WORKERS).map(|n| Worker::new(options.seed, n, contents.clone(), notes.clone()).who_sends()).collect();
    let leavers = (0..LEAVERS).map(|n| Leaver::new(options.seed, n, contents.clone(), notes.clone())).collect();
    let pictures = Pictures::new(options.seed);
    let circles = (0..CIRCLES).map(|n| Circle::new(options.seed, n, pictures.clone(), notes.clone())).collect();
    let mut trial = Trial { options, launcher, objects, client, workers, leavers, circles, notes };
    let mut running = Some((first, url));
    for number in 1..=trial.options.rounds {
        let (server, url) = match running.take() {
            Some(server) => server,
            None => trial.launcher.start().await?,
        };
        trial.round(number, server, &url).await?;
        if number % JUDGE_EVERY == 0 && number < trial.options.rounds {
            running = Some(trial.judge_on_the_way().await?);
        }
        if !trial.notes.read().violations.is_empty() {
            break;
        }
    }
    trial.finish().await
}

impl Trial<'_> {
    fn say(&self, line: &str) {
        (self.options.say)(line);
    }

    /// Works, kills, and notes what is known.
    async fn round(&mut self, number: u32, server: Process, url: &str) -> Result<(), Failure> {
        let mut rng = StdRng::seed_from_u64(self.options.seed ^ (u64::from(number) << 32) ^ (1 << 63));
        let moment = Moment::draw(&mut rng);
        let stop = CancellationToken::new();
        let (started, mut starts) = unbounded_channel();
        let before = self.notes.read();
        let (mut working, mut leaving, mut snapping) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
        let round = || -> Result<Round, Failure> {
            let (client, favour) = (self.client.at(url)?, moment.favour());
            Ok(Round { number, client, favour, started: started.clone(), stop: stop.clone() })
        };
        for mut worker in std::mem::take(&mut self.workers) {
            let round = round()?;
            working.spawn(async move {
                worker.work(&round).await;
                worker
            });
        }
        for mut leaver in std::mem::take(&mut self.leavers) {
            let round = round()?;
            leaving.spawn(async move {
                leaver.work(&round).await;
                leaver
            });
        }
        for mut circle in std::mem::take(&mut self.circles) {
            let round = round()?;
            snapping.spawn(async move {
                circle.work(&round).await;
                circle
            });
        }
        moment.wait(&mut starts).await;
        // First the flag: what is sent from now on would only find a closed door.
        stop.cancel();
        server.kill().await?;
        let late = |_| "requests hang although their server is dead";
        self.workers = timeout(DRAIN, working.join_all()).await.map_err(late)?;
        self.leavers = timeout(DRAIN, leaving.join_all()).await.map_err(late)?;
        self.circles = timeout(DRAIN, snapping.join_all()).await.map_err(late)?;
        let now = self.notes.read();
        let counts: Vec<String> = now
            .acknowledged
            .iter()
            .map(|(act, count)| (act, count - before.acknowledged.get(act).copied().unwrap_or_default()))
            .filter(|(_, count)| *count > 0)
            .map(|(act, count)| format!("{act} {count}"))
            .collect();
        self.say(&format!(
            "round {number:>3}  killed {moment:<34}  unknown {}  settled {}  done: {}",
            now.unknown - before.unknown,
            now.settled - before.settled,
            counts.join(", ")
        ));
        Ok(())
    }

    async fn auditor(&self) -> Result<Auditor, Failure> {
        Ok(Auditor::open(self.options.database, &self.launcher.data_dir(), self.objects.stores().await).await?)
    }

    /// A cheap judgement between rounds; the server it used goes on.
    async fn judge_on_the_way(&mut self) -> Result<(Process, String), Failure> {
        let (server, url) = self.launcher.start().await?;
        // What is begun and not sent would be under way for days.
        let given_up = self.client.at(&url)?.abort_uploads().await?;
        let auditor = self.auditor().await?;
        let (quiet, mut findings) = auditor.quiet(SETTLE).await?;
        let report = auditor.audit(SAMPLE).await?;
        findings.extend(report.findings);
        let audit::Report { live, erased, read, .. } = report;
        self.say(&format!(
            "           {live} live, {erased} erased, {read} copies read, {given_up} uploads given up, {} findings; {quiet}",
            findings.len()
        ));
        if findings.is_empty() { Ok((server, url)) } else { Err(self.violations(&findings)) }
    }

    /// Settles some of what is unknown, waits for the grace, judges everything, and judges the judge.
    async fn finish(&mut self) -> Result<(), Failure> {
        let (_server, url) = self.launcher.start().await?;
        let client = self.client.at(&url)?;
        let (started, _starts) = unbounded_channel();
        let round = Round {
            number: self.options.rounds + 1,
            client: client.clone(),
            favour: Act::Read,
            started,
            stop: CancellationToken::new(),
        };
        for worker in &mut self.workers {
            worker.settle_some(&round, 0.5).await;
        }
        for circle in &mut self.circles {
            circle.conclude(&round).await?;
        }
        client.abort_uploads().await?;
        let auditor = self.auditor().await?;
        let (quiet, mut findings) = auditor.quiet(SETTLE).await?;
        let report = auditor.audit(usize::MAX).await?;
        findings.extend(report.findings);
        let records: Vec<_> = self.workers.iter().flat_map(|worker| &worker.records).cloned().collect();
        let files = client.files().await?;
        let mut verdict = verdict::judge(&client, &records, &files).await;
        for leaver in &mut self.leavers {
            verdict.violations.extend(leaver.judge(&url, &auditor).await?);
        }
        let mut snaps = 0;
        for circle in &self.circles {
            snaps += circle.judge().await?;
        }
        let accounts = || self.leavers.iter().flat_map(|leaver| &leaver.accounts);
        let closed = || accounts().filter(|account| account.standing == Standing::Closed);
        let noted = self.notes.read();
        let acknowledged: u32 = noted.acknowledged.values().sum();
        self.say(&format!(
            "judged: {} kills, {acknowledged} acknowledged, {} unknown, {} of them settled by a repeat or a look",
            self.options.rounds, noted.unknown, noted.settled
        ));
        for (fault, count) in &noted.faults {
            self.say(&format!("        {count} × {fault}"));
        }
        self.say(&format!(
            "        {} files, {} downloaded with equal SHA-256; {quiet}",
            files.len(),
            verdict.downloaded
        ));
        self.say(&format!("        {} of {} accounts were closed", closed().count(), accounts().count()));
        let [seen, lost, revoked] = self.circles.iter().fold([0; 3], |sum, circle| {
            let looks = circle.looks();
            [sum[0] + looks[0], sum[1] + looks[1], sum[2] + looks[2]]
        });
        let broken: u32 = self.circles.iter().map(|circle| circle.broken).sum();
        let resumed: u32 = self.circles.iter().map(|circle| circle.resumed).sum();
        self.say(&format!(
            "        {snaps} snaps, {seen} × seen once, {revoked} × revoked; {broken} pictures broke off, {resumed} went on, the \
             last bytes of {lost} were lost; all proven erased"
        ));
        self.say(&format!(
            "        {} live and {} erased objects; {} copies read in both buckets",
            report.live, report.erased, report.read
        ));
        if !findings.is_empty() || !verdict.violations.is_empty() || !noted.violations.is_empty() {
            for line in &verdict.violations {
                self.say(&format!("violation: {line}"));
            }
            return Err(self.violations(&findings));
        }
        let mut caught = plant::check(&auditor, &client, &records, &files).await?;
        let here = client.id().await?.parse::<GlobalId>()?.key;
        let mut with_objects = None;
        for account in closed() {
            if auditor.any_erased_of(account.id).await?.is_some() {
                with_objects = Some(account.id);
            }
        }
        caught.extend(plant::check_leavers(&auditor, here, with_objects).await?);
        if let Some(circle) = self.circles.first_mut() {
            caught.extend(snaps::planted(circle, &round, &auditor).await?);
        }
        self.say(&format!("planted faults caught: {}", caught.join("; ")));
        Ok(())
    }

    fn violations(&self, findings: &[audit::Finding]) -> Failure {
        let noted = self.notes.read().violations;
        let lines = findings.iter().map(ToString::to_string).chain(noted);
        lines.collect::<Vec<_>>().join("\n").into()
    }
}
