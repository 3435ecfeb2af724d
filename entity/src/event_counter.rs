//! The last sequence number of each recipient; taken by UPDATE in the event's transaction.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_counter")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub recipient: Uuid,
    pub seq: i64,
    /// The person has read the events up to this one.
    pub read_seq: i64,
}

impl ActiveModelBehavior for ActiveModel {}
