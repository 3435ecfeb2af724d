//! Contents that nobody may store: `blocked_content`, `block_list`, and how each version of a picture looks.

use sea_orm_migration::{prelude::*, sea_orm::Statement};

use crate::schema::{
    add_column, bytes, bytes_null, drop_all, drop_column, id, id_null, index, int, long, string, string_null, table,
    time, time_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "file_version", "fingerprint", bytes_null("fingerprint", 224)).await?;
        m.create_table(
            table(m, "blocked_content")
                .col(id("id").primary_key())
                .col(bytes("sha256", 32))
                .col(bytes("fingerprints", 8192))
                .col(bytes_null("thumbhash", 64))
                .col(string_null("content_type", 255))
                .col(string("name", 255))
                .col(string("reason", 500))
                .col(id_null("blocked_by"))
                .col(time("blocked_at"))
                .col(id_null("unblocked_by"))
                .col(time_null("unblocked_at"))
                .col(long("version"))
                .col(long("refused"))
                .col(time_null("last_refused_at"))
                .take(),
        )
        .await?;
        index(m, "blocked_content", "blocked_content_sha256", &["sha256"]).await?;
        index(m, "blocked_content", "blocked_content_version", &["version"]).await?;
        index(m, "blocked_content", "blocked_content_blocked", &["blocked_at", "id"]).await?;
        index(m, "blocked_content", "blocked_content_unblocked", &["unblocked_at", "blocked_at", "id"]).await?;
        m.create_table(table(m, "block_list").col(int("id").primary_key()).col(long("version")).take()).await?;
        let there = Statement::from_string(m.get_database_backend(), "SELECT 1 FROM block_list");
        if m.get_connection().query_one_raw(there).await?.is_some() {
            return Ok(());
        }
        let first = Query::insert()
            .into_table("block_list")
            .columns(["id", "version"])
            .values_panic([1.into(), 0i64.into()])
            .take();
        m.execute(first).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["block_list", "blocked_content"]).await?;
        drop_column(m, "file_version", "fingerprint").await
    }
}
