//! The guide for front-end developers: every example in it is run as it is printed, against the real binary.

use std::{path::Path, time::Duration};

use snaphaven::images::generate;
use tokio::process::Command;

use crate::support::process::{ServerProcess, repository, run};

const LIMIT: Duration = Duration::from_secs(180);

/// Runs the examples of one language.
async fn examples(language: &str, api: &str, photo: &Path, guide: &Path) -> (Option<i32>, String) {
    let folder = repository().join("tests/js/guide");
    assert!(folder.join("node_modules").exists(), "run scripts/test-node.sh first (make test does)");
    let mut node = Command::new("node");
    node.args(["run.mjs", language]).arg(guide).env("API", api).env("PHOTO", photo);
    run(node.current_dir(folder).kill_on_drop(true), LIMIT).await
}

/// The story in one language succeeds and prints these.
async fn tells(language: &str, expected: &[&str]) {
    let photo = tempfile::NamedTempFile::with_suffix(".jpg").unwrap();
    std::fs::write(photo.path(), generate::photo_jpeg(1, 1600, 1200, 400_000).unwrap()).unwrap();
    let mut server = ServerProcess::start(&[]).await;
    let guide = repository().join("docs/frontend-guide.md");
    let (code, said) = examples(language, &server.app, photo.path(), &guide).await;
    assert_eq!(code, Some(0), "{said}\n{}", server.log());
    for text in expected {
        assert!(said.contains(text), "{text:?} is missing in:\n{said}");
    }
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
}

#[tokio::test]
async fn the_story_in_curl_runs_as_printed() {
    let expected = [
        "Signed up: ada-",
        "The same again: EMAIL_TAKEN.",
        "By the cookie: ada-",
        "From another page: CROSS_ORIGIN.",
        "Sent twice with one key: one file.",
        "Downloaded it by its signed URL",
        "Its thumbnail: 150 × 150 pixels.",
        "On this page: beach.jpg.\nOn this page: dunes.jpg.\n",
        "Now it is sea.jpg, revision 2.",
        "A late edit: STALE_REVISION; it is still sea.jpg.",
        "The photo was TRASHED, and is ACTIVE again.",
        "has asked Bob, and the friendship is ACCEPTED.",
        "1 to be opened.",
        "Unread after that: 0.",
        "The picture: 200 image/jpeg.",
        "The picture a second time: 404.",
        "Opened a second time: ALREADY_OPENED.",
        "Ada sees: OPENED.",
        "Erased at both sites: 20",
        "After the log-out: UNAUTHENTICATED.",
    ];
    tells("sh", &expected).await;
}

#[tokio::test]
async fn the_story_in_typescript_is_well_typed_and_runs_as_printed() {
    let expected = [
        "Uploaded a photo; its thumbnail is READY.",
        "asked Bob live: ACCEPTED.",
        "live, over connection 2.",
        "Bob sees 1600 × 1200 pixels for 10 s, and reads \"Look!\".",
        "The picture: 200, ",
        "The picture a second time: 404.",
        "Opened a second time: ALREADY_OPENED.",
        "has it OPENED.",
        "Erased at both sites: 20",
        "Both apps are told of the log-out: 4403,4403.",
    ];
    tells("ts", &expected).await;
}

/// The test is worth something only if it notices examples that are not there, fail, or are of wrong types.
#[tokio::test]
async fn a_guide_with_bad_examples_or_none_is_noticed() {
    let folder = tempfile::TempDir::new().unwrap();
    let guide = folder.path().join("guide.md");
    for (language, text, complaint) in [
        ("sh", "```ts\nconst a = 1;\n```\n", "has no blocks of sh"),
        ("ts", "```sh\ntrue\n```\n", "has no blocks of ts"),
        ("sh", "```sh\nfalse | true\necho unreachable\n```\n", ""),
        ("ts", "Wrong:\n```ts\nexport const a: number = \"1\";\n```\n", "guide.mts(3,14)"),
        ("ts", "```ts\nthrow new Error(\"a fault\");\n```\n", "a fault"),
    ] {
        std::fs::write(&guide, text).unwrap();
        let (code, said) = examples(language, "http://127.0.0.1:1", Path::new("none.jpg"), &guide).await;
        assert_eq!(code, Some(1), "{text}: {said}");
        assert!(said.contains(complaint) && !said.contains("unreachable"), "{text}: {said}");
    }
}
