//! Slow, cut off, half closed, idle and hostile connections, byte by byte: others are answered meanwhile, and what such
//! a connection held is free afterwards.

use std::time::{Duration, Instant};

use snaphaven::http::ConnectionLimits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{PATIENCE, Server};
use crate::support::process::ServerProcess;

const SHORT: Duration = Duration::from_millis(300);

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

async fn is_answered(url: impl std::fmt::Display) {
    let asked = Instant::now();
    let answer = timeout(Duration::from_secs(2), reqwest::get(format!("{url}/healthz"))).await;
    let answer = answer.unwrap_or_else(|_| panic!("no answer after {:?}", asked.elapsed()));
    assert_eq!(answer.unwrap().status(), 200);
}

/// Everything until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the server must close");
    // A reset is an end too.
    let _ = read;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends a byte at a time, for as long as the server takes them.
async fn drip(stream: &mut TcpStream) {
    let dripping = async {
        while stream.write_all(b"a").await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, dripping).await.expect("the server must close");
}

fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn headers_that_come_slowly_do_not_hold_a_connection() {
    let limits = ConnectionLimits { first_request: SHORT, next_request: SHORT, ..Default::default() };
    let server = Server::limited(&[], limits).await;
    let mut first = connect(&server).await;
    first.write_all(b"GET /healthz HTTP/1.1\r\nx-slow: ").await.unwrap();
    let mut second = connect(&server).await;
    second.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(second.read(&mut [0; 4096]).await.unwrap() > 0);
    second.write_all(b"GET /healthz HTTP/1.1\r\nx-slow: ").await.unwrap();
    tokio::join!(drip(&mut first), drip(&mut second), is_answered(server.url("")));
}

#[tokio::test]
async fn a_body_that_comes_slowly_ends_with_the_time_of_a_request() {
    let server = Server::with(&[("server.request_timeout", "300ms")]).await;
    for content_type in ["application/json", "multipart/form-data; boundary=x"] {
        let mut stream = connect(&server).await;
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: {content_type}\r\ncontent-length: 100000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut reading, mut writing) = stream.into_split();
        let dripping = tokio::spawn(async move {
            while writing.write_all(b" ").await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        });
        let mut answer = [0; 4096];
        let length = timeout(PATIENCE, reading.read(&mut answer)).await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        timeout(PATIENCE, dripping).await.expect("the server must close").unwrap();
    }
    is_answered(server.url("")).await;
}

#[tokio::test]
async fn a_body_cut_in_the_middle_harms_nobody() {
    let server = Server::start().await;
    let body = r#"{"query":"{ hello }"}"#;
    let whole = post("/graphql", body);
    let form = "--x\r\ncontent-disposition: form-data; name=\"operations\"\r\n\r\n{\"query\":\"{ hello }\"}\r\n--x\r\n\
                content-disposition: form-data; name=\"map\"\r\n\r\n{\"0\":[\"variables.f\"]}\r\n--x\r\n\
                content-disposition: form-data; name=\"0\"; filename=\"a\"\r\n\r\nhalf a fi";
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: 100000\r\n\r\n";
    for cut in [whole[..whole.len() - 5].to_owned(), format!("{head}{form}")] {
        let mut dropped = connect(&server).await;
        dropped.write_all(cut.as_bytes()).await.unwrap();
        drop(dropped);
        let mut closed = connect(&server).await;
        closed.write_all(cut.as_bytes()).await.unwrap();
        closed.shutdown().await.unwrap();
        let answer = rest(&mut closed).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
        is_answered(server.url("")).await;
    }
}

