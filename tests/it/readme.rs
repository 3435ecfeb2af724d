//! What the README promises a newcomer: the example with curl, the smoke test, and the demo, against the real binary.

use std::time::Duration;

use tokio::process::Command;

use crate::{
    cli::with_password,
    clients::passes,
    support::{
        PASSWORD,
        process::{ServerProcess, command, repository, run},
    },
};

const LIMIT: Duration = Duration::from_secs(180);

#[tokio::test]
async fn the_curl_example_runs_as_written() {
    let mut server = ServerProcess::start(&[]).await;
    let script = repository().join("docs/examples/curl.sh");
    let (code, said) = run(Command::new("sh").arg(&script).arg(&server.app).kill_on_drop(true), LIMIT).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("every byte is the same"), "{said}");
    assert!(said.contains("Its URL answers 40"), "{said}");
    assert!(said.contains("primaryConfirmedAt"), "{said}");
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
}

#[tokio::test]
async fn the_smoke_test_passes_and_finds_both_buckets_empty() {
    let mut server = ServerProcess::start(&[]).await;
    let given = tempfile::NamedTempFile::with_suffix(".txt").unwrap();
    std::fs::write(given.path(), "a file of one's own").unwrap();
    let mut smoke = command();
    smoke.args(["smoke-test", "--url", &server.app, "--data-dir"]).arg(server.data_dir());
    let (code, said) = run(smoke.arg("--file").arg(given.path()), LIMIT).await;
    assert_eq!(code, Some(0), "{said}");
    for line in [
        "downloaded Möwe am Strand.png",
        "holiday.jpg: renditions 150 × 150, 320 × 240, 1280 × 960",
        "STALE_REVISION",
        "holiday.jpg: 2 versions and 6 renditions, each proven erased at both sites",
        "alert delivered",
        "snaphaven-first is empty; snaphaven-second is empty",
        "Passed",
    ] {
        assert!(said.contains(line), "{line:?} is missing in:\n{said}");
    }
    assert!(server.data_dir().join("s3.env").exists());
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
    assert!(!server.data_dir().join("s3.env").exists(), "the address outlives the server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_fills_a_server_as_people_would_and_can_be_looked_at_in_the_panel() {
    let mut server = ServerProcess::start(&[]).await;
    for files in ["20", "3"] {
        let (code, said) = run(command().args(["demo", "--url", &server.app, "--files", files]), LIMIT).await;
        assert_eq!(code, Some(0), "{said}");
        let counts: Vec<(&str, &str)> = said
            .lines()
            .filter_map(|line| line.strip_suffix(" s")?.trim().rsplit_once("  ")?.0.trim().rsplit_once("  "))
            .map(|(step, count)| (step.trim(), count.trim()))
            .collect();
        let (edits, reports, deletions) = if files == "20" { ("3", "3", "2") } else { ("0", "2", "0") };
        assert_eq!(
            counts,
            [
                ("people", "10"),
                ("friendships", "32"),
                ("pictures", files),
                ("edits", edits),
                ("snaps", "14"),
                ("reports", reports),
                ("deletions", deletions),
            ],
            "{said}"
        );
        assert!(said.contains("with the password demo-"), "{said}");
    }
    let create = ["admin", "create", "--username", "root", "--email", "root@example.org", "--password-stdin"];
    let (code, said) = with_password(command().args(create).arg("--data-dir").arg(server.data_dir()), PASSWORD).await;
    assert_eq!(code, Some(0), "{said}");
    passes("tests/js/browser", &["guide.test.mjs"], &[("SNAPHAVEN_TEST_APP", &server.app)]).await;
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
}

#[tokio::test]
async fn the_smoke_test_says_in_one_line_what_stands_in_its_way() {
    let mut server = ServerProcess::start(&["--set", "accounts.sign_up=false"]).await;
    let (code, said) = run(command().args(["smoke-test", "--url", &server.app]), LIMIT).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("SIGN_UP_CLOSED") && said.contains("accounts.sign_up = true"), "{said}");
    server.kill().await;

    let (code, said) = run(command().args(["smoke-test", "--url", &server.app]), LIMIT).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot be reached"), "{said}");
}
