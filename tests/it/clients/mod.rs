//! Clients against the real binary: Apollo Client and urql in Node, gql in Python, curl, and our own uploader.

mod curl;
mod uploader;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::process::Command;

use crate::support::process::{BINARY, ServerProcess, repository, run};

const LIMIT: Duration = Duration::from_secs(120);
/// Of a suite of tests in Node.
const SUITE_LIMIT: Duration = Duration::from_secs(600);

/// Runs `node --test` in a folder, with the binary under test and these further variables.
pub async fn passes(folder: &str, tests: &[&str], variables: &[(&str, &str)]) {
    let mut node = Command::new("node");
    // One file after the other: each starts servers of its own.
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]).args(tests);
    node.current_dir(repository().join(folder)).env("SNAPHAVEN_TEST_BINARY", BINARY).envs(variables.iter().copied());
    let (code, said) = run(node.kill_on_drop(true), SUITE_LIMIT).await;
    assert_eq!(code, Some(0), "{said}");
}

async fn says_ok(mut client: Command) {
    let mut server = ServerProcess::start(&[]).await;
    let (code, said) = run(client.arg(&server.app).kill_on_drop(true), LIMIT).await;
    assert!(code == Some(0) && said.trim_end().ends_with("ok"), "{said}\n{}", server.log());
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
}

fn node(script: &str) -> Command {
    let folder = repository().join("tests/js/clients");
    assert!(folder.join("node_modules").exists(), "run scripts/test-node.sh first (make test does)");
    let mut command = Command::new("node");
    command.arg(script).current_dir(folder);
    command
}

/// In the virtual environment of the test tools.
#[expect(clippy::disallowed_methods, reason = "where the test tools are is no setting of the server")]
fn python() -> PathBuf {
    let venv =
        std::env::var("SNAPHAVEN_TEST_VENV").map_or_else(|_| Path::new(repository()).join(".venv"), PathBuf::from);
    venv.join("bin/python")
}

#[tokio::test]
async fn apollo_client_with_uploads_and_persisted_queries() {
    says_ok(node("apollo.mjs")).await;
}

#[tokio::test]
async fn urql_with_uploads_and_persisted_queries() {
    says_ok(node("urql.mjs")).await;
}

#[tokio::test]
async fn gql_over_aiohttp_httpx_and_requests() {
    let mut client = Command::new(python());
    client.arg(repository().join("tests/py/gql_client.py"));
    says_ok(client).await;
}
