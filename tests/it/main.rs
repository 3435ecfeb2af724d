//! The integration suite: one binary, the real server on free ports.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod adapters;
mod alert_sink;
mod architecture;
mod cdn;
mod cli;
mod clients;
mod config;
mod databases;
mod direct;
mod doctor;
mod edge;
mod embedded_s3;
mod guide;
mod hostile;
mod http;
mod images;
mod lanes;
mod listings;
mod live;
mod ministack;
mod moto;
mod object_events;
mod readme;
mod replication;
mod restore;
mod schema;
mod support;

#[path = "../judges/mod.rs"]
mod judges;
#[path = "../servers/mod.rs"]
mod servers;

#[path = "../trials/common/mod.rs"]
mod common;
#[path = "../trials/proxy/mod.rs"]
mod proxy;
