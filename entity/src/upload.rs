//! Direct uploads: what a client was asked to send to S3, and what became of it.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, object_copy::Site};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "upload")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    /// The file it becomes, where it becomes one.
    pub file_id: Uuid,
    pub purpose: Purpose,
    /// The file whose new content it becomes, from the completion on, and the revision that this is based on.
    pub target_id: Option<Uuid>,
    pub target_revision: Option<i32>,
    pub name: String,
    pub description: String,
    /// A JSON array of strings.
    pub tags: Json,
    /// A JSON object.
    pub metadata: Json,
    pub state: State,
    /// As announced, and signed part by part.
    pub bytes: i64,
    /// As announced.
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))", nullable)]
    pub sha256: Option<Vec<u8>>,
    /// As announced.
    pub content_type: Option<String>,
    /// Bytes of every part but the last.
    pub part_bytes: i64,
    /// The primary when it began; its parts are there.
    pub site: Site,
    /// S3's id of the multipart upload; `None` until S3 has answered.
    pub multipart_id: Option<String>,
    /// Where the parts go: a ledger object that is never live.
    pub staging_id: Uuid,
    /// Where the content goes: a ledger object whose key no client can write.
    pub object_id: Option<Uuid>,
    /// SHA-256 over the parts' SHA-256s, as they were when it was completed.
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))", nullable)]
    pub composite: Option<Vec<u8>>,
    /// Bytes read back so far.
    pub verified_bytes: i64,
    pub rejection: Option<Rejection>,
    pub created_at: Timestamp,
    /// When a part was last signed.
    pub signed_at: Option<Timestamp>,
    /// When S3 is next asked whether all of an open one has arrived; `None`: not before a part is signed.
    pub look_at: Option<Timestamp>,
    /// When an open one is given up.
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

/// `open → verifying → completed | rejected`, `open → aborted | expired`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Open,
    Verifying,
    Completed,
    Rejected,
    Aborted,
    Expired,
}

/// What becomes of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    /// A new file.
    File,
    /// The new content of a file.
    Content,
    /// The picture of a snap.
    Snap,
}

/// Why a content was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rejection {
    /// Not the announced SHA-256.
    WrongHash,
    /// Not the announced size.
    WrongSize,
    /// Not the announced type.
    WrongType,
    /// Not the bytes that were sent: they changed on their way.
    Altered,
    /// The server could not verify it.
    Failed,
    /// The file that it was to be the content of has changed, or is there no longer.
    Stale,
    /// An admin blocked this content, or a picture that looks the same.
    Blocked,
}
