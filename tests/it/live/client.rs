//! The reference client, npm's graphql-ws, against the real binary.

use std::time::Duration;

use tokio::process::Command;

use crate::support::process::{ServerProcess, repository, run};

const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn graphql_ws_subscribes_resumes_and_is_told_each_close_code() {
    let folder = repository().join("tests/js/live");
    assert!(folder.join("node_modules").exists(), "run scripts/test-node.sh first (make test does)");
    let mut server = ServerProcess::start(&["--set", "live.init_timeout=500ms"]).await;
    let mut client = Command::new("node");
    client.args(["--test", "--test-reporter=tap", "live.test.mjs"]).env("SNAPHAVEN_URL", &server.app);
    let (code, said) = run(client.current_dir(folder).kill_on_drop(true), LIMIT).await;
    assert!(code == Some(0), "{said}\n{}", server.log());
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
}
