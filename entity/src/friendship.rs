//! Friendships and requests for one: a row per pair of people, whoever asked.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "friendship")]
pub struct Model {
    /// Of version 4: one that tells the time would tell when a block made the row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The lower of the two ids, so that a pair has one row.
    pub low_id: Uuid,
    pub high_id: Uuid,
    /// Who asked last; one of the two.
    pub requested_by: Uuid,
    pub state: State,
    /// When they asked.
    pub created_at: Timestamp,
    /// Since when it is in this state.
    pub changed_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Pending,
    /// Pending in the eyes of whoever asked, and kept from the other one, who had blocked them.
    Withheld,
    Accepted,
    Declined,
    /// By whoever asked.
    Cancelled,
    /// Ended by one of the two, or never more than a row to lock.
    Removed,
    /// Ended with the account of one of the two; the other one is yet to be told.
    Closing,
}
