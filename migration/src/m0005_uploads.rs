//! Direct uploads: `upload`, and what `object` and `file` know of them.

use sea_orm_migration::prelude::*;

use crate::schema::{
    add_column, bytes_null, drop_all, drop_column, id, id_null, index, json, long, string, string_null, table, text,
    time, time_null, unique,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table(m, "upload")
                .col(id("id").primary_key())
                .col(id("owner_id"))
                .col(id("file_id"))
                .col(string("name", 255))
                .col(text("description"))
                .col(json("tags"))
                .col(json("metadata"))
                .col(string("state", 16))
                .col(long("bytes"))
                .col(bytes_null("sha256", 32))
                .col(string_null("content_type", 255))
                .col(long("part_bytes"))
                .col(string("site", 16))
                .col(string_null("multipart_id", 1024))
                .col(id("staging_id"))
                .col(id_null("object_id"))
                .col(bytes_null("composite", 32))
                .col(long("verified_bytes"))
                .col(string_null("rejection", 16))
                .col(time("created_at"))
                .col(time("expires_at"))
                .col(time_null("ended_at"))
                .foreign_key(ForeignKey::create().from("upload", "owner_id").to("user", "id"))
                .foreign_key(ForeignKey::create().from("upload", "staging_id").to("object", "id"))
                .take(),
        )
        .await?;
        index(m, "upload", "upload_owner", &["owner_id", "created_at", "id"]).await?;
        index(m, "upload", "upload_expiry", &["state", "expires_at"]).await?;
        index(m, "upload", "upload_ended", &["ended_at"]).await?;
        unique(m, "upload", "upload_file", &["file_id"]).await?;
        add_column(m, "object", "keep_until", time_null("keep_until")).await?;
        add_column(m, "file", "rejection", string_null("rejection", 16)).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_column(m, "file", "rejection").await?;
        drop_column(m, "object", "keep_until").await?;
        drop_all(m, &["upload"]).await
    }
}
