//! The commands beside `serve`, through the binary: admins, the event log, the audit log, the object store alone.

use std::{process::Stdio, time::Duration};

use entity::audit_entry;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};
use serde_json::{Value, json};
use snaphaven::{audit, clock::Clock, config, db::Db, viewer::Viewer};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    time::timeout,
};

use crate::support::process::{ServerProcess, command, run};

const LIMIT: Duration = Duration::from_secs(60);
const PASSWORD: &str = "a long enough password";

/// Runs a command that reads a password from standard input.
pub async fn with_password(command: &mut Command, password: &str) -> (Option<i32>, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).await.unwrap();
    let output = timeout(LIMIT, child.wait_with_output()).await.unwrap().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

async fn ask(server: &ServerProcess, token: Option<&str>, query: &str, variables: Value) -> Value {
    let mut request = reqwest::Client::new().post(format!("{}/graphql", server.app));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let body = json!({ "query": query, "variables": variables });
    request.json(&body).send().await.unwrap().json::<Value>().await.unwrap()
}

async fn log_in(server: &ServerProcess, password: &str) -> Value {
    let query = "mutation ($p: String!) { logIn(input: { login: \"root\", password: $p }) { token user { role } userErrors { code } } }";
    ask(server, None, query, json!({ "p": password })).await["data"]["logIn"].clone()
}

#[tokio::test]
async fn an_admin_is_made_beside_a_running_server_and_gets_a_new_password() {
    let mut server = ServerProcess::start(&[]).await;
    let admin = |args: &[&str]| {
        let mut admin = command();
        admin.arg("admin").args(args).arg("--password-stdin").arg("--data-dir").arg(server.data_dir());
        admin
    };
    let create = ["create", "--username", "root", "--email", "root@example.org"];
    let (code, said) = with_password(&mut admin(&create), "short").await;
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = with_password(&mut admin(&create), PASSWORD).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("root is an admin."), "{said}");
    let (code, said) = with_password(&mut admin(&create), PASSWORD).await;
    assert_eq!(code, Some(1), "a second of that name: {said}");

    let session = log_in(&server, PASSWORD).await;
    assert_eq!(session["user"]["role"], "ADMIN", "{session}");
    let token = session["token"].as_str().unwrap();
    let everyone = "{ files(filter: { everyone: true }) { totalCount } alerts { nodes { id } } }";
    assert_eq!(ask(&server, Some(token), everyone, json!({})).await["data"]["files"]["totalCount"], 0);

    let (code, said) = with_password(&mut admin(&["reset-password", "--username", "ROOT"]), "quite another one").await;
    assert_eq!(code, Some(0), "{said}");
    let answer = ask(&server, Some(token), everyone, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "the old session ended: {answer}");
    assert_eq!(log_in(&server, PASSWORD).await["userErrors"][0]["code"], "BAD_CREDENTIALS");
    assert!(log_in(&server, "quite another one").await["token"].is_string());
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
}

#[tokio::test]
async fn new_files_are_followed_with_key_bucket_and_size() {
    let server = ServerProcess::start(&[]).await;
    let mut follow = command();
    follow.args(["events", "--follow", "--data-dir"]).arg(server.data_dir()).stdout(Stdio::piped());
    let mut follow = follow.spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();

    let sign_up = "mutation { signUp(input: { username: \"ada\", email: \"ada@example.org\", firstName: \"Ada\", lastName: \"L\", password: \"a long enough password\" }) { token } }";
    let signed_up = ask(&server, None, sign_up, json!({})).await;
    let token = signed_up["data"]["signUp"]["token"].as_str().unwrap();
    let operations = json!({
        "query": "mutation ($f: Upload!) { uploadFile(input: { file: $f }) { file { id } } }",
        "variables": { "f": null },
    });
    let form = reqwest::multipart::Form::new()
        .text("operations", operations.to_string())
        .text("map", json!({ "0": ["variables.f"] }).to_string())
        .part("0", reqwest::multipart::Part::bytes(b"twelve bytes".to_vec()).file_name("a.txt"));
    let upload = reqwest::Client::new().post(format!("{}/graphql", server.app)).bearer_auth(token).multipart(form);
    let uploaded: Value = upload.send().await.unwrap().json().await.unwrap();

    let line = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap();
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&event["event"], &event["seq"]), (&json!("file.uploaded"), &json!(1)));
    let payload = &event["payload"];
    assert_eq!((&payload["bucket"], &payload["size"]), (&json!("snaphaven-first"), &json!(12)));
    assert_eq!(payload["file"], uploaded["data"]["uploadFile"]["file"]["id"]);
    assert!(payload["key"].as_str().unwrap().starts_with("original/"), "{payload}");
    assert!(server.log().contains("new file uploaded"), "{}", server.log());
}

