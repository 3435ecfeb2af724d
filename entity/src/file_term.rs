//! The words of files' names and descriptions, by which they are found. Written with the file's row.

use sea_orm::entity::prelude::*;

use crate::file::State;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "file_term")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub file_id: Uuid,
    /// NFKC, case-folded, without accents, cut.
    #[sea_orm(primary_key, auto_increment = false)]
    pub term: String,
    /// The file's, as is `state`.
    pub owner_id: Uuid,
    pub state: State,
}

impl ActiveModelBehavior for ActiveModel {}
