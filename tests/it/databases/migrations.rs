//! `migrate up|down|status` through the binary.

use std::{path::Path, process::Command};

use migration::MigratorTrait as _;

use sea_orm::{EntityTrait as _, QueryOrder as _};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::{servers::TestDatabase, support::TestServer};

/// What the command prints, line by line.
fn migrate(data_dir: &Path, url: &str, args: &[&str]) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snaphaven"));
    command.env_clear().arg("migrate").args(args).arg("--data-dir").arg(data_dir);
    command.env("SNAPHAVEN_DATABASE__URL", url);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn migrations_go_up_down_and_up_again_and_say_so() {
    let data_dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::empty().await;
    let migrate = |args: &[&str]| migrate(data_dir.path(), &database.url, args);
    let names: Vec<String> = migration::Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    let all = |status: &str| names.iter().map(|name| format!("{status}  {name}")).collect::<Vec<_>>();
    let steps = names.len().to_string();
    assert_eq!(migrate(&["status"]), all("pending"));
    assert_eq!(migrate(&["up"]), all("applied"));
    assert_eq!(migrate(&["up"]), all("applied"), "again");
    assert_eq!(migrate(&["status"]), all("applied"));
    let one_less = migrate(&["down"]);
    let expected = [&all("applied")[..names.len() - 1], &all("pending")[names.len() - 1..]].concat();
    assert_eq!(one_less, expected, "one step unless told otherwise");
    migrate(&["up"]);
    assert_eq!(migrate(&["down", "--steps", &steps]), all("pending"));
    assert_eq!(migrate(&["up"]), all("applied"));
}

#[tokio::test]
async fn people_who_are_there_already_are_found_by_their_names() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    let found =
        async || ada.query("{ users(search: \"lovel\") { nodes { username } } }", json!({})).await["users"].clone();
    let names = migration::Migrator::migrations();
    let steps = names.len() - names.iter().position(|step| step.name() == "m0015_people").unwrap();
    let config = &server.app.config;
    let migrate = |args: &[&str]| migrate(&config.data_dir, config.database.url.expose_secret(), args);
    migrate(&["down", "--steps", &steps.to_string()]);
    migrate(&["up"]);
    assert_eq!(found().await, json!({ "nodes": [] }), "until the job has run");
    server.work().await;
    server.settle().await;
    assert_eq!(found().await, json!({ "nodes": [{ "username": "ada" }] }));
    server.finish().await;
}

#[tokio::test]
async fn files_that_are_there_already_are_counted_and_their_old_versions_have_a_time() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"12345").await;
    ada.replace(&file, "a.txt", *b"123", json!({})).await;
    ada.trash(&[&ada.upload("b.txt", *b"1").await]).await;
    let upload = json!({ "name": "c.txt", "size": 7 });
    ada.mutate("createUpload", "uploadSession { id }", upload).await;
    let counted = async || ada.query("{ usage { files bytes } }", json!({})).await["usage"].clone();
    assert_eq!(counted().await, json!({ "files": 3, "bytes": 16 }));
    let names = migration::Migrator::migrations();
    let steps = names.len() - names.iter().position(|step| step.name() == "m0008_usage").unwrap();
    let db = server.app.db.read();
    let config = &server.app.config;
    let migrate = |args: &[&str]| migrate(&config.data_dir, config.database.url.expose_secret(), args);
    migrate(&["down", "--steps", &steps.to_string()]);
    migrate(&["up"]);
    assert_eq!(counted().await, json!({ "files": 3, "bytes": 16 }));
    let versions =
        entity::file_version::Entity::find().order_by_asc(entity::file_version::Column::Id).all(db).await.unwrap();
    let superseded: Vec<_> = versions.iter().map(|version| version.superseded_at.is_some()).collect();
    assert_eq!(superseded, [true, false, false]);
    server.work().await;
    server.finish().await;
}
