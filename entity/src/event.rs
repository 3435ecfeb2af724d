//! What happened, in order, per recipient.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// A user's id, or the nil id for the server's own event log.
    #[sea_orm(primary_key, auto_increment = false)]
    pub recipient: Uuid,
    /// 1, 2, 3, … without gaps per recipient, in commit order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub kind: String,
    pub payload: Json,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
