//! Writes closed for the moment in which the primary changes.

use sea_orm_migration::prelude::*;

use crate::schema::{add_column, drop_column, time_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "site_role", "closed_until", time_null("closed_until")).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_column(m, "site_role", "closed_until").await
    }
}
