//! The GraphQL multipart request specification, and everything that is not quite it.

use reqwest::multipart::{Form, Part};
use serde_json::json;

use super::{Server, code, json};

const OPERATIONS: &str = r#"{"query":"mutation($f: Upload!){ upload(file: $f) }","variables":{"f":null}}"#;
const MAP: &str = r#"{"0":["variables.f"]}"#;

fn file(content: &str) -> Part {
    Part::text(content.to_owned()).file_name("größe a.txt").mime_str("text/plain").unwrap()
}

async fn send(server: &Server, form: Form) -> (u16, serde_json::Value) {
    let response = reqwest::Client::new().post(server.url("/graphql")).multipart(form).send().await.unwrap();
    (response.status().as_u16(), json(response).await)
}

#[tokio::test]
async fn a_file_arrives_with_its_name_size_and_hash() {
    let server = Server::start().await;
    let form = Form::new().text("operations", OPERATIONS).text("map", MAP).part("0", file("hello"));
    let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let uploaded = json!({ "data": { "upload": ["größe a.txt", "text/plain", "5", hash, "hello"] } });
    assert_eq!(send(&server, form).await, (200, uploaded));
}

#[tokio::test]
async fn a_file_over_the_limit_reaches_the_resolver_with_its_size_and_far_beyond_is_413() {
    let server = Server::with(&[("uploads.max_size", "1 MiB"), ("graphql.max_body", "1 KiB")]).await;
    let form =
        |size: usize| Form::new().text("operations", OPERATIONS).text("map", MAP).part("0", file(&"x".repeat(size)));
    let (status, body) = send(&server, form(1 << 20)).await;
    assert_eq!((status, &body["data"]["upload"][2]), (200, &json!("1048576")));
    // The service refuses it by its size; no more than the limit was kept.
    let (status, body) = send(&server, form((1 << 20) + 1)).await;
    assert_eq!((status, &body["data"]["upload"][2]), (200, &json!("1048577")));
    // Far beyond every limit, the client still reads the answer.
    let (status, body) = send(&server, form(20 << 20)).await;
    assert_eq!((status, code(&body)), (413, "PAYLOAD_TOO_LARGE"));
}

#[tokio::test]
async fn forms_that_break_the_specification_are_refused_with_the_reason() {
    let server = Server::with(&[("graphql.max_body", "1 KiB")]).await;
    let base = || Form::new().text("operations", OPERATIONS);
    let typed = |kind: &str| Part::text(OPERATIONS).mime_str(kind).unwrap();
    let five: String = (0..5).map(|n| format!(r#""{n}":["variables.f"],"#)).collect();
    for (form, status, expected) in [
        (Form::new().text("map", MAP), 400, "in this order"),
        (base().part("0", file("x")), 400, "in this order"),
        (base().text("map", "{}").part("0", file("x")), 400, "does not name"),
        (base().text("map", MAP), 400, "missing"),
        (base().text("map", "[]").part("0", file("x")), 400, "must be JSON such as"),
        (base().text("map", r#"{"0":["variables.g"]}"#).part("0", file("x")), 400, "variables.g"),
        (base().text("map", r#"{"0":["variables.f","variables.g"]}"#).part("0", file("x")), 400, "variables.g"),
        (base().text("map", format!("{{{}}}", five.trim_end_matches(','))), 400, "4 files"),
        (Form::new().text("operations", format!("[{OPERATIONS}]")).text("map", "{}"), 400, "one operation"),
        (Form::new().text("operations", "x".repeat(2000)).text("map", "{}"), 413, "operations"),
        (Form::new().part("operations", typed("multipart/mixed")).text("map", "{}"), 415, "operations"),
        (Form::new().part("operations", typed("text/html")).text("map", "{}"), 415, "operations"),
    ] {
        let (answered, body) = send(&server, form).await;
        assert_eq!(answered, status, "{expected}: {body}");
        assert!(body["errors"][0]["message"].as_str().unwrap().contains(expected), "{body}");
    }
}

#[tokio::test]
async fn a_form_that_breaks_off_is_refused() {
    let server = Server::start().await;
    for (content_type, body) in [
        ("multipart/form-data; boundary=x", "--x\r\ncontent-disposition: form-data; name=\"operations\"\r\n\r\n{\"que"),
        ("multipart/form-data; boundary=x", "garbage"),
        ("multipart/form-data; boundary=x", ""),
        ("multipart/form-data", "--x--"),
    ] {
        let request =
            reqwest::Client::new().post(server.url("/graphql")).header("content-type", content_type).body(body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 400, "{body}");
        assert_eq!(code(&json(response).await), "BAD_REQUEST");
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused_before_the_upload_is_read() {
    let server = Server::start().await;
    let form = Form::new().text("operations", OPERATIONS).text("map", MAP).part("0", file(&"x".repeat(1 << 20)));
    let request = reqwest::Client::new().post(server.url("/graphql")).bearer_auth("bad").multipart(form);
    assert_eq!(request.send().await.unwrap().status(), 401);
}
