//! What a stranger learns from failures: a stable code and a plain sentence, and nothing of what is behind the door.

use serde_json::{Value, json};

use crate::support::{Person, TestServer};

/// What no answer may hold: SQL, paths, types and sources of Rust, parts of the stores, secrets.
const SECRETS: [&str; 30] = [
    "select ",
    "insert ",
    "update ",
    "delete ",
    "where ",
    "sqlite",
    "sqlx",
    "sea_orm",
    "sea-orm",
    "constraint",
    "/tmp",
    "/home",
    "/root",
    "/usr",
    "src/",
    ".rs:",
    "::",
    "panicked",
    "unwrap",
    "rustc",
    "option<",
    "result<",
    "dberr",
    "original/",
    "rendition/",
    "argon2",
    "$argon",
    "snaphaven_session",
    "backtrace",
    "127.0.0.1",
];

fn assert_plain(answer: &Value, context: &str) {
    let errors = answer["errors"].to_string().to_lowercase();
    let user_errors: Vec<_> = answer["data"]
        .as_object()
        .into_iter()
        .flat_map(|data| data.values())
        .map(|payload| payload["userErrors"].to_string().to_lowercase())
        .collect();
    for secret in SECRETS {
        assert!(
            !errors.contains(secret) && !user_errors.iter().any(|text| text.contains(secret)),
            "{secret:?} in {answer} of {context}"
        );
    }
}

async fn code_of(person: &Person, query: &str, variables: Value) -> String {
    let answer = person.send(query, variables).await;
    assert_plain(&answer, query);
    let top = answer["errors"][0]["extensions"]["code"].as_str();
    let of_user = || answer["data"].as_object()?.values().find_map(|payload| payload["userErrors"][0]["code"].as_str());
    if top.is_some() {
        assert!(answer["errors"][0]["extensions"]["requestId"].is_string(), "{answer}");
    }
    top.or_else(of_user).unwrap_or("none").to_owned()
}

