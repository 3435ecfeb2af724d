//! A client of a [`super::TestServer`]: GraphQL over HTTP, with uploads by the multipart request specification.

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::Socket;

/// What most tests want to know of a file.
pub const FILE: &str = "id name description tags metadata revision state contentType size sha256 width height thumbhash \
     createdAt updatedAt trashedAt purgeAt owner { id username }";

/// Somebody with or without an account.
#[derive(Clone)]
pub struct Person {
    url: String,
    http: reqwest::Client,
    token: Option<String>,
    pub id: String,
}

impl Person {
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), http: reqwest::Client::new(), token: None, id: String::new() }
    }

    /// With the token and the id of a sign-up or log-in.
    pub fn known_as(mut self, payload: &Value) -> Self {
        self.token = Some(payload["token"].as_str().unwrap().to_owned());
        self.id = payload["user"]["id"].as_str().unwrap().to_owned();
        self
    }

    /// Of the log-in.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap()
    }

    /// A WebSocket of this person's, which has been acknowledged.
    pub async fn socket(&self) -> Socket {
        let mut socket = Socket::open(&self.url).await;
        socket.begin(json!({ "authorization": format!("Bearer {}", self.token()) })).await;
        socket
    }

    /// The same person at another process.
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// Where this person's server is.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn post(&self) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::POST, &format!("{}/graphql", self.url))
    }

    /// A GET as this person.
    pub fn get(&self, url: &str) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::GET, url)
    }

    /// Any request as this person.
    pub fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The whole answer: `{ data, errors }`.
    pub async fn send(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables });
        self.post().json(&body).send().await.unwrap().json().await.unwrap()
    }

    /// The data; panics on top-level errors.
    pub async fn query(&self, query: &str, variables: Value) -> Value {
        data(query, self.send(query, variables).await)
    }

    /// The code of the first top-level error.
    pub async fn error(&self, query: &str, variables: Value) -> String {
        code(&self.send(query, variables).await)
    }

    /// Runs `name(input)` and returns these fields of its payload, with `userErrors`.
    pub async fn mutate(&self, name: &str, fields: &str, input: Value) -> Value {
        let query = mutation(name, fields);
        self.query(&query, json!({ "input": input })).await[name].clone()
    }

    /// Like [`Person::mutate`], with `bytes` under `fileName` as `input.file`: status and whole answer.
    pub async fn send_file(&self, name: &str, fields: &str, mut input: Value, file: (&str, Vec<u8>)) -> (u16, Value) {
        input["file"] = Value::Null;
        let operations = json!({ "query": mutation(name, fields), "variables": { "input": input } });
        let part = Part::bytes(file.1).file_name(file.0.to_owned());
        let form = Form::new()
            .text("operations", operations.to_string())
            .text("map", json!({ "0": ["variables.input.file"] }).to_string())
            .part("0", part);
        let response = self.post().multipart(form).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The payload of an upload.
    pub async fn try_upload(&self, file: &str, bytes: impl Into<Vec<u8>>, input: Value) -> Value {
        let fields = format!("file {{ {FILE} }}");
        let (_, answer) = self.send_file("uploadFile", &fields, input, (file, bytes.into())).await;
        data("uploadFile", answer)["uploadFile"].clone()
    }

    /// An uploaded file, announced as of this content type.
    pub async fn upload_as(&self, file: &str, bytes: Vec<u8>, content_type: &str) -> Value {
        let query = mutation("uploadFile", &format!("file {{ {FILE} }}"));
        let operations = json!({ "query": query, "variables": { "input": { "file": null } } });
        let part = Part::bytes(bytes).file_name(file.to_owned()).mime_str(content_type).unwrap();
        let map = json!({ "0": ["variables.input.file"] });
        let form = Form::new().text("operations", operations.to_string()).text("map", map.to_string()).part("0", part);
        let answer = self.post().multipart(form).send().await.unwrap().json().await.unwrap();
        data("uploadFile", answer)["uploadFile"]["file"].clone()
    }

    /// An uploaded file.
    pub async fn upload(&self, file: &str, bytes: impl Into<Vec<u8>>) -> Value {
        let payload = self.try_upload(file, bytes, json!({})).await;
        assert_eq!(payload["userErrors"], json!([]));
        payload["file"].clone()
    }

    /// The payload of a replacement.
    pub async fn replace(&self, file: &Value, name: &str, bytes: impl Into<Vec<u8>>, input: Value) -> Value {
        let mut input = input;
        input["id"] = file["id"].clone();
        input["revision"] = file["revision"].clone();
        let fields = format!("file {{ {FILE} }}");
        let (_, answer) = self.send_file("replaceFileContent", &fields, input, (name, bytes.into())).await;
        data("replaceFileContent", answer)["replaceFileContent"].clone()
    }

    /// These fields of a file, by `node`; null where it is not there for this person.
    pub async fn file(&self, file: &Value, fields: &str) -> Value {
        let query = format!("query ($id: ID!) {{ node(id: $id) {{ ... on File {{ {fields} }} }} }}");
        self.query(&query, json!({ "id": file["id"] })).await["node"].clone()
    }

    pub async fn trash(&self, files: &[&Value]) -> Value {
        let fields = "files { id state revision trashedAt purgeAt } alert { id kind count message state }";
        self.mutate("trashFiles", fields, ids(files)).await
    }

    pub async fn restore(&self, files: &[&Value]) -> Value {
        self.mutate("restoreFiles", "files { id state revision trashedAt purgeAt }", ids(files)).await
    }

    pub async fn purge(&self, files: &[&Value]) -> Value {
        let fields =
            "purgedIds alert { id kind count message } erasures { id key kind reason requestedBy { id } erasedAt }";
        self.mutate("purgeFiles", fields, ids(files)).await
    }
}

fn ids(files: &[&Value]) -> Value {
    json!({ "ids": files.iter().map(|file| &file["id"]).collect::<Vec<_>>() })
}

fn mutation(name: &str, fields: &str) -> String {
    let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    format!("mutation ($input: {kind}!) {{ {name}(input: $input) {{ {fields} userErrors {{ code field message }} }} }}")
}

fn data(query: &str, answer: Value) -> Value {
    assert!(answer.get("errors").is_none(), "{query}: {answer}");
    answer["data"].clone()
}

/// The code of an answer's first top-level error.
pub fn code(answer: &Value) -> String {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no error: {answer}")).to_owned()
}
