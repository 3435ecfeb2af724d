//! A client at one of the processes, and many of them let go at the same moment.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use reqwest::{
    multipart::{Form, Part},
    redirect::Policy,
};
use serde_json::{Value, json};
use tokio::{sync::Barrier, task::JoinSet};

use crate::common::Failure;

pub const PASSWORD: &str = "a fox jumps 7 times";

/// What a client waits for at the most; an answer that takes longer is a fault.
const PATIENCE: Duration = Duration::from_secs(40);

/// How long a connection is kept for the next request: not until the server closes it, which crosses with that.
const IDLE: Duration = Duration::from_secs(5);

const FILE: &str = "id name state revision sha256 downloadUrl { url }";

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// `ok`, the codes of `userErrors`, `error CODE` for a fault, `http 401` or `no answer`.
    pub kind: String,
    /// The mutation's payload, or the query's field.
    pub payload: Value,
    pub time: Duration,
}

impl Answer {
    pub fn is(&self, kind: &str) -> bool {
        self.kind == kind
    }

    pub fn is_ok(&self) -> bool {
        self.is("ok")
    }

    /// The text at a JSON pointer of the payload.
    pub fn text(&self, pointer: &str) -> String {
        self.payload.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    pub fn number(&self, pointer: &str) -> i64 {
        self.payload.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
    }
}

/// The way into one process.
#[derive(Clone, Debug)]
pub struct Door {
    http: reqwest::Client,
    url: String,
    /// Where this process serves downloads.
    pub edge: String,
}

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct Person {
    pub name: String,
    pub token: String,
}

impl Door {
    pub fn new(app: &str, edge: &str) -> Result<Self, Failure> {
        let http =
            reqwest::Client::builder().timeout(PATIENCE).pool_idle_timeout(IDLE).redirect(Policy::none()).build()?;
        Ok(Self { http, url: format!("{app}/graphql"), edge: edge.to_owned() })
    }

    /// Host and port.
    pub fn host(&self) -> &str {
        self.url.trim_start_matches("http://").trim_end_matches("/graphql")
    }

    pub async fn sign_up(&self, username: &str, email: &str) -> Answer {
        let input = json!({
            "username": username, "email": email, "firstName": "Race", "lastName": "", "password": PASSWORD,
        });
        self.mutate("", "SignUpInput", "signUp", "token user { id username }", input).await
    }

    /// A person of this name, who must not exist.
    pub async fn person(&self, name: &str) -> Result<Person, Failure> {
        let answer = self.sign_up(name, &format!("{name}@example.org")).await;
        let token = answer.text("/token");
        if token.is_empty() {
            Err(format!("no account for {name}: {answer:?}").into())
        } else {
            Ok(Person { name: name.to_owned(), token })
        }
    }

    pub async fn log_in(&self, login: &str, password: &str) -> Answer {
        let input = json!({ "login": login, "password": password });
        self.mutate("", "LogInInput", "logIn", "token user { id }", input).await
    }

    pub async fn viewer(&self, token: &str) -> Answer {
        self.ask(token, "{ answer: viewer { username } }", Value::Null).await
    }

    pub async fn upload(&self, token: &str, name: &str, bytes: Bytes, key: Option<&str>) -> Answer {
        let input = json!({ "file": null, "name": name, "idempotencyKey": key });
        self.send(token, "UploadFileInput", "uploadFile", input, bytes).await
    }

    pub async fn replace(&self, token: &str, id: &str, revision: i64, bytes: Bytes, key: Option<&str>) -> Answer {
        let input = json!({ "id": id, "revision": revision, "file": null, "idempotencyKey": key });
        self.send(token, "ReplaceFileContentInput", "replaceFileContent", input, bytes).await
    }

    pub async fn edit(&self, token: &str, id: &str, revision: i64, name: &str) -> Answer {
        let input = json!({ "id": id, "revision": revision, "name": name });
        self.mutate(token, "EditFileInput", "editFile", &format!("file {{ {FILE} }}"), input).await
    }

    pub async fn trash(&self, token: &str, ids: &[String]) -> Answer {
        let want = format!("files {{ {FILE} }} alert {{ id count kind }}");
        self.mutate(token, "TrashFilesInput", "trashFiles", &want, json!({ "ids": ids })).await
    }

