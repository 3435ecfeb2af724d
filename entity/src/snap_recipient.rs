//! A snap as one recipient has it.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "snap_recipient")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub snap_id: Uuid,
    pub recipient_id: Uuid,
    /// As the snap's, for the inbox.
    pub sender_id: Uuid,
    pub state: State,
    /// The same.
    pub created_at: Timestamp,
    pub opened_at: Option<Timestamp>,
    pub replayed_at: Option<Timestamp>,
    pub screenshot_at: Option<Timestamp>,
    /// The view that was last opened, and the idempotency key's result.
    pub view_id: Option<Uuid>,
    /// What the picture of this view is fetched with, 32 random bytes: worth nothing without the session's own token, of
    /// which only the hash is kept.
    #[sea_orm(unique, column_type = "VarBinary(StringLen::N(32))", nullable)]
    pub ticket: Option<Vec<u8>>,
    /// The one that opened it.
    pub session_id: Option<Uuid>,
    /// Until when the picture is to be asked for.
    pub fetch_before: Option<Timestamp>,
    /// When it was asked for: before that nobody has seen anything.
    pub fetched_at: Option<Timestamp>,
    /// When the last bytes were handed out.
    pub consumed_at: Option<Timestamp>,
    /// The end of this view.
    pub view_ends_at: Option<Timestamp>,
    /// When the recipient was done with it; the snap's `remaining` counts those without.
    pub ended_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Delivered,
    Opened,
    /// Never opened in its time.
    Expired,
    /// Taken back by the sender before it was opened.
    Revoked,
}
