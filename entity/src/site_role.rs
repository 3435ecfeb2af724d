//! Which site is the primary. Changes by promotion only, and each change raises the epoch.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, object_copy::Site};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "site_role")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub site: Site,
    pub role: Role,
    pub epoch: i64,
    /// New writes are refused until then, while another site becomes the primary.
    pub closed_until: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    Primary,
    Replica,
}
