//! Where each object's copies are: one row per object and site.

use sea_orm::entity::prelude::*;
use serde::Deserialize;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "object_copy")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub object_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub site: Site,
    pub state: State,
    pub etag: Option<String>,
    pub version_id: Option<String>,
    pub proof: Option<Proof>,
    /// When `proof` was last found.
    pub verified_at: Option<Timestamp>,
    /// When it was first confirmed.
    pub arrived_at: Option<Timestamp>,
    pub gone_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

/// A bucket's identity. Which of the two is the primary is a role (`site_role`), not an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "snake_case")]
pub enum Site {
    First,
    Second,
}

impl Site {
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Awaiting,
    Verified,
    Lagging,
    Missing,
    Stale,
    Corrupt,
    Gone,
}

/// What the last verification compared, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Proof {
    /// The bytes were read back and hashed.
    Bytes,
    /// The store's own full-object checksum equals the ledger's.
    Checksum,
    Etag,
    /// Size alone: existence only.
    Existence,
}
