//! People: `user_term`, when they were last here, and whom they have asked to be a friend.

use sea_orm_migration::{prelude::*, sea_orm::prelude::Uuid};

use crate::schema::{add_column, boolean, drop_all, drop_column, id, index, key, table, time_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        add_column(m, "user", "shows_last_seen", boolean("shows_last_seen").default(false).take()).await?;
        add_column(m, "user", "last_seen_at", time_null("last_seen_at")).await?;
        index(m, "friendship", "friendship_asked", &["requested_by", "state", "changed_at", "id"]).await?;
        m.create_table(
            table(m, "user_term")
                .col(id("user_id"))
                .col(key(m, "term", 64))
                .col(key(m, "previous", 64))
                .col(boolean("closing"))
                .primary_key(Index::create().col("user_id").col("term"))
                .foreign_key(ForeignKey::create().from("user_term", "user_id").to("user", "id"))
                .take(),
        )
        .await?;
        index(m, "user_term", "user_term_found", &["term", "user_id", "previous", "closing"]).await?;
        reindex(m).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["user_term"]).await?;
        if m.has_index("friendship", "friendship_asked").await? {
            m.drop_index(Index::drop().table("friendship").name("friendship_asked").to_owned()).await?;
        }
        drop_column(m, "user", "last_seen_at").await?;
        drop_column(m, "user", "shows_last_seen").await
    }
}

/// Has the people who are there already made findable by a job, where there are any: words are folded by the server.
async fn reindex(m: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = m.get_connection();
    let some = Query::select().column("id").from("user").limit(1).take();
    if connection.query_one(&some).await?.is_none() {
        return Ok(());
    }
    let job = Query::insert()
        .into_table("job")
        .columns(["id", "kind", "payload", "state", "run_at", "attempts", "max_attempts", "unique_key", "created_at"])
        .values_panic([
            // Whatever the ids of others: this one occurs once.
            Uuid::from_u128(0x7573_6572_732e_7265_696e_6465_7800_0015).into(),
            "accounts.reindex".into(),
            r#"{"after":null}"#.into(),
            "WAITING".into(),
            0_i64.into(),
            0.into(),
            25.into(),
            "accounts.reindex".into(),
            0_i64.into(),
        ])
        .on_conflict(OnConflict::column("unique_key").do_nothing_on(["id"]).to_owned())
        .take();
    connection.execute(&job).await?;
    Ok(())
}
