//! Downloads under way by strict share links: each holds one of its link's places until it ends or its lease does.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "share_download")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub link_id: Uuid,
    pub lease_until: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
