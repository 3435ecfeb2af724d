//! The ticket: of one use, for one session, in time; and nothing else has any effect.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use snaphaven::adapters::objects::StoreErrorKind;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

use super::{FETCH, fetch, open, received, revoke, see, send, states, try_open, with_friends};
use crate::support::{PASSWORD, Person, TestServer};

#[tokio::test]
async fn what_is_not_the_sessions_own_get_is_refused_without_effect() {
    let server = TestServer::start().await;
    let (ada, [ben, cleo]) = with_friends(&server, ["ben", "cleo"]).await;
    let snap = send(&ada, &[&ben, &cleo], json!({})).await;
    let url = open(&ben, &snap).await;
    let input = json!({ "login": "ben", "password": PASSWORD });
    let elsewhere = server.stranger().mutate("logIn", "user { id } token", input).await;
    let elsewhere = server.stranger().known_as(&elsewhere);

    for (who, person) in
        [("sender", &ada), ("recipient", &cleo), ("session", &elsewhere), ("nobody", &server.stranger())]
    {
        assert_eq!(fetch(person, &url).await.0, 404, "{who}");
    }
    for method in [Method::HEAD, Method::POST, Method::OPTIONS, Method::DELETE] {
        let response = ben.request(method.clone(), &url).send().await.unwrap();
        assert!(
            response.status().is_client_error() || response.status() == 200 && method == Method::OPTIONS,
            "{method}"
        );
    }
    for (name, value) in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
        ("x-moz", "prefetch"),
    ] {
        let response = ben.get(&url).header(name, value).send().await.unwrap();
        assert_eq!(response.status(), 503, "{name}: {value}");
    }
    let (last, wrong) = (url.len() - 1, if url.ends_with('A') { 'E' } else { 'A' });
    for guess in [&url[..last], &format!("{}{wrong}", &url[..last]), &format!("{url}x"), &format!("{}/v/", server.url)]
    {
        assert_eq!(fetch(&ben, guess).await.0, 404, "{guess}");
    }
    // Of all that nothing was burnt, nor even begun.
    assert!(received(&server, &snap).await.iter().all(|row| row.fetched_at.is_none()));
    let response = ben.get(&url).send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("cache-control"), header("content-type")), ("no-store".to_owned(), "image/jpeg".to_owned()));
    assert_eq!(
        (header("x-content-type-options"), header("content-disposition")),
        ("nosniff".to_owned(), "inline".to_owned())
    );
    assert!(response.bytes().await.unwrap().len() > 10_000);
    assert_eq!(fetch(&ben, &url).await.0, 404);
    server.finish().await;
}

#[tokio::test]
async fn a_cookie_opens_the_view_too() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let http = reqwest::Client::new();
    let log_in = json!({ "query": "mutation { logIn(input: { login: \"ben\", password: \"a fox jumps 7 times\", session: COOKIE }) { user { id } } }" });
    let answer = http.post(format!("{}/graphql", server.url)).json(&log_in).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let snap = send(&ada, &[&ben], json!({})).await;
    let query = format!("mutation {{ openSnap(input: {{ id: {} }}) {{ view {{ url }} }} }}", snap["id"]);
    let post = http.post(format!("{}/graphql", server.url)).header("cookie", &cookie);
    let opened: serde_json::Value = post.json(&json!({ "query": query })).send().await.unwrap().json().await.unwrap();
    let url = opened["data"]["openSnap"]["view"]["url"].as_str().unwrap().to_owned();
    assert_eq!(http.get(&url).send().await.unwrap().status(), 404);
    let seen = http.get(&url).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(seen.status(), 200);
    seen.bytes().await.unwrap();
    server.finish().await;
}

