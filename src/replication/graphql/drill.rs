//! What a drill measured, as clients see it.

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};
use entity::Timestamp;

use super::long;
use crate::{
    graphql::scalars::{Long, date_time},
    replication::DrillFigures,
};

/// A server that was rebuilt from the replica alone, with a sample of the objects, and thrown away.
#[derive(SimpleObject)]
pub struct ReplicaDrill {
    /// When the manifest was taken that the ledger was rebuilt from.
    manifest_at: DateTime<Utc>,
    /// Seconds: how old it was, which is what would be lost of the ledger.
    rpo: f64,
    /// Seconds until everything would be back, by the pace of the sample.
    rto: f64,
    /// Seconds until the ledger was rebuilt.
    ledger: f64,
    /// Seconds until the sample was copied and read back.
    copying: f64,
    /// Live objects of the manifest.
    objects: Long,
    /// Their bytes.
    size: Long,
    /// Objects of the sample.
    sample: Long,
    sample_size: Long,
    /// Those of the sample whose bytes were as the ledger says.
    right: Long,
}

impl From<DrillFigures> for ReplicaDrill {
    fn from(drill: DrillFigures) -> Self {
        Self {
            manifest_at: date_time(Timestamp(drill.manifest_at)),
            rpo: drill.rpo,
            rto: drill.rto,
            ledger: drill.ledger,
            copying: drill.copying,
            objects: long(drill.objects),
            size: long(drill.bytes),
            sample: long(drill.sample),
            sample_size: long(drill.sample_bytes),
            right: long(drill.right),
        }
    }
}
