//! A legal hold on a file: until it is released, nothing of the file is deleted. Rows stay; they tell who held what, and why.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "legal_hold")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub file_id: Uuid,
    /// As it was when the hold was placed.
    pub file_name: String,
    pub reason: String,
    /// `None`: an account that is no more.
    pub placed_by: Option<Uuid>,
    pub placed_at: Timestamp,
    pub released_by: Option<Uuid>,
    /// `None`: it stands.
    pub released_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
