//! What has to hold on every database: `make test` runs these on SQLite, on Postgres and on MariaDB (`SNAPHAVEN_TEST_DATABASE`).

mod access;
mod accounts;
mod alerts;
mod audit;
mod bulk;
mod closing;
mod crash;
mod crowd;
mod files;
mod friends;
mod holds;
mod hostile;
mod jobs;
mod ledger;
mod live;
mod migrations;
mod moderation;
mod panel;
mod races;
mod reports;
mod scale;
mod shares;
mod snaps;
mod storms;
mod uploads;
mod weather;
