//! Finding files: `file_term`, `file_label`, and an index for each order of a list.

use sea_orm_migration::{prelude::*, sea_orm::prelude::Uuid};

use crate::schema::{bytes, drop_all, id, index, key, string, table, time};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// For one person's list and for everyone's.
const ORDERS: [(&str, &[&str]); 6] = [
    ("file_owner_updated", &["owner_id", "state", "updated_at", "id"]),
    ("file_owner_name", &["owner_id", "state", "name_key", "id"]),
    ("file_owner_size", &["owner_id", "state", "bytes", "id"]),
    ("file_updated", &["state", "updated_at", "id"]),
    ("file_name", &["state", "name_key", "id"]),
    ("file_size", &["state", "bytes", "id"]),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns) in ORDERS {
            index(m, "file", name, columns).await?;
        }
        // Owner and state stand in both tables so that a search touches no row that the list would not show.
        m.create_table(
            table(m, "file_term")
                .col(id("file_id"))
                .col(key(m, "term", 64))
                .col(id("owner_id"))
                .col(string("state", 16))
                .primary_key(Index::create().col("file_id").col("term"))
                .foreign_key(ForeignKey::create().from("file_term", "file_id").to("file", "id"))
                .take(),
        )
        .await?;
        index(m, "file_term", "file_term_owner", &["owner_id", "state", "term", "file_id"]).await?;
        index(m, "file_term", "file_term_everyone", &["state", "term", "file_id"]).await?;
        m.create_table(
            table(m, "file_label")
                .col(id("file_id"))
                .col(bytes("label", 16))
                .col(id("owner_id"))
                .col(string("state", 16))
                .col(time("created_at"))
                .primary_key(Index::create().col("file_id").col("label"))
                .foreign_key(ForeignKey::create().from("file_label", "file_id").to("file", "id"))
                .take(),
        )
        .await?;
        index(m, "file_label", "file_label_owner", &["owner_id", "state", "label", "created_at", "file_id"]).await?;
        index(m, "file_label", "file_label_everyone", &["state", "label", "created_at", "file_id"]).await?;
        reindex(m).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["file_label", "file_term"]).await?;
        for (name, _) in ORDERS {
            if m.has_index("file", name).await? {
                m.drop_index(Index::drop().table("file").name(name).to_owned()).await?;
            }
        }
        Ok(())
    }
}

/// Has the files that are there already made findable by a job, where there are any: words are split by the server.
async fn reindex(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = m.get_connection();
    let some = Query::select().column("id").from("file").limit(1).take();
    if connection.query_one(&some).await?.is_none() {
        return Ok(());
    }
    let job = Query::insert()
        .into_table("job")
        .columns(["id", "kind", "payload", "state", "run_at", "attempts", "max_attempts", "unique_key", "created_at"])
        .values_panic([
            // Whatever the ids of others: this one occurs once.
            Uuid::from_u128(0x6669_6c65_732e_7265_696e_6465_7800_0006).into(),
            "files.reindex".into(),
            r#"{"after":null}"#.into(),
            "WAITING".into(),
            0_i64.into(),
            0.into(),
            25.into(),
            "files.reindex".into(),
            0_i64.into(),
        ])
        .on_conflict(OnConflict::column("unique_key").do_nothing_on(["id"]).to_owned())
        .take();
    connection.execute(&job).await?;
    Ok(())
}
