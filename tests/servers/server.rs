//! One Postgres or MariaDB server as a child process, which a trial may kill, stop, and start again on the same data.

use std::{
    fmt, fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

use super::Kind;

/// How long a server may take to start, on a busy machine.
const START: Duration = Duration::from_secs(120);

/// Ends the server and removes its folder when the pipe on standard input closes: at the latest when the process that
/// started it is gone, however that ended.
const KEEPER: &str = r#"
folder=$1 signal=$2; shift 2
"$@" </dev/null 2>&1 &
server=$!
echo "pid $server"
read -r _
kill -CONT $server $(pgrep -P $server) 2>/dev/null
kill -$signal $server 2>/dev/null
wait $server 2>/dev/null
rm -rf "$folder"
"#;

/// A running server; it ends with the value, or with the process.
pub struct DatabaseServer {
    pub kind: Kind,
    pub port: u16,
    folder: PathBuf,
    running: Mutex<Option<Running>>,
}

struct Running {
    keeper: Child,
    server: String,
}

impl fmt::Debug for DatabaseServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseServer").field("kind", &self.kind).field("port", &self.port).finish_non_exhaustive()
    }
}

impl DatabaseServer {
    /// Sets a server up in a new folder and waits until it takes connections.
    ///
    /// # Errors
    /// What is missing or went wrong, and what to do.
    pub async fn start(kind: Kind) -> Result<Self, String> {
        let folder = new_folder(kind)?;
        let port = free_port()?;
        let server = Self { kind, port, folder, running: Mutex::new(None) };
        run(&mut server.as_owner(&server.set_up()))?;
        server.launch().await?;
        Ok(server)
    }

    /// `database.url` of a database on this server.
    pub fn url(&self, database: &str) -> String {
        self.url_at(self.port, database)
    }

    /// The same behind a proxy on this port.
    pub fn url_at(&self, port: u16, database: &str) -> String {
        match self.kind {
            Kind::Postgres => format!("postgres://snaphaven@127.0.0.1:{port}/{database}"),
            Kind::MariaDb => format!("mysql://root@127.0.0.1:{port}/{database}"),
            Kind::Sqlite => unreachable!("SQLite has no server"),
        }
    }

    /// A database that is always there, for statements about others.
    pub fn maintenance_url(&self) -> String {
        self.url(if self.kind == Kind::Postgres { "postgres" } else { "mysql" })
    }

    /// Ends it at once (SIGKILL), as a power cut would end its processes.
    pub fn kill(&self) {
        let Some(mut running) = self.running.lock().unwrap().take() else { return };
        running.signal("KILL");
        // The keeper would remove the data, so it goes first.
        running.keeper.kill().unwrap();
        running.keeper.wait().unwrap();
        running.wait_for_the_end();
    }

