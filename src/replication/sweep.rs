//! The three-way merge: ledger, primary listing and replica listing, by key. Memory is what the ranges in flight hold: a page of
//! each cursor, and the faults found since the last checkpoint.

use std::{collections::VecDeque, sync::atomic::Ordering};

use entity::{
    Timestamp,
    object::State,
    object_copy::{self, Proof, Site},
    replica_range,
    replica_run::Mode,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    Counters, RunError,
    canary::CANARIES,
    judge::{Depth, Found, Terms, Verdict, judge, rebuilt_at, weaker},
    on_any_core,
    store::{self, Claimed},
};
use crate::{
    adapters::objects::{ObjectStore, Surveyed},
    app::App,
    config::ReplicationMode,
    error::Fault,
    ledger::{self, Entry, Mark, Sight},
};

/// Lines of a page of each cursor: the most that S3 gives.
const PAGE: u16 = 1000;
/// Keys of one range that are asked for at once.
const JUDGED_AT_ONCE: usize = 8;
/// Pages between two checkpoints of a range without faults; with faults, which are told of together, so many of these.
const CHECKPOINT: u32 = 16;
const FAULTS: usize = 5000;
/// Attempts at a range, with a pause between.
const ATTEMPTS: u32 = 3;

/// Walks the ranges that are still open.
pub(super) async fn run(app: &App, claimed: &Claimed) -> Result<(), RunError> {
    let ranges = store::open_ranges(app.db.read(), claimed.run.id).await?;
    let at_once = app.config.replication.ranges_at_once;
    stream::iter(ranges.into_iter().map(Ok))
        .try_for_each_concurrent(at_once, |range| {
            let (app, claimed) = (app.clone(), claimed.clone());
            on_any_core(async move { one(&app, &claimed, range).await })
        })
        .await
}

/// One range, until it is done or cannot be read.
async fn one(app: &App, claimed: &Claimed, range: replica_range::Model) -> Result<(), RunError> {
    let mut range = range;
    for attempt in 1.. {
        let error = match walk(app, claimed, &mut range).await {
            Ok(()) => return Ok(()),
            Err(RunError::Unreadable(error)) => error,
            Err(error) => return Err(error),
        };
        tracing::info!(run.id = %claimed.run.id, range = range.number, attempt, %error, "a range cannot be read");
        if attempt == ATTEMPTS {
            let row = replica_range::Model { state: replica_range::State::Unreadable, error: Some(error), ..range };
            return store::checkpoint(app, claimed, &row, &[]).await;
        }
        tokio::time::sleep(app.config.jobs.backoff_min * attempt).await;
    }
    Ok(())
}

/// A cursor: what it has read and not given, and where it goes on.
struct Cursor<T> {
    page: VecDeque<T>,
    last: String,
    ended: bool,
}

impl<T> Cursor<T> {
    fn new(after: &str) -> Self {
        Self { page: VecDeque::new(), last: after.to_owned(), ended: false }
    }

    fn wants(&self) -> bool {
        self.page.is_empty() && !self.ended
    }
}

/// What the walk of one range carries.
struct Walk<'a> {
    app: &'a App,
    claimed: &'a Claimed,
    upto: Option<&'a str>,
    terms: Terms,
    rebuilt_at: Option<Timestamp>,
    counters: Counters,
    faults: Vec<Found>,
    /// Every key up to this one is done.
    position: String,
}

async fn walk(app: &App, claimed: &Claimed, range: &mut replica_range::Model) -> Result<(), RunError> {
    let upto = range.upto.clone();
    let terms = Terms::now(app).await.map_err(unreadable)?;
    let mut walk = Walk {
        app,
        claimed,
        upto: upto.as_deref(),
        terms,
        rebuilt_at: rebuilt_at(app).await?,
        counters: Counters::read(&range.counters),
        faults: Vec::new(),
        position: range.after.clone(),
    };
    let mut ledger = Cursor::<Entry>::new(&range.after);
    let mut listings = Site::ALL.map(|_| Cursor::<Surveyed>::new(&range.after));
    let mut pages = 0;
    loop {
        pages += 1;
        let due = pages % CHECKPOINT == 0 && walk.faults.is_empty() || walk.faults.len() >= FAULTS;
        if due && walk.counters.disbelief().is_none() {
            range.after.clone_from(&walk.position);
            range.counters = walk.counters.write();
            store::checkpoint(app, claimed, range, &walk.faults).await?;
            walk.faults.clear();
        }
        if ledger.wants() {
            walk.read_ledger(&mut ledger).await?;
        }
        let [first, second] = &mut listings;
        tokio::try_join!(walk.read_listing(first, Site::First), walk.read_listing(second, Site::Second))?;
        let mut candidates = Vec::new();
        walk.merge(&mut ledger, &mut listings, &mut candidates);
        walk.judge(candidates).await?;
        if ledger.ended
            && ledger.page.is_empty()
            && listings.iter().all(|listing| listing.ended && listing.page.is_empty())
        {
            break;
        }
    }
    if !claimed.run.trusting
        && let Some((site, told)) = walk.counters.disbelief()
    {
        return Err(RunError::Unreadable(format!("{}: {told}", app.stores.at(site).bucket())));
    }
    let row =
        replica_range::Model { state: replica_range::State::Done, counters: walk.counters.write(), ..range.clone() };
    store::checkpoint(app, claimed, &row, &walk.faults).await
}

