//! What has last been told of the replication's state: one row.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "replica_watch")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// The state, as `replication::Health`, and since when it is so.
    pub health: String,
    pub since: Timestamp,
    /// The state and the kinds of findings that the last alert told of.
    pub told: String,
    #[sea_orm(column_type = "Text")]
    pub told_kinds: String,
    pub told_at: Timestamp,
    /// The last alert: the next waits for its delivery.
    pub alert_id: Option<Uuid>,
}

impl ActiveModelBehavior for ActiveModel {}
