//! Files: `file`, `file_version`, `rendition`.

use sea_orm_migration::prelude::*;

use crate::schema::{
    bytes, bytes_null, drop_all, id, id_null, index, int, int_null, json, key, long, string, string_null, table, text,
    time, time_null, unique,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table(m, "file")
                .col(id("id").primary_key())
                .col(id("owner_id"))
                .col(string("name", 255))
                .col(key(m, "name_key", 512))
                .col(text("description"))
                .col(json("tags"))
                .col(json("metadata"))
                .col(string("state", 16))
                .col(int("revision"))
                .col(id("version_id"))
                .col(id("object_id"))
                .col(string("content_type", 255))
                .col(long("bytes"))
                .col(bytes("sha256", 32))
                .col(int_null("width"))
                .col(int_null("height"))
                .col(bytes_null("thumbhash", 64))
                .col(time("created_at"))
                .col(time("updated_at"))
                .col(time_null("trashed_at"))
                .col(time_null("purge_at"))
                .foreign_key(ForeignKey::create().from("file", "owner_id").to("user", "id"))
                .foreign_key(ForeignKey::create().from("file", "object_id").to("object", "id"))
                .take(),
        )
        .await?;
        index(m, "file", "file_owner_created", &["owner_id", "state", "created_at", "id"]).await?;
        index(m, "file", "file_created", &["state", "created_at", "id"]).await?;
        index(m, "file", "file_purge", &["purge_at"]).await?;
        index(m, "file", "file_object", &["object_id"]).await?;
        m.create_table(
            table(m, "file_version")
                .col(id("id").primary_key())
                .col(id("file_id"))
                .col(int("number"))
                .col(id("object_id"))
                .col(string("content_type", 255))
                .col(long("bytes"))
                .col(bytes("sha256", 32))
                .col(int_null("width"))
                .col(int_null("height"))
                .col(bytes_null("thumbhash", 64))
                .col(time("created_at"))
                .foreign_key(ForeignKey::create().from("file_version", "file_id").to("file", "id"))
                .foreign_key(ForeignKey::create().from("file_version", "object_id").to("object", "id"))
                .take(),
        )
        .await?;
        unique(m, "file_version", "file_version_number", &["file_id", "number"]).await?;
        unique(m, "file_version", "file_version_object", &["object_id"]).await?;
        m.create_table(
            table(m, "rendition")
                .col(id("id").primary_key())
                .col(id("file_id"))
                .col(id("version_id"))
                .col(string("size", 16))
                .col(string("state", 16))
                .col(id_null("object_id"))
                .col(string_null("content_type", 255))
                .col(int_null("width"))
                .col(int_null("height"))
                .col(string_null("error", 255))
                .col(time("created_at"))
                .col(time("updated_at"))
                .foreign_key(ForeignKey::create().from("rendition", "version_id").to("file_version", "id"))
                .take(),
        )
        .await?;
        unique(m, "rendition", "rendition_size", &["version_id", "size"]).await?;
        unique(m, "rendition", "rendition_object", &["object_id"]).await?;
        index(m, "rendition", "rendition_file", &["file_id"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["rendition", "file_version", "file"]).await
    }
}
