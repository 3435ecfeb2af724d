//! The real binary as a process of its own, on free ports over a data folder of its own.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_snaphaven");

const START_TIME: Duration = Duration::from_secs(60);
/// `server.shutdown_deadline` and a little.
const STOP_TIME: Duration = Duration::from_secs(25);

/// A running server; killed when dropped.
pub struct ServerProcess {
    /// `http://host:port` of the app.
    pub app: String,
    /// Of the edge.
    pub edge: String,
    /// Of the embedded S3 server.
    pub s3: String,
    child: Child,
    dir: TempDir,
}

/// The binary without the settings of whoever runs the tests.
pub fn command() -> Command {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SNAPHAVEN_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

impl ServerProcess {
    /// Runs `serve` with these further arguments, and returns when it says that it is ready.
    pub async fn start(args: &[&str]) -> Self {
        Self::start_by(command(), TempDir::new().unwrap(), args).await
    }

    /// With at most so many open files.
    pub async fn start_with_descriptors(most: u32, args: &[&str]) -> Self {
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {most}; exec \"$0\" \"$@\""), BINARY]);
        limited.stdin(Stdio::null()).kill_on_drop(true);
        Self::start_by(limited, TempDir::new().unwrap(), args).await
    }

    /// Over the data folder `data` of this one.
    pub async fn start_in(dir: TempDir, args: &[&str]) -> Self {
        Self::start_by(command(), dir, args).await
    }

    async fn start_by(mut command: Command, dir: TempDir, args: &[&str]) -> Self {
        let log = File::create(dir.path().join("log")).unwrap();
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.path().join("data"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self { app: String::new(), edge: String::new(), s3: String::new(), child, dir };
        loop {
            let line = timeout(START_TIME, lines.next_line()).await.expect("the server is not ready in time").unwrap();
            let Some(line) = line else { panic!("the server ended before it was ready:\n{}", server.log()) };
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("app"), Some(url)) => server.app = url.to_owned(),
                (Some("downloads"), Some(url)) => server.edge = url.to_owned(),
                (Some("s3"), Some(url)) => server.s3 = url.to_owned(),
                (Some("Stop"), _) => return server,
                _ => {}
            }
        }
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Bytes by a line of its `/proc/<pid>/status`, such as `VmRSS`.
    pub fn memory(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')).unwrap();
        1024 * value.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    }

    /// Lets `VmHWM` begin anew.
    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").unwrap();
    }

    fn pid(&self) -> u32 {
        self.child.id().expect("the server has ended")
    }

    /// How many files and sockets it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    pub async fn stop(&mut self) -> ExitStatus {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        timeout(STOP_TIME, self.child.wait()).await.expect("the server does not stop in time").unwrap()
    }

    /// Ends it at once (SIGKILL).
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}

/// Runs a program to its end, which must come within `limit`; its exit code and everything it printed.
pub async fn run(command: &mut Command, limit: Duration) -> (Option<i32>, String) {
    let output = timeout(limit, command.output()).await.expect("no end in time").unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// Where the repository is.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
