//! The upload trial: the uploader's command sends one large file and is killed with SIGKILL at random parts, over and over;
//! then it is left to finish. What is downloaded has to be what was sent, and the server must not have grown.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{Context, SHA256};
use rand::{Rng as _, RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    task::AbortHandle,
    time::{sleep, timeout},
};

use crate::common::{
    Failure,
    audit::Auditor,
    client::Client,
    process::{ObjectServer, Process},
};

/// The server's (`part_size` of files up to 156 GiB), and the command's `--parallel`.
const PART: u64 = 16 << 20;
const PARALLEL: u64 = 4;
/// How long one run of the command may take, and how long leftovers may take to settle, beside a slow way for the bytes.
const LIMIT: Duration = Duration::from_secs(120);
const SLOWEST: u64 = 4 << 20;

const SETTINGS: [(&str, &str); 7] = [
    ("server.listen", "127.0.0.1:0"),
    ("server.graphiql", "false"),
    ("accounts.hash_memory", "7 MiB"),
    ("accounts.hash_passes", "1"),
    ("ledger.sweep_interval", "1s"),
    ("ledger.erase_margin", "200ms"),
    ("ledger.late_writes", "500ms"),
];

#[derive(Clone, Copy)]
pub struct Options<'a> {
    pub seed: u64,
    /// Kills.
    pub rounds: u32,
    /// Of the file.
    pub bytes: u64,
    /// Bytes of private memory that the server may grow by.
    pub growth: u64,
    /// `database.url` of an empty database; empty for SQLite in the folder.
    pub database: &'a str,
    /// Where the file, data and logs go: three times its size.
    pub folder: &'a Path,
    /// Takes a line of progress.
    pub say: &'a (dyn Fn(&str) + Send + Sync),
}

/// Runs the trial.
///
/// # Errors
/// Every violation found, each on a line; or what kept the trial from running.
pub async fn run(options: Options<'_>) -> Result<(), Failure> {
    let Options { bytes, folder, say, .. } = options;
    let mut rng = StdRng::seed_from_u64(options.seed);
    let path = folder.join("large.bin");
    let sent = write_file(&path, bytes, &mut rng)?;
    let data_dir = folder.join("data");
    let settings = SETTINGS.map(|(name, value)| (name, value.to_owned()));
    let settings: Vec<_> = settings.into_iter().chain([("database.url", options.database.to_owned())]).collect();
    let server = Process::start("serve", &data_dir, &settings, &folder.join("server.log")).await?;
    let url = format!("{}/graphql", server.address("app")?);
    let client = Client::sign_up(&url, "trial").await?;
    let uploader = Uploader { path, url, token: client.token().to_owned(), state: folder.join("state") };
    let memory = Memory::watch(&server).await?;

    let limit = LIMIT + Duration::from_secs(bytes / SLOWEST);
    let began = Instant::now();
    let mut violations = Vec::new();
    let mut reached = 0;
    for kill in 1..=options.rounds {
        let aim = Aim::draw(&mut rng, reached, bytes, options.rounds - kill);
        let cut = timeout(limit, uploader.run(Some(&aim))).await.map_err(|_| "the command hangs")??;
        violations.extend(cut.violation(reached).map(|line| format!("kill {kill}: {line}")));
        if cut.file.is_some() {
            return Err(format!("the command ended before kill {kill}, which was aimed at {aim:?}").into());
        }
        say(&format!(
            "kill {kill:>3}  {:>5} of {} MiB in {}, began with {} MiB",
            cut.sent >> 20,
            bytes >> 20,
            cut.phase,
            cut.found >> 20
        ));
        reached = cut.sent;
    }
    let last = timeout(limit, uploader.run(None)).await.map_err(|_| "the command hangs")??;
    violations.extend(last.violation(reached));
    let file = last.file.ok_or("the last run ended without a file")?;
    say(&format!("finished in {:.1} s, all runs together", began.elapsed().as_secs_f64()));
    if file["sha256"] != sent.as_str() {
        violations.push(format!("the server says {}, sent was {sent}", file["sha256"]));
    }

    let files = client.files().await?;
    let [shown] = &files[..] else { return Err(format!("{} files instead of one", files.len()).into()) };
    let download = Download::read(shown.url.as_deref().ok_or("no download URL")?, rng.random_range(0..bytes)).await?;
    violations.extend(judge(&download.sha256, &sent));
    if judge(&download.flipped, &sent).is_none() {
        violations.push("a planted flipped byte was not caught".to_owned());
    }
    let (idle, most) = memory.end();
    let stores = ObjectServer::within(&server, &data_dir)?.stores().await;
    let auditor = Auditor::open(options.database, &data_dir, stores).await?;
    let (quiet, findings) = auditor.quiet(limit).await?;
    violations.extend(findings.iter().chain(&auditor.audit(0).await?.findings).map(ToString::to_string));
    say(&format!(
        "{} MiB downloaded with equal SHA-256, planted flip caught; {quiet}; private memory {:.1} MB idle, {:.1} MB above it \
         at most",
        download.bytes >> 20,
        idle as f64 / 1e6,
        most.saturating_sub(idle) as f64 / 1e6
    ));
    if most.saturating_sub(idle) > options.growth {
        violations.push(format!("the server grew by {} bytes, allowed are {}", most - idle, options.growth));
    }
    if violations.is_empty() { Ok(()) } else { Err(violations.join("\n").into()) }
}

/// Random bytes; their SHA-256.
fn write_file(path: &Path, bytes: u64, rng: &mut StdRng) -> std::io::Result<String> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut hash = Context::new(&SHA256);
    let mut block = vec![0; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        block.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        rng.fill_bytes(&mut block);
        hash.update(&block);
        file.write_all(&block)?;
        left -= block.len() as u64;
    }
    file.flush()?;
    Ok(hex::encode(hash.finish()))
}

