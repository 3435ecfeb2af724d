//! Copies by site and state: what waits at the replica is counted at every look at the replication, and a planner without
//! statistics would read all objects for it.

use sea_orm_migration::prelude::*;

use crate::schema::{drop_index, index};

const BY_STATE: &str = "object_copy_state";
const BY_SITE: &str = "object_copy_site_state";

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        index(m, "object_copy", BY_SITE, &["site", "state", "object_id"]).await?;
        drop_index(m, "object_copy", BY_STATE).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        index(m, "object_copy", BY_STATE, &["state", "object_id"]).await?;
        drop_index(m, "object_copy", BY_SITE).await
    }
}
