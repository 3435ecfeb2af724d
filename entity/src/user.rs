//! People with an account.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// As its owner typed it, in NFKC.
    pub username: String,
    /// RFC 8265 UsernameCaseMapped: what is unique.
    #[sea_orm(unique)]
    pub username_key: String,
    pub email: String,
    /// Lower case: what is unique.
    #[sea_orm(unique)]
    pub email_key: String,
    pub first_name: String,
    pub last_name: String,
    pub about: String,
    /// PHC string, argon2id.
    pub password_hash: String,
    pub role: Role,
    pub status: Status,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Whether friends see `last_seen_at`, which is kept only then.
    pub shows_last_seen: bool,
    /// To the minute.
    pub last_seen_at: Option<Timestamp>,
    /// By an admin, while it is.
    pub suspended_at: Option<Timestamp>,
    pub suspension_reason: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    User,
    /// Watches replication, jobs and alerts; sees no files.
    Operator,
    Admin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Active,
    Suspended,
    /// By its owner: everything it has is being erased, and at last this row.
    Closing,
}
