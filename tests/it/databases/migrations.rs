//! `migrate up|down|status` through the binary.

use std::{path::Path, process::Command};

use migration::MigratorTrait as _;

use crate::servers::TestDatabase;

/// What the command prints, line by line.
fn migrate(data_dir: &Path, database: &TestDatabase, args: &[&str]) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snaphaven"));
    command.env_clear().arg("migrate").args(args).arg("--data-dir").arg(data_dir);
    command.env("SNAPHAVEN_DATABASE__URL", &database.url);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn migrations_go_up_down_and_up_again_and_say_so() {
    let data_dir = tempfile::tempdir().unwrap();
    let database = TestDatabase::empty().await;
    let migrate = |args: &[&str]| migrate(data_dir.path(), &database, args);
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