    /// Holds it in its tracks (SIGSTOP): connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.running.lock().unwrap().as_ref().unwrap().signal("STOP");
    }

    pub fn thaw(&self) {
        self.running.lock().unwrap().as_ref().unwrap().signal("CONT");
    }

    /// Starts it again on its data, and waits until it takes connections.
    ///
    /// # Errors
    /// What it said before it ended.
    pub async fn launch(&self) -> Result<(), String> {
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&self.folder);
        // Postgres leaves shared memory behind when it is killed; QUIT is its immediate end.
        keeper.arg(if self.kind == Kind::Postgres { "QUIT" } else { "KILL" });
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped());
        // Out of the terminal's reach: Ctrl-C ends the tests, and then the pipe closes.
        keeper.stderr(Stdio::null()).process_group(0);
        let command = self.as_owner(&self.command());
        keeper.arg(command.get_program()).args(command.get_args());
        let mut keeper = keeper.spawn().map_err(|error| format!("cannot run sh: {error}"))?;
        let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        let server = first.strip_prefix("pid ").ok_or("the keeper said nothing")?.to_owned();
        *self.running.lock().unwrap() = Some(Running { keeper, server });
        let (ready, started) = oneshot::channel();
        let mark = if self.kind == Kind::Postgres { "ready to accept connections" } else { "ready for connections" };
        thread::spawn(move || {
            let (mut ready, mut said) = (Some(ready), Vec::new());
            for line in lines.map_while(Result::ok) {
                if line.contains(mark) {
                    ready.take().map(|ready| ready.send(Ok(())));
                } else if ready.is_some() {
                    said.push(line);
                }
            }
            ready.take().map(|ready| ready.send(Err(said.join("\n"))));
        });
        let late = |_| format!("{:?} was not ready within {START:?}", self.kind);
        let outcome = tokio::time::timeout(START, started).await.map_err(late)?;
        outcome.map_err(|error| error.to_string())?
    }

    /// The program that makes an empty data folder.
    fn set_up(&self) -> Vec<String> {
        let (data, folder) = (self.data(), self.folder.display());
        match self.kind {
            // ICU's order and a zone off UTC, so that nothing leans on the byte order or the clock of a test machine.
            Kind::Postgres => words(
                "initdb --username=snaphaven --auth=trust --no-sync --encoding=UTF8 --locale=C.UTF-8 \
                 --locale-provider=icu --icu-locale=en-US --pgdata",
                [data],
            ),
            Kind::MariaDb => words(
                "mariadb-install-db --no-defaults --auth-root-authentication-method=normal --skip-test-db",
                [format!("--datadir={data}"), format!("--tmpdir={folder}")],
            ),
            Kind::Sqlite => unreachable!("SQLite has no server"),
        }
    }

    /// Safe against the death of the server, and fast: only the machine's own death would lose something.
    fn command(&self) -> Vec<String> {
        let (data, folder, port) = (self.data(), self.folder.display(), self.port);
        match self.kind {
            Kind::Postgres => words(
                "postgres -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off -c max_connections=500 \
                 -c shared_buffers=64MB -c autovacuum=off -c timezone=America/St_Johns",
                ["-D".to_owned(), data, "-c".to_owned(), format!("port={port}"), "-k".to_owned(), folder.to_string()],
            ),
            Kind::MariaDb => words(
                "mariadbd --no-defaults --bind-address=127.0.0.1 --skip-log-bin --innodb-flush-log-at-trx-commit=2 \
                 --innodb-flush-method=nosync --innodb-buffer-pool-size=128M --innodb-log-file-size=64M \
                 --max-connections=500 --max-prepared-stmt-count=200000 --skip-name-resolve \
                 --default-time-zone=+05:30 --table-open-cache=4000",
                [
                    format!("--datadir={data}"),
                    // A server that starts removes every temporary table in it, also those of another one.
                    format!("--tmpdir={folder}"),
                    format!("--port={port}"),
                    format!("--socket={folder}/socket"),
                    format!("--pid-file={folder}/pid"),
                ],
            ),
            Kind::Sqlite => unreachable!("SQLite has no server"),
        }
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    /// Runs it as the server's own user where tests run as root, which Postgres refuses.
    fn as_owner(&self, words: &[String]) -> Command {
        let program = find(&words[0]).unwrap_or_else(|| words[0].clone());
        let mut command;
        if is_root() {
            let user = owner(self.kind);
            command = Command::new("setpriv");
            command.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).arg("--clear-groups").arg(program);
        } else {
            command = Command::new(program);
        }
        command.args(&words[1..]).current_dir(&self.folder);
        command
    }
}

impl Drop for DatabaseServer {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap().take();
        match running {
            Some(mut running) => {
                drop(running.keeper.stdin.take());
                let _ = running.keeper.wait();
            }
            None => drop(fs::remove_dir_all(&self.folder)),
        }
    }
}

impl Running {
    /// To the server and its children, which Postgres puts into groups of their own.
    fn signal(&self, name: &str) {
        let script = format!("kill -{name} {0} $(pgrep -P {0})", self.server);
        Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status().unwrap();
    }

    /// Its children outlive it for a moment and keep the shared memory.
    fn wait_for_the_end(&self) {
        let started = std::time::Instant::now();
        let alive = || Path::new("/proc").join(&self.server).exists();
        while alive() && started.elapsed() < START {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn words<const N: usize>(text: &str, more: [String; N]) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).chain(more).collect()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

fn owner(kind: Kind) -> &'static str {
    if kind == Kind::Postgres { "postgres" } else { "mysql" }
}

/// Where Debian puts servers, beside the usual path.
fn find(program: &str) -> Option<String> {
    let newest = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path()).max();
    let places = newest.map(|version| version.join("bin")).into_iter().chain(["/usr/sbin".into(), "/usr/bin".into()]);
    let mut places = places.map(|place| place.join(program));
    places.find(|path| path.exists()).map(|path| path.display().to_string())
}

/// In memory where there is room: thousands of small files are made and dropped.
fn new_folder(kind: Kind) -> Result<PathBuf, String> {
    let room = Command::new("df").args(["--output=avail", "-BM", "/dev/shm"]).output().ok();
    let room = room.and_then(|output| {
        let text = String::from_utf8(output.stdout).ok()?;
        text.lines().nth(1)?.trim().trim_end_matches('M').parse::<u64>().ok()
    });
    let place = if room.is_some_and(|room| room > 2048) { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
    let folder = tempfile::Builder::new().prefix("snaphaven-").tempdir_in(place).map_err(|error| error.to_string())?;
    let folder = folder.keep();
    if is_root() {
        run(Command::new("chown").arg(owner(kind)).arg(&folder))?;
    }
    Ok(folder)
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| error.to_string())
}

fn run(command: &mut Command) -> Result<(), String> {
    let what = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        format!("cannot run {what}: {error}; on Debian: sudo apt-get install postgresql mariadb-server")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{what}: {}\n{}", output.status, String::from_utf8_lossy(&said)))
}
