//! A bounded load: so many requests, four at a time, each answer checked; and the CPU time of a process.

use std::{
    fs,
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::task::JoinSet;

use super::subject::Subject;

const AT_ONCE: usize = 4;
/// How long a process must have been idle before it is measured.
const IDLE: Duration = Duration::from_secs(1);
/// Linux counts CPU time in hundredths of a second.
const TICKS: f64 = 100.0;

/// Something to send over and over.
pub trait Request: Clone + Send + Sync + 'static {
    /// Sends it and checks the answer; its length in bytes.
    fn send(&self) -> impl Future<Output = usize> + Send;
}

#[derive(Debug)]
pub struct Load {
    /// Seconds of CPU for each request.
    pub cpu: f64,
    /// Of one answer.
    pub bytes: usize,
}

/// CPU time of these processes so far.
#[derive(Clone)]
pub struct Cpu(pub Vec<u32>);

impl Cpu {
    fn read(&self) -> f64 {
        self.0.iter().copied().map(cpu_of).sum()
    }

    /// Waits until work that nobody asked for, such as copies and renditions, is done.
    pub async fn idle(&self) {
        loop {
            let before = self.read();
            tokio::time::sleep(IDLE).await;
            if self.read() - before <= 2.0 / TICKS {
                return;
            }
        }
    }
}

/// Warms up with a tenth, then counts.
pub async fn run(cpu: &Cpu, times: usize, request: impl Request) -> Load {
    run_at_once(cpu, AT_ONCE, times, request).await
}

/// The same with so many requests at a time.
pub async fn run_at_once(cpu: &Cpu, at_once: usize, times: usize, request: impl Request) -> Load {
    repeat(at_once, times / 10 + 1, &request).await;
    let before = cpu.read();
    let bytes = repeat(at_once, times, &request).await;
    Load { cpu: (cpu.read() - before) / times as f64, bytes }
}

async fn repeat(at_once: usize, times: usize, request: &impl Request) -> usize {
    let left = Arc::new(AtomicUsize::new(times));
    let mut workers = JoinSet::new();
    for _ in 0..at_once {
        let (left, request) = (left.clone(), request.clone());
        workers.spawn(async move {
            let mut bytes = 0;
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                bytes = request.send().await;
            }
            bytes
        });
    }
    workers.join_all().await.into_iter().max().unwrap()
}

/// Seconds of CPU that the process has used, its ended threads included.
pub fn cpu_of(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
}

/// Bytes: the most memory that the process ever had.
pub fn peak_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

/// A GraphQL request by the subject's person.
#[derive(Clone)]
pub struct Graphql {
    http: reqwest::Client,
    url: String,
    token: String,
    body: String,
    right: fn(&str) -> bool,
}

impl Graphql {
    pub fn new(subject: &Subject, query: &str, right: fn(&str) -> bool) -> Self {
        let body = serde_json::json!({ "query": query }).to_string();
        let (url, token) = (format!("{}/graphql", subject.app), subject.token.clone());
        Self { http: reqwest::Client::new(), url, token, body, right }
    }
}

impl Request for Graphql {
    async fn send(&self) -> usize {
        let request = self.http.post(&self.url).bearer_auth(&self.token).header("content-type", "application/json");
        let answer = request.body(self.body.clone()).send().await.unwrap().text().await.unwrap();
        assert!((self.right)(&answer), "{answer}");
        answer.len()
    }
}

/// A download that has to be this long.
#[derive(Clone)]
pub struct Get {
    http: reqwest::Client,
    url: String,
    length: usize,
}

impl Get {
    pub fn new(url: &str, length: usize) -> Self {
        Self { http: reqwest::Client::new(), url: url.to_owned(), length }
    }
}

impl Request for Get {
    async fn send(&self) -> usize {
        let mut response = self.http.get(&self.url).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut length = 0;
        while let Some(chunk) = response.chunk().await.unwrap() {
            length += chunk.len();
        }
        assert_eq!(length, self.length);
        length
    }
}
