//! Share links: `share_link`, `share_download`.

use sea_orm_migration::prelude::*;

use crate::schema::{boolean, bytes, drop_all, id, index, int, table, time, time_null, unique};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table(m, "share_link")
                .col(id("id").primary_key())
                .col(id("file_id"))
                .col(id("version_id"))
                .col(id("owner_id"))
                .col(bytes("token_hash", 32))
                .col(boolean("strict"))
                .col(time("expires_at"))
                .col(int("max_downloads"))
                .col(int("downloads"))
                .col(time_null("revoked_at"))
                .col(time("created_at"))
                .col(time_null("last_used_at"))
                .foreign_key(ForeignKey::create().from("share_link", "file_id").to("file", "id"))
                .foreign_key(ForeignKey::create().from("share_link", "owner_id").to("user", "id"))
                .take(),
        )
        .await?;
        unique(m, "share_link", "share_link_token_hash", &["token_hash"]).await?;
        index(m, "share_link", "share_link_file", &["file_id", "created_at", "id"]).await?;
        m.create_table(
            table(m, "share_download")
                .col(id("id").primary_key())
                .col(id("link_id"))
                .col(time("lease_until"))
                .foreign_key(ForeignKey::create().from("share_download", "link_id").to("share_link", "id"))
                .take(),
        )
        .await?;
        index(m, "share_download", "share_download_link", &["link_id", "lease_until"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["share_download", "share_link"]).await
    }
}
