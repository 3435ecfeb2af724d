//! The ledger: one row per S3 object, ever. Rows are never deleted; they are the proof.

use std::{fmt, str::FromStr};

use sea_orm::entity::prelude::*;
use serde::Deserialize;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "object")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// `{kind}/{shard}/{uuid}`, compared by bytes.
    #[sea_orm(unique)]
    pub key: String,
    pub kind: Kind,
    pub state: State,
    pub bytes: i64,
    /// Empty until somebody has hashed the bytes.
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
    pub sha256: Vec<u8>,
    pub content_type: String,
    /// Legal and evidence holds; a held object is not deleted.
    pub holds: i32,
    /// When a held object would have been deleted: `requested_by` and `reason` tell for whom and why, until it is.
    pub due_at: Option<Timestamp>,
    /// Whose bytes these are.
    pub user_id: Option<Uuid>,
    /// The file they belong to, also after the file is gone.
    pub file_id: Option<Uuid>,
    pub created_at: Timestamp,
    /// A pending one is not abandoned before: what is written may take its time. `None`: the usual time of one write.
    pub keep_until: Option<Timestamp>,
    /// When S3's notification of it was first taken in.
    pub notified_at: Option<Timestamp>,
    /// When it became live.
    pub live_at: Option<Timestamp>,
    /// Who asked for the erasure; `None` for the system.
    pub requested_by: Option<Uuid>,
    pub requested_at: Option<Timestamp>,
    pub reason: Option<Reason>,
    /// When absence was confirmed at every site.
    pub erased_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "snake_case")]
pub enum Kind {
    Original,
    Rendition,
    Snap,
    Staging,
    Canary,
    Quarantine,
    /// What was signed of the audit log.
    Checkpoint,
    /// The database as it was at one time, to rebuild a server from.
    Manifest,
}

impl Kind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Rendition => "rendition",
            Self::Snap => "snap",
            Self::Staging => "staging",
            Self::Canary => "canary",
            Self::Quarantine => "quarantine",
            Self::Checkpoint => "checkpoint",
            Self::Manifest => "manifest",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = DbErr;

    fn from_str(text: &str) -> Result<Self, DbErr> {
        Self::try_from_value(&text.to_owned())
    }
}

/// `pending → live → deleting → erased`, and `pending → deleting` for abandoned writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Pending,
    Live,
    Deleting,
    Erased,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// Purged by its owner.
    Purged,
    /// Purged by an admin.
    Removed,
    /// The trash retention ran out.
    RetentionExpired,
    /// A write that was never finished.
    Abandoned,
    /// A rendition that is no longer needed, or a manifest.
    Superseded,
    /// A version beyond those that are kept.
    VersionExpired,
    /// What a client sent of a direct upload, once that ended.
    Staged,
    /// A direct upload whose content was refused.
    Rejected,
    /// With the account that it belonged to.
    AccountClosed,
    /// A snap that its last recipient is done with.
    SnapEnded,
}
