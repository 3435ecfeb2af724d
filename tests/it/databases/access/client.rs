//! Requests as the matrix needs them: with any credentials, and with the whole answer kept.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::support::{Heard, Socket};

/// What a request comes with.
#[derive(Clone, Debug)]
pub enum Credentials {
    None,
    Bearer(String),
    Cookie(String),
}

#[derive(Clone)]
pub struct Client {
    url: String,
    http: reqwest::Client,
    credentials: Credentials,
}

/// A whole answer, without the request's own id.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// The code of the first top-level error.
    pub fn error(&self) -> Option<&str> {
        self.body["errors"][0]["extensions"]["code"].as_str()
    }

    /// The answer with this id as a placeholder, so that answers about two ids can be compared.
    pub fn about(&self, id: &str) -> String {
        format!("{} {}", self.status, self.body).replace(id, "<id>")
    }
}

impl Client {
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), http: reqwest::Client::new(), credentials: Credentials::None }
    }

    pub fn with(&self, credentials: Credentials) -> Self {
        Self { credentials, ..self.clone() }
    }

    fn post(&self) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{}/graphql", self.url));
        match &self.credentials {
            Credentials::None => request,
            Credentials::Bearer(token) => request.bearer_auth(token),
            Credentials::Cookie(token) => request.header("cookie", format!("snaphaven_session={token}")),
        }
    }

    pub async fn query(&self, query: &str, variables: &Value) -> Answer {
        answer(self.post().json(&json!({ "query": query, "variables": variables }))).await
    }

    /// What comes first of a subscription.
    pub async fn subscribe(&self, query: &str) -> Answer {
        let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
        let (cookie, token) = match &self.credentials {
            Credentials::None => (None, Value::Null),
            Credentials::Bearer(token) => (None, json!({ "token": token })),
            Credentials::Cookie(token) => (Some(format!("snaphaven_session={token}")), Value::Null),
        };
        let headers: Vec<_> =
            [protocol].into_iter().chain(cookie.as_deref().map(|cookie| ("cookie", cookie))).collect();
        let mut socket = Socket::with(&self.url, &headers).await;
        socket.say(json!({ "type": "connection_init", "payload": token })).await;
        // Refused at the door.
        if let Heard::Closed(code, _) = socket.hear().await {
            let code = if code == 4403 { "UNAUTHENTICATED" } else { "?" };
            return Answer { status: 401, body: json!({ "errors": [{ "extensions": { "code": code } }] }) };
        }
        socket.subscribe("a", query, Value::Null).await;
        let message = socket.message().await;
        let body = match message["type"].as_str().unwrap() {
            "next" => message["payload"].clone(),
            "error" => json!({ "data": null, "errors": message["payload"] }),
            other => panic!("{other}"),
        };
        Answer { status: 200, body: without_request(body) }
    }

    /// Runs `name(input)`, as a multipart request where `bytes` are its `input.file`.
    pub async fn mutate(&self, name: &str, selection: &str, input: &Value, bytes: Option<Vec<u8>>) -> Answer {
        let query = if input.is_null() {
            format!("mutation {{ {name}{selection} }}")
        } else {
            let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
            format!("mutation ($input: {kind}!) {{ {name}(input: $input){selection} }}")
        };
        let operation = json!({ "query": query, "variables": { "input": input } });
        let Some(bytes) = bytes else { return answer(self.post().json(&operation)).await };
        let form = Form::new()
            .text("operations", operation.to_string())
            .text("map", json!({ "0": ["variables.input.file"] }).to_string())
            .part("0", Part::bytes(bytes).file_name("sent.txt"));
        answer(self.post().multipart(form)).await
    }

    /// The payload of a mutation that has to succeed.
    pub async fn done(&self, name: &str, selection: &str, input: Value, bytes: Option<Vec<u8>>) -> Value {
        let selection = format!("{{ {selection} userErrors {{ code message }} }}");
        let answer = self.mutate(name, &selection, &input, bytes).await;
        let payload = answer.body["data"][name].clone();
        assert_eq!(payload["userErrors"], json!([]), "{name}: {answer:?}");
        payload
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    Answer { status, body: without_request(response.json().await.unwrap()) }
}

/// What is the same in every answer of its kind.
fn without_request(mut body: Value) -> Value {
    for error in body.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten() {
        error["extensions"].as_object_mut().unwrap().remove("requestId").unwrap();
        error.as_object_mut().unwrap().remove("locations");
    }
    body
}
