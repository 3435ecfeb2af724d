//! A client that keeps apart what the server said and what nobody knows.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use reqwest::{
    StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

const REQUEST: Duration = Duration::from_secs(20);
/// Between two looks at an upload that is being verified.
const VERIFYING: Duration = Duration::from_millis(30);
const PASSWORD: &str = "a fox jumps 7 times";

/// Why there is no acknowledgement.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The connection broke: it may have taken place or not.
    #[error("{0}")]
    Unknown(String),
    /// The server says that it failed, which tells as little.
    #[error("a fault: {0}")]
    Fault(String),
    /// A definite refusal.
    #[error("refused: {0}")]
    Refused(String),
}

/// How one GraphQL request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Answered,
    /// A top-level error: its code, and the whole text.
    Fault(String, String),
    /// No answer at all.
    Broken(String),
}

/// One GraphQL request.
#[derive(Clone, Debug)]
pub struct Sample {
    pub began: Instant,
    pub took: Duration,
    pub end: End,
}

/// Every request of a client and its clones.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<Sample>>>);

impl Log {
    /// Takes out what was noted so far.
    pub fn take(&self) -> Vec<Sample> {
        std::mem::take(&mut *self.0.lock().expect("no holder panics"))
    }

    fn note(&self, began: Instant, end: End) {
        self.0.lock().expect("no holder panics").push(Sample { began, took: began.elapsed(), end });
    }
}

/// A file as the server shows it.
#[derive(Clone, Debug)]
pub struct Shown {
    pub id: String,
    pub name: String,
    pub state: String,
    pub sha256: String,
    pub revision: i64,
    pub url: Option<String>,
}

impl Shown {
    fn of(file: &Value) -> Option<Self> {
        let text = |name: &str| file[name].as_str().map(str::to_owned);
        Some(Self {
            id: text("id")?,
            name: text("name")?,
            state: text("state")?,
            sha256: text("sha256")?,
            revision: file["revision"].as_i64()?,
            url: file["downloadUrl"]["url"].as_str().map(str::to_owned),
        })
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// One person at one server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
    pub log: Log,
}

pub(super) type Answer<T> = Result<T, NoAnswer>;

pub(super) fn unknown(error: impl std::fmt::Display) -> NoAnswer {
    NoAnswer::Unknown(error.to_string())
}

const FILE: &str = "id name state sha256 revision downloadUrl { url }";

impl Client {
    pub async fn sign_up(url: &str, username: &str) -> Answer<Self> {
        let http = reqwest::Client::builder().timeout(REQUEST).build().map_err(unknown)?;
        let mut client = Self { http, url: url.to_owned(), token: String::new(), log: Log::default() };
        let input = json!({
            "username": username, "email": format!("{username}@example.org"), "firstName": "Trial", "lastName": "",
            "password": PASSWORD,
        });
        let query =
            "mutation($input: SignUpInput!) { answer: signUp(input: $input) { token userErrors { code message } } }";
        let answer = client.mutate(query, input).await?;
        client.token = answer["token"].as_str().ok_or_else(|| unknown("sign-up gave no token"))?.to_owned();
        Ok(client)
    }

    /// For requests by other programs.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same, noted elsewhere.
    pub fn with_log(self, log: Log) -> Self {
        Self { log, ..self }
    }

    /// The same person after a restart: new addresses, and no connection to the dead process.
    pub fn at(&self, url: &str) -> Answer<Self> {
        let http = reqwest::Client::builder().timeout(REQUEST).build().map_err(unknown)?;
        Ok(Self { http, url: url.to_owned(), token: self.token.clone(), log: self.log.clone() })
    }

    /// Where it sends its requests.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn id(&self) -> Answer<String> {
        let data = self.graphql("{ viewer { id } }", json!({})).await?;
        data["viewer"]["id"].as_str().map(str::to_owned).ok_or_else(|| unknown("nobody is logged in"))
    }