    pub async fn restore(&self, token: &str, ids: &[String]) -> Answer {
        self.mutate(token, "RestoreFilesInput", "restoreFiles", &format!("files {{ {FILE} }}"), json!({ "ids": ids }))
            .await
    }

    pub async fn purge(&self, token: &str, ids: &[String]) -> Answer {
        let want = "purgedIds erasures { id } alert { id count kind }";
        self.mutate(token, "PurgeFilesInput", "purgeFiles", want, json!({ "ids": ids })).await
    }

    /// Orders the removal of all of a person's files.
    pub async fn remove_matching(&self, token: &str, owner: &str, expected: usize, key: Option<&str>) -> Answer {
        let matching = json!({ "filter": { "ownerId": owner }, "expectedCount": expected });
        let input = json!({ "matching": matching, "reason": "race", "idempotencyKey": key });
        self.mutate(token, "RemoveFilesInput", "removeFiles", "action { id }", input).await
    }

    /// How far such an order is.
    pub async fn action(&self, token: &str, id: &str) -> Answer {
        let query = "query($input: ID!) { answer: node(id: $input) { ... on BulkAction { state total done skipped \
             alert { count } } } }";
        self.ask(token, query, json!(id)).await
    }

    pub async fn change_password(&self, token: &str, current: &str, new: &str) -> Answer {
        let input = json!({ "currentPassword": current, "newPassword": new, "revokeApiTokens": true });
        self.mutate(token, "ChangePasswordInput", "changePassword", "revoked", input).await
    }

    pub async fn api_token(&self, token: &str) -> Answer {
        self.mutate(token, "CreateApiTokenInput", "createApiToken", "token", json!({ "name": "race" })).await
    }

    pub async fn log_out(&self, token: &str) -> Answer {
        self.ask(token, "mutation { answer: logOut { sessionId userErrors { code } } }", Value::Null).await
    }

    /// The payload is null where there is no such file.
    pub async fn file(&self, token: &str, id: &str) -> Answer {
        let query = format!("query($input: ID!) {{ answer: node(id: $input) {{ ... on File {{ {FILE} }} }} }}");
        self.ask(token, &query, json!(id)).await
    }

    pub async fn files(&self, token: &str) -> Answer {
        self.ask(token, "{ answer: files(first: 50) { nodes { id name owner { username } } } }", Value::Null).await
    }

    /// Status of a download of this signed URL at this process's edge, and how many bytes came.
    pub async fn download(&self, url: &str) -> Result<(u16, usize), Failure> {
        let path = url.splitn(4, '/').nth(3).ok_or("not a URL")?;
        let answer = self.http.get(format!("{}/{path}", self.edge)).send().await?;
        Ok((answer.status().as_u16(), answer.bytes().await?.len()))
    }

    /// A link that allows one download.
    pub async fn share(&self, token: &str, file: &str, strict: bool) -> Answer {
        let input = json!({ "fileId": file, "strict": strict, "maxDownloads": 1 });
        self.mutate(token, "CreateShareLinkInput", "createShareLink", "shareLink { id } url", input).await
    }

    /// What a share link gives at this process: `ok` with the number of bytes, none of a redirect; or its refusal. Comes
    /// again while other downloads are under way.
    pub async fn follow(&self, link: &str) -> Answer {
        loop {
            let answer = self.followed(link).await;
            if !answer.is("http 409 UNDER_WAY") {
                return answer;
            }
        }
    }

    async fn followed(&self, link: &str) -> Answer {
        let began = Instant::now();
        let path = link.splitn(4, '/').nth(3).unwrap_or_default();
        let app = self.url.trim_end_matches("graphql");
        let outcome = async {
            let answer = self.http.get(format!("{app}{path}")).send().await?;
            let status = answer.status().as_u16();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        };
        let (kind, payload) = match outcome.await {
            Err(error) => no_answer(&error),
            Ok((200 | 302, bytes)) => ("ok".to_owned(), json!(bytes.len())),
            Ok((status, bytes)) => {
                let body = serde_json::from_slice(&bytes).unwrap_or_default();
                (kind(status, &body, &Value::Null), body)
            }
        };
        Answer { kind, payload, time: began.elapsed() }
    }

