//! Clients against the real binary: Apollo Client and urql in Node, gql in Python, curl, and our own uploader.

mod curl;
mod panel;
mod uploader;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::process::Command;

use crate::support::process::{ServerProcess, repository, run};

const LIMIT: Duration = Duration::from_secs(120);

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