#[tokio::test]
async fn provoked_failures_say_a_code_and_nothing_else() {
    let server = TestServer::start().await;
    let (stranger, ada, eve) = (server.stranger(), server.person("ada").await, server.person("eve").await);
    let file = ada.upload("private.txt", "secret").await;
    let nobody = "file_00000000000000000000000000000000";
    let log_in = "mutation($i: LogInInput!) { logIn(input: $i) { token userErrors { code message } } }";
    let sign_up = "mutation($i: SignUpInput!) { signUp(input: $i) { token userErrors { code field message } } }";
    let edit = "mutation($i: EditFileInput!) { editFile(input: $i) { userErrors { code field message } } }";
    let trash = "mutation($i: TrashFilesInput!) { trashFiles(input: $i) { userErrors { code field message } } }";
    let user = |username: &str, email: &str| json!({ "i": { "username": username, "email": email, "firstName": "A", "lastName": "", "password": "long enough to pass" } });
    let credentials = |login: &str| json!({ "i": { "login": login, "password": "wrong password" } });
    let files = "query($a: String) { files(first: 1, after: $a) { nodes { id } } }";
    let cases = [
        // Who asks.
        (&stranger, files, json!({}), "UNAUTHENTICATED"),
        (&stranger, "{ alerts { nodes { id } } }", json!({}), "UNAUTHENTICATED"),
        (&ada, "{ alerts { nodes { id } } }", json!({}), "FORBIDDEN"),
        (&ada, "{ files(filter: { everyone: true }) { nodes { id } } }", json!({}), "FORBIDDEN"),
        (&stranger, log_in, credentials("ada"), "BAD_CREDENTIALS"),
        (&stranger, log_in, credentials("nobody"), "BAD_CREDENTIALS"),
        (&stranger, log_in, credentials("' OR 1=1 --"), "BAD_CREDENTIALS"),
        (&stranger, log_in, credentials("a\u{0}b"), "BAD_CREDENTIALS"),
        // What is taken or unfit.
        (&stranger, sign_up, user("ADA", "other@example.org"), "NAME_TAKEN"),
        (&stranger, sign_up, user("other", "ADA@example.org"), "EMAIL_TAKEN"),
        (&stranger, sign_up, user("a\u{0}b", "nul@example.org"), "INVALID_USERNAME"),
        (&stranger, sign_up, user("'; DROP TABLE user; --", "drop@example.org"), "INVALID_USERNAME"),
        (&stranger, sign_up, user("fine", "no address"), "INVALID_EMAIL"),
        // Another person's file answers as a missing one.
        (&eve, edit, json!({ "i": { "id": file["id"], "revision": 1, "name": "x" } }), "NOT_FOUND"),
        (&eve, edit, json!({ "i": { "id": nobody, "revision": 1, "name": "x" } }), "NOT_FOUND"),
        (&eve, edit, json!({ "i": { "id": "garbage", "revision": 1, "name": "x" } }), "NOT_FOUND"),
        (&eve, trash, json!({ "i": { "ids": [file["id"]] } }), "NOT_FOUND"),
        (&ada, edit, json!({ "i": { "id": file["id"], "revision": 7, "name": "x" } }), "STALE_REVISION"),
        (&ada, edit, json!({ "i": { "id": file["id"], "revision": 1, "name": "" } }), "INVALID_NAME"),
        (&ada, edit, json!({ "i": { "id": file["id"], "revision": 1, "metadata": [] } }), "INVALID_METADATA"),
        (&ada, trash, json!({ "i": { "ids": [] } }), "INVALID_COUNT"),
        // Arguments.
        (&ada, files, json!({ "a": "garbage" }), "BAD_USER_INPUT"),
        (&ada, files, json!({ "a": "e30" }), "BAD_USER_INPUT"),
        (&ada, "{ files(first: -1) { nodes { id } } }", json!({}), "BAD_USER_INPUT"),
        (&ada, "{ files(first: 101) { nodes { id } } }", json!({}), "BAD_USER_INPUT"),
        (&ada, "{ files(first: 1, last: 1) { nodes { id } } }", json!({}), "BAD_USER_INPUT"),
        (&ada, "{ files(filter: { ownerId: \"x\" }) { nodes { id } } }", json!({}), "BAD_USER_INPUT"),
        // Documents.
        (&stranger, "{ nothing }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        (&stranger, "{", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        (
            &stranger,
            "mutation { uploadFile(input: { file: 7 }) { userErrors { code } } }",
            json!({}),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            &stranger,
            "query($n: Int) { files(first: $n) { nodes { id } } }",
            json!({ "n": "x" }),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (&stranger, "subscription { files }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        (&stranger, "{ node(id: \"garbage\") { id } }", json!({}), "none"),
    ];
    for (person, query, variables, expected) in cases {
        assert_eq!(code_of(person, query, variables.clone()).await, expected, "{query} {variables}");
    }
    server.finish().await;
}

/// The stores and the database fail behind the door.
#[tokio::test]
async fn faults_behind_the_door_stay_there() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let connection = server.app.db.read();
    sea_orm::ConnectionTrait::execute_unprepared(connection, "ALTER TABLE file RENAME TO elsewhere").await.unwrap();
    assert_eq!(code_of(&ada, "{ files { nodes { id } } }", json!({})).await, "INTERNAL");
    let (status, answer) = ada.send_file("uploadFile", "file { id }", json!({}), ("a.txt", b"x".to_vec())).await;
    assert_plain(&answer, "uploadFile");
    assert_eq!((status, answer["errors"][0]["extensions"]["code"].as_str()), (200, Some("INTERNAL")), "{answer}");
    sea_orm::ConnectionTrait::execute_unprepared(connection, "ALTER TABLE elsewhere RENAME TO file").await.unwrap();
    assert_eq!(code_of(&ada, "{ files { nodes { id } } }", json!({})).await, "none");
    server.finish().await;
}

/// Failures of HTTP itself, in the same shape.
#[tokio::test]
async fn http_failures_are_plain_too() {
    let server = TestServer::start().await;
    let http = reqwest::Client::new();
    let graphql = || http.post(format!("{}/graphql", server.url));
    let get = |path: &str| http.get(format!("{}{path}", server.url));
    for (request, status, code) in [
        (get("/nothing"), 404, "NOT_FOUND"),
        (get("/../../etc/passwd"), 404, "NOT_FOUND"),
        (get("/graphiql/assets/..%2f..%2fCargo.toml"), 404, ""),
        (get("/graphql"), 400, "BAD_REQUEST"),
        (get("/graphql?query=mutation%7BlogOut%7BsessionId%7D%7D"), 405, "METHOD_NOT_ALLOWED"),
        (http.delete(format!("{}/graphql", server.url)), 405, "METHOD_NOT_ALLOWED"),
        (graphql().body("{}"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (graphql().header("content-type", "application/json").body("{"), 400, "BAD_REQUEST"),
        (graphql().header("content-type", "application/json").body("x".repeat(2 << 20)), 413, "PAYLOAD_TOO_LARGE"),
        (graphql().header("accept", "text/html").body("{}"), 406, "NOT_ACCEPTABLE"),
        (graphql().header("origin", "https://evil.example").body("{}"), 403, "CROSS_ORIGIN"),
        (graphql().bearer_auth("wrong").body("{}"), 401, "UNAUTHENTICATED"),
    ] {
        let response = request.send().await.unwrap();
        let (answered, url) = (response.status().as_u16(), response.url().clone());
        let text = response.text().await.unwrap();
        assert_eq!(answered, status, "{url}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default(), code, "{url}: {text}");
        assert_plain(&answer, url.as_str());
    }
    server.finish().await;
}