    /// A direct upload of so many bytes.
    pub async fn create_upload(&self, token: &str, bytes: usize, key: Option<&str>) -> Answer {
        let input = json!({ "name": "direct", "size": bytes, "idempotencyKey": key });
        self.mutate(token, "CreateUploadInput", "createUpload", "uploadSession { id }", input).await
    }

    /// Sends the one part of a direct upload to S3.
    pub async fn send_part(&self, token: &str, upload: &str, bytes: Bytes) -> Result<(), Failure> {
        let sha256 = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes));
        let input = json!({ "id": upload, "parts": [{ "number": 1, "sha256": sha256 }] });
        let want = "parts { url headers { name value } }";
        let signed = self.mutate(token, "SignUploadPartsInput", "signUploadParts", want, input).await;
        let mut put = self.http.put(signed.text("/parts/0/url")).body(bytes);
        for header in signed.payload["parts"][0]["headers"].as_array().into_iter().flatten() {
            put = put.header(header["name"].as_str().unwrap_or_default(), header["value"].as_str().unwrap_or_default());
        }
        put.send().await?.error_for_status()?;
        Ok(())
    }

    pub async fn complete_upload(&self, token: &str, upload: &str) -> Answer {
        let want = "uploadSession { state file { id } }";
        self.mutate(token, "CompleteUploadInput", "completeUpload", want, json!({ "id": upload })).await
    }

    pub async fn abort_upload(&self, token: &str, upload: &str) -> Answer {
        let input = json!({ "id": upload });
        self.mutate(token, "AbortUploadInput", "abortUpload", "uploadSession { state }", input).await
    }

    pub async fn upload_session(&self, token: &str, upload: &str) -> Answer {
        let query = "query($input: ID!) { answer: uploadSession(id: $input) { state rejection file { id } } }";
        self.ask(token, query, json!(upload)).await
    }

    pub async fn restore_version(&self, token: &str, version: &str, revision: i64) -> Answer {
        let input = json!({ "id": version, "revision": revision });
        let want = format!("file {{ {FILE} }}");
        self.mutate(token, "RestoreFileVersionInput", "restoreFileVersion", &want, input).await
    }

    /// The versions of a file, newest first.
    pub async fn versions(&self, token: &str, file: &str) -> Answer {
        let query = "query($input: ID!) { answer: node(id: $input) { ... on File { versions { nodes { id } } } } }";
        self.ask(token, query, json!(file)).await
    }

    pub async fn usage(&self, token: &str) -> Answer {
        self.ask(token, "{ answer: usage { files bytes } }", Value::Null).await
    }

    pub async fn user_id(&self, token: &str) -> String {
        self.ask(token, "{ answer: viewer { id } }", Value::Null).await.text("/id")
    }

    pub async fn set_quota(&self, token: &str, user: &str, files: i64, bytes: usize) -> Answer {
        let input = json!({ "userId": user, "maxFiles": files, "maxBytes": bytes });
        self.mutate(token, "SetQuotaInput", "setQuota", "usage { files }", input).await
    }

    /// Does something with another person: `blockUser`, `requestFriendship` and the like.
    pub async fn to_user(&self, token: &str, name: &str, user: &str) -> Answer {
        let want = if name == "requestFriendship" { "friendship { id state }" } else { "user { id }" };
        self.mutate(token, &input_of(name), name, want, json!({ "userId": user })).await
    }

    /// Answers a request, or takes it back.
    pub async fn to_friendship(&self, token: &str, name: &str, id: &str) -> Answer {
        self.mutate(token, &input_of(name), name, "friendship { id state }", json!({ "id": id })).await
    }

    /// What somebody sees between themselves and another person.
    pub async fn between(&self, token: &str, user: &str) -> Answer {
        let query = "query($input: ID!) { answer: node(id: $input) { ... on User { friendship { id state } } } }";
        self.ask(token, query, json!(user)).await
    }

    /// Sends a picture to these people.
    pub async fn send_snap(&self, token: &str, to: &[&str], picture: Bytes, seconds: Option<u32>) -> Answer {
        let input = json!({ "file": null, "recipientIds": to, "expiresIn": seconds });
        self.attach(token, &mutation("SendSnapInput", "sendSnap", "snap { id }"), input, picture).await
    }

    /// `openSnap`, `closeSnap` and the like.
    pub async fn to_snap(&self, token: &str, name: &str, id: &str) -> Answer {
        let want = if name == "openSnap" { "view { url }" } else { "snap { id }" };
        self.mutate(token, &input_of(name), name, want, json!({ "id": id })).await
    }

    /// Any mutation, for what only one race does.
    pub async fn act(&self, token: &str, name: &str, want: &str, input: Value) -> Answer {
        self.mutate(token, &input_of(name), name, want, input).await
    }

    async fn mutate(&self, token: &str, input_type: &str, name: &str, want: &str, input: Value) -> Answer {
        let query = mutation(input_type, name, want);
        self.ask(token, &query, input).await
    }

    async fn send(&self, token: &str, input_type: &str, name: &str, input: Value, bytes: Bytes) -> Answer {
        let query = mutation(input_type, name, &format!("file {{ {FILE} }}"));
        self.attach(token, &query, input, bytes).await
    }

    async fn attach(&self, token: &str, query: &str, input: Value, bytes: Bytes) -> Answer {
        let operations = json!({ "query": query, "variables": { "input": input } }).to_string();
        let form = Form::new()
            .text("operations", operations)
            .text("map", r#"{"0":["variables.input.file"]}"#)
            .part("0", Part::stream(bytes).file_name("race.bin"));
        self.answer(token, self.http.post(&self.url).multipart(form)).await
    }

    async fn ask(&self, token: &str, query: &str, input: Value) -> Answer {
        let body = json!({ "query": query, "variables": { "input": input } });
        self.answer(token, self.http.post(&self.url).json(&body)).await
    }

    async fn answer(&self, token: &str, request: reqwest::RequestBuilder) -> Answer {
        let began = Instant::now();
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let outcome = async {
            let answer = request.send().await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        };
        let (kind, payload) = match outcome.await {
            Err(error) => no_answer(&error),
            Ok((status, bytes)) => {
                let mut body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                let payload = body["data"]["answer"].take();
                (kind(status.as_u16(), &body, &payload), payload)
            }
        };
        Answer { kind, payload, time: began.elapsed() }
    }
}

