//! Start to first answer, and idle memory, of the release binary over an existing data folder.
//!
//! Targets: 0.3 s and 25 MB of private memory before any log-in. Prints the minimum, median and maximum of several starts.

#![allow(clippy::expect_used, reason = "a bench that cannot go on has failed")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const STARTS: usize = 9;
/// The server is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(3);

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The first start makes the database, the keys and the buckets.
    stop(start(folder.path()).0);
    let mut times = Vec::new();
    let mut private = Vec::new();
    let mut anonymous = Vec::new();
    for _ in 0..STARTS {
        let (server, time) = start(folder.path());
        std::thread::sleep(IDLE);
        times.push(time.as_secs_f64() * 1000.0);
        private.push(memory(&server, &["Private_Clean:", "Private_Dirty:"]));
        anonymous.push(memory(&server, &["Anonymous:"]));
        stop(server);
    }
    report("start to first answer", "ms", "≤ 300", &mut times);
    report("idle private memory, heap and stacks", "MB", "≤ 25", &mut anonymous);
    report("the same with the binary's own pages", "MB", "", &mut private);
}

/// Starts the server and asks it a GraphQL question until it answers; the time runs from before the start.
fn start(folder: &Path) -> (Child, Duration) {
    let begun = Instant::now();
    let mut server = Command::new(env!("CARGO_BIN_EXE_snaphaven"))
        .args(["serve", "--listen", "127.0.0.1:0", "--set", "log.filter=warn", "--data-dir"])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut lines = BufReader::new(server.stdout.take().expect("its output")).lines();
    let address = loop {
        let line = lines.next().expect("the greeting names the address").expect("text");
        if let Some((_, rest)) = line.split_once("http://") {
            break rest.split_whitespace().next().unwrap_or_default().to_owned();
        }
    };
    let body = r#"{"query":"{ limits { uploadSize } }"}"#;
    let mut stream = TcpStream::connect(&address).expect("it listens");
    write!(
        stream,
        "POST /graphql HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("it takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let time = begun.elapsed();
    assert!(answer.contains(r#""uploadSize":10485760"#), "{answer}");
    (server, time)
}

fn stop(mut server: Child) {
    let done = Command::new("kill").arg(server.id().to_string()).status().expect("kill runs");
    assert!(done.success());
    assert!(server.wait().expect("it ends").success(), "SIGTERM ends it well");
}

/// The sum of these lines of smaps_rollup, in MB.
fn memory(server: &Child, lines: &[&str]) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", server.id())).expect("Linux says");
    let kib: f64 = rollup
        .lines()
        .filter(|line| lines.iter().any(|name| line.starts_with(name)))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok())
        .sum();
    kib * 1024.0 / 1e6
}

fn report(what: &str, unit: &str, target: &str, values: &mut [f64]) {
    values.sort_by(f64::total_cmp);
    let (min, median, max) = (values[0], values[values.len() / 2], values[values.len() - 1]);
    println!("{what:<40} min {min:>7.1}  median {median:>7.1}  max {max:>7.1} {unit}  {target}");
}
