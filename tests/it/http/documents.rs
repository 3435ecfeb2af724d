//! Documents that are too large, too deep or no text at all, against the real binary: refused at once, without a fault,
//! without a crash, and within little memory.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::process::ServerProcess;

/// The longest that any refusal may take.
const AT_ONCE: Duration = Duration::from_secs(2);
/// MiB over the idle server's.
const LITTLE_MEMORY: u64 = 150 << 20;

fn document(query: impl Into<String>) -> Vec<u8> {
    json!({ "query": query.into() }).to_string().into_bytes()
}

fn variables(query: &str, json: &str) -> Vec<u8> {
    format!(r#"{{"query":{},"variables":{{"a":{json}}}}}"#, json!(query)).into_bytes()
}

fn fragments(count: usize, each: impl Fn(usize) -> String) -> String {
    let all: String = (0..count).map(|n| format!(" fragment f{n} on Query {{ {} }}", each(n))).collect();
    format!("{{ ...f0 }}{all} fragment f{count} on Query {{ __typename }}")
}

fn listed(count: usize, each: impl Fn(usize) -> String) -> String {
    (0..count).map(each).collect::<Vec<_>>().join(" ")
}

async fn post(server: &ServerProcess, body: Vec<u8>) -> (u16, Value, Duration) {
    let started = Instant::now();
    let request = reqwest::Client::new().post(format!("{}/graphql", server.app)).body(body);
    let request =
        request.header("content-type", "application/json").header("accept", "application/graphql-response+json");
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body, started.elapsed())
}

/// Sends each body; each must be answered with its status, a message that contains these words, and at once.
async fn refused(cases: Vec<(&str, Vec<u8>, u16, &str)>) {
    let mut server = ServerProcess::start(&[]).await;
    assert_eq!(post(&server, document("{ __typename }")).await.0, 200);
    let before = server.memory("VmHWM");
    for (name, body, status, words) in cases {
        let (answered, body, time) = post(&server, body).await;
        let message = body["errors"][0]["message"].as_str().unwrap_or("none").to_owned();
        assert_eq!(answered, status, "{name}: {message}");
        assert!(message.contains(words), "{name}: {message}");
        assert!(time < AT_ONCE, "{name}: {time:?}");
        assert!(body.to_string().len() < 20_000, "{name}: the answer is long");
        assert!(body["errors"][0]["extensions"]["requestId"].is_string(), "{name}: {body}");
        assert_eq!(post(&server, document("{ __typename }")).await.0, 200, "after {name}");
    }
    let grown = server.memory("VmHWM") - before;
    assert!(grown < LITTLE_MEMORY, "{} MiB more", grown >> 20);
    assert!(!server.log().contains("panicked"), "{}", server.log());
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
}

