//! A content that nobody may store: known by its bytes, and a picture also by how it looks. Rows stay; they tell who blocked
//! what, and why. The content itself is not here.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blocked_content")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "VarBinary(StringLen::N(32))")]
    pub sha256: Vec<u8>,
    /// Fingerprints of the picture and of its crops, one after the other; empty for anything else.
    #[sea_orm(column_type = "VarBinary(StringLen::N(8192))")]
    pub fingerprints: Vec<u8>,
    /// A picture's placeholder, to tell it by.
    #[sea_orm(column_type = "VarBinary(StringLen::N(64))", nullable)]
    pub thumbhash: Option<Vec<u8>>,
    pub content_type: Option<String>,
    /// What it was called where it was found.
    pub name: String,
    pub reason: String,
    /// `None`: an account that is no more.
    pub blocked_by: Option<Uuid>,
    pub blocked_at: Timestamp,
    pub unblocked_by: Option<Uuid>,
    /// `None`: it is blocked.
    pub unblocked_at: Option<Timestamp>,
    /// The list's version since its last change.
    pub version: i64,
    /// How often somebody wanted to store it.
    pub refused: i64,
    pub last_refused_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
