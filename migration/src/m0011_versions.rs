//! Versions that come back and expire, and uploads that become the new content of a file.

use sea_orm_migration::prelude::*;

use crate::schema::{add_column, drop_column, id_null, index, int_null, string, time_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "file_version", "restored_from", int_null("restored_from")).await?;
        add_column(m, "file_version", "superseded_at", time_null("superseded_at")).await?;
        // Nobody knows when those were superseded that are there already.
        let supersede = Query::update()
            .table("file_version")
            .value("superseded_at", Expr::col("created_at"))
            .and_where(Expr::col("id").not_in_subquery(Query::select().column("version_id").from("file").take()))
            .take();
        m.get_connection().execute(&supersede).await?;
        index(m, "file_version", "file_version_superseded", &["superseded_at"]).await?;
        add_column(m, "upload", "purpose", string("purpose", 16).default("FILE").take()).await?;
        add_column(m, "upload", "target_id", id_null("target_id")).await?;
        add_column(m, "upload", "target_revision", int_null("target_revision")).await?;
        index(m, "upload", "upload_target", &["target_id"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for (table, name) in [("upload", "upload_target"), ("file_version", "file_version_superseded")] {
            if m.has_index(table, name).await? {
                m.drop_index(Index::drop().table(table).name(name).to_owned()).await?;
            }
        }
        for column in ["target_revision", "target_id", "purpose"] {
            drop_column(m, "upload", column).await?;
        }
        drop_column(m, "file_version", "superseded_at").await?;
        drop_column(m, "file_version", "restored_from").await
    }
}
