//! Closed accounts: `account_closure`.

use sea_orm_migration::prelude::*;

use crate::schema::{bytes, drop_all, id, long, table, time, time_null, unique};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            table(m, "account_closure")
                .col(id("id").primary_key())
                // No foreign key: it outlives the account.
                .col(id("user_id"))
                .col(bytes("receipt_hash", 32))
                .col(time("requested_at"))
                .col(long("files"))
                .col(long("files_left"))
                .col(long("held"))
                .col(long("objects"))
                .col(long("objects_erased"))
                .col(time_null("erased_at"))
                .take(),
        )
        .await?;
        unique(m, "account_closure", "account_closure_user", &["user_id"]).await?;
        unique(m, "account_closure", "account_closure_receipt", &["receipt_hash"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["account_closure"]).await
    }
}