#[tokio::test]
async fn lengths_and_chunks_that_lie_are_refused() {
    let server = Server::start().await;
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let hello = r#"{"query":"{ hello }"}"#;
    for (request, words) in [
        // Shorter than announced: the rest of the body is no request.
        (format!("{head}content-length: 5\r\n\r\n{hello}"), "HTTP/1.1 400"),
        (format!("{head}content-length: 21\r\ncontent-length: 22\r\n\r\n{hello}"), "HTTP/1.1 400"),
        (format!("{head}content-length: -1\r\n\r\n{hello}"), "HTTP/1.1 400"),
        (format!("{head}content-length: 99999999999999999999\r\n\r\n{hello}"), "HTTP/1.1 400"),
        (format!("{head}content-length: 10000000000\r\n\r\n{hello}"), "HTTP/1.1 413"),
        (format!("{head}transfer-encoding: chunked\r\n\r\ngarbage\r\n"), "HTTP/1.1 400"),
        (format!("{head}transfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n{hello}"), "HTTP/1.1 400"),
        (format!("{head}transfer-encoding: chunked\r\n\r\n5\r\n{hello}\r\n0\r\n\r\n"), "HTTP/1.1 400"),
        (format!("{head}transfer-encoding: gzip\r\n\r\n{hello}"), "HTTP/1.1 400"),
        (
            format!("{head}transfer-encoding: chunked\r\n\r\n15\r\n{hello}\r\n0\r\n\r\n"),
            r#"{"data":{"hello":"world"}}"#,
        ),
    ] {
        let mut stream = connect(&server).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.contains(words), "{request}\n{answer}");
        assert!(!answer.contains("HTTP/1.1 5"), "{answer}");
    }
    is_answered(server.url("")).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let server = Server::limited(&[], ConnectionLimits { stalled_read: SHORT, ..Default::default() }).await;
    let text = "x".repeat(900_000);
    let query = r#"{"query":"mutation($t: String!){ say(text: $t) }","variables":{"t":""#;
    let request = post("/graphql", &format!("{query}{text}\"}}}}"));
    let mut stream = connect(&server).await;
    // Answers fill the buffers, then the server waits for its client, and then no more.
    let asking = async { while stream.write_all(request.as_bytes()).await.is_ok() {} };
    tokio::join!(
        async { timeout(PATIENCE, asking).await.expect("the server must close") },
        is_answered(server.url(""))
    );
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_served() {
    let server = Server::limited(&[], ConnectionLimits { stalled_read: SHORT, ..Default::default() }).await;
    let text = "x".repeat(900_000);
    let query =
        r#"{"query":"mutation($t: String!){ a: say(text: $t) b: say(text: $t) c: say(text: $t) }","variables":{"t":""#;
    let mut stream = connect(&server).await;
    stream.write_all(post("/graphql", &format!("{query}{text}\"}}}}")).as_bytes()).await.unwrap();
    let (mut read, mut buffer) = (0, vec![0; 50_000]);
    while read < 2_700_000 {
        let length = timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(length > 0, "cut off after {read} bytes");
        read += length;
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_half_closed_client_is_answered_or_let_go() {
    let server = Server::start().await;
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = timeout(Duration::from_secs(2), rest(&mut stream)).await.unwrap();
    assert!(answer.is_empty() || answer.contains("200 OK"), "{answer}");
    // One that goes away while its resolver waits lets the resolver go too.
    let mut gone = connect(&server).await;
    gone.write_all(post("/graphql", r#"{"query":"{ slow }"}"#).as_bytes()).await.unwrap();
    server.gate.entered.notified().await;
    drop(gone);
    is_answered(server.url("")).await;
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_their_order() {
    let server = Server::start().await;
    let mut stream = connect(&server).await;
    let hello = r#"{"query":"{ hello }"}"#;
    let request = |n: usize| post("/graphql", hello).replacen("host: x", &format!("host: x\r\nx-request-id: n-{n}"), 1);
    let last = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let all = (0..100).map(request).collect::<String>() + last;
    stream.write_all(all.as_bytes()).await.unwrap();
    let answers = rest(&mut stream).await;
    let ids: Vec<_> = answers.lines().filter_map(|line| line.strip_prefix("x-request-id: n-")).collect();
    assert_eq!(ids, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 101);
}

#[tokio::test]
async fn idle_connections_are_cheap_and_let_go() {
    let mut server = ServerProcess::start(&[]).await;
    is_answered(&server.app).await;
    let (files, memory) = (server.descriptors(), server.memory("VmHWM"));
    let address = server.app.strip_prefix("http://").unwrap().to_owned();
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        match TcpStream::connect(&address).await {
            Ok(stream) => idle.push(stream),
            // This process may be allowed few files.
            Err(_) => break,
        }
    }
    is_answered(&server.app).await;
    let grown = server.memory("VmHWM") - memory;
    assert!(grown < 64 << 20, "{} MiB for {} connections", grown >> 20, idle.len());
    drop(idle);
    let freed = async {
        // The database's pool may have grown meanwhile, by three a connection.
        while server.descriptors() > files + 50 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, freed).await.expect("descriptors must be freed");
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
}

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// `GET /healthz` of `http://x` (RFC 7541).
const GET: &[u8] = b"\x82\x86\x44\x08/healthz\x41\x01x";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;

/// Sends frames until the server closes.
async fn flood(server: &Server, start: Vec<u8>, next: impl Fn(u32) -> Vec<u8>) {
    let stream = connect(server).await;
    let (mut reading, mut writing) = stream.into_split();
    let draining =
        tokio::spawn(async move { while reading.read(&mut [0; 65536]).await.is_ok_and(|length| length > 0) {} });
    let sending = async {
        let mut open = writing.write_all(PREFACE).await.is_ok() && writing.write_all(&start).await.is_ok();
        let mut number = 0;
        while open {
            number += 1;
            open = writing.write_all(&next(number)).await.is_ok();
        }
    };
    tokio::join!(
        async { timeout(PATIENCE, sending).await.expect("the server must close") },
        is_answered(server.url(""))
    );
    draining.abort();
}

#[tokio::test]
async fn floods_of_http2_frames_end_their_connection_alone() {
    let server = Server::start().await;
    // Rapid reset (CVE-2023-44487): a request and its end at once, again and again.
    flood(&server, Vec::new(), |number| {
        let stream = 2 * number - 1;
        [frame(HEADERS, 5, stream, GET), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    })
    .await;
    // Headers that never end (CVE-2024-27316).
    let header = [b"\0\x01a\x7f\x80\x7e".as_slice(), &vec![b'b'; 255]].concat();
    flood(&server, frame(HEADERS, 1, 1, GET), |_| frame(CONTINUATION, 0, 1, &header.repeat(60))).await;
    // A frame larger than any that was agreed upon.
    flood(&server, frame(HEADERS, 1, 1, &vec![0; 1 << 20]), |_| vec![0; 1024]).await;
    is_answered(server.url("")).await;
}

#[tokio::test]
async fn a_process_with_few_descriptors_refuses_and_recovers() {
    for most in [64, 128] {
        let mut server = ServerProcess::start_with_descriptors(most, &[]).await;
        is_answered(&server.app).await;
        let flood = async |url: &str| {
            let address = url.strip_prefix("http://").unwrap();
            let mut held = Vec::new();
            for _ in 0..most {
                held.push(TcpStream::connect(address).await.unwrap());
            }
            held
        };
        let health = format!("{}/healthz", server.app);
        // One listener leaves enough for the refusals.
        let mut held = flood(&server.app).await;
        let refused = timeout(Duration::from_secs(2), reqwest::get(&health)).await.expect("no answer").unwrap();
        assert_eq!(refused.status().as_u16(), 503, "{most} descriptors: {}", server.log());
        assert_eq!(refused.headers()["retry-after"], "1");
        assert!(!server.log().contains("cannot accept connections"), "{}", server.log());
        // All of them leave nothing: then a client may also wait.
        held.extend(flood(&server.edge).await);
        held.extend(flood(&server.s3).await);
        if let Ok(Ok(refused)) = timeout(Duration::from_secs(2), reqwest::get(&health)).await {
            assert_eq!(refused.status(), 503);
        }
        drop(held);
        let recovered = async {
            loop {
                let answer = reqwest::get(format!("{}/readyz", server.app)).await;
                if answer.is_ok_and(|answer| answer.status() == 200) {
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, recovered).await.expect("it must recover");
        assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
        assert!(!server.log().contains("panicked"), "{}", server.log());
    }
}
