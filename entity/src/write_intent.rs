//! Writes to S3 that may be under way. Committed before the first byte, cleared by a definite reply.

use sea_orm::entity::prelude::*;

use crate::{Timestamp, object_copy::Site};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "write_intent")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub object_id: Uuid,
    pub site: Site,
    /// The write, retries included, has ended by then.
    pub deadline: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
