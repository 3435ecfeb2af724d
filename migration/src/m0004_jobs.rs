//! What makes effects reliable: `job`, `lease`, `alert`, `event`, `event_counter`, `idempotency`.

use sea_orm_migration::prelude::*;

use crate::schema::{
    bytes, drop_all, id, id_null, index, int, json, key, key_null, long, string, string_null, table, text, text_null,
    time, time_null, unique,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table(m, "job")
                .col(id("id").primary_key())
                .col(string("kind", 64))
                .col(text("payload"))
                .col(string("state", 16))
                .col(time("run_at"))
                .col(int("attempts"))
                .col(int("max_attempts"))
                .col(id_null("lease_token"))
                .col(time_null("lease_until"))
                .col(text_null("last_error"))
                .col(key_null(m, "unique_key", 200))
                .col(time("created_at"))
                .col(time_null("finished_at"))
                .take(),
        )
        .await?;
        unique(m, "job", "job_unique_key", &["unique_key"]).await?;
        index(m, "job", "job_due", &["state", "run_at"]).await?;
        m.create_table(
            table(m, "lease")
                .col(key(m, "name", 64).primary_key())
                .col(id_null("holder"))
                .col(long("epoch"))
                .col(time("until"))
                .take(),
        )
        .await?;
        m.create_table(
            table(m, "alert")
                .col(id("id").primary_key())
                .col(string("kind", 32))
                .col(string("state", 16))
                .col(id_null("actor_id"))
                .col(long("count"))
                .col(text("message"))
                .col(json("details"))
                .col(int("attempts"))
                .col(text_null("last_error"))
                .col(time("created_at"))
                .col(time_null("delivered_at"))
                .col(string_null("receipt", 255))
                .take(),
        )
        .await?;
        index(m, "alert", "alert_created", &["created_at", "id"]).await?;
        m.create_table(
            table(m, "event")
                .col(id("recipient"))
                .col(long("seq"))
                .col(string("kind", 64))
                .col(json("payload"))
                .col(time("created_at"))
                .primary_key(Index::create().col("recipient").col("seq"))
                .take(),
        )
        .await?;
        m.create_table(table(m, "event_counter").col(id("recipient").primary_key()).col(long("seq")).take()).await?;
        m.create_table(
            table(m, "idempotency")
                .col(id("user_id"))
                .col(key(m, "key", 200))
                .col(string("operation", 64))
                .col(bytes("input_hash", 32))
                .col(json("result"))
                .col(time("created_at"))
                .primary_key(Index::create().col("user_id").col("key"))
                .take(),
        )
        .await?;
        index(m, "idempotency", "idempotency_created", &["created_at"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["idempotency", "event_counter", "event", "alert", "lease", "job"]).await
    }
}
