//! Server processes: started on free ports, killed without warning, never left behind.

use std::{
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use snaphaven::{adapters::objects::s3::S3Store, config::Bucket};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

const START: Duration = Duration::from_secs(60);
const COMMAND: Duration = Duration::from_secs(120);
const END: Duration = Duration::from_secs(20);

/// A running `snaphaven`, killed when dropped.
pub struct Process {
    child: Child,
    /// What it said when it was ready.
    greeting: Vec<String>,
}

impl Process {
    /// Runs a command with these settings and waits until it says that it is ready. Its log goes to `log`.
    pub async fn start(command: &str, data_dir: &Path, settings: &[(&str, String)], log: &Path) -> io::Result<Self> {
        Self::start_with(command, data_dir, settings, log, &[]).await
    }

    /// The same, with further environment variables.
    pub async fn start_with(
        command: &str,
        data_dir: &Path,
        settings: &[(&str, String)],
        log: &Path,
        variables: &[(&str, String)],
    ) -> io::Result<Self> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_snaphaven"));
        process.arg(command).arg("--data-dir").arg(data_dir).env_clear();
        process.envs(variables.iter().map(|(name, value)| (name, value)));
        for (name, value) in settings {
            process.env(format!("SNAPHAVEN_{}", name.replace('.', "__").to_uppercase()), value);
        }
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let mut child = process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let greeting = async {
            let mut greeting = Vec::new();
            while let Some(line) = lines.next_line().await? {
                if line.starts_with("Stop with") {
                    return Ok(greeting);
                }
                greeting.push(line);
            }
            Err(io::Error::other(format!("{command} ended before it was ready: {}", greeting.join("\n"))))
        };
        let late = || io::Error::other(format!("{command} was not ready within {START:?}"));
        let greeting = timeout(START, greeting).await.map_err(|_| late())??;
        // A closed pipe would be a fault of its own.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, greeting })
    }

    /// The address under this name in the greeting.
    pub fn address(&self, name: &str) -> io::Result<String> {
        let mut lines = self.greeting.iter().map(|line| line.split_whitespace());
        let found = lines.find_map(|mut words| (words.next() == Some(name)).then(|| words.next()).flatten());
        found.map(str::to_owned).ok_or_else(|| io::Error::other(format!("no {name:?} in {:?}", self.greeting)))
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("it has not been waited for")
    }

    /// Sends a signal such as `STOP`.
    pub async fn signal(&self, name: &str) -> io::Result<()> {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().await?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("no process takes SIG{name}"))) }
    }

    /// Waits for an end that comes by itself.
    pub async fn end(mut self, limit: Duration) -> io::Result<ExitStatus> {
        timeout(limit, self.child.wait()).await.map_err(|_| io::Error::other(format!("no end within {limit:?}")))?
    }

    /// The most memory it ever had, in MiB (`VmHWM`, proc(5)).
    pub fn peak_memory(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.map(|kib| kib / 1024).ok_or_else(|| io::Error::other("no VmHWM"))
    }

    /// SIGKILL, and waits for the end.
    pub async fn kill(mut self) -> io::Result<()> {
        timeout(END, self.child.kill()).await.map_err(|_| io::Error::other("a killed process did not end"))?
    }
}

/// The store that outlives every crash of the server.
pub struct ObjectServer {
    _process: Option<Process>,
    endpoint: String,
    key: (String, String),
}

pub const BUCKETS: [(&str, &str); 2] = [("snaphaven-first", "eu-central-1"), ("snaphaven-second", "eu-west-1")];

impl ObjectServer {
    pub async fn start(folder: &Path) -> io::Result<Self> {
        let data_dir = folder.join("s3");
        let settings = [("embedded.s3_listen", "127.0.0.1:0".to_owned())];
        let process = Process::start("s3", &data_dir, &settings, &folder.join("s3.log")).await?;
        let endpoint = process.address("address")?;
        Self::of(Some(process), endpoint, &data_dir)
    }

    /// The store within a server.
    pub fn within(server: &Process, data_dir: &Path) -> io::Result<Self> {
        Self::of(None, server.address("s3")?, data_dir)
    }

    fn of(process: Option<Process>, endpoint: String, data_dir: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(data_dir.join("keys").join("s3-credentials.env"))?;
        let value = |name: &str| {
            let found =
                text.lines().find_map(|line| line.trim_start_matches("export ").strip_prefix(name)?.strip_prefix('='));
            found.map(|value| value.trim_matches('"').to_owned()).ok_or_else(|| io::Error::other(format!("no {name}")))
        };
        let key = (value("AWS_ACCESS_KEY_ID")?, value("AWS_SECRET_ACCESS_KEY")?);
        Ok(Self { _process: process, endpoint, key })
    }

