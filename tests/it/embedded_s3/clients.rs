//! Clients that are not ours: `aws s3` and `rclone`, installed by `scripts/test-tools.sh`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use secrecy::ExposeSecret;
use tokio::process::Command;

use super::support::{FIRST, REGION, SECOND, TestS3, noise};

/// The program in the virtual environment of the test tools.
#[expect(clippy::disallowed_methods, reason = "where the test tools are is no setting of the server")]
fn tool(name: &str) -> PathBuf {
    let venv = std::env::var("SNAPHAVEN_TEST_VENV")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv"), PathBuf::from);
    let program = venv.join("bin").join(name);
    assert!(program.exists(), "{} is missing: run scripts/test-tools.sh once", program.display());
    program
}

struct Tools {
    endpoint: String,
    id: String,
    secret: String,
    home: tempfile::TempDir,
}

impl Tools {
    async fn new(server: &TestS3) -> Self {
        let key = server.credentials();
        Self {
            endpoint: server.listen().await,
            id: key.access_key_id.clone(),
            secret: key.secret_access_key.expose_secret().to_owned(),
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(tool(name));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_ACCESS_KEY_ID", &self.id)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .kill_on_drop(true);
        command
    }

    async fn aws(&self, args: &[&str]) -> String {
        succeed("aws", args, &self.command("aws").args(args).output().await.unwrap())
    }

    async fn rclone(&self, args: &[&str]) -> String {
        let mut command = self.command("rclone");
        command
            .env("RCLONE_CONFIG_EMBEDDED_TYPE", "s3")
            .env("RCLONE_CONFIG_EMBEDDED_PROVIDER", "Other")
            .env("RCLONE_CONFIG_EMBEDDED_ENV_AUTH", "true")
            .env("RCLONE_CONFIG_EMBEDDED_REGION", REGION)
            .env("RCLONE_CONFIG_EMBEDDED_ENDPOINT", &self.endpoint)
            .env("RCLONE_S3_UPLOAD_CUTOFF", "5Mi")
            .env("RCLONE_RETRIES", "1");
        succeed("rclone", args, &command.arg("--config=").args(args).output().await.unwrap())
    }
}

fn succeed(name: &str, args: &[&str], output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {args:?}: {text}");
    text
}

/// A small tree with names that need care, an empty file, and one large enough for several parts.
fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("a.txt", 1),
        ("a/b.txt", 10_000),
        ("empty", 0),
        ("with space & ümlaut+plus%41.jpg", 300_000),
        ("deep/er/日本.bin", 77),
        ("large.bin", 18 << 20),
    ];
    for (name, length) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, noise(length)).unwrap();
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_cli() {
    let server = TestS3::new();
    let tools = Tools::new(&server).await;
    let source = tree();
    let target = tempfile::tempdir().unwrap();
    let from = source.path().to_str().unwrap();
    let to = target.path().to_str().unwrap();

    tools.aws(&["s3", "cp", "--recursive", "--no-progress", from, &format!("s3://{FIRST}/tree/")]).await;
    let listed = tools.aws(&["s3", "ls", "--recursive", &format!("s3://{FIRST}/tree/")]).await;
    assert_eq!(listed.lines().count(), 6, "{listed}");
    // Nothing to do the second time: sizes and times agree.
    let synced = tools.aws(&["s3", "sync", "--no-progress", from, &format!("s3://{FIRST}/tree/")]).await;
    assert_eq!(synced.trim(), "");
    // Between the buckets, the large one in parts.
    tools
        .aws(&[
            "s3",
            "cp",
            "--recursive",
            "--no-progress",
            &format!("s3://{FIRST}/tree/"),
            &format!("s3://{SECOND}/copy/"),
        ])
        .await;
    tools.aws(&["s3", "sync", "--no-progress", &format!("s3://{SECOND}/copy/"), to]).await;
    for entry in walkdir::WalkDir::new(source.path()).into_iter().map(Result::unwrap) {
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(source.path()).unwrap();
            assert!(fs::read(entry.path()).unwrap() == fs::read(target.path().join(name)).unwrap(), "{name:?}");
        }
    }
    let head = ["s3api", "head-object", "--bucket", FIRST, "--key", "tree/large.bin", "--checksum-mode", "ENABLED"];
    let head = tools.aws(&head).await;
    assert!(head.contains("ChecksumCRC64NVME") || head.contains("ChecksumCRC32"), "{head}");
    let url = tools.aws(&["s3", "presign", &format!("s3://{FIRST}/tree/a/b.txt")]).await;
    assert!(reqwest::get(url.trim()).await.unwrap().bytes().await.unwrap() == noise(10_000));
    tools.aws(&["s3", "rm", "--recursive", "--quiet", &format!("s3://{FIRST}/tree/")]).await;
    assert_eq!(server.embedded().count(FIRST), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone() {
    let server = TestS3::new();
    let tools = Tools::new(&server).await;
    let source = tree();
    let from = source.path().to_str().unwrap();
    let remote = format!("embedded:{FIRST}/tree");
    let copy = format!("embedded:{SECOND}/tree");

    tools.rclone(&["copy", from, &remote]).await;
    let checked = tools.rclone(&["check", from, &remote]).await;
    assert!(checked.contains("0 differences found"), "{checked}");
    assert!(checked.contains("6 matching files"), "{checked}");
    let checked = tools.rclone(&["check", "--download", from, &remote]).await;
    assert!(checked.contains("6 matching files"), "{checked}");
    tools.rclone(&["sync", &remote, &copy]).await;
    let checked = tools.rclone(&["check", &remote, &copy]).await;
    assert!(checked.contains("6 matching files"), "{checked}");
    let listed = tools.rclone(&["lsf", "-R", "--files-only", &copy]).await;
    assert_eq!(listed.lines().count(), 6, "{listed}");

    fs::write(source.path().join("a.txt"), b"changed").unwrap();
    let output = tools.command("rclone").args(["check", from]).output().await.unwrap();
    assert!(!output.status.success());
    tools.rclone(&["purge", &remote]).await;
    assert_eq!(server.embedded().count(FIRST), Some(0));
}
