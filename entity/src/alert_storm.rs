//! What happens so often that it is told in sums: for each key at most one alert within a window, and one in flight.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, alert::Kind};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "alert_storm")]
pub struct Model {
    /// What belongs together: the kind and what it is about.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub kind: Kind,
    /// What happens, for people.
    #[sea_orm(column_type = "Text")]
    pub message: String,
    /// The same for machines.
    pub details: Json,
    /// The last alert of it.
    pub alert_id: Uuid,
    /// How often it has happened since that one.
    pub untold: i64,
    /// How often in all.
    pub total: i64,
    pub began_at: Timestamp,
    /// From when on the next alert may be raised.
    pub due_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
