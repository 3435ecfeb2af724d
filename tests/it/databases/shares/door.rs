//! What a link gives, and that everything which is not open answers alike.

use std::{collections::BTreeMap, time::Duration};

use entity::user;
use reqwest::Method;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::{Value, json};
use snaphaven::token;

use super::{browser, get, header, links, now, revoke, share, status, under_way, used};
use crate::support::{Person, TestServer, process::ServerProcess};

/// Status, headers and body of an answer, without what differs from request to request.
async fn answer(method: Method, url: &str) -> (u16, BTreeMap<String, String>, Value) {
    let response = browser().request(method, url).send().await.unwrap();
    let status = response.status().as_u16();
    let headers = response.headers().iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let mut body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
    if let Some(extensions) = body.pointer_mut("/errors/0/extensions") {
        extensions.as_object_mut().unwrap().remove("requestId").unwrap();
    }
    (status, headers, body)
}

fn expires(url: &str) -> i64 {
    url.split(['?', '&']).find_map(|pair| pair.strip_prefix("Expires=")).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_link_redirects_to_a_url_of_a_minute_and_counts_it() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("Grüße.txt", *b"text").await;
    let (link, url) = share(&ada, &file, json!({})).await;
    // Within one window, where other URLs would be the same.
    for (downloads, seconds) in [(1, 1), (2, 7)] {
        let response = get(&url).await;
        assert_eq!(response.status(), 302);
        assert_eq!(header(&response, "cache-control"), "no-store");
        assert_eq!(header(&response, "referrer-policy"), "no-referrer");
        let signed = header(&response, "location").to_owned();
        assert_eq!(expires(&signed), server.app.now().unix_seconds() + 60);
        assert_eq!(used(&ada, &link).await, ("ACTIVE".to_owned(), downloads));
        assert!(now(&ada, &link).await["lastUsedAt"].is_string());
        let content = get(&signed).await;
        let disposition = header(&content, "content-disposition").to_owned();
        assert!(disposition.starts_with("attachment") && disposition.contains("Gr%C3%BC%C3%9Fe.txt"), "{disposition}");
        assert_eq!(content.text().await.unwrap(), "text");
        server.advance(Duration::from_secs(60));
        assert_eq!(status(&signed).await, 403, "its minute is over");
        server.advance(Duration::from_secs(seconds));
    }
    server.finish().await;
}

#[tokio::test]
async fn a_strict_link_streams_the_whole_file_and_nothing_of_it_runs() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let bytes: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    let page = b"<!doctype html><script>alert(1)</script>".to_vec();
    for (name, bytes) in [("Grüße.bin", bytes), ("page.html", page), ("empty", Vec::new())] {
        let file = ada.upload(name, bytes.clone()).await;
        let (link, url) = share(&ada, &file, json!({ "strict": true, "maxDownloads": 2 })).await;
        for downloads in [1, 2] {
            // A part would count as a whole: ranges are not served.
            let response = browser().get(&url).header("range", "bytes=0-0").send().await.unwrap();
            assert_eq!(response.status(), 200, "{name}");
            for (header_name, value) in [
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
                ("content-security-policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
                ("referrer-policy", "no-referrer"),
                ("accept-ranges", "none"),
                ("content-type", "application/octet-stream"),
            ] {
                assert_eq!(header(&response, header_name), value, "{name}");
            }
            assert!(header(&response, "content-disposition").starts_with("attachment; "));
            assert_eq!(header(&response, "content-length"), bytes.len().to_string());
            assert_eq!(response.bytes().await.unwrap(), bytes);
            let state = if downloads == 2 { "EXHAUSTED" } else { "ACTIVE" };
            assert_eq!(used(&ada, &link).await, (state.to_owned(), downloads));
        }
        assert_eq!(status(&url).await, 404, "used up");
    }
    assert_eq!(under_way(&server).await, 0);
    server.finish().await;
}

async fn set_status(server: &TestServer, name: &str, status: user::Status) {
    let update = user::Entity::update_many().col_expr(user::Column::Status, Expr::value(status));
    let update = update.filter(user::Column::UsernameKey.eq(name));
    assert_eq!(update.exec(server.app.db.read()).await.unwrap().rows_affected, 1);
}