#[tokio::test]
async fn a_second_server_on_one_data_folder_is_told_what_to_do() {
    let server = ServerProcess::start(&[]).await;
    let mut second = command();
    second.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(server.data_dir());
    let (code, said) = run(&mut second, LIMIT).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("another process uses") && said.contains("help: "), "{said}");
}

#[tokio::test]
async fn the_audit_log_is_verified_beside_a_running_server_and_without_one() {
    let quick = ["--set", "audit.seal_interval=100ms", "--set", "audit.checkpoint_interval=100ms"];
    let mut server = ServerProcess::start(&quick).await;
    let data_dir = server.data_dir();
    let audit = async |args: &[&str]| {
        let mut command = command();
        run(command.arg("audit").args(args).arg("--data-dir").arg(&data_dir), LIMIT).await
    };
    let (code, said) = audit(&["verify"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("sealed       0 entries") && said.contains("Verified"), "{said}");

    let defaults: config::Config = toml::from_str(config::DEFAULTS).unwrap();
    let db = Db::connect(&defaults.database, &data_dir, Clock::system()).await.unwrap();
    let subjects = [1, 2, 3].map(uuid::Uuid::from_u128);
    for subject in subjects {
        let now = Clock::system().now();
        let record = async |tx| {
            audit::record(&tx, &Viewer::System("test"), "file.tried", subject, json!({ "why": "test" }), now).await
        };
        db.transaction(record).await.unwrap();
    }
    let start = std::time::Instant::now();
    let said = loop {
        let (code, said) = audit(&["verify"]).await;
        assert_eq!(code, Some(0), "{said}");
        if said.contains("signed       3 entries") && said.contains("on their way: 0") {
            break said;
        }
        assert!(start.elapsed() < LIMIT, "{said}\n{}", server.log());
    };
    assert!(said.contains("sealed       3 entries") && said.contains("not sealed   none"), "{said}");
    let (code, lines) = audit(&["export"]).await;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let exported: Vec<_> = lines.iter().map(|line| (line["seq"].clone(), line["entry"]["subject"].clone())).collect();
    assert_eq!((code, exported), (Some(0), [1, 2, 3].map(|n| (json!(n), json!(subjects[n - 1]))).to_vec()));
    let (code, none) = audit(&["export", "--until", "2020-01-01T00:00:00Z"]).await;
    assert_eq!((code, none.as_str()), (Some(0), ""));

    let second = audit_entry::Column::SubjectId.eq(subjects[1]);
    let forge =
        audit_entry::Entity::update_many().col_expr(audit_entry::Column::Canonical, Expr::value(b"{}".to_vec()));
    assert_eq!(forge.filter(second).exec(db.read()).await.unwrap().rows_affected, 1);
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
    let (code, said) = audit(&["verify", "--no-buckets"]).await;
    assert_eq!(code, Some(1), "{said}");
    let entry = lines[1]["entry"]["id"].as_str().unwrap();
    assert!(said.contains(&format!("seq 2: entry {entry} was altered")) && !said.contains("Verified"), "{said}");
    let (code, said) = audit(&["verify"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("--no-buckets leaves out"), "no server, no embedded buckets: {said}");
}

#[tokio::test]
async fn what_is_known_by_its_looks_is_measured_on_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    for seed in [1, 2] {
        let picture = snaphaven::images::scene_jpeg(seed, 160, 120).unwrap();
        std::fs::write(folder.path().join(format!("{seed}.jpg")), picture).unwrap();
    }
    let measure = ["block-list", "measure", "--photos"];
    let (code, said) = run(command().args(measure).arg(folder.path()), LIMIT).await;
    assert_eq!(code, Some(0), "{said}");
    let counts = |line: &str| {
        let line = said.lines().find(|said| said.contains(line)).unwrap_or_else(|| panic!("no {line}: {said}"));
        line.split_whitespace().filter_map(|word| word.parse::<u32>().ok()).collect::<Vec<_>>()
    };
    assert_eq!(counts("encoded again")[2..], [14, 14]);
    assert_eq!(counts("resized")[2..], [16, 16]);
    assert_eq!(counts("cropped")[1..], [34, 34]);
    assert_eq!(counts("another picture taken for it"), [0, 2]);
    assert_eq!(counts("a copy of another"), [0, 64]);
    let empty = tempfile::tempdir().unwrap();
    let (code, said) = run(command().args(measure).arg(empty.path()), LIMIT).await;
    assert!(code == Some(2) && said.contains("there is no picture"), "{said}");
}
