//! The verifier's runs, checkpoints and findings, and what was told of them; when each copy first arrived.

use sea_orm_migration::prelude::*;

use crate::schema::{
    add_column, boolean, bytes_null, drop_all, drop_column, drop_index, id, id_null, index, int, key, key_null, long,
    long_null, string, string_null, table, text, text_null, time, time_null, unique,
};

/// The longest key that S3 takes, in bytes (S3 user guide, "Naming Amazon S3 objects").
const KEY: u32 = 1024;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "object_copy", "arrived_at", time_null("arrived_at")).await?;
        index(m, "object_copy", "object_copy_arrived", &["site", "arrived_at"]).await?;
        index(m, "object_copy", "object_copy_verified", &["state", "verified_at"]).await?;
        m.create_table(
            table(m, "replica_run")
                .col(id("id").primary_key())
                .col(string("mode", 16))
                .col(string("state", 16))
                .col(long("epoch"))
                .col(id_null("requested_by"))
                .col(boolean("trusting"))
                .col(long_null("budget"))
                .col(long("total"))
                .col(long("done"))
                .col(text("counters"))
                .col(text_null("error"))
                .col(time("created_at"))
                .col(time("updated_at"))
                .col(time_null("finished_at"))
                .take(),
        )
        .await?;
        index(m, "replica_run", "replica_run_created", &["created_at", "id"]).await?;
        index(m, "replica_run", "replica_run_state", &["mode", "state", "created_at"]).await?;
        m.create_table(
            table(m, "replica_range")
                .col(id("run_id"))
                .col(int("number"))
                .col(key(m, "after", KEY))
                .col(key_null(m, "upto", KEY))
                .col(string("state", 16))
                .col(text("counters"))
                .col(text_null("error"))
                .primary_key(Index::create().col("run_id").col("number"))
                .foreign_key(ForeignKey::create().from("replica_range", "run_id").to("replica_run", "id"))
                .take(),
        )
        .await?;
        m.create_table(
            table(m, "replica_finding")
                .col(id("id").primary_key())
                .col(string("kind", 24))
                .col(string("state", 16))
                .col(key(m, "key", KEY))
                .col(bytes_null("open_key", 32))
                .col(id_null("object_id"))
                .col(long("bytes"))
                .col(text("detail"))
                .col(time("first_seen_at"))
                .col(time("last_seen_at"))
                .col(int("sightings"))
                .col(id("run_id"))
                .col(id_null("repair_id"))
                .col(int("attempts"))
                .col(text_null("last_error"))
                .col(time_null("resolved_at"))
                .col(string_null("outcome", 16))
                .take(),
        )
        .await?;
        m.create_table(
            table(m, "replica_watch")
                .col(int("id").primary_key())
                .col(string("health", 16))
                .col(time("since"))
                .col(string("told", 16))
                .col(text("told_kinds"))
                .col(time("told_at"))
                .col(id_null("alert_id"))
                .take(),
        )
        .await?;
        unique(m, "replica_finding", "replica_finding_open", &["open_key"]).await?;
        index(m, "replica_finding", "replica_finding_state", &["state", "kind", "id"]).await?;
        index(m, "replica_finding", "replica_finding_seen", &["first_seen_at", "id"]).await?;
        index(m, "replica_finding", "replica_finding_object", &["object_id"]).await?;
        index(m, "replica_finding", "replica_finding_repair", &["repair_id", "state", "id"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["replica_watch", "replica_finding", "replica_range", "replica_run"]).await?;
        for name in ["object_copy_arrived", "object_copy_verified"] {
            drop_index(m, "object_copy", name).await?;
        }
        drop_column(m, "object_copy", "arrived_at").await
    }
}