/// The kind of answer that it is, and the innermost cause.
fn no_answer(error: &reqwest::Error) -> (String, Value) {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    (format!("no answer ({})", if error.is_timeout() { "late" } else { "broken" }), json!(cause.to_string()))
}

fn input_of(name: &str) -> String {
    format!("{}{}Input", name[..1].to_uppercase(), &name[1..])
}

fn mutation(input_type: &str, name: &str, want: &str) -> String {
    format!("mutation($input: {input_type}!) {{ answer: {name}(input: $input) {{ {want} userErrors {{ code }} }} }}")
}

fn kind(status: u16, body: &Value, payload: &Value) -> String {
    let code = body["errors"][0]["extensions"]["code"].as_str();
    if status != 200 {
        return format!("http {status} {}", code.unwrap_or_default());
    }
    if let Some(code) = code {
        return format!("error {code}");
    }
    let codes = payload["userErrors"].as_array().into_iter().flatten();
    let codes: Vec<&str> = codes.filter_map(|error| error["code"].as_str()).collect();
    if codes.is_empty() { "ok".to_owned() } else { codes.join("+") }
}

/// Asks again while the server is too busy, as clients do; for what may be asked twice.
pub async fn again<F: Future<Output = Answer>>(mut ask: impl FnMut() -> F) -> Answer {
    let began = Instant::now();
    loop {
        let answer = ask().await;
        if !answer.is("error UNAVAILABLE") && !answer.is("http 503 UNAVAILABLE") || began.elapsed() > PATIENCE {
            return answer;
        }
    }
}

/// Lets all go at once; answers in the order of the requests.
pub async fn volley<F>(requests: Vec<F>) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(requests.len()));
    let mut running = JoinSet::new();
    for (number, request) in requests.into_iter().enumerate() {
        let barrier = barrier.clone();
        running.spawn(async move {
            barrier.wait().await;
            (number, request.await)
        });
    }
    let mut answers = running.join_all().await;
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
