//! What a person's files take up, and how much they may. Moves in the transaction that moves the files.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// Files in every state but REJECTED, and new ones that are being sent.
    pub files: i64,
    /// Of every version of these files, and of what is being sent.
    pub bytes: i64,
    /// `None`: as the settings say.
    pub max_files: Option<i64>,
    /// `None`: as the settings say.
    pub max_bytes: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
