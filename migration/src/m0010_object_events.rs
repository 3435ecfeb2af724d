//! What S3 tells, and what it is asked: `object.notified_at`, `upload.signed_at` and `look_at`.

use sea_orm_migration::prelude::*;

use crate::schema::{add_column, drop_column, index, time_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "object", "notified_at", time_null("notified_at")).await?;
        add_column(m, "upload", "signed_at", time_null("signed_at")).await?;
        add_column(m, "upload", "look_at", time_null("look_at")).await?;
        index(m, "upload", "upload_look", &["state", "look_at"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        if m.has_index("upload", "upload_look").await? {
            m.drop_index(Index::drop().table("upload").name("upload_look").to_owned()).await?;
        }
        drop_column(m, "upload", "look_at").await?;
        drop_column(m, "upload", "signed_at").await?;
        drop_column(m, "object", "notified_at").await
    }
}
