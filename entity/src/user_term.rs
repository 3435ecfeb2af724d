//! What people are found by: the beginnings of their user name and of the words of their name. Written with the account.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_term")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// NFKC, case-folded, without accents, cut.
    #[sea_orm(primary_key, auto_increment = false)]
    pub term: String,
    /// The person's term that sorts just before this one, or nothing: whoever is found by both is shown at the first.
    pub previous: String,
    /// Whether the account is being erased. It stands here too, so that a search touches nobody whom it would not show.
    pub closing: bool,
}

impl ActiveModelBehavior for ActiveModel {}
