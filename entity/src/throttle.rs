//! Counters of attempts within a window, shared by all processes.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "throttle")]
pub struct Model {
    /// What is counted: `log_in:account:<key>`, `log_in:address:<address>`, hashed where it could be long.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub window_start: Timestamp,
    pub count: i64,
}

impl ActiveModelBehavior for ActiveModel {}
