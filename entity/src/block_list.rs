//! One row: how often the block list has changed. Whoever makes a content visible holds it (shared), whoever changes the list
//! raises it, so that nothing becomes visible beside a change that it was not compared with.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "block_list")]
pub struct Model {
    /// Always [`ID`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub version: i64,
}

pub const ID: i32 = 1;

impl ActiveModelBehavior for ActiveModel {}