#[tokio::test]
async fn endless_fragments_aliases_and_directives() {
    let most = "The document has more than";
    refused(vec![
        ("20,000 fragments", document(fragments(20_000, |n| format!("...f{}", n + 1))), 400, "256.0 KiB"),
        ("1,500 fragments", document(fragments(1_500, |n| format!("...f{}", n + 1))), 400, "32 selection sets"),
        // 2^28 fields once spread.
        ("a bomb", document(fragments(28, |n| format!("...f{0} ...f{0}", n + 1))), 400, "5000 fields"),
        ("a circle", document("{ ...a } fragment a on Query { ...b ...b } fragment b on Query { ...a ...a }"), 400, "contains itself"),
        ("an unused circle", document("{ viewer { id } } fragment a on Query { ...a ...a }"), 400, "contains itself"),
        ("20,000 aliases", document(format!("{{{}}}", listed(20_000, |n| format!("a{n}:__typename")))), 400, most),
        ("100 aliases", document(format!("{{{}}}", listed(100, |n| format!("a{n}:__typename")))), 400, "50 aliases"),
        ("aliases in a fragment", document(format!("{{{}}} fragment f on Query {{{}}}", "...f ".repeat(26), "a:viewer{id} b:viewer{id}")), 400, "50 aliases"),
        ("20,000 directives", document(format!("{{__typename {}}}", "@a ".repeat(20_000))), 400, most),
        ("2,000 directives", document(format!("{{__typename {}}}", "@a ".repeat(2_000))), 400, "50 directives"),
        ("of an operation", document(format!("query {}{{__typename}}", "@a ".repeat(100))), 400, "50 directives"),
        ("of fields each", document(format!("{{{}}}", "__typename @skip(if:false) ".repeat(51))), 400, "50 directives"),
        ("1,000 log-ins", document(format!("mutation{{{}}}", listed(1_000, |n| format!("a{n}:logIn(input:{{login:\"a\",password:\"b\"}}){{token}}")))), 400, most),
        ("100 log-ins", document(format!("mutation{{{}}}", listed(100, |n| format!("a{n}:logIn(input:{{login:\"a\",password:\"b\"}}){{token}}")))), 400, "50 aliases"),
        ("20,000 operations", document(listed(20_000, |n| format!("query q{n}{{__typename}}"))), 400, most),
        ("two of one name", document("query a { __typename } query a { __typename }"), 400, "defined twice"),
        ("unknown fields", document(format!("{{{}}}", listed(4_900, |n| format!("file{n}")))), 400, "Unknown field"),
        ("arguments", document(format!("{{ {0} {0} }}", format!("users({}){{nodes{{id}}}}", listed(2_400, |n| format!("a{n}:1"))))), 400, "Unknown argument"),
        ("variables", document(format!("query({}){{__typename}}", listed(3_500, |n| format!("$a{n}:Int")))), 400, "not used"),
        ("introspection", document("{__schema{types{fields{type{fields{type{fields{type{fields{type{fields{type{fields{type{fields{type{name}}}}}}}}}}}}}}}}}"), 400, "too deep"),
    ])
    .await;
}

#[tokio::test]
async fn bottomless_lists_and_objects() {
    let mut cases = Vec::new();
    for depth in [65, 5_000, 100_000] {
        let (list, object) = ("[".repeat(depth) + &"]".repeat(depth), "{a:".repeat(depth) + "1" + &"}".repeat(depth));
        let words = if depth > 50_000 { "The document has more than" } else { "64 brackets" };
        cases.push(("a list", document(format!("{{users(search:{list}){{nodes{{id}}}}}}")), 400, words));
        cases.push(("an object", document(format!("{{users(search:{object}){{nodes{{id}}}}}}")), 400, words));
        cases.push(("a type", document(format!("query($a:{list}){{__typename}}")), 400, words));
        cases.push(("fields", document("{viewer".repeat(depth) + &"}".repeat(depth)), 400, words));
        cases.push((
            "inline fragments",
            document("{...".repeat(depth) + "{__typename}" + &"}".repeat(depth)),
            400,
            words,
        ));
    }
    let query = "query($a: JSON) { __typename }";
    for depth in [200, 100_000] {
        cases.push((
            "a list",
            variables(query, &("[".repeat(depth) + &"]".repeat(depth))),
            if depth > 15_000 { 413 } else { 400 },
            "",
        ));
        let object = r#"{"a":"#.repeat(depth) + "1" + &"}".repeat(depth);
        cases.push(("an object", variables(query, &object), if depth > 15_000 { 413 } else { 400 }, ""));
    }
    refused(cases).await;
}