fn judge(downloaded: &str, sent: &str) -> Option<String> {
    (downloaded != sent).then(|| format!("downloaded was {downloaded}, sent was {sent}"))
}

/// When a run is killed.
#[derive(Debug)]
enum Aim {
    /// As soon as so many bytes have gone out.
    Sent(u64),
    /// When all parts are there, and the server reads them back.
    Verifying,
}

impl Aim {
    /// So that `left` kills after this one find something to do.
    fn draw(rng: &mut StdRng, reached: u64, bytes: u64, left: u32) -> Self {
        if left == 0 {
            return Self::Verifying;
        }
        let rest = bytes.saturating_sub(reached + PARALLEL * PART);
        Self::Sent(reached + rng.random_range(0..=2 * rest / (u64::from(left) + 1)))
    }

    fn is_met(&self, progress: &Value) -> bool {
        match self {
            Self::Sent(bytes) if progress["phase"] == "sending" => progress["bytesSent"].as_u64() >= Some(*bytes),
            // Perhaps all of it was there already.
            Self::Sent(_) | Self::Verifying => progress["phase"] == "verifying",
        }
    }
}

/// The command, always with the same file and state.
struct Uploader {
    path: PathBuf,
    url: String,
    token: String,
    state: PathBuf,
}

/// How a run went.
#[derive(Default)]
struct Run {
    /// Bytes that it counted as sent before it sent any, and at its end.
    found: u64,
    sent: u64,
    phase: String,
    /// The finished file, of a run that was not killed.
    file: Option<Value>,
}

impl Run {
    /// What was there is not sent again, but for parts that were on their way.
    fn violation(&self, reached: u64) -> Option<String> {
        let lost = reached.saturating_sub(self.found);
        (lost > PARALLEL * PART)
            .then(|| format!("{reached} bytes had been sent, and the next run found {}", self.found))
    }
}

impl Uploader {
    fn start(&self) -> std::io::Result<(Child, Lines<BufReader<ChildStdout>>)> {
        let command = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/uploader/bin/snaphaven-upload.js");
        let mut child = Command::new("node")
            .arg(command)
            .arg(&self.path)
            .args(["--endpoint", &self.url, "--json", "--parallel", &PARALLEL.to_string(), "--state"])
            .arg(&self.state)
            .env("HAVEN_TOKEN", &self.token)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        Ok((child, lines))
    }

    /// Runs it until it is killed there, or to its end.
    async fn run(&self, aim: Option<&Aim>) -> Result<Run, Failure> {
        let (mut child, mut lines) = self.start()?;
        let (mut run, mut began) = (Run::default(), false);
        while let Some(line) = lines.next_line().await? {
            let said: Value = serde_json::from_str(&line)?;
            if said["file"].is_object() {
                run.file = Some(said["file"].clone());
                continue;
            }
            run.sent = said["bytesSent"].as_u64().ok_or("no bytesSent")?;
            run.phase = said["phase"].as_str().unwrap_or_default().to_owned();
            began |= run.phase == "sending";
            if !began {
                run.found = run.found.max(run.sent);
            }
            if aim.is_some_and(|aim| aim.is_met(&said)) {
                child.kill().await?;
                return Ok(run);
            }
        }
        let status = child.wait().await?;
        if status.success() { Ok(run) } else { Err(format!("the command ended with {status}").into()) }
    }
}

/// What a download gave.
struct Download {
    bytes: u64,
    sha256: String,
    /// The same with one bit turned over.
    flipped: String,
}

impl Download {
    async fn read(url: &str, flip: u64) -> Result<Self, Failure> {
        let mut answer = reqwest::get(url).await?.error_for_status()?;
        let (mut whole, mut planted, mut bytes) = (Context::new(&SHA256), Context::new(&SHA256), 0);
        while let Some(chunk) = answer.chunk().await? {
            whole.update(&chunk);
            let mut chunk = chunk.to_vec();
            let at = flip.checked_sub(bytes).and_then(|at| usize::try_from(at).ok());
            if let Some(byte) = at.and_then(|at| chunk.get_mut(at)) {
                *byte ^= 1;
            }
            planted.update(&chunk);
            bytes += chunk.len() as u64;
        }
        Ok(Self { bytes, sha256: hex::encode(whole.finish()), flipped: hex::encode(planted.finish()) })
    }
}

/// The server's private memory (`RssAnon`, proc(5)), looked at all the time.
struct Memory {
    idle: u64,
    most: Arc<AtomicU64>,
    watch: AbortHandle,
}

impl Memory {
    const EVERY: Duration = Duration::from_millis(20);

    async fn watch(server: &Process) -> Result<Self, Failure> {
        // What the sign-up took is given back by then.
        sleep(Duration::from_secs(2)).await;
        let pid = server.pid();
        let idle = private_memory(pid)?;
        let most = Arc::new(AtomicU64::new(idle));
        let seen = Arc::clone(&most);
        let watch = tokio::spawn(async move {
            while let Ok(now) = private_memory(pid) {
                seen.fetch_max(now, Ordering::Relaxed);
                sleep(Self::EVERY).await;
            }
        });
        Ok(Self { idle, most, watch: watch.abort_handle() })
    }

    /// Idle, and at its most.
    fn end(self) -> (u64, u64) {
        self.watch.abort();
        (self.idle, self.most.load(Ordering::Relaxed))
    }
}

fn private_memory(pid: u32) -> std::io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| std::io::Error::other("no RssAnon"))
}
