//! Every other text that people send: no NUL, lone surrogate or depth of nesting reaches a database, none ends in a
//! fault, and what is kept is given back.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Person, TestServer};

/// What a request comes to: data or an error that the client can mend, never a fault of the server's.
#[track_caller]
fn assert_no_fault(what: &str, answer: &Value) {
    for error in answer["errors"].as_array().into_iter().flatten() {
        let code = error["extensions"]["code"].as_str().unwrap_or("none");
        // Nor may the test ask for what the schema does not have.
        assert!(matches!(code, "BAD_USER_INPUT" | "UNAUTHENTICATED" | "FORBIDDEN"), "{what}: {answer}");
    }
}

/// The texts that databases disagree about.
const ODD: [&str; 9] =
    ["a\0b", "\0", "\u{1}", "\u{ffff}", "\u{fffe}\u{1fffe}", "\u{202e}x", "'\"\\%_", "\u{d7ff}\u{e000}", "😀"];

#[tokio::test]
async fn descriptions_tags_and_metadata_are_kept_or_refused() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let deep = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    for (field, value, code) in [
        ("description", json!("a\0b"), "INVALID_DESCRIPTION"),
        ("tags", json!(["a\0b"]), "INVALID_TAGS"),
        ("tags", json!(["\u{202e}gat"]), ""),
        ("metadata", json!({ "a\0b": 1 }), "INVALID_METADATA"),
        ("metadata", json!({ "a": { "b": ["\0"] } }), "INVALID_METADATA"),
        ("metadata", json!({ "a": deep(100) }), "INVALID_METADATA"),
        ("metadata", json!({ "a": deep(20) }), ""),
        ("metadata", json!({ "a": "x".repeat(20_000) }), "INVALID_METADATA"),
        ("metadata", json!({ "": "", " ": null, "\"'\\$.[0]": 1.5, "é\u{65}\u{301}": "😀" }), ""),
        ("metadata", json!({ "n": [i64::MAX, i64::MIN, 0.1, 1e300] }), ""),
        ("metadata", json!({ "a": "\\u0000 is how NUL is written" }), ""),
        ("metadata", json!("text"), "INVALID_METADATA"),
        ("metadata", json!(null), ""),
        ("description", json!("line\r\nline\ttab 😀 \u{202e}"), ""),
        ("description", json!("'; DROP TABLE file; --\\"), ""),
        ("tags", json!(["a,b", "'\"\\", "%_", "😀", "A", "a"]), ""),
    ] {
        let mut input = json!({});
        input[field] = value.clone();
        let payload = ada.try_upload("x", *b"x", input.clone()).await;
        let error = &payload["userErrors"][0];
        assert_eq!(error["code"].as_str().unwrap_or_default(), code, "{input}: {payload}");
        if code.is_empty() {
            let expected = if field == "metadata" && value.is_null() { json!({}) } else { value };
            assert_eq!(payload["file"][field], expected, "as it was given");
            let again = ada.file(&payload["file"], field).await;
            assert_eq!(again[field], expected, "and as it was stored");
        } else {
            assert_eq!(error["field"], field);
            assert!(error["message"].as_str().unwrap().len() > 15, "{error}");
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn account_texts_are_kept_or_refused() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let stranger = server.stranger();
    for (number, odd) in (0..).zip(ODD) {
        let sign_up = |field: &str, value: &str| {
            let mut input = json!({
                "username": format!("user{number}"), "email": format!("user{number}@example.org"),
                "firstName": "Ada", "lastName": "Lovelace", "password": crate::support::PASSWORD,
            });
            input[field] = json!(value);
            input
        };
        for field in ["username", "email", "firstName", "lastName", "password"] {
            let value = if field == "password" { format!("{odd} a fox jumps 7 times") } else { odd.to_owned() };
            let query = "mutation ($input: SignUpInput!) { signUp(input: $input) { user { username firstName lastName } userErrors { code field message } } }";
            let answer = stranger.send(query, json!({ "input": sign_up(field, &value) })).await;
            assert_no_fault(field, &answer);
            let refused = answer["data"]["signUp"]["userErrors"].as_array().is_some_and(|errors| !errors.is_empty());
            if odd.contains('\0') && field != "password" {
                assert!(refused, "{field} of {odd:?}: {answer}");
            }
            if !refused && field.ends_with("Name") {
                assert_eq!(answer["data"]["signUp"]["user"][field], odd, "kept as it was given");
            }
        }
        let log_in = "mutation ($input: LogInInput!) { logIn(input: $input) { user { id } userErrors { code } } }";
        let answer = stranger.send(log_in, json!({ "input": { "login": odd, "password": odd } })).await;
        assert_no_fault("logIn", &answer);
        assert!(answer["data"]["logIn"]["user"].is_null(), "{answer}");
        tokens(&ada, odd).await;
    }
    server.settle().await;
    server.finish().await;
}

/// An API token of this name is made or refused.
async fn tokens(person: &Person, name: &str) {
    let query =
        "mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) { token userErrors { code field } } }";
    let answer = person.send(query, json!({ "input": { "name": name } })).await;
    assert_no_fault("createApiToken", &answer);
}

/// Every argument of type String or ID that the schema has, of queries and of `node`, takes odd texts without a fault.
#[tokio::test]
async fn ids_cursors_keys_and_filters_take_any_text_without_a_fault() {
    let server = TestServer::start().await;
    let (ada, root) = (server.person("ada").await, server.admin().await);
    let file = ada.upload("x", *b"x").await;
    let cursor = |json: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, json);
    let mut odd: BTreeSet<String> = ODD.iter().map(ToString::to_string).collect();
    odd.extend(["", "null", "[]", "{}", "\"\\u0000\"", "[\"a\\u0000b\",1]", "[9223372036854775807,\"x\"]"].map(cursor));
    let id = "01890000-0000-7000-8000-000000000000";
    odd.insert(cursor(&json!({ "key": "a\0b", "id": id }).to_string()));
    odd.insert(cursor(&json!({ "key": i64::MIN, "id": id }).to_string()));
    for value in [json!(i64::MIN), json!("a\0b"), json!("text"), json!(null)] {
        let key = json!({ "order": { "field": "CreatedAt", "ascending": false }, "value": value });
        odd.insert(cursor(&json!({ "key": key, "id": id }).to_string()));
    }
    odd.extend([file["id"].as_str().unwrap().replace('0', "\0"), "x".repeat(10_000)]);
    for text in &odd {
        for (person, query) in [
            (&ada, "query ($t: String!) { files(first: 1, after: $t) { totalCount } }"),
            (&ada, "query ($t: String!) { files(last: 1, before: $t) { totalCount } }"),
            (&root, "query ($t: String!) { users(first: 1, after: $t) { nodes { id } } }"),
            (&root, "query ($t: String!) { users(first: 1, search: $t) { nodes { id } } }"),
            (&ada, "query ($t: String!) { files(filter: { search: $t }) { totalCount nodes { id } } }"),
            (&ada, "query ($t: String!) { files(filter: { tags: [$t] }) { totalCount nodes { id } } }"),
            (
                &ada,
                "query ($t: String!) { files(filter: { metadata: [{ key: $t, value: $t }] }) { totalCount nodes { id } } }",
            ),
            (&ada, "query ($t: String!) { files(filter: { contentType: $t }) { totalCount nodes { id } } }"),
        ] {
            assert_no_fault(query, &person.send(query, json!({ "t": text })).await);
        }
        for (person, query) in [
            (&ada, "query ($t: ID!) { node(id: $t) { id } }"),
            (&root, "query ($t: ID!) { files(filter: { ownerId: $t }) { totalCount } }"),
            (&ada, "mutation ($t: ID!) { trashFiles(input: { ids: [$t] }) { userErrors { code } } }"),
        ] {
            assert_no_fault(query, &person.send(query, json!({ "t": text })).await);
        }
        let key = json!({ "idempotencyKey": text });
        let first = ada.try_upload("k", text.clone().into_bytes(), key.clone()).await;
        let again = ada.try_upload("k", text.clone().into_bytes(), key).await;
        assert_eq!(first["file"], again["file"], "any text is a key");
    }
    server.finish().await;
}

