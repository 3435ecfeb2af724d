//! How far a person has read their events, and the order in which old events go.

use sea_orm_migration::prelude::*;

use crate::schema::{add_column, drop_column, index, long};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "event_counter", "read_seq", long("read_seq").default(0).take()).await?;
        index(m, "event", "event_created", &["created_at"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        if m.has_index("event", "event_created").await? {
            m.drop_index(Index::drop().table("event").name("event_created").to_owned()).await?;
        }
        drop_column(m, "event_counter", "read_seq").await
    }
}
