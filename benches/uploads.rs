//! A large file sent by the uploader's command to the release binary, beside one copy of it with fsync on the same disk; and
//! what the server needs in memory meanwhile. `UPLOAD_MIB` says how large (2048); it needs four times that on the disk.
//!
//! Targets: 1.5 × the copy, from the start of the command to the ACTIVE file, and 32 MB above idle.

#![allow(clippy::expect_used, reason = "a bench that cannot go on has failed")]

#[path = "support/table.rs"]
mod table;

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use table::{Row, Target};

const RUNS: usize = 3;

#[expect(clippy::disallowed_methods, reason = "how large the file is, is no setting of the server")]
fn mebibytes() -> u64 {
    std::env::var("UPLOAD_MIB").map_or(2048, |text| text.parse().expect("UPLOAD_MIB is a number"))
}

fn main() {
    if Command::new("node").arg("--version").output().is_err() {
        println!("uploads: skipped, the uploader's command needs Node 20");
        return;
    }
    // Beside the build: a temporary folder may be memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let (mib, path) = (mebibytes(), folder.path().join("large.bin"));
    write_file(&path, mib << 20);
    let (mut copies, mut uploads, mut growths, mut idles) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        copies.push(copy(&path, &folder.path().join("copy.bin")));
        let data_dir = folder.path().join(format!("data-{run}"));
        let (server, address) = start(&data_dir);
        let token = sign_up(&address);
        // What the sign-up took is given back by then.
        thread::sleep(Duration::from_secs(2));
        let idle = memory(server.id()).expect("Linux says");
        let watch = Watch::begin(server.id());
        uploads.push(upload(&path, &address, &token));
        growths.push(watch.end() - idle);
        idles.push(idle);
        stop(server);
        fs::remove_dir_all(&data_dir).expect("the data goes");
    }
    let speed = mib as f64 * 1.048_576 / median(&mut uploads);
    let row = |what: &str, unit, ours, peer, target| Row { what: what.to_owned(), unit, ours, peer, target };
    table::print(
        &format!("A file of {mib} MiB by the uploader, medians of {RUNS} runs"),
        "cp + fsync",
        &[
            row("to the ACTIVE file", "s", median(&mut uploads), Some(median(&mut copies)), Target::Ratio(1.5)),
            row("the same", "MB/s", speed, None, Target::None),
            row("private memory of the server above idle", "MB", median(&mut growths), None, Target::Limit(32.0)),
            row("idle private memory", "MB", median(&mut idles), None, Target::None),
        ],
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn write_file(path: &Path, bytes: u64) {
    let mut file = BufWriter::new(File::create(path).expect("a file"));
    let (mut rng, mut block) = (StdRng::seed_from_u64(1), vec![0; 1 << 20]);
    for _ in 0..bytes >> 20 {
        rng.fill_bytes(&mut block);
        file.write_all(&block).expect("room on the disk");
    }
    file.into_inner().expect("room on the disk").sync_all().expect("a disk");
}

/// Seconds of one copy that is on the disk.
fn copy(from: &Path, to: &Path) -> f64 {
    let begun = Instant::now();
    fs::copy(from, to).expect("room on the disk");
    File::open(to).and_then(|file| file.sync_all()).expect("a disk");
    let time = begun.elapsed().as_secs_f64();
    fs::remove_file(to).expect("the copy goes");
    time
}

/// Seconds of one run of the command.
fn upload(path: &Path, address: &str, token: &str) -> f64 {
    let command = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/uploader/bin/snaphaven-upload.js");
    let mut node = Command::new("node");
    node.arg(command).arg(path).args(["--endpoint", &format!("http://{address}"), "--fresh"]).env("HAVEN_TOKEN", token);
    let begun = Instant::now();
    let done = node.stdout(Stdio::null()).status().expect("node runs");
    assert!(done.success(), "the upload failed");
    begun.elapsed().as_secs_f64()
}

fn start(data_dir: &Path) -> (Child, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_snaphaven"))
        .args(["serve", "--listen", "127.0.0.1:0", "--set", "log.filter=warn", "--data-dir"])
        .arg(data_dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut lines = BufReader::new(server.stdout.take().expect("its output")).lines();
    let mut address = String::new();
    for line in lines.by_ref() {
        let line = line.expect("text");
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("app"), Some(url)) => url.trim_start_matches("http://").clone_into(&mut address),
            (Some("Stop"), _) => break,
            _ => {}
        }
    }
    // A closed pipe would be a fault of its own.
    thread::spawn(move || lines.for_each(drop));
    (server, address)
}

/// A person's token.
fn sign_up(address: &str) -> String {
    let query = r#"mutation { signUp(input: { username: "ada", email: "ada@example.org", firstName: "Ada", lastName: "", password: "a fox jumps 7 times" }) { token } }"#;
    let body = serde_json::json!({ "query": query }).to_string();
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "POST /graphql HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("it takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (_, json) = answer.split_once("\r\n\r\n").expect("an answer has a body");
    let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
    json["data"]["signUp"]["token"].as_str().expect("a token").to_owned()
}

fn stop(mut server: Child) {
    server.kill().and_then(|()| server.wait()).expect("it ends");
}

/// `RssAnon` in MB.
fn memory(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? * 1024.0 / 1e6)
}

/// Looks at a process's memory all the time.
struct Watch {
    over: Arc<AtomicBool>,
    most: thread::JoinHandle<f64>,
}

impl Watch {
    fn begin(pid: u32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let most = thread::spawn(move || {
            let mut most = 0.0;
            while !told.load(Ordering::Relaxed) {
                most = memory(pid).unwrap_or_default().max(most);
                thread::sleep(Duration::from_millis(10));
            }
            most
        });
        Self { over, most }
    }

    /// MB at its most.
    fn end(self) -> f64 {
        self.over.store(true, Ordering::Relaxed);
        self.most.join().expect("it only looks")
    }
}
