//! How soon a subscriber hears of what somebody has done, in one process and across two on Postgres; and what an idle
//! subscription takes of the server's memory. `LIVE_SAMPLES` says how many arrivals (1000), `LIVE_SOCKETS` how many
//! subscriptions (5000): each is a WebSocket, so the bench needs as many open files, and the server twice as many.
//!
//! Targets: arrival p99 within 20 ms in one process and 50 ms across two, from the sending of the mutation; 20 kB each. Two
//! people act every 50 ms: how many the server can serve at once is another question.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on has failed")]

#[path = "../tests/servers/mod.rs"]
#[expect(dead_code, reason = "the tests and the trials use the rest")]
mod servers;
#[path = "support/table.rs"]
#[expect(dead_code, reason = "there is no peer to stand beside")]
mod table;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use futures::{SinkExt as _, StreamExt as _};
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::MissedTickBehavior};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

use self::{
    servers::{DatabaseServer, Kind},
    table::{Row, Target},
};

const PEOPLE: usize = 2;
/// Between two acts of a person.
const PACE: Duration = Duration::from_millis(50);
const LIVE: &str = "subscription { eventReceived { cursor } }";
/// Before the memory is looked at: what the connecting took is given back by then.
const REST: Duration = Duration::from_secs(3);

#[expect(clippy::disallowed_methods, reason = "how much is measured is no setting of the server")]
fn wanted(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let database = DatabaseServer::start(Kind::Postgres).await.unwrap();
    let connection = Database::connect(database.maintenance_url()).await.unwrap();
    connection.execute_unprepared("CREATE DATABASE snaphaven").await.unwrap();
    let url = database.url("snaphaven");
    let (first, second) = (Server::start(&url), Server::start(&url));
    let samples = wanted("LIVE_SAMPLES", 1000);
    let mut rows = Vec::new();
    for (what, at, target) in [("one process", &first, 20.0), ("across two", &second, 50.0)] {
        let (arrivals, answers) = arrivals(&first, at, samples, what).await;
        let mut row = |what: String, ours, target| rows.push(Row { what, unit: "ms", ours, peer: None, target });
        row(format!("arrival, {what}, p50"), quantile(&arrivals, 0.5), Target::None);
        row(format!("arrival, {what}, p99"), quantile(&arrivals, 0.99), Target::Limit(target));
        row("  answer to the sender, p50".to_owned(), quantile(&answers, 0.5), Target::None);
    }
    let sockets = wanted("LIVE_SOCKETS", 5000);
    let token = first.sign_up("idle").await;
    drop((first, second));
    // One that has given back no memory yet, as the hash of a password takes much.
    let ours = memory_each(&Server::start(&url), &token, sockets).await;
    let what = format!("private memory of each of {sockets} idle");
    rows.push(Row { what, unit: "kB", ours, peer: None, target: Target::Limit(20.0) });
    table::print(&format!("Subscriptions on Postgres, {samples} arrivals"), "peer", &rows);
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// Milliseconds from the sending of a mutation at `from` to its event at a subscriber of `at`, and to its answer, each
/// sorted; several people at once.
async fn arrivals(from: &Server, at: &Server, samples: usize, what: &str) -> (Vec<f64>, Vec<f64>) {
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        let name = format!("{}{n}", what.replace(' ', "_"));
        let token = from.sign_up(&name).await;
        let mut socket = subscribe(&at.app, &token).await;
        let (from, http) = (from.app.clone(), reqwest::Client::new());
        people.push(tokio::spawn(async move {
            let mut times = Vec::with_capacity(samples / PEOPLE);
            let mut open = None;
            let mut pace = tokio::time::interval(PACE);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The first ones warm up.
            for sample in 0..samples / PEOPLE + 20 {
                let (query, input) = match open.take() {
                    None => (CREATE, json!({ "name": "a", "size": 1 })),
                    Some(id) => (ABORT, json!({ "id": id })),
                };
                pace.tick().await;
                let begun = Instant::now();
                let passed = || begun.elapsed().as_secs_f64() * 1e3;
                let answer = async {
                    let answer = ask(&http, &from, &token, query, json!({ "input": input })).await;
                    (answer, passed())
                };
                let arrived = async {
                    next(&mut socket).await;
                    passed()
                };
                let ((answer, answered), arrived) = tokio::join!(answer, arrived);
                open = answer["createUpload"]["uploadSession"]["id"].as_str().map(str::to_owned);
                if sample >= 20 {
                    times.push((arrived, answered));
                }
            }
            times
        }));
    }
    let (mut arrivals, mut answers) = (Vec::new(), Vec::new());
    for person in people {
        let (arrived, answered): (Vec<f64>, Vec<f64>) = person.await.unwrap().into_iter().unzip();
        arrivals.extend(arrived);
        answers.extend(answered);
    }
    arrivals.sort_by(f64::total_cmp);
    answers.sort_by(f64::total_cmp);
    (arrivals, answers)
}

