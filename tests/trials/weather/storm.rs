//! One fault under load: what it may do to the requests meanwhile, and what it did.

use std::time::{Duration, Instant};

use crate::common::client::{End, Sample};

/// What a fault is called, and what it may do.
#[derive(Clone, Debug)]
pub struct Storm {
    pub what: String,
    /// It has to strike this often, and to last this long.
    pub least: u32,
    pub hold: Duration,
    /// The longest answer, of any request.
    pub answer: Duration,
    /// The longest answer to a page of files, where the fault does not concern the database.
    pub page: Option<Duration>,
    /// Whether connections to the server may break.
    pub breaks: bool,
    /// How soon after its end a write has to be acknowledged.
    pub recovery: Duration,
}

impl Storm {
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            least: 1,
            hold: Duration::from_millis(1_000),
            answer: Duration::from_secs(5),
            page: None,
            breaks: false,
            recovery: Duration::from_secs(5),
        }
    }
}

/// What happened while it lasted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub struck: u32,
    pub acknowledged: u32,
    /// Of those that work, and of those that only look.
    pub work: Vec<Sample>,
    pub pages: Vec<Sample>,
    /// From the end of the fault to the first acknowledged write; `None` where there was none in time.
    pub recovered: Option<Duration>,
    pub began: Option<Instant>,
    pub ended: Option<Instant>,
}

impl Tally {
    pub fn refused(&self) -> usize {
        self.all().filter(|sample| matches!(sample.end, End::Fault(..))).count()
    }

    pub fn unknown(&self) -> usize {
        self.all().filter(|sample| matches!(sample.end, End::Broken(_))).count()
    }

    pub fn longest(&self) -> Duration {
        self.all().map(|sample| sample.took).max().unwrap_or_default()
    }

    fn all(&self) -> impl Iterator<Item = &Sample> {
        self.work.iter().chain(&self.pages)
    }

    /// How long pages took that were asked for before the fault, and during it.
    pub fn looks(&self) -> Looks {
        let (Some(began), Some(ended)) = (self.began, self.ended) else { return Looks::default() };
        let times = |of: &dyn Fn(Instant) -> bool| {
            self.pages.iter().filter(|page| of(page.began)).map(|page| page.took).collect()
        };
        Looks { calm: times(&|at| at < began), stormy: times(&|at| (began..ended).contains(&at)) }
    }
}

/// Times of pages, in the calm before a fault and while it lasts.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    pub calm: Vec<Duration>,
    pub stormy: Vec<Duration>,
}

impl Looks {
    /// The 99th percentiles, where something was looked at in both.
    pub fn p99(&self) -> Option<(Duration, Duration)> {
        let p99 = |times: &[Duration]| {
            let mut times = times.to_vec();
            times.sort();
            times.get((times.len() * 99).div_ceil(100).saturating_sub(1)).copied()
        };
        Some((p99(&self.calm)?, p99(&self.stormy)?))
    }

    /// Whether pages took more than twice as long in the storm. What a tenth of a second hides, nobody waits for.
    pub fn slow(&self) -> bool {
        self.p99().is_some_and(|(calm, stormy)| stormy > 2 * calm.max(Duration::from_millis(100)))
    }
}

/// Words that belong into the log, not into an answer.
const INNER: [&str; 9] =
    ["sqlx", "postgres", "mysql", "sqlite", "127.0.0.1", "snaphaven-", "/tmp", "original/", "os error"];

/// What is not as promised.
pub fn weigh(storm: &Storm, tally: &Tally) -> Vec<String> {
    let mut violations = Vec::new();
    if tally.struck < storm.least {
        violations.push(format!("it struck {} times only, not {}", tally.struck, storm.least));
    }
    for sample in tally.all() {
        if sample.took > storm.answer {
            violations.push(format!("an answer took {:?}: {:?}", sample.took, sample.end));
        }
        match &sample.end {
            End::Answered => {}
            End::Fault(code, text) if code != "UNAVAILABLE" => violations.push(format!("an answer was {text}")),
            End::Fault(_, text) => {
                if let Some(inner) = INNER.iter().find(|inner| text.contains(**inner)) {
                    violations.push(format!("an answer tells of {inner}: {text}"));
                }
            }
            End::Broken(_) if storm.breaks => {}
            End::Broken(error) => violations.push(format!("a request had no answer: {error}")),
        }
    }
    if let Some(limit) = storm.page {
        let slow = tally.pages.iter().filter(|page| page.took > limit).count();
        if slow > 0 {
            violations.push(format!("{slow} pages took longer than {limit:?}"));
        }
    }
    if tally.recovered.is_none() {
        violations.push(format!("no write was acknowledged within {:?} after it", storm.recovery));
    }
    violations.sort();
    violations.dedup();
    violations
}

/// The scales weighed: each of these has to be found.
///
/// # Errors
/// What was not found.
pub fn plant() -> Result<&'static str, String> {
    let sample = |took, end| Sample { began: Instant::now(), took: Duration::from_millis(took), end };
    let sound =
        Tally { struck: 1, work: vec![sample(10, End::Answered)], recovered: Some(Duration::ZERO), ..Tally::default() };
    let storm = Storm { page: Some(Duration::from_secs(1)), ..Storm::new("planted") };
    let with = |planted: Sample| Tally { work: vec![planted], ..sound.clone() };
    let faults = [
        ("a fault that never struck", Tally { struck: 0, ..sound.clone() }),
        ("an answer later than 5 s", with(sample(5_001, End::Answered))),
        ("a fault of the server's own", with(sample(1, End::Fault("INTERNAL".into(), "INTERNAL".into())))),
        ("a leak", with(sample(1, End::Fault("UNAVAILABLE".into(), "sqlx: os error 111".into())))),
        ("a request without an answer", with(sample(1, End::Broken(String::new())))),
        ("a slow page", Tally { pages: vec![sample(1_001, End::Answered)], ..sound.clone() }),
        ("a server that stays away", Tally { recovered: None, ..sound.clone() }),
    ];
    if !weigh(&storm, &sound).is_empty() {
        return Err(format!("a sound tally was refused: {:?}", weigh(&storm, &sound)));
    }
    for (what, tally) in faults {
        if weigh(&storm, &tally).len() != 1 {
            return Err(format!("{what} was not found: {:?}", weigh(&storm, &tally)));
        }
    }
    Ok(
        "a fault that never struck, an answer later than 5 s, an internal error, a leak, a broken request, a slow page, a server that stays away",
    )
}