fn unreadable(fault: Fault) -> RunError {
    RunError::Unreadable(fault.to_string())
}

/// A key for which listing and ledger do not agree.
struct Candidate {
    key: String,
    /// Where the listing lacks what was proven there before the listing began.
    denied: [bool; 2],
}

impl Walk<'_> {
    async fn read_ledger(&self, cursor: &mut Cursor<Entry>) -> Result<(), RunError> {
        let entries = ledger::entries(self.app.db.read(), &cursor.last, self.upto, u64::from(PAGE)).await?;
        match entries.last() {
            Some(entry) => cursor.last.clone_from(&entry.key),
            None => cursor.ended = true,
        }
        cursor.page = entries.into();
        Ok(())
    }

    /// The next page, held to its order. A listing has ended when it shows a key behind the range, or nothing more at all: what
    /// it says of its own end is not asked.
    async fn read_listing(&self, cursor: &mut Cursor<Surveyed>, site: Site) -> Result<(), RunError> {
        if !cursor.wants() {
            return Ok(());
        }
        let store: &dyn ObjectStore = &**self.app.stores.at(site);
        let after = Some(cursor.last.as_str()).filter(|after| !after.is_empty());
        let page = store.survey(after, PAGE).await.map_err(|error| RunError::Unreadable(error.to_string()))?;
        cursor.ended = page.is_empty();
        for surveyed in page {
            if surveyed.key <= cursor.last {
                let told = format!("{} lists {:?} after {:?}", store.bucket(), surveyed.key, cursor.last);
                return Err(RunError::Unreadable(told));
            }
            cursor.last.clone_from(&surveyed.key);
            if self.upto.is_some_and(|upto| surveyed.key.as_str() > upto) {
                cursor.ended = true;
                break;
            }
            cursor.page.push_back(surveyed);
        }
        Ok(())
    }

    /// Takes what all three cursors can tell, until one has to read on.
    fn merge(
        &mut self,
        ledger: &mut Cursor<Entry>,
        listings: &mut [Cursor<Surveyed>; 2],
        candidates: &mut Vec<Candidate>,
    ) {
        while !ledger.wants() && !listings.iter().any(Cursor::wants) {
            let keys = ledger.page.front().map(|entry| entry.key.as_str()).into_iter();
            let keys = keys.chain(listings.iter().filter_map(|listing| Some(listing.page.front()?.key.as_str())));
            let Some(key) = keys.min().map(str::to_owned) else { return };
            let entry =
                if ledger.page.front().is_some_and(|entry| entry.key == key) { ledger.page.pop_front() } else { None };
            self.position.clone_from(&key);
            let mut shown = [None, None];
            for ((at, listing), shown) in listings.iter_mut().enumerate().zip(&mut shown) {
                if listing.page.front().is_some_and(|surveyed| surveyed.key == key) {
                    self.counters.listed[at] += 1;
                    *shown = listing.page.pop_front();
                }
            }
            candidates.extend(self.compare(key, entry, &shown));
        }
    }

    /// Counts what agrees; what does not is a candidate.
    fn compare(&mut self, key: String, entry: Option<Entry>, shown: &[Option<Surveyed>; 2]) -> Option<Candidate> {
        // What is planted is for those who planted it.
        let is_planted = key.starts_with(CANARIES);
        if is_planted != (self.claimed.run.mode == Mode::Canary)
            || self.app.failpoints.blind_verifier.load(Ordering::Relaxed)
        {
            return None;
        }
        let Some(entry) = entry else { return Some(Candidate { key, denied: [false; 2] }) };
        self.counters.objects += 1;
        let late = |since: Timestamp| self.terms.now > since.plus(self.app.config.replication.in_flight_for);
        let since = match entry.state {
            State::Live => return self.compare_live(key, &entry, shown),
            State::Pending => entry.keep_until.unwrap_or(entry.created_at),
            State::Deleting | State::Erased => entry.requested_at.unwrap_or(entry.created_at),
        };
        if late(since) {
            return Some(Candidate { key, denied: [false; 2] });
        }
        self.counters.in_flight += 1;
        None
    }

    fn compare_live(&mut self, key: String, entry: &Entry, shown: &[Option<Surveyed>; 2]) -> Option<Candidate> {
        let mut denied = [false; 2];
        let mut proof = Some(Proof::Bytes);
        for (at, site) in Site::ALL.into_iter().enumerate() {
            let mark = entry.at(site);
            let before = mark.verified_at.is_some_and(|verified| verified < self.terms.now);
            if before && mark.state == object_copy::State::Verified {
                self.counters.expected[at] += 1;
                let current = shown[at].as_ref().is_some_and(|surveyed| surveyed.current.is_some());
                denied[at] = !current;
                self.counters.absent[at] += u64::from(!current);
            }
            proof = proof.zip(matches(entry, mark, shown[at].as_ref())).map(|(one, other)| weaker(one, other));
        }
        if let Some(proof) = proof {
            self.counters.agree(proof);
            return None;
        }
        let (primary, replica) = (entry.at(self.terms.roles.primary), entry.at(self.terms.roles.replica()));
        let of = |site: Site| shown[usize::from(site == Site::Second)].as_ref();
        // Whether S3 has given up on a copy is not in its listings.
        let is_ours = self.app.config.objects.replication == ReplicationMode::Managed;
        let whole = is_ours && matches(entry, primary, of(self.terms.roles.primary)).is_some();
        let awaited = replica.state == object_copy::State::Awaiting && of(self.terms.roles.replica()).is_none();
        let live_at = entry.live_at.unwrap_or(entry.created_at);
        if whole && awaited && !self.terms.late(self.app, live_at, self.rebuilt_at) {
            self.counters.lagging += 1;
            return None;
        }
        Some(Candidate { key, denied })
    }

    async fn judge(&mut self, candidates: Vec<Candidate>) -> Result<(), RunError> {
        let app = self.app;
        let mut verdicts = stream::iter(candidates.into_iter().map(async |candidate| {
            let verdict = judge(app, &candidate.key, Depth::Told).await.map_err(unreadable)?;
            contradict(app, &candidate, &verdict)?;
            Ok::<_, RunError>(verdict)
        }))
        .buffer_unordered(JUDGED_AT_ONCE);
        while let Some(verdict) = verdicts.try_next().await? {
            self.counters.judged += 1;
            match verdict {
                Verdict::Agreed { object, proof, seen } => {
                    self.counters.agree(proof);
                    let claimed = self.claimed;
                    app.db
                        .transaction::<_, RunError, _, _>(async |tx| {
                            store::hold(&tx, claimed).await?;
                            Ok(ledger::note(app, &tx, object, &seen).await?)
                        })
                        .await?;
                }
                Verdict::Lagging => self.counters.lagging += 1,
                Verdict::InFlight | Verdict::Unsettled => self.counters.in_flight += 1,
                Verdict::Nothing => {}
                Verdict::Fault(found) => {
                    self.counters.faults += 1;
                    self.faults.push(*found);
                }
            }
        }
        Ok(())
    }
}

/// A listing that lacks what a HEAD finds, and what was there before it began, is a listing with holes.
fn contradict(app: &App, candidate: &Candidate, verdict: &Verdict) -> Result<(), RunError> {
    let seen = match verdict {
        Verdict::Agreed { seen, .. } => seen,
        Verdict::Fault(found) => &found.seen,
        _ => return Ok(()),
    };
    for (at, site) in Site::ALL.into_iter().enumerate() {
        let there = seen.iter().any(|(of, sight)| *of == site && *sight != Sight::Missing);
        if candidate.denied[at] && there {
            let told = format!("{} does not list {:?}, and has it", app.stores.at(site).bucket(), candidate.key);
            return Err(RunError::Unreadable(told));
        }
    }
    Ok(())
}

/// Whether a listing shows the copy that was proven: how strongly that was, then.
fn matches(entry: &Entry, mark: &Mark, shown: Option<&Surveyed>) -> Option<Proof> {
    let (bytes, etag) = shown?.current.as_ref()?;
    let same = i64::try_from(*bytes) == Ok(entry.bytes) && mark.etag.as_ref() == Some(etag);
    if same && mark.state == object_copy::State::Verified { mark.proof } else { None }
}
