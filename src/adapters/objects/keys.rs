//! Typed object keys: `{kind}/{shard}/{uuid}`, made by the server alone and never from a file name.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest;
use entity::object::Kind;
use uuid::Uuid;

/// A key of ours. The shard is the first byte of SHA-256 over the id, in hex: 256 equal ranges per kind, so that
/// listings can run in parallel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ObjectKey {
    pub kind: Kind,
    pub id: Uuid,
}

/// The text is not a key that this server makes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an object key of ours: {0:?}")]
pub struct NotAKey(pub String);

impl ObjectKey {
    /// A fresh key of this kind.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, id: Uuid::now_v7() }
    }

    /// Two hex digits.
    #[must_use]
    pub fn shard(&self) -> String {
        hex::encode(&digest::digest(&digest::SHA256, self.id.as_bytes()).as_ref()[..1])
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind.as_str(), self.shard(), self.id)
    }
}

impl FromStr for ObjectKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let refuse = || NotAKey(text.to_owned());
        let mut parts = text.split('/');
        let (Some(kind), Some(_), Some(id), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(refuse());
        };
        let key = Self { kind: kind.parse().map_err(|_| refuse())?, id: Uuid::parse_str(id).map_err(|_| refuse())? };
        if key.to_string() == text { Ok(key) } else { Err(refuse()) }
    }
}
