//! Alerts of what happens again and again: `alert_storm`.

use sea_orm_migration::prelude::*;

use crate::schema::{drop_all, id, json, key, long, string, table, text, time};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table(m, "alert_storm")
                .col(key(m, "key", 160).primary_key())
                .col(string("kind", 32))
                .col(text("message"))
                .col(json("details"))
                .col(id("alert_id"))
                .col(long("untold"))
                .col(long("total"))
                .col(time("began_at"))
                .col(time("due_at"))
                .take(),
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["alert_storm"]).await
    }
}
