//! The ledger: `object`, `object_copy`, `write_intent`, `site_role`.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, Statement},
};

use crate::schema::{
    bytes, drop_all, id, id_null, index, int, key, long, string, string_null, table, time, time_null, unique,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table(m, "object")
                .col(id("id").primary_key())
                .col(key(m, "key", 100))
                .col(string("kind", 16))
                .col(string("state", 16))
                .col(long("bytes"))
                .col(bytes("sha256", 32))
                .col(string("content_type", 255))
                .col(int("holds"))
                .col(time_null("due_at"))
                .col(id_null("user_id"))
                .col(id_null("file_id"))
                .col(time("created_at"))
                .col(time_null("live_at"))
                .col(id_null("requested_by"))
                .col(time_null("requested_at"))
                .col(string_null("reason", 24))
                .col(time_null("erased_at"))
                .take(),
        )
        .await?;
        unique(m, "object", "object_key", &["key"]).await?;
        index(m, "object", "object_state", &["state", "created_at"]).await?;
        index(m, "object", "object_file", &["file_id"]).await?;
        index(m, "object", "object_requested", &["requested_at", "id"]).await?;
        index(m, "object", "object_user_requested", &["user_id", "requested_at", "id"]).await?;
        m.create_table(
            table(m, "object_copy")
                .col(id("object_id"))
                .col(string("site", 16))
                .col(string("state", 16))
                .col(string_null("etag", 128))
                .col(string_null("version_id", 255))
                .col(string_null("proof", 16))
                .col(time_null("verified_at"))
                .col(time_null("gone_at"))
                .primary_key(Index::create().col("object_id").col("site"))
                .foreign_key(ForeignKey::create().from("object_copy", "object_id").to("object", "id"))
                .take(),
        )
        .await?;
        index(m, "object_copy", "object_copy_state", &["state", "object_id"]).await?;
        m.create_table(
            table(m, "write_intent")
                .col(id("id").primary_key())
                .col(id("object_id"))
                .col(string("site", 16))
                .col(time("deadline"))
                .foreign_key(ForeignKey::create().from("write_intent", "object_id").to("object", "id"))
                .take(),
        )
        .await?;
        index(m, "write_intent", "write_intent_object", &["object_id"]).await?;
        m.create_table(
            table(m, "site_role")
                .col(string("site", 16).primary_key())
                .col(string("role", 16))
                .col(long("epoch"))
                .take(),
        )
        .await?;
        let rows = m
            .get_connection()
            .query_one_raw(Statement::from_string(m.get_database_backend(), "SELECT 1 FROM site_role"))
            .await?;
        if rows.is_some() {
            return Ok(());
        }
        m.execute(
            Query::insert()
                .into_table("site_role")
                .columns(["site", "role", "epoch"])
                .values_panic(["first".into(), "PRIMARY".into(), 1i64.into()])
                .values_panic(["second".into(), "REPLICA".into(), 1i64.into()])
                .take(),
        )
        .await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["site_role", "write_intent", "object_copy", "object"]).await
    }
}
