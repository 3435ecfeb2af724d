//! Friends: `friendship`, `block`.

use sea_orm_migration::prelude::*;

use crate::schema::{drop_all, id, index, string, table, time, unique};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table(m, "friendship")
                .col(id("id").primary_key())
                .col(id("low_id"))
                .col(id("high_id"))
                .col(id("requested_by"))
                .col(string("state", 16))
                .col(time("created_at"))
                .col(time("changed_at"))
                .foreign_key(ForeignKey::create().from("friendship", "low_id").to("user", "id"))
                .foreign_key(ForeignKey::create().from("friendship", "high_id").to("user", "id"))
                .take(),
        )
        .await?;
        unique(m, "friendship", "friendship_pair", &["low_id", "high_id"]).await?;
        index(m, "friendship", "friendship_low", &["low_id", "state", "changed_at", "id"]).await?;
        index(m, "friendship", "friendship_high", &["high_id", "state", "changed_at", "id"]).await?;
        m.create_table(
            table(m, "block")
                .col(id("blocker_id"))
                .col(id("blocked_id"))
                .col(time("created_at"))
                .primary_key(Index::create().col("blocker_id").col("blocked_id"))
                .foreign_key(ForeignKey::create().from("block", "blocker_id").to("user", "id"))
                .foreign_key(ForeignKey::create().from("block", "blocked_id").to("user", "id"))
                .take(),
        )
        .await?;
        index(m, "block", "block_blocked", &["blocked_id"]).await?;
        index(m, "block", "block_listed", &["blocker_id", "created_at", "blocked_id"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["block", "friendship"]).await
    }
}
