//! Moderation: since when and why an account is suspended, and why an admin removed a file.

use sea_orm_migration::prelude::*;

use crate::schema::{add_column, drop_column, id_null, string_null, time_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "user", "suspended_at", time_null("suspended_at")).await?;
        add_column(m, "user", "suspension_reason", string_null("suspension_reason", 500)).await?;
        add_column(m, "file", "removed_by", id_null("removed_by")).await?;
        add_column(m, "file", "removal_reason", string_null("removal_reason", 500)).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_column(m, "file", "removal_reason").await?;
        drop_column(m, "file", "removed_by").await?;
        drop_column(m, "user", "suspension_reason").await?;
        drop_column(m, "user", "suspended_at").await
    }
}
