//! The database, one file per step. Steps are portable, re-runnable, and expand before they contract.

mod m0001_accounts;
mod m0002_ledger;
mod m0003_files;
mod m0004_jobs;
mod m0005_uploads;
mod m0006_search;
mod m0007_share_links;
mod m0008_usage;
mod m0009_closures;
mod m0010_object_events;
mod m0011_versions;
mod m0012_friends;
mod m0013_live;
mod m0014_snaps;
mod m0015_people;
mod m0016_moderation;
mod m0017_audit_chain;
mod m0018_reports;
mod m0019_bulk;
mod m0020_alert_storms;
mod m0021_block_list;
mod m0022_replication;
mod m0023_promotion;
mod m0024_copies_by_site;
mod m0025_job_lanes;
mod schema;

use sea_orm_migration::prelude::*;
pub use sea_orm_migration::{MigrationStatus, MigratorTrait};

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_accounts::Migration),
            Box::new(m0002_ledger::Migration),
            Box::new(m0003_files::Migration),
            Box::new(m0004_jobs::Migration),
            Box::new(m0005_uploads::Migration),
            Box::new(m0006_search::Migration),
            Box::new(m0007_share_links::Migration),
            Box::new(m0008_usage::Migration),
            Box::new(m0009_closures::Migration),
            Box::new(m0010_object_events::Migration),
            Box::new(m0011_versions::Migration),
            Box::new(m0012_friends::Migration),
            Box::new(m0013_live::Migration),
            Box::new(m0014_snaps::Migration),
            Box::new(m0015_people::Migration),
            Box::new(m0016_moderation::Migration),
            Box::new(m0017_audit_chain::Migration),
            Box::new(m0018_reports::Migration),
            Box::new(m0019_bulk::Migration),
            Box::new(m0020_alert_storms::Migration),
            Box::new(m0021_block_list::Migration),
            Box::new(m0022_replication::Migration),
            Box::new(m0023_promotion::Migration),
            Box::new(m0024_copies_by_site::Migration),
            Box::new(m0025_job_lanes::Migration),
        ]
    }
}
