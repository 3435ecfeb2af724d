//! Counts that many requests add to at once, and that one transaction at a time writes: as many as come are written as soon as
//! few, and nobody is answered before theirs are.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync;

/// How often, and a word about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub count: i64,
    pub about: String,
}

/// What is to be written, by key. One of each process.
#[derive(Debug, Default)]
pub struct Tally {
    waiting: Mutex<BTreeMap<String, Counted>>,
    turn: sync::Mutex<()>,
}

/// What came until now. Dropped without having been written it goes back, to be written by the next.
#[derive(Debug)]
pub struct Batch<'a> {
    tally: &'a Tally,
    _turn: sync::MutexGuard<'a, ()>,
    /// In the order in which rows are locked.
    pub counts: BTreeMap<String, Counted>,
}

impl Tally {
    /// One more. [`Tally::take`] follows.
    pub fn add(&self, key: &str, about: &str) {
        count(key.to_owned(), Counted { count: 1, about: about.to_owned() }, &mut self.lock());
    }

    /// All that waits, once those before have written theirs. Empty: they wrote the caller's too.
    pub async fn take(&self) -> Batch<'_> {
        let turn = self.turn.lock().await;
        Batch { tally: self, _turn: turn, counts: std::mem::take(&mut *self.lock()) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Counted>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch<'_> {
    pub fn written(mut self) {
        self.counts.clear();
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let mut waiting = self.tally.lock();
        for (key, counted) in std::mem::take(&mut self.counts) {
            count(key, counted, &mut waiting);
        }
    }
}

fn count(key: String, counted: Counted, waiting: &mut BTreeMap<String, Counted>) {
    let count = counted.count;
    waiting.entry(key).and_modify(|before| before.count += count).or_insert(counted);
}
