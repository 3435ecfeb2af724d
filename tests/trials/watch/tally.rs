//! What the trial hit.

use std::{fmt, time::Duration};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Sweep,
    Repair,
    Copies,
}

/// What was hit, and how long the work stood still.
#[derive(Default)]
pub(super) struct Tally {
    /// Of kills.
    pub times: Vec<(Work, Duration)>,
    pub stops: u32,
    /// Of a sweep, with a part of it done.
    pub behind_a_checkpoint: u32,
    /// The work had ended before.
    pub missed: u32,
}

impl Tally {
    pub fn kills(&self) -> u32 {
        u32::try_from(self.times.len()).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |work| self.times.iter().filter(|(of, _)| *of == work).count();
        let (sweep, repair, copies) = (of(Work::Sweep), of(Work::Repair), of(Work::Copies));
        let mut times: Vec<_> = self.times.iter().map(|(_, time)| *time).collect();
        times.sort_unstable();
        let (median, longest) = (times.get(times.len() / 2).copied(), times.last().copied());
        write!(
            to,
            "{} kills of who swept ({sweep}), repaired ({repair}), copied ({copies}); {} stops past the lease; {} behind a \
             checkpoint; the work went on after {:.2?}, at the latest {:.2?}; {} times it had ended before",
            self.kills(),
            self.stops,
            self.behind_a_checkpoint,
            median.unwrap_or_default(),
            longest.unwrap_or_default(),
            self.missed
        )
    }
}
