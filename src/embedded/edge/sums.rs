//! Checking whole objects as they pass: by the ledger's SHA-256 the first time, then by a CRC that costs a tenth.

use aws_lc_rs::digest::{Context, SHA256};
use crc_fast::{CrcAlgorithm, Digest};
use moka::sync::Cache;

use super::CatalogEntry;

/// Objects whose CRC is remembered.
const REMEMBERED: u64 = 100_000;

/// The CRC-64/NVME of objects whose bytes have had the ledger's SHA-256. A key never gets other bytes; what rots on a disk
/// or is cut on the way shows in either sum.
#[derive(Clone, Debug)]
pub(super) struct Sums(Cache<String, u64>);

/// The sum of what has passed so far.
pub(super) enum Check {
    Unknown { sha256: Context, crc: Box<Digest> },
    Known { expected: u64, crc: Box<Digest> },
}

impl Default for Sums {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl Sums {
    pub fn check(&self, key: &str) -> Check {
        let crc = Box::new(Digest::new(CrcAlgorithm::Crc64Nvme));
        match self.0.get(key) {
            Some(expected) => Check::Known { expected, crc },
            None => Check::Unknown { sha256: Context::new(&SHA256), crc },
        }
    }

    /// Whether these are the bytes that the ledger names.
    pub fn passes(&self, check: &Check, key: &str, entry: &CatalogEntry) -> bool {
        match check {
            Check::Known { expected, crc } => crc.finalize() == *expected,
            Check::Unknown { sha256, crc } => {
                let good = sha256.clone().finish().as_ref() == entry.sha256;
                if good {
                    self.0.insert(key.to_owned(), crc.finalize());
                }
                good
            }
        }
    }
}

impl Check {
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Known { crc, .. } => crc.update(bytes),
            Self::Unknown { sha256, crc } => {
                sha256.update(bytes);
                crc.update(bytes);
            }
        }
    }
}
