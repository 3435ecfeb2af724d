//! Automatic persisted queries after Apollo's protocol.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{Server, code, json};

fn hash(query: &str) -> String {
    hex::encode(digest(&SHA256, query.as_bytes()))
}

fn extension(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

async fn post(server: &Server, body: Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(server.url("/graphql")).json(&body);
    let response = request.header("accept", "application/graphql-response+json").send().await.unwrap();
    (response.status().as_u16(), json(response).await)
}

async fn get(server: &Server, hash: &str, further: &str) -> (u16, Value) {
    let extensions: String = form_urlencoded::byte_serialize(extension(hash).to_string().as_bytes()).collect();
    let response = server.get(&format!("/graphql?extensions={extensions}{further}")).await;
    (response.status().as_u16(), json(response).await)
}

#[tokio::test]
async fn a_query_is_sent_once_and_named_by_its_hash_from_there_on() {
    let server = Server::start().await;
    let query = "query E($n: Int!) { echo(number: $n) }";
    let (known, variables) = (hash(query), json!({ "n": 7 }));
    let (status, unknown) = post(&server, json!({ "extensions": extension(&known), "variables": variables })).await;
    assert_eq!((status, code(&unknown)), (400, "PERSISTED_QUERY_NOT_FOUND"));
    assert_eq!(unknown["errors"][0]["message"], "PersistedQueryNotFound");
    // Where the media type knows no statuses, as older clients expect it.
    let (status, unknown) = get(&server, &known, "").await;
    assert_eq!((status, code(&unknown)), (200, "PERSISTED_QUERY_NOT_FOUND"));

    let whole = json!({ "query": query, "extensions": extension(&known), "variables": variables });
    let answer = json!({ "data": { "echo": 7 } });
    assert_eq!(post(&server, whole).await, (200, answer.clone()));
    let short = json!({ "extensions": extension(&known), "variables": variables });
    assert_eq!(post(&server, short).await, (200, answer.clone()));
    let upper = json!({ "query": "", "extensions": extension(&known.to_uppercase()), "variables": variables });
    assert_eq!(post(&server, upper).await, (200, answer.clone()));
    assert_eq!(get(&server, &known, "&variables=%7B%22n%22%3A7%7D&operationName=E").await, (200, answer));
}

#[tokio::test]
async fn a_hash_that_is_not_that_of_the_query_is_refused_and_not_kept() {
    let server = Server::start().await;
    let other = hash("{ viewer }");
    let (status, body) = post(&server, json!({ "query": "{ hello }", "extensions": extension(&other) })).await;
    assert_eq!((status, code(&body)), (400, "BAD_REQUEST"));
    assert!(body["errors"][0]["message"].as_str().unwrap().contains("not that of the query"), "{body}");
    let (_, body) = post(&server, json!({ "extensions": extension(&other) })).await;
    assert_eq!(code(&body), "PERSISTED_QUERY_NOT_FOUND");
    for wrong in [
        json!({ "persistedQuery": { "version": 2, "sha256Hash": other } }),
        json!({ "persistedQuery": { "version": 1 } }),
        json!({ "persistedQuery": { "version": 1, "sha256Hash": "abc" } }),
        json!({ "persistedQuery": 7 }),
    ] {
        let (status, body) = post(&server, json!({ "extensions": wrong })).await;
        assert_eq!((status, code(&body)), (400, "BAD_REQUEST"), "{wrong}");
    }
}

#[tokio::test]
async fn a_persisted_mutation_does_not_run_by_get() {
    let server = Server::start().await;
    let query = "mutation { logIn }";
    let (status, _) = post(&server, json!({ "query": query, "extensions": extension(&hash(query)) })).await;
    assert_eq!(status, 200);
    let (status, body) = get(&server, &hash(query), "").await;
    assert_eq!((status, code(&body)), (405, "METHOD_NOT_ALLOWED"));
}

#[tokio::test]
async fn limits_hold_for_persisted_queries_and_keep_them_out() {
    let server = Server::start().await;
    for query in [
        format!("{{ {} }}", (0..100).map(|n| format!("a{n}: hello ")).collect::<String>()),
        "{ hello ...a } fragment a on Query { ...a }".to_owned(),
        "{ hello".to_owned(),
        "[".repeat(100),
    ] {
        let (status, body) = post(&server, json!({ "query": query, "extensions": extension(&hash(&query)) })).await;
        assert_eq!((status, code(&body)), (400, "GRAPHQL_VALIDATION_FAILED"), "{query}");
        let (_, body) = post(&server, json!({ "extensions": extension(&hash(&query)) })).await;
        assert_eq!(code(&body), "PERSISTED_QUERY_NOT_FOUND", "{query}");
    }
}

#[tokio::test]
async fn kept_queries_take_bounded_memory() {
    let server = Server::start().await;
    // 100 of 200 KB are 20 MB; 4 MiB are kept.
    let query = |n: usize| format!("{{ hello }} # {n} {}", "x".repeat(200_000));
    for n in 0..100 {
        let (status, _) = post(&server, json!({ "query": query(n), "extensions": extension(&hash(&query(n))) })).await;
        assert_eq!(status, 200);
    }
    let mut kept = 0;
    for n in 0..100 {
        let (_, body) = post(&server, json!({ "extensions": extension(&hash(&query(n))) })).await;
        kept += usize::from(body.get("data").is_some());
    }
    assert!((1..=21).contains(&kept), "{kept} are kept");
}