const CREATE: &str = "mutation ($input: CreateUploadInput!) { createUpload(input: $input) { uploadSession { id } userErrors { message } } }";
const ABORT: &str = "mutation ($input: AbortUploadInput!) { abortUpload(input: $input) { userErrors { message } } }";

/// What so many idle subscriptions add to the server, in kB for each.
async fn memory_each(server: &Server, token: &str, count: usize) -> f64 {
    // What the first ones set up is not theirs.
    let mut sockets = vec![subscribe(&server.app, token).await];
    tokio::time::sleep(REST).await;
    let before = server.memory();
    for _ in 0..count {
        sockets.push(subscribe(&server.app, token).await);
    }
    tokio::time::sleep(REST).await;
    (server.memory() - before) / 1e3 / count as f64
}

type Socket = WebSocketStream<TcpStream>;

/// A subscription that runs: what was asked after it has been answered.
async fn subscribe(app: &str, token: &str) -> Socket {
    let host = app.trim_start_matches("http://");
    let mut request = format!("ws://{host}/graphql").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    let (mut socket, _) = client_async(request, TcpStream::connect(host).await.unwrap()).await.unwrap();
    for message in [
        json!({ "type": "connection_init", "payload": { "token": token } }),
        json!({ "type": "subscribe", "id": "live", "payload": { "query": LIVE } }),
        json!({ "type": "subscribe", "id": "query", "payload": { "query": "{ unreadCount }" } }),
    ] {
        socket.send(Message::text(message.to_string())).await.unwrap();
    }
    while next(&mut socket).await["type"] != "complete" {}
    socket
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        if let Message::Text(text) = socket.next().await.expect("it is open").unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

async fn ask(http: &reqwest::Client, app: &str, token: &str, query: &str, variables: Value) -> Value {
    let request = http.post(format!("{app}/graphql")).json(&json!({ "query": query, "variables": variables }));
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"].clone()
}

/// The release binary; killed when dropped.
struct Server {
    app: String,
    process: Child,
    _folder: TempDir,
}

impl Server {
    fn start(database: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_snaphaven"))
            .args(["serve", "--listen", "127.0.0.1:0", "--set", "log.filter=warn", "--set", "live.max_sockets=100000"])
            // Nobody reads from the idle ones, nor answers pings.
            .args(["--set", "live.keep_alive=1h"])
            .args(["--set", &format!("database.url={database}"), "--data-dir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let app = lines.find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("app")).then(|| words.next().unwrap().to_owned())
        });
        // The greeting goes on; nobody may close the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { app: app.unwrap(), process, _folder: folder }
    }

    /// A person's token.
    async fn sign_up(&self, username: &str) -> String {
        let query = "mutation ($input: SignUpInput!) { signUp(input: $input) { token userErrors { message } } }";
        let input = json!({
            "username": username, "email": format!("{username}@example.org"), "firstName": "Ada", "lastName": "",
            "password": "a fox jumps 7 times",
        });
        let answer = ask(&reqwest::Client::new(), &self.app, "", query, json!({ "input": input })).await;
        answer["signUp"]["token"].as_str().unwrap().to_owned()
    }

    /// `RssAnon` in bytes.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}
