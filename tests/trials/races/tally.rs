//! What one race was answered, and what it must not have been.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::door::Answer;

/// Answers by kind, the longest of them, and every violation.
#[derive(Debug, Default)]
pub struct Tally {
    pub rounds: u32,
    answers: BTreeMap<String, usize>,
    longest: Duration,
    notes: BTreeMap<&'static str, usize>,
    pub violations: Vec<String>,
}

impl Tally {
    /// Counts answers; those of other kinds than these are violations.
    pub fn take(&mut self, answers: &[Answer], allowed: &[&str]) {
        for answer in answers {
            *self.answers.entry(answer.kind.clone()).or_default() += 1;
            self.longest = self.longest.max(answer.time);
            if !allowed.contains(&answer.kind.as_str()) {
                let (round, Answer { kind, payload, time }) = (self.rounds, answer);
                let payload: String = payload.to_string().chars().take(150).collect();
                self.violations.push(format!("round {round}: answered {kind} after {time:?}: {payload}"));
            }
        }
    }

    pub fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(format!("round {}: {}", self.rounds, what()));
        }
    }

    /// Something worth knowing, counted.
    pub fn note(&mut self, what: &'static str, count: usize) {
        *self.notes.entry(what).or_default() += count;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers: Vec<_> = self.answers.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        write!(f, "{:>3} rounds: {}; longest {} ms", self.rounds, answers.join(", "), self.longest.as_millis())?;
        self.notes.iter().try_for_each(|(what, count)| write!(f, "; {count} {what}"))
    }
}

pub fn count(answers: &[Answer], kind: &str) -> usize {
    answers.iter().filter(|answer| answer.is(kind)).count()
}
