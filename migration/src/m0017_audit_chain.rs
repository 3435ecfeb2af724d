//! The audit log, provable: `audit_seal` chains its entries, `audit_checkpoint` keeps what was signed of the chain.

use sea_orm_migration::prelude::*;

use crate::schema::{add_column, boolean, bytes, drop_all, drop_column, id, index, long, string, table, time, unique};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// What the list of entries and the sealer look for.
const INDEXES: [(&str, [&str; 3]); 3] = [
    ("audit_entry_unsealed", ["sealed", "created_at", "id"]),
    ("audit_entry_actor", ["actor_id", "created_at", "id"]),
    ("audit_entry_action", ["action", "created_at", "id"]),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "audit_entry", "sealed", boolean("sealed").default(false).take()).await?;
        for (name, columns) in INDEXES {
            index(m, "audit_entry", name, &columns).await?;
        }
        // No foreign keys: whoever removes an entry is to be found out, not to be asked to remove its seal first.
        m.create_table(
            table(m, "audit_seal")
                .col(long("seq").primary_key())
                .col(id("entry_id"))
                .col(bytes("hash", 32))
                .col(time("sealed_at"))
                .take(),
        )
        .await?;
        unique(m, "audit_seal", "audit_seal_entry", &["entry_id"]).await?;
        m.create_table(
            table(m, "audit_checkpoint")
                .col(long("seq").primary_key())
                .col(id("object_id"))
                .col(bytes("hash", 32))
                .col(string("key_id", 16))
                .col(time("signed_at"))
                .col(ColumnDef::new("statement").blob().not_null().take())
                .col(bytes("signature", 64))
                .take(),
        )
        .await?;
        unique(m, "audit_checkpoint", "audit_checkpoint_object", &["object_id"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["audit_checkpoint", "audit_seal"]).await?;
        for (name, _) in INDEXES {
            if m.has_index("audit_entry", name).await? {
                m.drop_index(Index::drop().table("audit_entry").name(name).to_owned()).await?;
            }
        }
        drop_column(m, "audit_entry", "sealed").await
    }
}
