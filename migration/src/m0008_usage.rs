//! What each person's files take up: `usage`.

use sea_orm_migration::prelude::*;

use crate::schema::{drop_all, id, long, long_null, table};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// What is there already, counted as the server counts from now on.
const FILES: &str = "(SELECT COUNT(*) FROM file WHERE file.owner_id = person.id AND file.state <> 'REJECTED') \
                     + (SELECT COUNT(*) FROM upload WHERE upload.owner_id = person.id AND upload.state = 'OPEN')";
const BYTES: &str = "(SELECT COALESCE(SUM(file_version.bytes), 0) FROM file_version \
                     JOIN file ON file.id = file_version.file_id WHERE file.owner_id = person.id) \
                     + (SELECT COALESCE(SUM(file.bytes), 0) FROM file \
                     WHERE file.owner_id = person.id AND file.state = 'PROCESSING') \
                     + (SELECT COALESCE(SUM(upload.bytes), 0) FROM upload \
                     WHERE upload.owner_id = person.id AND upload.state = 'OPEN')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table(m, "usage")
                .col(id("user_id").primary_key())
                .col(long("files"))
                .col(long("bytes"))
                .col(long_null("max_files"))
                .col(long_null("max_bytes"))
                .foreign_key(ForeignKey::create().from("usage", "user_id").to("user", "id"))
                .take(),
        )
        .await?;
        let counted = Query::select()
            .column(("person", "id"))
            .expr(Expr::cust(FILES))
            .expr(Expr::cust(BYTES))
            .from_as("user", "person")
            // Run again after it broke off, it finds its rows.
            .and_where(
                Expr::col(("person", "id")).not_in_subquery(Query::select().column("user_id").from("usage").take()),
            )
            .take();
        let mut insert = Query::insert().into_table("usage").columns(["user_id", "files", "bytes"]).take();
        insert.select_from(counted).map_err(|error| DbErr::Custom(error.to_string()))?;
        m.get_connection().execute(&insert).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["usage"]).await
    }
}
