//! The uploader of `clients/uploader`: its own tests in Node, in Chromium, and what its package holds.

use super::*;

#[tokio::test]
async fn the_uploader_in_node() {
    let tests = ["parts", "upload", "faults", "resume", "command"].map(|name| format!("test/{name}.test.js"));
    passes("clients/uploader", &tests.each_ref().map(String::as_str), &[]).await;
}

#[tokio::test]
async fn the_uploader_in_chromium() {
    let folder = "tests/js/browser";
    assert!(repository().join(folder).join("node_modules").exists(), "run scripts/test-node.sh first (make test does)");
    passes(folder, &["uploader.test.mjs", "types.test.mjs"], &[]).await;
}

#[tokio::test]
async fn the_package_holds_what_is_to_be_published() {
    let mut npm = Command::new("npm");
    npm.args(["pack", "--dry-run", "--json", "--loglevel=silent"]).current_dir(repository().join("clients/uploader"));
    let (code, said) = run(&mut npm, LIMIT).await;
    assert_eq!(code, Some(0), "{said}");
    let packed: serde_json::Value = serde_json::from_str(&said).unwrap();
    let mut names: Vec<_> =
        packed[0]["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    names.sort_unstable();
    let expected = [
        "README.md",
        "bin/snaphaven-upload.js",
        "index.d.ts",
        "index.js",
        "node.d.ts",
        "node.js",
        "package.json",
        "src/api.js",
        "src/error.js",
        "src/node-file.js",
        "src/node-put.js",
        "src/node-store.js",
        "src/progress.js",
        "src/retry.js",
        "src/store.js",
        "src/upload.js",
        "src/xhr.js",
    ];
    assert_eq!(names, expected);
}
