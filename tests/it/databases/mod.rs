//! What has to hold on every database: `make test` runs these on SQLite, on Postgres and on MariaDB (`SNAPHAVEN_TEST_DATABASE`).

mod accounts;
mod crash;
mod files;
mod jobs;
mod ledger;
mod migrations;
mod races;
