//! The work that is interrupted: a few clients upload, replace, trash, restore and purge files of their own, and know of
//! each file what the server acknowledged and what may or may not have taken place.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{
    client::{Client, NoAnswer, Shown},
    content::{Content, Contents},
};

const AFTER_FAULT: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    Upload,
    /// A direct upload.
    Send,
    Replace,
    /// To an old version.
    Revert,
    Trash,
    Restore,
    Purge,
    Read,
    /// Of a whole account: see [`super::leaving`].
    Close,
    /// A snap sent, opened, fetched and ended: see [`super::snaps`].
    Snap,
    Open,
    View,
    End,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upload => "upload",
            Self::Send => "send",
            Self::Replace => "replace",
            Self::Revert => "revert",
            Self::Trash => "trash",
            Self::Restore => "restore",
            Self::Purge => "purge",
            Self::Read => "read",
            Self::Close => "close",
            Self::Snap => "snap",
            Self::Open => "open",
            Self::View => "view",
            Self::End => "end",
        })
    }
}

/// What a file may be found to be. The text is the SHA-256 of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Gone,
    Active(String),
    Trashed(String),
}

impl State {
    pub fn of(shown: Option<&Shown>) -> Self {
        match shown {
            None => Self::Gone,
            Some(file) if file.state == "TRASHED" => Self::Trashed(file.sha256.clone()),
            Some(file) => Self::Active(file.sha256.clone()),
        }
    }
}

/// One file, by a name that no other file ever had.
#[derive(Clone, Debug)]
pub struct Record {
    pub name: String,
    /// One state where the last act was acknowledged, several where nobody knows.
    pub allowed: Vec<State>,
    /// Once known.
    id: Option<String>,
    revision: i64,
    open: Option<Open>,
}

/// An act without an answer, and the round that it belongs to.
#[derive(Clone, Debug)]
struct Open {
    round: u32,
    attempt: Attempt,
}

#[derive(Clone, Debug)]
enum Attempt {
    Upload {
        key: String,
        content: Content,
    },
    Send {
        key: String,
        content: Content,
    },
    Replace {
        key: String,
        revision: i64,
        content: Content,
    },
    Revert {
        key: String,
        revision: i64,
        version: String,
        sha256: String,
    },
    Trash,
    Restore,
    Purge,
    /// A replacement and a purge at the same time: only a look can tell.
    Race,
}

/// What happened, over all clients.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<Noted>>);

#[derive(Clone, Default)]
pub struct Noted {
    pub acknowledged: BTreeMap<Act, u32>,
    pub unknown: u32,
    /// Faults that the server reported: allowed, and worth a look.
    pub faults: BTreeMap<String, u32>,
    /// Unknown outcomes that a repeat or a look settled.
    pub settled: u32,
    pub violations: Vec<String>,
}

impl Notes {
    pub fn read(&self) -> Noted {
        self.0.lock().expect("no holder panics").clone()
    }

    fn write(&self, change: impl FnOnce(&mut Noted)) {
        change(&mut self.0.lock().expect("no holder panics"));
    }

    /// Those so far, which are forgotten: for planted faults.
    pub(super) fn take_violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        self.write(|noted| violations = std::mem::take(&mut noted.violations));
        violations
    }

    pub(super) fn violation(&self, what: String) {
        self.write(|noted| noted.violations.push(what));
    }

    /// Whether nobody knows; a refusal is known.
    pub(super) fn unknown(&self, error: &NoAnswer) -> bool {
        self.write(|noted| match error {
            NoAnswer::Unknown(_) => noted.unknown += 1,
            NoAnswer::Fault(fault) => {
                noted.unknown += 1;
                *noted.faults.entry(fault.clone()).or_default() += 1;
            }
            NoAnswer::Refused(_) => {}
        });
        !matches!(error, NoAnswer::Refused(_))
    }

    pub(super) fn acknowledged(&self, act: Act) {
        self.write(|noted| *noted.acknowledged.entry(act).or_default() += 1);
    }

    pub(super) fn settled(&self) {
        self.write(|noted| noted.settled += 1);
    }
}