    /// Closes the account, with a receipt of one's own choice.
    pub async fn close(&self, receipt: &str) -> Answer<()> {
        let query = "mutation($input: CloseAccountInput!) { answer: closeAccount(input: $input) { receipt userErrors { code message } } }";
        let answer = self.mutate(query, json!({ "currentPassword": PASSWORD, "receipt": receipt })).await?;
        if answer["receipt"] == receipt { Ok(()) } else { Err(unknown(format!("not closed: {answer}"))) }
    }

    /// The state of the closure that has this receipt. Asked without a session, since that ended with the account.
    pub async fn closure(&self, receipt: &str) -> Answer<Option<String>> {
        let nobody = Self { token: String::new(), ..self.clone() };
        let query = "query($receipt: String!) { accountClosure(receipt: $receipt) { state } }";
        let data = nobody.graphql(query, json!({ "receipt": receipt })).await?;
        Ok(data["accountClosure"]["state"].as_str().map(str::to_owned))
    }

    /// Opens a session, which is not used any further.
    pub async fn log_in(&self, login: &str, password: &str) -> Answer<()> {
        let query =
            "mutation($input: LogInInput!) { answer: logIn(input: $input) { token userErrors { code message } } }";
        self.mutate(query, json!({ "login": login, "password": password })).await.map(drop)
    }

    pub async fn upload(&self, name: &str, bytes: &Bytes, key: &str) -> Answer<Shown> {
        let query = format!(
            "mutation($input: UploadFileInput!) {{ answer: uploadFile(input: $input) {{ file {{ {FILE} }} userErrors {{ code message }} }} }}"
        );
        self.send_file(&query, json!({ "file": null, "name": name, "idempotencyKey": key }), bytes).await
    }

    pub async fn replace(&self, id: &str, revision: i64, bytes: &Bytes, key: &str) -> Answer<Shown> {
        let query = format!(
            "mutation($input: ReplaceFileContentInput!) {{ answer: replaceFileContent(input: $input) {{ file {{ {FILE} }} userErrors {{ code message }} }} }}"
        );
        let input = json!({ "id": id, "revision": revision, "file": null, "idempotencyKey": key });
        self.send_file(&query, input, bytes).await
    }

    /// A direct upload from its beginning to the file; a repeat goes on with the upload of the same key. `None`: it was given
    /// up meanwhile.
    pub async fn send(&self, name: &str, bytes: &Bytes, key: &str) -> Answer<Option<Shown>> {
        let session = format!("uploadSession {{ id state file {{ {FILE} }} }} userErrors {{ code message }}");
        let create =
            format!("mutation($input: CreateUploadInput!) {{ answer: createUpload(input: $input) {{ {session} }} }}");
        let input = json!({ "name": name, "size": bytes.len(), "sha256": sha256(bytes), "idempotencyKey": key });
        let mut upload = self.mutate(&create, input).await?["uploadSession"].take();
        let id = upload["id"].clone();
        if upload["state"] == "OPEN" {
            self.send_part(&id, bytes).await?;
            let complete = format!(
                "mutation($input: CompleteUploadInput!) {{ answer: completeUpload(input: $input) {{ {session} }} }}"
            );
            upload = self.mutate(&complete, json!({ "id": id })).await?["uploadSession"].take();
        }
        let look = format!("query($id: ID!) {{ uploadSession(id: $id) {{ state file {{ {FILE} }} }} }}");
        while upload["state"] == "VERIFYING" {
            tokio::time::sleep(VERIFYING).await;
            upload = self.graphql(&look, json!({ "id": id })).await?["uploadSession"].take();
        }
        match upload["state"].as_str() {
            Some("ABORTED" | "EXPIRED") => Ok(None),
            Some("COMPLETED") if upload["file"].is_object() => Ok(Shown::of(&upload["file"])),
            _ => Err(NoAnswer::Refused(format!("the upload is {upload}"))),
        }
    }