#[tokio::test]
async fn huge_lists_strings_and_names() {
    let trash = "mutation($a: TrashFilesInput!) { trashFiles(input: $a) { userErrors { code } } }";
    let user = "query($a: String!) { user(username: $a) { id } }";
    let long = "x".repeat(1_000_000);
    refused(vec![
        (
            "a literal list",
            document(format!("mutation{{trashFiles(input:{{ids:[{}]}}){{userErrors{{code}}}}}}", "1,".repeat(100_000))),
            400,
            "15000 tokens",
        ),
        ("1,000,000 items", variables(trash, &format!(r#"{{"ids":[{}1]}}"#, "1,".repeat(1_000_000))), 413, "1.0 MiB"),
        (
            "500,000 items",
            variables(trash, &format!(r#"{{"ids":[{}1]}}"#, "1,".repeat(500_000))),
            413,
            "15000 names and values",
        ),
        ("10,000 items", variables(trash, &format!(r#"{{"ids":[{}1]}}"#, "1,".repeat(10_000))), 400, "too complex"),
        (
            "80,000 members",
            format!(
                r#"{{"query":"{{__typename}}"{}}}"#,
                (0..80_000).map(|n| format!(r#","k{n}":1"#)).collect::<String>()
            )
            .into_bytes(),
            413,
            "15000 names and values",
        ),
        ("a literal string", document(format!("{{user(username:\"{long}\"){{id}}}}")), 400, "256.0 KiB"),
        ("a string", variables(user, &format!("\"{long}\"")), 200, "Log in first."),
        ("a name", document(format!("{{{}}}", "x".repeat(200_000))), 400, "200 characters"),
        ("a type", document(format!("query($a:{}){{__typename}}", "x".repeat(200_000))), 400, "200 characters"),
        (
            "an operation",
            json!({ "query": "{__typename}", "operationName": long }).to_string().into_bytes(),
            400,
            "200 characters",
        ),
        ("a comment", document(format!("{{__typename}}#{long}")), 400, "256.0 KiB"),
        (
            "a literal number",
            document(format!("{{users(first:{}){{nodes{{id}}}}}}", "9".repeat(10_000))),
            400,
            "200 characters",
        ),
        (
            "a number",
            variables("query($a: Int) { users(first: $a) { nodes { id } } }", &"9".repeat(100_000)),
            400,
            "not JSON",
        ),
        ("an echo", variables("query($a: Int) { users(first: $a) { nodes { id } } }", &format!("\"{long}\"")), 400, ""),
    ])
    .await;
}

#[tokio::test]
async fn what_is_no_text() {
    let user = |escape: &str| document(format!("{{user(username:\"{escape}\"){{id}}}}"));
    let with = |bytes: &[u8]| [br#"{"query":"{__typename "#, bytes, br#"}"}"#].concat();
    refused(vec![
        ("invalid UTF-8", with(b"\xff\xfe"), 400, "not JSON"),
        ("an overlong sequence", with(b"\xc0\xaf"), 400, "not JSON"),
        ("NUL", with(b"\0"), 400, "not JSON"),
        ("an escaped NUL", with(br"\u0000"), 400, "expected"),
        ("half a surrogate pair in JSON", with(br"\ud800"), 400, "not JSON"),
        // The parser would panic at each of the next three.
        ("half a pair", user(r"\uD800"), 400, "half a character"),
        ("the other half", user(r"\uDC00x"), 400, "half a character"),
        ("two first halves", user(r"\uD800\uD800"), 400, "half a character"),
        ("a pair", user(r"\uD83D\uDE00"), 200, "Log in first."),
        ("half an escape", user(r"\u12"), 400, "expected"),
        ("an unfinished escape", document("{user(username:\"\\"), 400, "expected"),
        ("an unfinished string", document("{user(username:\"abc"), 400, "expected"),
        ("an unfinished block string", document("{user(username:\"\"\"abc"), 400, "expected"),
        ("NUL in a value", user(r"a\u0000b"), 200, "Log in first."),
        ("infinity", document("{users(first:1e400){nodes{id}}}"), 400, ""),
    ])
    .await;
}

/// The library marks files by a text, and panics at one that it did not write itself.
#[tokio::test]
async fn files_that_were_not_sent() {
    let upload = |file: &str| {
        document(format!("mutation {{ uploadFile(input: {{ file: {file} }}) {{ userErrors {{ code }} }} }}"))
    };
    let mark = "mutation($a: Upload!) { uploadFile(input: { file: $a }) { userErrors { code } } }";
    let words = "expected type \"Upload";
    refused(vec![
        ("a mark", upload(r##""#__graphql_file__:0""##), 400, words),
        ("an escaped mark", upload(r##""#\u005f_graphql_file__:0""##), 400, words),
        ("a wholly escaped mark", upload(r#""\u0023\u005f\u005fgraphql_file__:99""#), 400, words),
        ("a mark without a number", upload(r##""#__graphql_file__:x""##), 400, words),
        ("a block string", upload(r##""""#__graphql_file__:0""""##), 400, words),
        ("a number", upload("0"), 400, words),
        ("null", upload("null"), 400, ""),
        ("a list", upload("[0]"), 400, words),
        ("a variable", variables(mark, r##""#__graphql_file__:0""##), 400, words),
        ("a variable of bytes", variables(mark, "[0,0,0,0,0,0,0,0]"), 400, words),
    ])
    .await;
}
