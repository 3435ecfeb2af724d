//! Snaphaven: a GraphQL server for files, photos and snaps over two buckets and a ledger.
//!
//! The modules stand in import order: each may use only those above it, which `tests/it/architecture.rs` enforces.
//!
//! 1. One way to flow: `http → graphql → module service → store / adapters`. The domain never imports async-graphql.
//! 2. No circles. Where an earlier module must set something off in a later one, it enqueues a typed event.
//! 3. Every access rule lives in a module's service, once, as a finder that cannot be called without a `Viewer`.
//! 4. The database is the truth; every effect outside it is a job written in the same transaction.
//! 5. Every S3 object is in the ledger before its first byte is written.
#![recursion_limit = "256"]

pub mod clock;
pub mod config;
pub mod db;
pub mod id;
pub mod telemetry;
pub mod viewer;

pub mod adapters;
pub mod embedded;

pub mod error;

pub mod images;

pub mod pace;

pub mod password;

pub mod spool;

pub mod text;

pub mod token;

pub mod wanted;

pub mod app;

pub mod graphql;

pub mod jobs;

pub mod events;

pub mod audit;

pub mod alerts;

pub mod operations;

pub mod friends;

pub mod accounts;

pub mod block_list;

pub mod ledger;

pub mod replication;

pub mod files;

pub mod snaps;

pub mod reports;

pub mod closing;
pub mod notary;

pub mod manifest;
pub mod object_events;
pub mod proof;
pub mod timeline;

pub mod compose;

pub mod http;

pub mod server;

pub mod cli;