/// One client with its files.
pub struct Worker {
    pub records: Vec<Record>,
    number: u32,
    made: u32,
    seed: u64,
    contents: Contents,
    notes: Notes,
    /// Whether it also sends files straight to S3.
    sends: bool,
}

/// What one round gives a worker.
pub struct Round {
    pub number: u32,
    pub client: Client,
    /// Done more often than other acts, because the kill is aimed at it.
    pub favour: Act,
    /// Told of each act just before its request is sent.
    pub started: UnboundedSender<Act>,
    pub stop: CancellationToken,
}

impl Worker {
    pub fn new(seed: u64, number: u32, contents: Contents, notes: Notes) -> Self {
        Self { records: Vec::new(), number, made: 0, seed, contents, notes, sends: false }
    }

    /// The same, which also sends files straight to S3.
    pub fn who_sends(self) -> Self {
        Self { sends: true, ..self }
    }

    /// Works until told to stop; a request under way is waited for.
    pub async fn work(&mut self, round: &Round) {
        let mut rng = self.rng(round.number);
        while !round.stop.is_cancelled() {
            let settle = self.records.iter().position(|record| may_be_settled(record, round.number));
            match settle {
                Some(at) if rng.random_bool(0.6) => self.settle(round, at, &mut rng).await,
                _ => self.act(round, &mut rng).await,
            }
        }
    }

    /// Settles this share of what is unknown; the rest is left as it is.
    pub async fn settle_some(&mut self, round: &Round, share: f64) {
        let mut rng = self.rng(round.number);
        for at in 0..self.records.len() {
            if may_be_settled(&self.records[at], round.number) && rng.random_bool(share) {
                self.settle(round, at, &mut rng).await;
            }
        }
    }

    fn rng(&self, round: u32) -> StdRng {
        StdRng::seed_from_u64(self.seed ^ (u64::from(round) << 32) ^ (u64::from(self.number) << 56))
    }

    async fn act(&mut self, round: &Round, rng: &mut StdRng) {
        let act = if rng.random_bool(0.35) { round.favour } else { draw(rng) };
        let Some(at) = self.candidate(act, rng) else { return self.upload(round, rng).await };
        let (id, revision) = (self.records[at].id.clone().unwrap_or_default(), self.records[at].revision);
        match act {
            Act::Upload | Act::Send | Act::Close | Act::Snap | Act::Open | Act::View | Act::End => {
                self.upload(round, rng).await;
            }
            Act::Revert => self.revert(round, at, rng).await,
            Act::Read => self.read(round, at).await,
            Act::Replace if rng.random_bool(0.15) => self.race(round, at, rng).await,
            Act::Replace => {
                let content = self.contents.next(rng);
                let key = format!("{id}-{revision}");
                self.attempt(round, at, Attempt::Replace { key, revision, content }).await;
            }
            Act::Trash => self.attempt(round, at, Attempt::Trash).await,
            Act::Restore => self.attempt(round, at, Attempt::Restore).await,
            Act::Purge => self.attempt(round, at, Attempt::Purge).await,
        }
    }

    /// A file whose state is known and fits the act.
    fn candidate(&self, act: Act, rng: &mut StdRng) -> Option<usize> {
        let fits = |record: &Record| match (&record.open, record.id.as_ref(), record.allowed.as_slice()) {
            (None, Some(_), [State::Active(_)]) => act != Act::Restore,
            (None, Some(_), [State::Trashed(_)]) => matches!(act, Act::Restore | Act::Purge | Act::Read),
            _ => false,
        };
        let fitting: Vec<usize> = (0..self.records.len()).filter(|at| fits(&self.records[*at])).collect();
        (!fitting.is_empty()).then(|| fitting[rng.random_range(0..fitting.len())])
    }