/// The bytes of a GET whose client goes away after so many of the body.
async fn broken_off(ben: &Person, url: &str, after: usize) -> Vec<u8> {
    let request = ben.get(url).build().unwrap();
    let token = request.headers()["authorization"].to_str().unwrap().to_owned();
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    // So that the server cannot get rid of all of it.
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {address}\r\nauthorization: {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
    let mut body = vec![0; after];
    stream.read_exact(&mut body).await.unwrap();
    body
}

#[tokio::test]
async fn a_transfer_that_broke_off_goes_on_in_time() {
    let server = TestServer::with(|config| config.uploads.max_size = bytesize::ByteSize::mib(64)).await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    // More than a connection holds on its way.
    let large = snaphaven::images::generate::photo_jpeg(3, 2048, 2048, 9_000_000).unwrap();
    let sent = super::try_send(&ada, &[&ben], &large, json!({ "viewSeconds": 5 })).await;
    let snap = &sent["snap"];
    let url = open(&ben, snap).await;
    let begun = broken_off(&ben, &url, 10_000).await;
    assert!(received(&server, snap).await[0].fetched_at.is_some());
    // Games with ranges get all of it or the rest, and the end only once.
    let rest = ben.get(&url).header("range", "bytes=10000-").send().await.unwrap();
    assert_eq!(rest.status(), 206);
    let range = rest.headers()["content-range"].to_str().unwrap().to_owned();
    let rest = rest.bytes().await.unwrap();
    let whole = [&begun[..], &rest[..]].concat();
    assert_eq!(range, format!("bytes 10000-{}/{}", whole.len() - 1, whole.len()));
    let (_, object) = super::rows(&server, snap).await;
    assert_eq!(super::sides(&whole).await, (2048, 2048));
    assert_eq!(object.bytes, i64::try_from(whole.len()).unwrap());
    assert_eq!((fetch(&ben, &url).await.0, states(&ada, snap).await), (404, vec!["OPENED".to_owned()]));

    // Too late: what was begun may have been seen.
    let sent = super::try_send(&ada, &[&ben], &large, json!({ "viewSeconds": 5 })).await;
    let url = open(&ben, &sent["snap"]).await;
    broken_off(&ben, &url, 10_000).await;
    server.advance(FETCH + Duration::from_secs(5));
    assert_eq!(fetch(&ben, &url).await.0, 404);
    assert_eq!(super::codes(&try_open(&ben, &sent["snap"], None).await), ["ALREADY_OPENED"]);
    server.finish().await;
}

#[tokio::test]
async fn ranges_give_no_second_look() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let snap = send(&ada, &[&ben], json!({})).await;
    let url = open(&ben, &snap).await;
    // Parts are not given: this is all of it, and so the one look.
    let games = ["bytes=0-99", "bytes=0-0,5-9", "bytes=-5", "bytes=999999999-", "items=0-1", "bytes=5-2"];
    let response = ben.get(&url).header("range", games[0]).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.bytes().await.unwrap();
    for range in games {
        assert_eq!(ben.get(&url).header("range", range).send().await.unwrap().status(), 404, "{range}");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_store_that_is_away_burns_nothing() {
    let server = TestServer::start().await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let snap = send(&ada, &[&ben], json!({})).await;
    server.quiet().await;
    let url = open(&ben, &snap).await;
    let fail = |failure| [&server.first, &server.second].map(|store| store.set_failure(failure));
    fail(Some(StoreErrorKind::Unavailable));
    assert_eq!(fetch(&ben, &url).await.0, 503);
    fail(None);
    assert!(received(&server, &snap).await[0].fetched_at.is_none());
    see(&ben, &url).await;
    server.finish().await;
}

#[tokio::test]
async fn what_is_taken_back_under_way_does_not_end() {
    let server = TestServer::with(|config| config.uploads.max_size = bytesize::ByteSize::mib(64)).await;
    let (ada, [ben]) = with_friends(&server, ["ben"]).await;
    let large = snaphaven::images::generate::photo_jpeg(4, 2048, 2048, 9_000_000).unwrap();
    let sent = super::try_send(&ada, &[&ben], &large, json!({})).await;
    let url = open(&ben, &sent["snap"]).await;
    broken_off(&ben, &url, 10_000).await;
    revoke(&ada, &sent["snap"]).await;
    assert_eq!(fetch(&ben, &url).await.0, 404);
    server.finish().await;
}
