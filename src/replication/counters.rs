//! What a run counts, range by range.

use entity::object_copy::{Proof, Site};
use serde::{Deserialize, Serialize};

use super::DrillFigures;

/// Of a range, or of all of a run's together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Lines of the ledger, those that are erased left out.
    pub objects: u64,
    /// Live ones with both copies as the ledger says, by the strength of the weaker copy's last proof.
    pub by_bytes: u64,
    pub by_checksum: u64,
    pub by_etag: u64,
    pub by_existence: u64,
    /// Not at the replica yet, and not late.
    pub lagging: u64,
    pub in_flight: u64,
    /// Keys that were asked for one by one.
    pub judged: u64,
    pub faults: u64,
    /// Keys of each site's listing, and bytes that were read and hashed.
    pub listed: [u64; 2],
    pub bytes_read: u64,
    /// Copies that a site's listing had to show because they were proven before it began, and those that it did not.
    pub expected: [u64; 2],
    pub absent: [u64; 2],
    pub repaired: u64,
    pub skipped: u64,
    /// Of a drill alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillFigures>,
}

impl Counters {
    pub fn agree(&mut self, proof: Proof) {
        *match proof {
            Proof::Bytes => &mut self.by_bytes,
            Proof::Checksum => &mut self.by_checksum,
            Proof::Etag => &mut self.by_etag,
            Proof::Existence => &mut self.by_existence,
        } += 1;
    }

    #[must_use]
    pub fn agreed(&self) -> u64 {
        self.by_bytes + self.by_checksum + self.by_etag + self.by_existence
    }

    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let pair = |one: [u64; 2], other: [u64; 2]| [one[0] + other[0], one[1] + other[1]];
        Self {
            objects: self.objects + other.objects,
            by_bytes: self.by_bytes + other.by_bytes,
            by_checksum: self.by_checksum + other.by_checksum,
            by_etag: self.by_etag + other.by_etag,
            by_existence: self.by_existence + other.by_existence,
            lagging: self.lagging + other.lagging,
            in_flight: self.in_flight + other.in_flight,
            judged: self.judged + other.judged,
            faults: self.faults + other.faults,
            listed: pair(self.listed, other.listed),
            bytes_read: self.bytes_read + other.bytes_read,
            expected: pair(self.expected, other.expected),
            absent: pair(self.absent, other.absent),
            repaired: self.repaired + other.repaired,
            skipped: self.skipped + other.skipped,
            drill: self.drill.or(other.drill),
        }
    }

    /// Why a site's listing cannot be believed: it shows nothing, or far less than the ledger has proven there.
    #[must_use]
    pub fn disbelief(&self) -> Option<(Site, String)> {
        Site::ALL.into_iter().enumerate().find_map(|(at, site)| {
            let (listed, expected, absent) = (self.listed[at], self.expected[at], self.absent[at]);
            let nothing = listed == 0 && expected > 0;
            let little = absent >= FAR_SHORTER && absent * 2 > expected;
            let told = format!("its listing shows {} of {expected} copies that were proven there", expected - absent);
            (nothing || little).then_some((site, told))
        })
    }

    pub(super) fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    pub(super) fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Copies that a listing may lack before its share of all counts: below, each is asked for.
const FAR_SHORTER: u64 = 100;