    async fn upload(&mut self, round: &Round, rng: &mut StdRng) {
        self.made += 1;
        let name = format!("{}-{}.bin", self.number, self.made);
        let key = format!("upload-{name}");
        let content = self.contents.next(rng);
        self.records.push(Record { name, allowed: vec![State::Gone], id: None, revision: 0, open: None });
        let is_direct = self.sends && rng.random_bool(if round.favour == Act::Send { 0.8 } else { 0.3 });
        let attempt = if is_direct { Attempt::Send { key, content } } else { Attempt::Upload { key, content } };
        self.attempt(round, self.records.len() - 1, attempt).await;
    }

    /// Brings back an old version, where there is one.
    async fn revert(&mut self, round: &Round, at: usize, rng: &mut StdRng) {
        let record = &self.records[at];
        let (id, revision) = (record.id.clone().unwrap_or_default(), record.revision);
        let Ok(old) = round.client.old_versions(&id).await else { return };
        if old.is_empty() {
            return;
        }
        let (version, sha256) = old[rng.random_range(0..old.len())].clone();
        let key = format!("{id}-{revision}-back");
        self.attempt(round, at, Attempt::Revert { key, revision, version, sha256 }).await;
    }

    /// Sends a request and writes down what is known after it.
    async fn attempt(&mut self, round: &Round, at: usize, attempt: Attempt) {
        let record = &mut self.records[at];
        let id = record.id.clone().unwrap_or_default();
        record.open = Some(Open { round: round.number, attempt: attempt.clone() });
        let client = &round.client;
        let (act, outcome, expected) = match &attempt {
            Attempt::Upload { key, content } => {
                record.may_be(State::Active(content.sha256.clone()));
                _ = round.started.send(Act::Upload);
                let answer = client.upload(&record.name, &content.bytes, key).await;
                (Act::Upload, answer.map(Some), Some(content.sha256.clone()))
            }
            Attempt::Send { key, content } => {
                record.may_be(State::Active(content.sha256.clone()));
                _ = round.started.send(Act::Send);
                let answer = client.send(&record.name, &content.bytes, key).await;
                let given_up = matches!(answer, Ok(None));
                (Act::Send, answer, (!given_up).then(|| content.sha256.clone()))
            }
            Attempt::Revert { key, revision, version, sha256 } => {
                record.may_be(State::Active(sha256.clone()));
                _ = round.started.send(Act::Revert);
                let answer = client.revert(version, *revision, key).await;
                (Act::Revert, answer.map(Some), Some(sha256.clone()))
            }
            Attempt::Replace { key, revision, content } => {
                record.may_be(State::Active(content.sha256.clone()));
                _ = round.started.send(Act::Replace);
                let answer = client.replace(&id, *revision, &content.bytes, key).await;
                (Act::Replace, answer.map(Some), Some(content.sha256.clone()))
            }
            Attempt::Trash => {
                record.may_be_each(State::Trashed);
                _ = round.started.send(Act::Trash);
                (Act::Trash, client.trash(&id).await.map(Some), None)
            }
            Attempt::Restore => {
                record.may_be_each(State::Active);
                _ = round.started.send(Act::Restore);
                (Act::Restore, client.restore(&id).await.map(Some), None)
            }
            Attempt::Purge | Attempt::Race => {
                record.may_be(State::Gone);
                _ = round.started.send(Act::Purge);
                (Act::Purge, client.purge(&id).await.map(|()| None), None)
            }
        };
        match outcome {
            Ok(shown) => {
                self.notes.acknowledged(act);
                let wrong = expected.is_some() && expected != shown.as_ref().map(|file| file.sha256.clone());
                if wrong {
                    self.notes.violation(format!("{}: {act} was answered with {shown:?}", record.name));
                }
                self.saw(at, shown);
            }
            // A client that waits before it comes again, as it was told.
            Err(error) if self.notes.unknown(&error) => tokio::time::sleep(AFTER_FAULT).await,
            Err(error) => {
                self.notes.violation(format!("{}: {act} of {:?} was {error}", record.name, record.allowed));
                record.open = None;
            }
        }
    }

