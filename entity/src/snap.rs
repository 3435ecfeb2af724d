//! Snaps: one picture for one or many friends, gone when the last of them is done with it.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "snap")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub sender_id: Uuid,
    /// The picture; its ledger row stays as the proof.
    pub object_id: Uuid,
    /// Empty once the snap is gone.
    pub caption: String,
    pub width: i32,
    pub height: i32,
    /// Seconds; `None`: until it is closed, under a hard cap.
    pub view_seconds: Option<i32>,
    pub allow_replay: bool,
    /// Recipients who are not done with it. Whoever takes it to 0 dooms the object in that transaction.
    pub remaining: i32,
    pub created_at: Timestamp,
    /// When those who have not opened it lose it.
    pub expires_at: Timestamp,
    /// When the last recipient was done with it.
    pub gone_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