/// JSON can spell half a character; Rust cannot hold it, and nothing may go wrong on the way.
#[tokio::test]
async fn lone_surrogates_and_deep_json_are_refused_as_bad_requests() {
    let server = TestServer::start().await;
    let client = reqwest::Client::new();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for (status, body) in [
        (400, r#"{"query":"query($t: ID!){ node(id: $t) { id } }","variables":{"t":"\ud800"}}"#.to_owned()),
        (400, r#"{"query":"query($t: ID!){ node(id: $t) { id } }","variables":{"t":"\udc00\ud800"}}"#.to_owned()),
        (400, r#"{"query":"{ limits { uploadSize } }\ud800"}"#.to_owned()),
        (413, format!(r#"{{"query":"{{ limits {{ uploadSize }} }}","variables":{deep}}}"#)),
        (413, format!(r#"{{"query":"{{ limits {{ uploadSize }} }}","extensions":{{"x":{deep}}}}}"#)),
    ] {
        let request = client.post(format!("{}/graphql", server.url)).header("content-type", "application/json");
        let response = request.body(body.clone()).send().await.unwrap();
        assert_eq!(response.status(), status, "{body:.80}");
    }
    let ada = server.person("ada").await;
    assert_no_fault("afterwards", &ada.send("{ files { totalCount } }", json!({})).await);
    server.finish().await;
}
