//! Snaps: `snap`, `snap_recipient`; and `audit_entry`, which tells who opened which.

use sea_orm_migration::prelude::*;

use crate::schema::{
    boolean, bytes_null, drop_all, id, id_null, index, int, int_null, string, table, text, time, time_null, unique,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table(m, "snap")
                .col(id("id").primary_key())
                .col(id("sender_id"))
                .col(id("object_id"))
                .col(text("caption"))
                .col(int("width"))
                .col(int("height"))
                .col(int_null("view_seconds"))
                .col(boolean("allow_replay"))
                .col(int("remaining"))
                .col(time("created_at"))
                .col(time("expires_at"))
                .col(time_null("gone_at"))
                .foreign_key(ForeignKey::create().from("snap", "sender_id").to("user", "id"))
                .take(),
        )
        .await?;
        index(m, "snap", "snap_sent", &["sender_id", "created_at", "id"]).await?;
        index(m, "snap", "snap_gone", &["gone_at", "id"]).await?;
        m.create_table(
            table(m, "snap_recipient")
                .col(id("id").primary_key())
                .col(id("snap_id"))
                .col(id("recipient_id"))
                .col(id("sender_id"))
                .col(string("state", 16))
                .col(time("created_at"))
                .col(time_null("opened_at"))
                .col(time_null("replayed_at"))
                .col(time_null("screenshot_at"))
                .col(id_null("view_id"))
                .col(bytes_null("ticket", 32))
                .col(id_null("session_id"))
                .col(time_null("fetch_before"))
                .col(time_null("fetched_at"))
                .col(time_null("consumed_at"))
                .col(time_null("view_ends_at"))
                .col(time_null("ended_at"))
                .foreign_key(ForeignKey::create().from("snap_recipient", "snap_id").to("snap", "id"))
                .foreign_key(ForeignKey::create().from("snap_recipient", "recipient_id").to("user", "id"))
                .take(),
        )
        .await?;
        unique(m, "snap_recipient", "snap_recipient_once", &["snap_id", "recipient_id"]).await?;
        unique(m, "snap_recipient", "snap_recipient_ticket", &["ticket"]).await?;
        index(m, "snap_recipient", "snap_recipient_inbox", &["recipient_id", "created_at", "id"]).await?;
        index(m, "snap_recipient", "snap_recipient_state", &["recipient_id", "state", "created_at", "id"]).await?;
        m.create_table(
            table(m, "audit_entry")
                .col(id("id").primary_key())
                .col(time("created_at"))
                .col(id_null("actor_id"))
                .col(string("action", 64))
                .col(id("subject_id"))
                .col(ColumnDef::new("canonical").blob().not_null().take())
                .take(),
        )
        .await?;
        index(m, "audit_entry", "audit_entry_subject", &["subject_id", "created_at", "id"]).await?;
        index(m, "audit_entry", "audit_entry_time", &["created_at", "id"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["audit_entry", "snap_recipient", "snap"]).await
    }
}
