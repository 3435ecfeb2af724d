//! What somebody reported, and what an admin decided.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "report")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub state: State,
    pub kind: Kind,
    /// The file or the snap.
    pub subject_id: Uuid,
    /// `None`: an account that is no more.
    pub reporter_id: Option<Uuid>,
    /// Whose file or snap it is.
    pub accused_id: Uuid,
    pub category: Category,
    /// In the words of the reporter.
    #[sea_orm(column_type = "Text")]
    pub comment: String,
    /// What was reported, in the ledger.
    pub object_id: Uuid,
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))", nullable)]
    pub sha256: Option<Vec<u8>>,
    /// What it was when it was reported: name, type, size. A JSON object.
    pub facts: Json,
    pub evidence: Evidence,
    pub created_at: Timestamp,
    pub decision: Option<Decision>,
    pub decision_reason: Option<String>,
    pub decided_by: Option<Uuid>,
    pub decided_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Open,
    Resolved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    File,
    Snap,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Category {
    Illegal,
    /// Sexual content, or nudity, that was not wanted.
    Sexual,
    Violence,
    Harassment,
    Spam,
    Copyright,
    Other,
}

/// Whether the reported picture is kept for the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Evidence {
    /// The file itself, which admins see.
    File,
    /// A snap's picture, held in the ledger until the decision.
    Held,
    /// It was held until the decision, and is deleted like any other snap.
    Released,
    /// The snap had ended: only its hash and facts are left.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Decision {
    /// Nothing is wrong with it.
    Dismissed,
    Removed,
    /// And its owner or sender suspended.
    RemovedAndSuspended,
    /// And nobody may store it again.
    RemovedAndBlocked,
}
