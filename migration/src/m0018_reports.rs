//! Legal holds on files, and what people report: `legal_hold`, `report`.

use sea_orm_migration::prelude::*;

use crate::schema::{
    add_column, bytes_null, drop_all, drop_column, id, id_null, index, int, json, string, string_null, table, text,
    time, time_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "file", "holds", int("holds").default(0).take()).await?;
        m.create_table(
            table(m, "legal_hold")
                .col(id("id").primary_key())
                .col(id("file_id"))
                .col(string("file_name", 255))
                .col(string("reason", 500))
                .col(id_null("placed_by"))
                .col(time("placed_at"))
                .col(id_null("released_by"))
                .col(time_null("released_at"))
                .take(),
        )
        .await?;
        index(m, "legal_hold", "legal_hold_file", &["file_id", "released_at"]).await?;
        index(m, "legal_hold", "legal_hold_placed", &["placed_at", "id"]).await?;
        index(m, "legal_hold", "legal_hold_released", &["released_at", "placed_at", "id"]).await?;
        m.create_table(
            table(m, "report")
                .col(id("id").primary_key())
                .col(string("state", 16))
                .col(string("kind", 16))
                .col(id("subject_id"))
                .col(id_null("reporter_id"))
                .col(id("accused_id"))
                .col(string("category", 16))
                .col(text("comment"))
                .col(id("object_id"))
                .col(bytes_null("sha256", 32))
                .col(json("facts"))
                .col(string("evidence", 16))
                .col(time("created_at"))
                .col(string_null("decision", 24))
                .col(string_null("decision_reason", 500))
                .col(id_null("decided_by"))
                .col(time_null("decided_at"))
                .take(),
        )
        .await?;
        index(m, "report", "report_state", &["state", "created_at", "id"]).await?;
        index(m, "report", "report_subject", &["subject_id", "state"]).await?;
        index(m, "report", "report_reporter", &["reporter_id", "created_at"]).await?;
        index(m, "report", "report_accused", &["accused_id", "created_at", "id"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["report", "legal_hold"]).await?;
        drop_column(m, "file", "holds").await
    }
}
