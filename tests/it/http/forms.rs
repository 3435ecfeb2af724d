//! Forms byte by byte: what no client library sends.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Server, code, json};
use crate::support::process::ServerProcess;

const OPERATIONS: &str = r#"{"query":"mutation($f: Upload!){ upload(file: $f) }","variables":{"f":null}}"#;
const AT_ONCE: Duration = Duration::from_secs(2);

/// A part; `headers` come after its disposition.
fn part(disposition: &str, headers: &str, content: &str) -> String {
    format!("--x\r\ncontent-disposition: {disposition}\r\n{headers}\r\n{content}\r\n")
}

fn text(name: &str, content: &str) -> String {
    part(&format!("form-data; name=\"{name}\""), "", content)
}

fn file(name: &str, content: &str) -> String {
    part(&format!("form-data; name=\"{name}\"; filename=\"a.txt\""), "content-type: text/plain\r\n", content)
}

fn form(parts: &[String]) -> String {
    parts.concat() + "--x--\r\n"
}

async fn send(url: &str, content_type: &str, body: String) -> (u16, Value) {
    let request = reqwest::Client::new().post(url).header("content-type", content_type).body(body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), json(response).await)
}

/// The answer to a form of these operations, map and files.
async fn answer(server: &Server, operations: &str, map: &str, files: &[String]) -> (u16, Value) {
    let body = form(&[&[text("operations", operations), text("map", map)], files].concat());
    send(&server.url("/graphql"), "multipart/form-data; boundary=x", body).await
}

