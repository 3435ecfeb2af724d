//! The binary as a process: what it says, what it logs, how it ends.

use std::{net::SocketAddr, process::Stdio};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
    time::timeout,
};

use super::PATIENCE;

fn serve(listen: &str, data_dir: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snaphaven"));
    command.args(["--listen", listen, "--set", "log.format=json", "--data-dir"]).arg(data_dir.path());
    command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Reads what the server says until it names its address.
async fn address(child: &mut Child) -> SocketAddr {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let named = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the server must say where it is");
            if let Some((_, url)) = line.split_once("app        http://") {
                return url.split_whitespace().next().unwrap().parse().unwrap();
            }
        }
    };
    timeout(PATIENCE, named).await.unwrap()
}

#[tokio::test]
async fn a_request_is_one_line_of_the_log_without_its_query_and_sigterm_ends_the_server_cleanly() {
    let data_dir = tempfile::tempdir().unwrap();
    let mut child = serve("127.0.0.1:0", &data_dir).spawn().unwrap();
    let address = address(&mut child).await;

    let url = format!("http://{address}/graphql?query=%7B__typename%7D&signature=s3cret");
    let request = reqwest::Client::new().get(url).header("x-request-id", "id-1");
    let response = request.header("cookie", "snaphaven_session=c00kie").send().await.unwrap();
    assert_eq!(response.status(), 200);

    let stopped = Command::new("kill").args(["-TERM", &child.id().unwrap().to_string()]).status().await.unwrap();
    assert!(stopped.success());
    let mut log = String::new();
    let mut stderr = child.stderr.take().unwrap();
    timeout(PATIENCE, stderr.read_to_string(&mut log)).await.unwrap().unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(0), "{log}");

    let lines: Vec<_> = log.lines().filter(|line| line.contains("id-1")).collect();
    let [line] = lines[..] else { panic!("{log}") };
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["status"], &line["span"]["path"]), (&200.into(), &"/graphql".into()), "{line}");
    assert_eq!((&line["span"]["method"], &line["client"]), (&"GET".into(), &"127.0.0.1".into()), "{line}");
    assert!(line["latency_ms"].is_u64(), "{line}");
    assert!(!log.contains("s3cret") && !log.contains("c00kie"), "{log}");
}

#[tokio::test]
async fn a_taken_address_is_a_fault_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data_dir = tempfile::tempdir().unwrap();
    let output = timeout(PATIENCE, serve(&address, &data_dir).output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("error: cannot listen on {address}: ")), "{text}");
}