    async fn race(&mut self, round: &Round, at: usize, rng: &mut StdRng) {
        let record = &mut self.records[at];
        let id = record.id.clone().unwrap_or_default();
        let content = self.contents.next(rng);
        record.may_be(State::Gone);
        record.may_be(State::Active(content.sha256.clone()));
        record.open = Some(Open { round: round.number, attempt: Attempt::Race });
        _ = round.started.send(Act::Replace);
        _ = round.started.send(Act::Purge);
        let key = format!("{id}-{}", record.revision);
        let (replaced, purged) =
            tokio::join!(round.client.replace(&id, record.revision, &content.bytes, &key), round.client.purge(&id));
        match purged {
            // Whatever the replacement said: it came before, or it came to nothing.
            Ok(()) => {
                self.notes.acknowledged(Act::Purge);
                self.saw(at, None);
            }
            Err(error) if self.notes.unknown(&error) => {
                if replaced.is_ok() {
                    self.notes.acknowledged(Act::Replace);
                    record.allowed = vec![State::Gone, State::Active(content.sha256)];
                }
            }
            Err(error) => self.notes.violation(format!("{}: a purge was {error}", record.name)),
        }
    }

    async fn read(&mut self, round: &Round, at: usize) {
        let record = &self.records[at];
        let Ok(shown) = round.client.file(record.id.as_deref().unwrap_or_default()).await else { return };
        let (name, url) = (record.name.clone(), shown.as_ref().and_then(|file| file.url.clone()));
        if !self.saw(at, shown.clone()) {
            return;
        }
        let (Some(file), Some(url)) = (shown, url) else { return };
        match round.client.download(&url).await {
            Ok(sha256) if sha256 == file.sha256 => self.notes.acknowledged(Act::Read),
            Ok(sha256) => self.notes.violation(format!("{name}: downloaded {sha256}, expected {}", file.sha256)),
            Err(NoAnswer::Refused(why)) => self.notes.violation(format!("{name}: the download was refused: {why}")),
            Err(_) => {}
        }
    }

    /// Repeats an act with its idempotency key, or looks what became of it. The process that had it is dead.
    async fn settle(&mut self, round: &Round, at: usize, rng: &mut StdRng) {
        let Some(Open { attempt, .. }) = self.records[at].open.clone() else { return };
        let looked = match (&self.records[at].id, &attempt) {
            (Some(id), Attempt::Race) => round.client.file(id).await,
            (Some(id), _) if rng.random_bool(0.4) => round.client.file(id).await,
            _ => {
                self.attempt(round, at, attempt).await;
                if self.records[at].open.is_none() {
                    self.notes.settled();
                }
                return;
            }
        };
        if let Ok(shown) = looked {
            self.notes.settled();
            self.saw(at, shown);
        }
    }

    /// The file's state is known now; whether it is one that it may have.
    fn saw(&mut self, at: usize, shown: Option<Shown>) -> bool {
        let record = &mut self.records[at];
        let state = State::of(shown.as_ref());
        let fits = record.allowed.contains(&state);
        if !fits {
            self.notes.violation(format!("{}: is {state:?}, expected {:?}", record.name, record.allowed));
        }
        if let Some(file) = shown {
            record.id = Some(file.id);
            record.revision = file.revision;
        }
        record.allowed = vec![state];
        record.open = None;
        fits
    }
}

impl Record {
    fn may_be(&mut self, state: State) {
        if !self.allowed.contains(&state) {
            self.allowed.push(state);
        }
    }

    fn may_be_each(&mut self, state: impl Fn(String) -> State) {
        for allowed in self.allowed.clone() {
            if let State::Active(sha256) | State::Trashed(sha256) = allowed {
                self.may_be(state(sha256));
            }
        }
    }
}

/// Only once the process that got the request is dead.
fn may_be_settled(record: &Record, round: u32) -> bool {
    record.open.as_ref().is_some_and(|open| open.round < round)
}

fn draw(rng: &mut StdRng) -> Act {
    match rng.random_range(0..100) {
        0..40 => Act::Upload,
        40..53 => Act::Replace,
        53..60 => Act::Revert,
        60..70 => Act::Trash,
        70..75 => Act::Restore,
        75..90 => Act::Purge,
        _ => Act::Read,
    }
}