#[tokio::test]
async fn a_file_may_stand_for_several_variables_and_lists_hold_files() {
    let server = Server::start().await;
    let two = r#"{"query":"mutation($a: Upload!, $b: [Upload!]!){ upload(file: $a) uploadAll(files: $b) }","variables":{"a":null,"b":[null,null]}}"#;
    let map = r#"{"0":["variables.a","variables.b.1"],"1":["variables.b.0"]}"#;
    let (status, body) = answer(&server, two, map, &[file("0", "zero"), file("1", "one")]).await;
    assert_eq!(status, 200, "{body}");
    let contents = |list: &Value| list.as_array().unwrap().iter().map(|file| file[4].clone()).collect::<Vec<_>>();
    assert_eq!(body["data"]["upload"][4], "zero");
    assert_eq!(contents(&body["data"]["uploadAll"]), ["one", "zero"]);
    // Files in another order than in the map, and an operation without any.
    let (status, body) = answer(&server, two, map, &[file("1", "one"), file("0", "zero")]).await;
    assert_eq!((status, contents(&body["data"]["uploadAll"])), (200, vec![json!("one"), json!("zero")]));
    assert_eq!(
        answer(&server, r#"{"query":"{ hello }"}"#, "{}", &[]).await,
        (200, json!({ "data": { "hello": "world" } }))
    );
}

#[tokio::test]
async fn maps_that_do_not_fit_are_refused_with_the_reason() {
    let server = Server::start().await;
    let say = r#"{"query":"mutation($f: String!){ say(text: $f) }","variables":{"f":null}}"#;
    let list = r#"{"query":"mutation($f: [Upload!]!){ uploadAll(files: $f) }","variables":{"f":[null]}}"#;
    let full = r#"{"query":"mutation($f: Upload!){ upload(file: $f) }","variables":{"f":"text"}}"#;
    let (one, zero) = (r#"{"0":["variables.f"]}"#, || vec![file("0", "x")]);
    let five: String = (0..5).map(|n| format!(r#","{n}":["variables.f.{n}"]"#)).collect();
    for (operations, map, files, status, words) in [
        (OPERATIONS, r#"{"0":["variables.g"]}"#, zero(), 400, "do not have"),
        (OPERATIONS, r#"{"0":["variables.f.0"]}"#, zero(), 400, "do not have"),
        (OPERATIONS, r#"{"0":["variables"]}"#, zero(), 400, "do not have"),
        (OPERATIONS, r#"{"0":["query"]}"#, zero(), 400, "do not have"),
        (OPERATIONS, r#"{"0":["0.variables.f"]}"#, zero(), 400, "do not have"),
        (list, r#"{"0":["variables.f.1"]}"#, zero(), 400, "do not have"),
        (list, r#"{"0":["variables.f.-1"]}"#, zero(), 400, "do not have"),
        (list, r#"{"0":["variables.f.18446744073709551616"]}"#, zero(), 400, "do not have"),
        (OPERATIONS, r#"{"0":[]}"#, zero(), 400, "at least one"),
        (OPERATIONS, r#"{"0":["variables.f","variables.f"]}"#, zero(), 400, "named twice"),
        (
            OPERATIONS,
            r#"{"0":["variables.f"],"1":["variables.f"]}"#,
            vec![file("0", "x"), file("1", "y")],
            400,
            "named twice",
        ),
        (full, one, zero(), 400, "not null"),
        (OPERATIONS, r#"{"0":"variables.f"}"#, zero(), 400, "must be JSON such as"),
        (OPERATIONS, r#"{"0":[7]}"#, zero(), 400, "must be JSON such as"),
        (OPERATIONS, "", zero(), 400, "must be JSON such as"),
        (OPERATIONS, one, vec![], 400, "missing"),
        (OPERATIONS, one, vec![file("0", "x"), file("1", "unused")], 400, "does not name"),
        (OPERATIONS, one, vec![file("0", "x"), file("0", "again")], 400, "names no more"),
        (OPERATIONS, one, vec![part("form-data", "", "x")], 400, "does not name"),
        (OPERATIONS, one, vec![text("operations", OPERATIONS), file("0", "x")], 400, "does not name"),
        (list, &format!("{{{}}}", &five[1..]), vec![], 400, "4 files"),
    ] {
        let (answered, body) = answer(&server, operations, map, &files).await;
        let message = body["errors"][0]["message"].as_str().unwrap_or_default();
        assert_eq!((answered, code(&body)), (status, "BAD_REQUEST"), "{map}: {body}");
        assert!(message.contains(words), "{map}: {message}");
    }
    // A file is no text.
    let (status, body) = answer(&server, say, one, &zero()).await;
    assert_eq!((status, code(&body)), (200, "GRAPHQL_VALIDATION_FAILED"), "{body}");
}

#[tokio::test]
async fn forms_that_are_none_are_refused() {
    let server = Server::start().await;
    let url = server.url("/graphql");
    let whole = form(&[text("operations", OPERATIONS), text("map", r#"{"0":["variables.f"]}"#), file("0", "content")]);
    let typed = |kind: &str| part("form-data; name=\"operations\"", &format!("content-type: {kind}\r\n"), OPERATIONS);
    let nested =
        part("form-data; name=\"0\"", "content-type: multipart/mixed; boundary=y\r\n", "--y\r\n\r\nx\r\n--y--");
    let map = text("map", r#"{"0":["variables.f"]}"#);
    for (content_type, body, expected) in [
        ("multipart/form-data; boundary=y", whole.clone(), 400),
        ("multipart/form-data; boundary=", whole.clone(), 400),
        ("multipart/form-data", whole.clone(), 400),
        ("multipart/mixed; boundary=x", whole.clone(), 415),
        ("multipart/related; boundary=x", whole.clone(), 415),
        ("multipart/form-data; boundary=x", whole.replace("\r\n", "\n"), 400),
        ("multipart/form-data; boundary=x", whole.replace("--x--", ""), 400),
        ("multipart/form-data; boundary=x", form(&[typed("multipart/mixed; boundary=y"), map.clone()]), 415),
        ("multipart/form-data; boundary=x", form(&[map.clone(), text("operations", OPERATIONS), file("0", "x")]), 400),
        ("multipart/form-data; boundary=x", form(&[file("0", "x"), text("operations", OPERATIONS), map.clone()]), 400),
        ("multipart/form-data; boundary=x", form(&[]), 400),
        ("multipart/form-data; boundary=x", form(&[text("operations", "{"), map.clone(), file("0", "x")]), 400),
        ("multipart/form-data; boundary=x", form(&[text("operations", "[]"), map.clone(), file("0", "x")]), 400),
    ] {
        let (status, body) = send(&url, content_type, body).await;
        assert_eq!(status, expected, "{content_type}: {body}");
        assert!(matches!(code(&body), "BAD_REQUEST" | "UNSUPPORTED_MEDIA_TYPE"), "{body}");
    }
    // At every length a form that breaks off is refused, and the next one is answered.
    for end in (1..whole.len() - "--x--\r\n".len()).step_by(7) {
        let (status, body) = send(&url, "multipart/form-data; boundary=x", whole[..end].to_owned()).await;
        assert_eq!((status, code(&body)), (400, "BAD_REQUEST"), "cut at {end}");
    }
    // What is inside a file is a file.
    let body = form(&[text("operations", OPERATIONS), map, nested]);
    let (status, body) = send(&url, "multipart/form-data; boundary=x", body).await;
    assert_eq!((status, body["data"]["upload"][2].as_str()), (200, Some("15")), "{body}");
}

#[tokio::test]
async fn endless_forms_are_refused_at_once_and_in_little_memory() {
    let mut server = ServerProcess::start(&[]).await;
    let url = format!("{}/graphql", server.app);
    let operations = r#"{"query":"mutation($f: Upload!){ uploadFile(input:{file:$f}) { userErrors { code } } }","variables":{"f":null}}"#;
    let start = text("operations", operations) + &text("map", r#"{"0":["variables.f"]}"#);
    let before = server.memory("VmHWM");
    for (name, body) in [
        (
            "10,000 parts",
            start.clone() + &(0..10_000).map(|n| file(&n.to_string(), "x")).collect::<String>() + "--x--\r\n",
        ),
        ("10,000 parts of one name", start.clone() + &file("0", "x").repeat(10_000) + "--x--\r\n"),
        (
            "10,000 headers",
            start.clone() + &part("form-data; name=\"0\"", &"a: b\r\n".repeat(10_000), "x") + "--x--\r\n",
        ),
        (
            "a header of 30 MB",
            start.clone() + &part("form-data; name=\"0\"", &format!("a: {}\r\n", "b".repeat(30 << 20)), "x"),
        ),
        ("a name of 30 MB", start.clone() + &file(&"n".repeat(30 << 20), "x")),
        ("no boundary in 30 MB", "x".repeat(30 << 20)),
        ("30 MB of new lines", "\r\n".repeat(15 << 20)),
        ("operations of 30 MB", text("operations", &"x".repeat(30 << 20))),
        (
            "a map of 100,000",
            text("operations", operations)
                + &text(
                    "map",
                    &format!("{{{}\"x\":[]}}", (0..60_000).map(|n| format!("\"{n}\":[],")).collect::<String>()),
                ),
        ),
    ] {
        let started = Instant::now();
        let (status, answer) = send(&url, "multipart/form-data; boundary=x", body).await;
        assert!(matches!(status, 400 | 413), "{name}: {answer}");
        assert!(matches!(code(&answer), "BAD_REQUEST" | "PAYLOAD_TOO_LARGE"), "{name}: {answer}");
        assert!(started.elapsed() < AT_ONCE, "{name}: {:?}", started.elapsed());
    }
    let grown = server.memory("VmHWM") - before;
    assert!(grown < 64 << 20, "{} MiB more", grown >> 20);
    assert!(!server.log().contains("panicked"), "{}", server.log());
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
}