#[tokio::test]
async fn whatever_is_not_open_answers_as_a_link_that_never_was() {
    let server = TestServer::start().await;
    let (ada, root) = (server.person("ada").await, server.admin().await);
    let never = format!("{}/s/shl_{}", server.url, "A".repeat(43));
    let expected = [answer(Method::GET, &never).await, answer(Method::HEAD, &never).await];
    assert_eq!((expected[0].0, expected[1].0, expected[1].1["cache-control"].as_str()), (404, 404, "no-store"));
    let closed = async |url: &str, what: &str| {
        assert_eq!(answer(Method::GET, url).await, expected[0], "{what}");
        assert_eq!(answer(Method::HEAD, url).await, expected[1], "{what}");
    };
    for path in ["x", "shl_", "sht_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "%ff", "%00", "..%2f"] {
        closed(&format!("{}/s/{path}", server.url), path).await;
    }
    for strict in [false, true] {
        let open = if strict { 200 } else { 302 };
        let file = ada.upload("a.txt", *b"text").await;
        let make = async |input: Value| {
            let mut input = input;
            input["strict"] = json!(strict);
            share(&ada, &file, input).await
        };
        let (revoked, url) = make(json!({})).await;
        revoke(&ada, &revoked).await;
        closed(&url, "revoked").await;
        let (exhausted, url) = make(json!({ "maxDownloads": 1 })).await;
        assert_eq!(get(&url).await.bytes().await.unwrap().is_empty(), !strict);
        assert_eq!(used(&ada, &exhausted).await, ("EXHAUSTED".to_owned(), 1));
        closed(&url, "used up").await;
        let (expired, url) = make(json!({ "expiresIn": 60 })).await;
        server.advance(Duration::from_secs(59));
        assert_eq!(status(&url).await, open);
        server.advance(Duration::from_secs(1));
        assert_eq!(used(&ada, &expired).await, ("EXPIRED".to_owned(), 1));
        closed(&url, "expired").await;

        let (link, url) = make(json!({})).await;
        for person in [&ada, &root] {
            person.trash(&[&file]).await;
            closed(&url, "in the trash").await;
            person.restore(&[&file]).await;
            assert_eq!(status(&url).await, open, "restored");
        }
        set_status(&server, "ada", user::Status::Suspended).await;
        closed(&url, "of a suspended owner").await;
        set_status(&server, "ada", user::Status::Active).await;
        assert_eq!(status(&url).await, open, "of a reinstated owner");
        let file = ada.file(&file, "id revision").await;
        ada.replace(&file, "a.txt", *b"other", json!({})).await;
        closed(&url, "of another content").await;
        assert_eq!(used(&ada, &link).await, ("REVOKED".to_owned(), 3));
        let (_, url) = make(json!({})).await;
        assert_eq!(status(&url).await, open);
        ada.purge(&[&file]).await;
        closed(&url, "purged").await;
        assert!(links(&server).await.is_empty(), "a purge leaves no row");
    }
    server.finish().await;
}

#[tokio::test]
async fn asking_without_fetching_burns_nothing() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"text").await;
    for strict in [false, true] {
        let (link, url) = share(&ada, &file, json!({ "strict": strict, "maxDownloads": 1 })).await;
        for _ in 0..3 {
            let head = browser().head(&url).send().await.unwrap();
            assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "4"));
            assert_eq!((header(&head, "location"), header(&head, "cache-control")), ("", "no-store"));
            for (name, value) in [("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch"), ("x-moz", "prefetch")]
            {
                let early = browser().get(&url).header(name, value).send().await.unwrap();
                assert_eq!((early.status().as_u16(), header(&early, "location")), (503, ""));
            }
            assert_eq!(browser().post(&url).send().await.unwrap().status(), 405);
        }
        assert_eq!(used(&ada, &link).await, ("ACTIVE".to_owned(), 0));
        assert_eq!(status(&url).await, if strict { 200 } else { 302 });
    }
    server.finish().await;
}

#[test]
fn what_looks_like_a_token_is_cut_off() {
    for (text, shown) in
        [("/graphql", "/graphql"), ("/x/shl_abc-_9/y?z", "/x/shl_…/y?z"), ("shs_a shs_b,sht_c", "shs_… shs_…,sht_…")]
    {
        assert_eq!(token::redacted(text), shown);
    }
}

#[tokio::test]
async fn tokens_of_links_stay_out_of_the_log() {
    let mut server = ServerProcess::start(&["--set", "log.filter=debug"]).await;
    let input = json!({
        "username": "ada", "email": "ada@example.org", "firstName": "Ada", "lastName": "Lovelace",
        "password": crate::support::PASSWORD,
    });
    let stranger = Person::new(&server.app);
    let payload = stranger.mutate("signUp", "user { id } token", input).await;
    let ada = stranger.known_as(&payload);
    let file = ada.upload("a.txt", *b"text").await;
    for strict in [false, true] {
        let (_, url) = share(&ada, &file, json!({ "strict": strict })).await;
        let (base, token) = url.split_once("shl_").unwrap();
        let other = format!("{}/s", server.app);
        for url in [
            url.clone(),
            format!("{base}%73hl_{token}"),
            format!("{url}/"),
            format!("{url}?a"),
            format!("{other}//shl_{token}"),
            format!("{}/shl_{token}", server.app),
        ] {
            get(&url).await;
        }
        assert!(!server.log().contains(token), "{}", server.log());
    }
    assert!(
        server.log().contains("path=\"/s/{token}\"") || server.log().contains("path=/s/{token}"),
        "{}",
        server.log()
    );
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
}
