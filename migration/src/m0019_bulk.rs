//! Acts of an admin on many files at once: `action`, and `bulk_item` for what of it is still to be done.

use sea_orm_migration::prelude::*;

use crate::schema::{drop_all, id, id_null, index, long, string, string_null, table, text_null, time, time_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table(m, "action")
                .col(id("id").primary_key())
                .col(string("kind", 32))
                .col(string("state", 16))
                // No foreign key: it outlives the admin's account.
                .col(id("actor_id"))
                .col(string_null("reason", 500))
                .col(long("total"))
                .col(long("done"))
                .col(long("skipped"))
                .col(text_null("error"))
                .col(id_null("alert_id"))
                .col(time("created_at"))
                .col(time_null("finished_at"))
                .take(),
        )
        .await?;
        index(m, "action", "action_created", &["created_at", "id"]).await?;
        m.create_table(
            table(m, "bulk_item")
                .col(id("action_id"))
                // No foreign key: the file may be deleted for good before its turn comes.
                .col(id("file_id"))
                .primary_key(Index::create().col("action_id").col("file_id"))
                .take(),
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["bulk_item", "action"]).await
    }
}