    async fn send_part(&self, upload: &Value, bytes: &Bytes) -> Answer<()> {
        let sign = "mutation($input: SignUploadPartsInput!) { answer: signUploadParts(input: $input) { parts { url headers { name value } } userErrors { code message } } }";
        let part = json!({ "number": 1, "sha256": sha256(bytes) });
        let signed = self.mutate(sign, json!({ "id": upload, "parts": [part] })).await?["parts"][0].take();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut put = self.http.put(text(&signed["url"])).body(bytes.clone());
        for header in signed["headers"].as_array().into_iter().flatten() {
            put = put.header(text(&header["name"]), text(&header["value"]));
        }
        match put.send().await.map_err(unknown)?.error_for_status() {
            Ok(_) => Ok(()),
            Err(error) => Err(NoAnswer::Fault(error.to_string())),
        }
    }

    /// Gives up every upload that is open, and says how many there were.
    pub async fn abort_uploads(&self) -> Answer<usize> {
        let query = "{ uploadSessions(state: OPEN, first: 100) { nodes { id } } }";
        let open = self.graphql(query, json!({})).await?["uploadSessions"]["nodes"].take();
        let abort = "mutation($input: AbortUploadInput!) { answer: abortUpload(input: $input) { userErrors { code message } } }";
        let ids: Vec<&Value> = open.as_array().into_iter().flatten().map(|upload| &upload["id"]).collect();
        for id in &ids {
            match self.mutate(abort, json!({ "id": id })).await {
                // The server has completed it by itself.
                Err(NoAnswer::Refused(_)) | Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ids.len())
    }

    /// The versions of a file but the current one: ids and SHA-256.
    pub async fn old_versions(&self, id: &str) -> Answer<Vec<(String, String)>> {
        let query = "query($id: ID!) { node(id: $id) { ... on File { versions(first: 20) { nodes { id sha256 isCurrent } } } } }";
        let data = self.graphql(query, json!({ "id": id })).await?;
        let versions = data["node"]["versions"]["nodes"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(versions
            .filter(|version| version["isCurrent"] == json!(false))
            .filter_map(|version| Some((text(&version["id"])?, text(&version["sha256"])?)))
            .collect())
    }

    pub async fn revert(&self, version: &str, revision: i64, key: &str) -> Answer<Shown> {
        let query = format!(
            "mutation($input: RestoreFileVersionInput!) {{ answer: restoreFileVersion(input: $input) {{ file {{ {FILE} }} userErrors {{ code message }} }} }}"
        );
        let answer = self.mutate(&query, json!({ "id": version, "revision": revision, "idempotencyKey": key })).await?;
        Shown::of(&answer["file"]).ok_or_else(|| unknown(format!("no file in {answer}")))
    }

    pub async fn trash(&self, id: &str) -> Answer<Shown> {
        self.move_file("mutation($input: TrashFilesInput!) { answer: trashFiles(input: $input)", id).await
    }

    pub async fn restore(&self, id: &str) -> Answer<Shown> {
        self.move_file("mutation($input: RestoreFilesInput!) { answer: restoreFiles(input: $input)", id).await
    }

    async fn move_file(&self, mutation: &str, id: &str) -> Answer<Shown> {
        let query = format!("{mutation} {{ files {{ {FILE} }} userErrors {{ code message }} }} }}");
        let answer = self.mutate(&query, json!({ "ids": [id] })).await?;
        Shown::of(&answer["files"][0]).ok_or_else(|| unknown(format!("no file in {answer}")))
    }

    pub async fn purge(&self, id: &str) -> Answer<()> {
        let query = "mutation($input: PurgeFilesInput!) { answer: purgeFiles(input: $input) { purgedIds userErrors { code message } } }";
        let answer = self.mutate(query, json!({ "ids": [id] })).await?;
        if answer["purgedIds"] == json!([id]) { Ok(()) } else { Err(unknown(format!("not purged: {answer}"))) }
    }

    /// `None`: there is no such file.
    pub async fn file(&self, id: &str) -> Answer<Option<Shown>> {
        let query = format!("query($id: ID!) {{ node(id: $id) {{ ... on File {{ {FILE} }} }} }}");
        let data = self.graphql(&query, json!({ "id": id })).await?;
        match &data["node"] {
            Value::Null => Ok(None),
            file => Shown::of(file).map(Some).ok_or_else(|| unknown(format!("not a file: {file}"))),
        }
    }

    /// Every file of this person, in the trash or not.
    pub async fn files(&self) -> Answer<Vec<Shown>> {
        let query = format!(
            "query($state: FileState!, $after: String) {{ files(filter: {{ state: $state }}, first: 100, after: $after) {{ nodes {{ {FILE} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        let mut files = Vec::new();
        for state in ["ACTIVE", "TRASHED"] {
            let mut after = Value::Null;
            loop {
                let data = self.graphql(&query, json!({ "state": state, "after": after })).await?;
                let page = &data["files"];
                files.extend(page["nodes"].as_array().into_iter().flatten().filter_map(Shown::of));
                if page["pageInfo"]["hasNextPage"] != json!(true) {
                    break;
                }
                after = page["pageInfo"]["endCursor"].clone();
            }
        }
        Ok(files)
    }

    /// A first page, as somebody who only looks.
    pub async fn page(&self) -> Answer<usize> {
        let data = self.graphql("{ files(first: 20) { nodes { id name } } }", json!({})).await?;
        Ok(data["files"]["nodes"].as_array().map_or(0, Vec::len))
    }

    /// SHA-256 of what a signed URL gives. An answer other than 200 is a refusal, unless the server says "later".
    pub async fn download(&self, url: &str) -> Answer<String> {
        let answer = self.http.get(url).send().await.map_err(unknown)?;
        match answer.status() {
            StatusCode::OK => Ok(sha256(&answer.bytes().await.map_err(unknown)?)),
            status if status.is_server_error() => Err(NoAnswer::Fault(status.to_string())),
            status => Err(NoAnswer::Refused(status.to_string())),
        }
    }

    async fn send_file(&self, query: &str, input: Value, bytes: &Bytes) -> Answer<Shown> {
        let answer = self.attach(query, input, bytes).await?;
        Shown::of(&answer["file"]).ok_or_else(|| unknown(format!("no file in {answer}")))
    }

    /// A mutation with an attached file.
    pub(super) async fn attach(&self, query: &str, input: Value, bytes: &Bytes) -> Answer<Value> {
        let operations = json!({ "query": query, "variables": { "input": input } }).to_string();
        let form = Form::new()
            .text("operations", operations)
            .text("map", r#"{"0":["variables.input.file"]}"#)
            .part("0", Part::stream(bytes.clone()).file_name("trial.bin"));
        acknowledged(self.answer(self.http.post(&self.url).bearer_auth(&self.token).multipart(form)).await?)
    }

    pub(super) async fn mutate(&self, query: &str, input: Value) -> Answer<Value> {
        acknowledged(self.graphql(query, json!({ "input": input })).await?)
    }

    pub async fn graphql(&self, query: &str, variables: Value) -> Answer<Value> {
        let request = self.http.post(&self.url).json(&json!({ "query": query, "variables": variables }));
        self.answer(if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Answer<Value> {
        let began = Instant::now();
        let sent = async { request.send().await?.json::<Value>().await };
        let mut body = sent.await.map_err(|error| {
            self.log.note(began, End::Broken(format!("{error:?}")));
            unknown(error)
        })?;
        let Some(errors) = body.get("errors") else {
            self.log.note(began, End::Answered);
            return Ok(body["data"].take());
        };
        let code = errors[0]["extensions"]["code"].as_str().unwrap_or_default().to_owned();
        self.log.note(began, End::Fault(code, errors.to_string()));
        Err(NoAnswer::Fault(errors.to_string()))
    }
}

fn acknowledged(mut data: Value) -> Answer<Value> {
    let answer = data["answer"].take();
    match answer["userErrors"].as_array() {
        Some(errors) if errors.is_empty() => Ok(answer),
        _ => Err(NoAnswer::Refused(answer["userErrors"].to_string())),
    }
}
