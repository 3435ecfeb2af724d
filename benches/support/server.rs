//! The release binary on a folder of its own, and how much memory it takes.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

/// The server with these settings, and its `host:port`.
pub fn start(data_dir: &Path, settings: &[&str]) -> (Child, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_snaphaven"))
        .args(["serve", "--listen", "127.0.0.1:0", "--set", "log.filter=warn", "--data-dir"])
        .arg(data_dir)
        .args(settings.iter().flat_map(|setting| ["--set", setting]))
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
pub fn sign_up(address: &str) -> String {
    let query = r#"mutation { signUp(input: { username: "ada", email: "ada@example.org", firstName: "Ada", lastName: "", password: "a fox jumps 7 times" }) { token } }"#;
    ask(address, "", query)["signUp"]["token"].as_str().expect("a token").to_owned()
}

/// What an operation's `data` is.
pub fn ask(address: &str, token: &str, query: &str) -> Value {
    let body = serde_json::json!({ "query": query }).to_string();
    let authorization = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "POST /graphql HTTP/1.1\r\nhost: {address}\r\n{authorization}content-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("it takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (_, json) = answer.split_once("\r\n\r\n").expect("an answer has a body");
    let json: Value = serde_json::from_str(json).expect("JSON");
    assert!(json["errors"].is_null(), "{json}");
    json["data"].clone()
}

pub fn stop(mut server: Child) {
    server.kill().and_then(|()| server.wait()).expect("it ends");
}

/// `RssAnon` in MB.
pub fn memory(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? * 1024.0 / 1e6)
}

/// Looks at a process's memory all the time.
pub struct Watch {
    over: Arc<AtomicBool>,
    most: thread::JoinHandle<f64>,
}

impl Watch {
    pub fn begin(pid: u32) -> Self {
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
    pub fn end(self) -> f64 {
        self.over.store(true, Ordering::Relaxed);
        self.most.join().expect("it only looks")
    }
}
