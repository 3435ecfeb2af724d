//! GraphQL over HTTP: the specification's audit, methods, credentials, errors, origins.

use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use super::{Server, code, json};

#[tokio::test]
async fn the_graphql_http_audit_passes_in_full() {
    let server = Server::start().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/js/graphql-http");
    assert!(folder.join("node_modules").exists(), "run scripts/test-node.sh first (make test does)");
    let output =
        Command::new("node").arg("audit.mjs").arg(server.url("/graphql")).current_dir(folder).output().await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && printed.contains("61 of 61 ok"),
        "{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn a_mutation_by_get_is_refused_and_a_query_answered() {
    let server = Server::start().await;
    let refused = server.get("/graphql?query=mutation%7BlogIn%7D").await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["allow"]), (405, &"POST".parse().unwrap()));
    assert!(!refused.headers().contains_key("set-cookie"));
    assert_eq!(code(&json(refused).await), "METHOD_NOT_ALLOWED");
    // The one that would run decides, not the first.
    let two = "query=query%20a%7Bhello%7Dmutation%20b%7BlogIn%7D&operationName=";
    assert_eq!(server.get(&format!("/graphql?{two}b")).await.status(), 405);
    assert_eq!(json(server.get(&format!("/graphql?{two}a")).await).await, json!({ "data": { "hello": "world" } }));
}

