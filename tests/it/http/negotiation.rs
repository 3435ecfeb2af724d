//! What the HTTP specifications ask of `/graphql` beyond its content: media types, methods, codings, upgrades.

use reqwest::{Client, Method, Response};
use serde_json::json;

use super::{Server, code, json};

async fn send(server: &Server, method: Method, headers: &[(&str, &str)], body: &'static str) -> Response {
    let request = Client::new().request(method, server.url("/graphql")).body(body);
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
}

const HELLO: &str = r#"{"query":"{ hello }"}"#;
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn accept_decides_the_media_type_by_quality_and_precision() {
    let server = Server::start().await;
    let (json, graphql) = ("application/json; charset=utf-8", "application/graphql-response+json; charset=utf-8");
    for (accept, expected) in [
        ("", json),
        ("*/*", json),
        ("application/*", json),
        ("application/json", json),
        ("application/graphql-response+json", graphql),
        ("Application/GraphQL-Response+JSON; charset=utf-8", graphql),
        ("application/graphql-response+json, application/json", graphql),
        ("application/json, application/graphql-response+json", json),
        ("application/json;q=0.9, application/graphql-response+json", graphql),
        ("application/graphql-response+json;q=0.2, application/json;q=0.3", json),
        ("application/graphql-response+json;charset=utf-8, application/json;q=0.9, */*;q=0.1", graphql),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", json),
        ("application/graphql-response+json, */*", graphql),
        // The most specific range decides for its type.
        ("application/json;q=0, */*", graphql),
        ("application/json;q=0.5, application/*", graphql),
        ("*/*;q=1, application/graphql-response+json;q=0.5", json),
        ("application/graphql-response+json;q=0, application/json;q=0.001", json),
    ] {
        let response = send(&server, Method::POST, &[JSON, ("accept", accept)], HELLO).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &expected.parse().unwrap()),
            "{accept}"
        );
    }
    for accept in
        ["text/html", "application/json;q=0", "*/*;q=0", "application/json;q=x", "application/jsonx", "garbage"]
    {
        let response = send(&server, Method::POST, &[JSON, ("accept", accept)], HELLO).await;
        assert_eq!(response.status(), 406, "{accept}");
        assert_eq!(code(&super::json(response).await), "NOT_ACCEPTABLE");
    }
}

#[tokio::test]
async fn the_status_tells_what_did_not_run_where_the_media_type_knows_it() {
    let server = Server::start().await;
    for (accept, query, status) in [
        ("application/graphql-response+json", "{ hello }", 200),
        ("application/graphql-response+json", "{ nothing }", 400),
        ("application/graphql-response+json", "{", 400),
        // It ran, and failed on its way: there is `data`.
        ("application/graphql-response+json", "{ hello forbidden }", 200),
        ("application/json", "{ nothing }", 200),
        ("application/json", "{", 200),
    ] {
        let response = server.post(query).header("accept", accept).send().await.unwrap();
        assert_eq!(response.status(), status, "{accept} {query}");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = json(response).await;
        assert_eq!(body.get("data").is_some(), !matches!(query, "{ nothing }" | "{"), "{body}");
    }
}

#[tokio::test]
async fn methods_other_than_get_head_and_post_are_named_in_allow() {
    let server = Server::start().await;
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS, Method::TRACE] {
        let response = send(&server, method.clone(), &[], "").await;
        assert_eq!(response.status(), 405, "{method}");
        let allow = response.headers()["allow"].to_str().unwrap().to_owned();
        for allowed in ["GET", "HEAD", "POST"] {
            assert!(allow.contains(allowed), "{method}: {allow}");
        }
    }
    // HEAD is GET without the body, and changes as little.
    let url = server.url("/graphql?query=%7Bhello%7D");
    let head = Client::new().head(url).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, "26"));
    assert_eq!(head.text().await.unwrap(), "");
    let head = Client::new().head(server.url("/graphql?query=mutation%7BlogIn%7D")).send().await.unwrap();
    assert_eq!(head.status(), 405);
    assert!(!head.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn codings_charsets_and_types_that_are_not_read_are_415() {
    let server = Server::start().await;
    for coding in ["gzip", "br", "deflate", "identity, gzip", "GZIP"] {
        let response = send(&server, Method::POST, &[JSON, ("content-encoding", coding)], HELLO).await;
        assert_eq!(
            (response.status().as_u16(), response.headers()["accept-encoding"].to_str().unwrap()),
            (415, "identity"),
            "{coding}"
        );
    }
    for (content_type, status) in [
        ("application/json", 200),
        ("APPLICATION/JSON;Charset=UTF-8", 200),
        ("application/json; charset=\"utf-8\"", 200),
        ("application/json; charset=utf-16", 415),
        ("application/graphql", 415),
        ("application/graphql+json", 415),
        ("text/plain", 415),
        ("json", 415),
        ("", 415),
    ] {
        let headers = [("content-type", content_type), ("content-encoding", "identity")];
        assert_eq!(send(&server, Method::POST, &headers, HELLO).await.status(), status, "{content_type}");
    }
    assert_eq!(send(&server, Method::POST, &[], HELLO).await.status(), 415, "no type");
}

#[tokio::test]
async fn a_websocket_is_opened_with_its_subprotocol() {
    let server = Server::start().await;
    let headers = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "graphql-transport-ws"),
    ];
    let response = send(&server, Method::GET, &headers, "").await;
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
}

#[tokio::test]
async fn a_preflight_names_what_clients_of_allowed_pages_send() {
    let server = Server::with(&[("server.allowed_origins", r#"["https://app.example"]"#)]).await;
    let asked = "content-type,authorization,apollo-require-preflight,x-apollo-operation-name,graphql-require-preflight";
    let headers = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", asked),
    ];
    let response = send(&server, Method::OPTIONS, &headers, "").await;
    assert!(response.status().is_success());
    let allowed = response.headers()["access-control-allow-headers"].to_str().unwrap().to_owned();
    assert!(asked.split(',').all(|name| allowed.split(',').any(|allowed| allowed.trim() == name)), "{allowed}");
    let vary = response.headers().get_all("vary").iter().any(|vary| vary.to_str().unwrap().contains("origin"));
    assert!(vary, "caches must tell origins apart");
    // The answer itself, also where it is a refusal, is for the page to read.
    let answer = send(&server, Method::POST, &[JSON, ("origin", "https://app.example")], "{").await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["access-control-allow-origin"]),
        (400, &"https://app.example".parse().unwrap())
    );
    assert_eq!(json(answer).await["errors"][0]["extensions"]["code"], json!("BAD_REQUEST"));
}
