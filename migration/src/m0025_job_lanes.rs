//! Lanes of the queue: what waits for one thing, a bucket that does not answer, holds up nothing else.

use sea_orm_migration::prelude::*;

use crate::schema::{add_column, drop_column, drop_index, index, string};

const BY_LANE: &str = "job_lane_due";
/// Where jobs that wait at the change belong; what is not named here stays in the first.
const MOVED: [(&str, &str); 4] = [
    ("COPIES", "ledger.replicate"),
    ("ERASURES", "ledger.erase"),
    ("UPKEEP", "replication.run"),
    ("UPKEEP", "manifest.write"),
];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        // With a default, for a process of the release before that is still at work.
        add_column(m, "job", "lane", string("lane", 16).default("PROMPT").take()).await?;
        for (lane, kind) in MOVED {
            let update = Query::update().table("job").value("lane", lane).and_where(Expr::col("kind").eq(kind)).take();
            m.execute(update).await?;
        }
        index(m, "job", BY_LANE, &["lane", "state", "run_at"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_index(m, "job", BY_LANE).await?;
        drop_column(m, "job", "lane").await
    }
}