    /// The two buckets, `first` and `second`.
    pub async fn stores(&self) -> [S3Store; 2] {
        let [first, second] = BUCKETS.map(|(bucket, region)| Bucket {
            bucket: bucket.to_owned(),
            region: region.to_owned(),
            endpoint: self.endpoint.clone(),
            access_key_id: self.key.0.clone(),
            secret_access_key: self.key.1.clone().into(),
            path_style: true,
        });
        [S3Store::connect(&first).await, S3Store::connect(&second).await]
    }

    pub fn port(&self) -> u16 {
        self.endpoint.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an endpoint with a port")
    }

    /// What a server needs to use the two buckets.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("objects.backend", "s3".to_owned()),
            ("objects.first.endpoint", self.endpoint.clone()),
            ("objects.first.access_key_id", self.key.0.clone()),
            ("objects.first.secret_access_key", self.key.1.clone()),
            ("objects.first.path_style", "true".to_owned()),
            ("objects.second.endpoint", self.endpoint.clone()),
            ("objects.second.access_key_id", self.key.0.clone()),
            ("objects.second.secret_access_key", self.key.1.clone()),
            ("objects.second.path_style", "true".to_owned()),
        ]
    }
}

/// Short times, so that the grace period is 2 s: a write of 1.5 s and half a second more before it is swept.
const TIMES: [(&str, &str); 16] = [
    ("server.listen", "127.0.0.1:0"),
    ("objects.write_timeout", "1500ms"),
    ("ledger.abandoned_after", "500ms"),
    ("ledger.erase_margin", "200ms"),
    ("ledger.late_writes", "500ms"),
    ("ledger.sweep_interval", "200ms"),
    ("audit.seal_interval", "200ms"),
    ("audit.checkpoint_interval", "1s"),
    ("jobs.poll_interval", "100ms"),
    ("jobs.backoff_min", "50ms"),
    ("jobs.backoff_max", "500ms"),
    ("jobs.lease", "2s"),
    ("accounts.hash_memory", "7 MiB"),
    ("accounts.hash_passes", "1"),
    ("log.filter", "info"),
    ("server.graphiql", "false"),
];

/// Starts the server, always on the same data.
#[derive(Clone)]
pub struct Launcher {
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
    variables: Vec<(&'static str, String)>,
}

impl Launcher {
    /// `stores`: the settings of the object stores; none for those in the process.
    pub fn new(folder: &Path, database: &str, stores: Vec<(&'static str, String)>) -> Self {
        let times = TIMES.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let database = [("database.url", database.to_owned())];
        let settings = times.chain(database).chain(stores).collect();
        Self { folder: folder.to_owned(), settings, variables: Vec::new() }
    }

    /// With another value for a setting.
    pub fn with(mut self, setting: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((setting, value.into()));
        self
    }

    /// With an environment variable.
    pub fn with_variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// The process and the address of its GraphQL endpoint.
    pub async fn start(&self) -> io::Result<(Process, String)> {
        let log = self.folder.join("server.log");
        let process = Process::start_with("serve", &self.data_dir(), &self.settings, &log, &self.variables).await?;
        let url = format!("{}/graphql", process.address("app")?);
        Ok((process, url))
    }

    /// Runs a command beside the server: its exit code, and the JSON document that it printed.
    pub async fn command(&self, args: &[&str]) -> io::Result<(i32, serde_json::Value)> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_snaphaven"));
        process.args(args).arg("--data-dir").arg(self.data_dir()).env_clear();
        for (name, value) in &self.settings {
            process.env(format!("SNAPHAVEN_{}", name.replace('.', "__").to_uppercase()), value);
        }
        let output = timeout(COMMAND, process.stdin(Stdio::null()).kill_on_drop(true).output()).await;
        let output = output.map_err(|_| io::Error::other(format!("{args:?}: no end within {COMMAND:?}")))??;
        let said = String::from_utf8_lossy(&output.stdout);
        let document = said.lines().find_map(|line| serde_json::from_str(line).ok());
        let told = || serde_json::Value::String(String::from_utf8_lossy(&output.stderr).into_owned());
        Ok((output.status.code().unwrap_or(-1), document.unwrap_or_else(told)))
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }
}