#[tokio::test]
async fn bodies_that_are_no_single_operation_are_refused_with_the_reason() {
    let server = Server::start().await;
    for (content_type, body, status, expected) in [
        ("application/json", r#"[{"query":"{hello}"}]"#, 400, "one operation"),
        ("application/json", "7", 400, "JSON object"),
        ("application/json", "{", 400, "not JSON"),
        ("application/json; charset=latin1", r#"{"query":"{hello}"}"#, 415, "UTF-8"),
        ("text/plain", r#"{"query":"{hello}"}"#, 415, "application/json"),
        ("application/x-www-form-urlencoded", "query={hello}", 415, "application/json"),
        ("multipart/mixed; boundary=x", "--x--", 415, "application/json"),
    ] {
        let request =
            reqwest::Client::new().post(server.url("/graphql")).header("content-type", content_type).body(body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{content_type} {body}");
        let body = json(response).await;
        assert!(body["errors"][0]["message"].as_str().unwrap().contains(expected), "{body}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_answered_413_even_without_a_length() {
    let server = Server::with(&[("graphql.max_body", "1 KiB")]).await;
    let large = json!({ "query": "{ hello }", "variables": { "x": "x".repeat(4_000_000) } }).to_string();
    let chunks =
        large.as_bytes().chunks(65536).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let chunked = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    for body in [reqwest::Body::from(large), chunked] {
        let request =
            reqwest::Client::new().post(server.url("/graphql")).header("content-type", "application/json").body(body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 413);
        assert_eq!(code(&json(response).await), "PAYLOAD_TOO_LARGE");
    }
}

#[tokio::test]
async fn errors_carry_code_and_request_id_and_leak_nothing() {
    let server = Server::start().await;
    for (query, expected, status) in [
        ("{ leak }", "INTERNAL", 200),
        ("{ forbidden }", "FORBIDDEN", 200),
        ("{ panic }", "INTERNAL", 500),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED", 400),
        ("{ echo(number: \"x\") }", "GRAPHQL_VALIDATION_FAILED", 400),
        ("{", "GRAPHQL_VALIDATION_FAILED", 400),
        ("{ a: hello b: hello c: hello d: hello e: hello f: hello }", "GRAPHQL_VALIDATION_FAILED", 400),
        ("subscription { hello }", "GRAPHQL_VALIDATION_FAILED", 400),
    ] {
        let request =
            server.post(query).header("accept", "application/graphql-response+json").header("x-request-id", "mine-1");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{query}");
        assert_eq!(response.headers()["x-request-id"], "mine-1");
        let body = json(response).await;
        assert_eq!(
            (code(&body), &body["errors"][0]["extensions"]["requestId"]),
            (expected, &json!("mine-1")),
            "{body}"
        );
        assert!(!body.to_string().contains("SELECT") && !body.to_string().contains("planted"), "{body}");
    }
}

#[tokio::test]
async fn credentials_become_the_viewer() {
    let server = Server::start().await;
    let asked = async |name: &'static str, value: &str| {
        let response = server.post("{ viewer }").header(name, value).send().await.unwrap();
        let cleared = response.headers().get("set-cookie").map(|cookie| cookie.to_str().unwrap().to_owned());
        (response.status().as_u16(), cleared, json(response).await)
    };
    let viewer = |name: Value| json!({ "data": { "viewer": name } });
    assert_eq!(asked("authorization", "bearer good").await, (200, None, viewer(json!("test"))));
    assert_eq!(asked("cookie", "a=b; snaphaven_session=good").await, (200, None, viewer(json!("test"))));
    assert_eq!(asked("authorization", "Basic Zm9v").await, (200, None, viewer(Value::Null)));

    let (status, cookie, body) = asked("authorization", "Bearer bad").await;
    assert_eq!((status, cookie, code(&body)), (401, None, "UNAUTHENTICATED"));

    let (status, cookie, body) = asked("cookie", "snaphaven_session=old").await;
    assert_eq!((status, body), (200, viewer(Value::Null)));
    assert!(cookie.unwrap().starts_with("snaphaven_session=; Path=/; Max-Age=0;"));

    let (status, _, body) = asked("authorization", "Bearer away").await;
    assert_eq!((status, code(&body)), (503, "UNAVAILABLE"));
    assert!(!body.to_string().contains("db.internal"));
}

#[tokio::test]
async fn log_in_and_log_out_set_the_cookie_with_the_right_attributes() {
    let plain = Server::start().await;
    let secure = Server::with(&[("server.public_url", "https://haven.example/")]).await;
    let cookie = async |server: &Server, query: &str| {
        let response = server.post(query).send().await.unwrap();
        response.headers()["set-cookie"].to_str().unwrap().to_owned()
    };
    assert_eq!(
        cookie(&plain, "mutation { logIn }").await,
        "snaphaven_session=good; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"
    );
    assert_eq!(
        cookie(&secure, "mutation { logIn }").await,
        "__Host-snaphaven_session=good; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure"
    );
    assert_eq!(
        cookie(&secure, "mutation { logOut }").await,
        "__Host-snaphaven_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
    );
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing_unless_allowed() {
    let settings = [("server.allowed_origins", "https://app.example"), ("server.public_url", "https://haven.example")];
    let server = Server::with(&settings).await;
    let own = server.url("");
    for (headers, status) in [
        (vec![], 200),
        (vec![("sec-fetch-site", "same-origin")], 200),
        (vec![("sec-fetch-site", "none")], 200),
        (vec![("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")], 403),
        (vec![("sec-fetch-site", "same-site"), ("origin", "https://other.haven.example")], 403),
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("sec-fetch-site", "cross-site"), ("origin", "https://app.example")], 200),
        (vec![("sec-fetch-site", "cross-site"), ("origin", "https://app.example.evil.example")], 403),
        (vec![("origin", "https://evil.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("origin", "https://haven.example")], 200),
        (vec![("origin", own.as_str())], 200),
    ] {
        let request = server.post("mutation { logIn }");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{headers:?}");
        assert_eq!(response.headers().contains_key("set-cookie"), status == 200);
    }
}

#[tokio::test]
async fn cors_answers_exactly_the_configured_origins() {
    let server = Server::with(&[("server.allowed_origins", r#"["https://app.example"]"#)]).await;
    let preflight = async |origin: &'static str| {
        let request = reqwest::Client::new().request(reqwest::Method::OPTIONS, server.url("/graphql"));
        let request = request.header("origin", origin).header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "content-type").send().await.unwrap().headers().clone()
    };
    let allowed = preflight("https://app.example").await;
    assert_eq!(allowed["access-control-allow-origin"], "https://app.example");
    assert_eq!(allowed["access-control-allow-credentials"], "true");
    assert!(!preflight("https://evil.example").await.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn resolvers_see_who_asked_behind_the_configured_proxies() {
    let server = Server::with(&[("server.trusted_proxy_hops", "2")]).await;
    let client = async |forwarded: &str| {
        let request = server.post("{ request }").header("x-forwarded-for", forwarded).header("user-agent", "a/1");
        json(request.send().await.unwrap()).await["data"]["request"].clone()
    };
    let entry = client("6.6.6.6, 203.0.113.7, 10.0.0.1").await;
    assert_eq!((&entry[1], &entry[2]), (&json!("203.0.113.7"), &json!("a/1")));
    assert_eq!(entry[0].as_str().unwrap().len(), 36);
    assert_eq!(client("2001:db8:1:2:3:4:5:6, 10.0.0.1").await[1], "2001:db8:1:2:3:4:5:6");
    assert_eq!(client("[2001:db8::1]:443, 10.0.0.1").await[1], "2001:db8::1");
    assert_eq!(client("198.51.100.1").await[1], "127.0.0.1", "a missing entry is not made up");
    assert_eq!(client("garbage, 10.0.0.1").await[1], "127.0.0.1");
}

#[tokio::test]
async fn bottomless_documents_are_refused() {
    let server = Server::start().await;
    let deep = 150_000;
    for query in [
        "{a".repeat(deep),
        format!("{{ echo(number: {}", "[".repeat(deep)),
        format!("{{ echo(number: {}", "{a:".repeat(deep)),
        format!("query($a: {}", "[".repeat(deep)),
        format!("{{ {}", "... { ".repeat(deep)),
    ] {
        let response = server.post(&query).header("accept", "application/graphql-response+json").send().await.unwrap();
        assert_eq!(response.status(), 400, "{}", &query[..30]);
        assert_eq!(code(&json(response).await), "GRAPHQL_VALIDATION_FAILED");
    }
    assert_eq!(server.get("/healthz").await.status(), 200);
}
