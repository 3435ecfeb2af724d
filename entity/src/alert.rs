//! What admins are told of. Written in the transaction of the act, delivered by a job.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "alert")]
pub struct Model {
    /// Also the stable id that every delivery carries.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: Kind,
    pub state: State,
    /// Who acted; `None` for the system.
    pub actor_id: Option<Uuid>,
    /// How many things the act touched.
    pub count: i64,
    /// What happened, for people.
    #[sea_orm(column_type = "Text")]
    pub message: String,
    /// The same for machines.
    pub details: Json,
    pub attempts: i32,
    #[sea_orm(column_type = "Text", nullable)]
    pub last_error: Option<String>,
    pub created_at: Timestamp,
    pub delivered_at: Option<Timestamp>,
    /// What the sink answered (SNS: MessageId).
    pub receipt: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(32))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    FilesTrashed,
    FilesPurged,
    /// By an admin.
    FilesRemoved,
    /// By the trash retention.
    FilesExpired,
    /// With all that it had.
    AccountClosed,
    UserSuspended,
    AdminMade,
    LogInThrottled,
    /// Something is wrong with the copies, or it is not known.
    ReplicationFault,
    ReplicationWell,
    /// Another site became the primary.
    PrimaryChanged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Pending,
    Delivered,
    /// Out of attempts; its job waits in the dead letter.
    Failed,
}
