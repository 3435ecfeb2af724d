//! Accounts: `user`, `session`, `throttle`.

use sea_orm_migration::prelude::*;

use crate::schema::{bytes, drop_all, id, index, key, long, string, table, text, time, time_null, unique};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table(m, "user")
                .col(id("id").primary_key())
                .col(string("username", 64))
                .col(key(m, "username_key", 64))
                .col(string("email", 254))
                .col(key(m, "email_key", 254))
                .col(string("first_name", 100))
                .col(string("last_name", 100))
                .col(text("about"))
                .col(string("password_hash", 255))
                .col(string("role", 16))
                .col(string("status", 16))
                .col(time("created_at"))
                .col(time("updated_at"))
                .take(),
        )
        .await?;
        unique(m, "user", "user_username_key", &["username_key"]).await?;
        unique(m, "user", "user_email_key", &["email_key"]).await?;
        index(m, "user", "user_role", &["role"]).await?;
        m.create_table(
            table(m, "session")
                .col(id("id").primary_key())
                .col(id("user_id"))
                .col(string("kind", 16))
                .col(bytes("token_hash", 32))
                .col(string("name", 100))
                .col(string("user_agent", 255))
                .col(string("address", 64))
                .col(time("created_at"))
                .col(time("last_used_at"))
                .col(time_null("expires_at"))
                .foreign_key(ForeignKey::create().from("session", "user_id").to("user", "id"))
                .take(),
        )
        .await?;
        unique(m, "session", "session_token_hash", &["token_hash"]).await?;
        index(m, "session", "session_user", &["user_id", "kind", "created_at", "id"]).await?;
        index(m, "session", "session_expiry", &["expires_at"]).await?;
        m.create_table(
            table(m, "throttle")
                .col(key(m, "key", 128).primary_key())
                .col(time("window_start"))
                .col(long("count"))
                .take(),
        )
        .await?;
        index(m, "throttle", "throttle_window", &["window_start"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["throttle", "session", "user"]).await
    }
}
