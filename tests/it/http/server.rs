//! Listeners, health, metrics, pages, time limits and shutdown.

use std::time::Duration;

use snaphaven::http::ConnectionLimits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{DOWNLOADS, PATIENCE, Server, code, json};

#[tokio::test]
async fn health_tells_life_from_readiness() {
    let server = Server::start().await;
    assert_eq!(server.get("/healthz").await.text().await.unwrap(), "ok\n");
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status(), 200, "the second bucket is not required");
    let body = json(ready).await;
    assert_eq!((&body["ready"], &body["checks"][1]["error"]), (&true.into(), &"unreachable".into()));

    let server = Server::start().await;
    server.database.send(Some("unreachable".to_owned())).unwrap();
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status(), 503);
    let body = json(ready).await;
    assert_eq!((&body["ready"], &body["checks"][0]["name"]), (&false.into(), &"database".into()));
    assert_eq!(server.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn metrics_are_for_this_machine_only() {
    let server = Server::start().await;
    server.post("{ hello }").send().await.unwrap();
    let text = server.get("/metrics").await.text().await.unwrap();
    let line = r#"http_requests_total{route="/graphql",method="POST",status="200"}"#;
    assert!(text.contains(line), "{text}");
    assert!(text.contains("http_request_duration_seconds_bucket"), "{text}");
    let proxied = reqwest::Client::new().get(server.url("/metrics")).header("x-forwarded-for", "127.0.0.1");
    assert_eq!(proxied.send().await.unwrap().status(), 404);

    let elsewhere = Server::with(&[("server.metrics_listen", "127.0.0.1:9100")]).await;
    assert_eq!(elsewhere.get("/metrics").await.status(), 404);
}

#[tokio::test]
async fn every_answer_has_an_id_and_safe_headers() {
    let server = Server::start().await;
    let pages = [("/", 200), ("/graphiql", 200), ("/admin", 200), ("/admin/", 200), ("/admin/files?q=sea", 200)];
    let missing = [("/nothing", 404), ("/admin/assets/missing.js", 404), ("/graphiql/assets/missing.js", 404)];
    for (path, status) in [("/healthz", 200), ("/graphql", 400)].into_iter().chain(pages).chain(missing) {
        let response = server.get(path).await;
        assert_eq!(response.status(), status, "{path}");
        let headers = response.headers();
        assert_eq!(headers["x-request-id"].len(), 36);
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
    }
    let overlong = reqwest::Client::new().get(server.url("/healthz")).header("x-request-id", "x".repeat(65));
    assert_eq!(overlong.send().await.unwrap().headers()["x-request-id"].len(), 36);
    let deleted = reqwest::Client::new().delete(server.url("/graphql")).send().await.unwrap();
    assert_eq!(deleted.status(), 405);
    assert_eq!(code(&json(deleted).await), "METHOD_NOT_ALLOWED");
}

/// Where the panel is built: else its page tells how to.
#[tokio::test]
async fn the_panel_shows_pictures_from_where_downloads_are_and_runs_its_own_scripts_alone() {
    let server = Server::start().await;
    let page = server.get("/admin/files").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let text = page.text().await.unwrap();
    let Some((_, rest)) = text.split_once("src=\"/admin/assets/") else {
        assert!(text.contains("npm run build"), "{text}");
        return;
    };
    assert!(policy.contains(&format!("img-src 'self' blob: data: {DOWNLOADS};")), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let (script, _) = rest.split_once('"').unwrap();
    let request = reqwest::Client::new().get(server.url(&format!("/admin/assets/{script}")));
    let script = request.header("accept-encoding", "br").send().await.unwrap();
    assert_eq!(script.headers()["content-type"], "text/javascript");
    assert_eq!(script.headers()["content-encoding"], "br");
    assert!(script.headers()["cache-control"].to_str().unwrap().contains("immutable"));
}

#[tokio::test]
async fn graphiql_can_be_turned_off() {
    let server = Server::with(&[("server.graphiql", "false")]).await;
    assert_eq!(server.get("/graphiql").await.status(), 404);
    assert!(!server.get("/").await.text().await.unwrap().contains("graphiql"));
}

#[tokio::test]
async fn a_request_over_the_time_limit_is_answered_503() {
    let server = Server::with(&[("server.request_timeout", "50ms")]).await;
    let response = server.post("{ slow }").send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(code(&json(response).await), "UNAVAILABLE");
}

#[tokio::test]
async fn shutdown_lets_running_requests_finish_and_takes_no_new_ones() {
    let server = Server::start().await;
    let request = tokio::spawn(server.post("{ slow }").send());
    server.gate.entered.notified().await;
    server.stop.cancel();
    let finished = tokio::spawn(server.supervisor.clone().finished());
    // The port is free once the listener is closed.
    let refused = async { while TcpStream::connect(server.address).await.is_ok() {} };
    timeout(PATIENCE, refused).await.expect("the listener must close");
    server.gate.leave.notify_one();
    assert_eq!(json(request.await.unwrap().unwrap()).await["data"]["slow"], "done");
    assert!(timeout(PATIENCE, finished).await.unwrap().unwrap(), "nothing was cut");
}

#[tokio::test]
async fn shutdown_cuts_what_outlasts_the_deadline() {
    let server = Server::with(&[("server.shutdown_deadline", "50ms")]).await;
    let request = tokio::spawn(server.post("{ slow }").send());
    server.gate.entered.notified().await;
    server.stop.cancel();
    assert!(!timeout(PATIENCE, server.supervisor.clone().finished()).await.unwrap());
    assert!(request.await.unwrap().is_err());
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_shutdown() {
    let server = Server::start().await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    kept.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(kept.read(&mut [0; 1024]).await.unwrap() > 0);
    server.stop.cancel();
    assert!(timeout(PATIENCE, server.supervisor.clone().finished()).await.unwrap());
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn http2_without_tls_is_spoken() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The preface and an empty SETTINGS frame (RFC 9113, section 3.4); the answer begins with SETTINGS, type 4.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut frame = [0; 9];
    timeout(PATIENCE, stream.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(frame[3], 4);
}

#[tokio::test]
async fn oversized_headers_are_refused() {
    let server = Server::start().await;
    let request = reqwest::Client::new().get(server.url("/healthz")).header("x-long", "x".repeat(100_000));
    let refused = request.send().await;
    assert!(refused.is_err() || refused.is_ok_and(|response| response.status() == 431));
    assert_eq!(server.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let limits = ConnectionLimits { first_request: Duration::from_millis(200), ..Default::default() };
    let server = Server::limited(&[], limits).await;
    for start in ["", "P", "PRI * HTTP/2.0", "GET /healthz HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let closed = timeout(PATIENCE, stream.read(&mut [0; 64])).await.expect("the server must close it");
        assert_eq!(closed.unwrap_or(0), 0, "{start:?}");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_to_come_again() {
    let server = Server::limited(&[], ConnectionLimits { connections: 20, ..Default::default() }).await;
    // Each holds its place with a request that waits.
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(tokio::spawn(server.post("{ slow }").send()));
        server.gate.entered.notified().await;
    }
    let refused = server.post("{ hello }").send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    server.gate.leave.notify_waiters();
    for request in held {
        assert_eq!(request.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(server.get("/healthz").await.status(), 200);
}
