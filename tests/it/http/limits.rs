//! Limits of documents over the real schema: published, and not to be got around.

use serde_json::{Value, json};

use crate::support::{Person, TestServer, code};

#[tokio::test]
async fn limits_are_published_as_configured() {
    let server = TestServer::start().await;
    let fields = "uploadSize filesPerRequest bodySize requestTime pageSize documentSize tokens depth recursion aliases complexity directives";
    let published = server.stranger().query(&format!("{{ limits {{ {fields} }} }}"), json!({})).await;
    let expected = json!({
        "uploadSize": 10 << 20, "filesPerRequest": 4, "bodySize": 1 << 20, "requestTime": 60, "pageSize": 100,
        "documentSize": 256 << 10, "tokens": 15_000, "depth": 15, "recursion": 32, "aliases": 50,
        "complexity": 5_000, "directives": 50,
    });
    assert_eq!(published["limits"], expected);
    server.finish().await;
}

async fn refusal(person: &Person, query: &str, variables: Value) -> String {
    let answer = person.send(query, variables).await;
    assert_eq!(code(&answer), "GRAPHQL_VALIDATION_FAILED", "{query}: {answer}");
    answer["errors"][0]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn complexity_counts_what_is_in_pages_and_lists() {
    let server = TestServer::start().await;
    let person = server.person("ada").await;
    let ids = |count: usize| json!({ "input": { "ids": vec!["x"; count] } });
    let deep = "mutation($input: TrashFilesInput!) { trashFiles(input: $input) { files { versions { nodes { id number } } } } }";
    for (query, variables) in [
        ("{ files(first: 100) { nodes { versions(first: 100) { nodes { id } } } } }", json!({})),
        ("{ files(first: 1000000) { nodes { id } } }", json!({})),
        ("{ files(last: 1000000) { nodes { id } } }", json!({})),
        ("query($n: Int) { files(first: $n) { nodes { id } } }", json!({ "n": 1_000_000 })),
        ("query($n: Int = 1000000) { files(first: $n) { nodes { id } } }", json!({})),
        ("query($n: Int = 1) { files(first: $n) { nodes { id } } }", json!({ "n": 1_000_000 })),
        // Pages in pages, one level by default.
        ("{ files { nodes { versions(first: 100) { edges { node { id number } } } } } }", json!({})),
        ("{ users(first: 100) { nodes { sessions(first: 100) { nodes { id } } } } }", json!({})),
        (
            "{ files(first: 100) { ...f } } fragment f on FileConnection { nodes { versions { nodes { id number } } } }",
            json!({}),
        ),
        // What directives leave out counts: they may be there tomorrow.
        ("query($n: Int = 1000000) { files(first: $n) @skip(if: true) { nodes { id } } }", json!({})),
        // The payload lists as much as was asked for.
        (deep, ids(100)),
    ] {
        assert_eq!(refusal(&person, query, variables).await, "Query is too complex.", "{query}");
    }
    let aliased: String = (0..30).map(|n| format!("a{n}: users(first: 100) {{ nodes {{ id username }} }} ")).collect();
    assert_eq!(refusal(&person, &format!("{{ {aliased} }}"), json!({})).await, "Query is too complex.");
    // What is asked for in earnest fits.
    for query in [
        "{ files(first: 100) { totalCount pageInfo { hasNextPage endCursor } nodes { id name size state createdAt \
         downloadUrl { url expiresAt } rendition { url width height } owner { id username displayName } } } }",
        "{ files(first: 10) { nodes { versions { nodes { id number } } } } }",
    ] {
        assert_eq!(person.send(query, json!({})).await.get("errors"), None, "{query}");
    }
    assert_eq!(person.send(deep, ids(1)).await.get("errors"), None);
    server.finish().await;
}

/// Every connection of the schema multiplies: one that is added without its cost fails here.
#[tokio::test]
async fn no_connection_is_free() {
    let server = TestServer::start().await;
    let query =
        "{ __schema { types { name kind interfaces { name } fields { name type { name ofType { name } } } } } }";
    let schema = server.stranger().query(query, json!({})).await;
    let mut checked = 0;
    for object in schema["__schema"]["types"].as_array().unwrap() {
        let name = object["name"].as_str().unwrap();
        for field in object["fields"].as_array().into_iter().flatten() {
            let kind = field["type"]["name"].as_str().or(field["type"]["ofType"]["name"].as_str()).unwrap_or_default();
            if !kind.ends_with("Connection") {
                continue;
            }
            let asked = format!("{}(first: 9000) {{ nodes {{ __typename }} }}", field["name"].as_str().unwrap());
            let query = match name {
                "Query" => format!("{{ {asked} }}"),
                _ => format!("{{ node(id: \"x\") {{ ... on {name} {{ {asked} }} }} }}"),
            };
            let named = match name {
                "Query" => format!("{{ ...f }} fragment f on Query {{ {asked} }}"),
                _ => format!(
                    "{{ node(id: \"x\") {{ ...f }} }} fragment f on {name} {{ ...g }} fragment g on {name} {{ {asked} }}"
                ),
            };
            for query in [query, named] {
                assert_eq!(refusal(&server.stranger(), &query, json!({})).await, "Query is too complex.", "{query}");
            }
            checked += 1;
        }
    }
    assert!(checked >= 7, "only {checked} connections were found");
    server.finish().await;
}
