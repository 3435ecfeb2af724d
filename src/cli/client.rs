//! A small GraphQL client, for the commands that drive a running server from outside.

use std::{fmt, time::Duration};

use bytes::Bytes;
use reqwest::{
    StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap},
    multipart::{Form, Part},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::subscription::{self, Subscription};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The whole of one request: 10 MiB over a slow line included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// As much of an answer that is no GraphQL as an error quotes.
const QUOTED: usize = 200;

/// Talks to one server, in the name of one account or of nobody.
pub struct Client {
    http: reqwest::Client,
    endpoint: Url,
    token: Option<SecretString>,
}

/// A file on its way up.
#[derive(Clone, Debug)]
pub struct Attachment {
    pub name: String,
    pub bytes: Bytes,
}

/// What a GET brought, whatever its status.
#[derive(Clone, Debug)]
pub struct Download {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Download {
    /// Empty where the server named none.
    #[must_use]
    pub fn content_type(&self) -> &str {
        self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// One entry of a payload's `userErrors`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UserError {
    pub code: String,
    pub message: String,
}

/// Why an answer is not what was asked for; the text is one line for people.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{url:?} is not an http:// or https:// address")]
    BadUrl { url: String },
    #[error("{url} cannot be reached: {cause}")]
    Unreachable { url: String, cause: String },
    #[error("{url} is not a GraphQL endpoint: it answered {status}{}", quoted(.body))]
    NotGraphQl { url: String, status: StatusCode, body: String },
    /// Top-level errors: not logged in, a malformed request, or the server's fault.
    #[error("the server answered: {message}")]
    Failed { code: String, message: String },
    /// The payload's `userErrors`, at least one.
    #[error("the server refused: {}", joined(.0))]
    Refused(Vec<UserError>),
    #[error("the server's answer has another shape than its schema promises: {0}")]
    Shape(#[from] serde_json::Error),
}

impl ClientError {
    /// The code of the first error, where the server gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Failed { code, .. } => Some(code),
            Self::Refused(errors) => errors.first().map(|error| error.code.as_str()),
            _ => None,
        }
    }
}

fn joined(errors: &[UserError]) -> String {
    let texts: Vec<_> = errors.iter().map(|error| format!("{} ({})", error.message, error.code)).collect();
    texts.join("; ")
}

fn quoted(body: &str) -> String {
    match body.split_whitespace().collect::<Vec<_>>().join(" ") {
        text if text.is_empty() => String::new(),
        text => format!(", {:?}", text.chars().take(QUOTED).collect::<String>()),
    }
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<TopError>,
}

#[derive(Deserialize)]
struct TopError {
    message: String,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Default, Deserialize)]
struct Extensions {
    #[serde(default)]
    code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusals {
    #[serde(default)]
    user_errors: Vec<UserError>,
}

impl Client {
    /// A client of the server at this address, such as `https://files.example.org`; nothing is sent yet.
    ///
    /// # Errors
    /// `BadUrl` where it is no web address.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        let bad = || ClientError::BadUrl { url: url.to_owned() };
        let endpoint = Url::parse(&format!("{}/graphql", url.trim_end_matches('/'))).map_err(|_| bad())?;
        if !matches!(endpoint.scheme(), "http" | "https") {
            return Err(bad());
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .user_agent(concat!("snaphaven/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| unreachable(&endpoint, error))?;
        Ok(Self { http, endpoint, token: None })
    }

    /// From here on in the name of the account that this session or API token belongs to.
    pub fn set_token(&mut self, token: SecretString) {
        self.token = Some(token);
    }

    /// Runs a query; `T` is the shape of `data`.
    ///
    /// # Errors
    /// All but `Refused`.
    pub async fn query<T: DeserializeOwned>(&self, document: &str, variables: Value) -> Result<T, ClientError> {
        let body = json!({ "query": document, "variables": variables });
        let data = self.send(self.http.post(self.endpoint.clone()).json(&body)).await?;
        Ok(serde_json::from_value(data)?)
    }

    /// Runs a document of one mutation that takes `$input`; `T` is the shape of its payload, which must ask for
    /// `userErrors { code message }`.
    ///
    /// # Errors
    /// `Refused` where the payload has user errors, and all the others.
    pub async fn mutate<T: DeserializeOwned>(&self, document: &str, input: Value) -> Result<T, ClientError> {
        let body = json!({ "query": document, "variables": { "input": input } });
        payload(self.send(self.http.post(self.endpoint.clone()).json(&body)).await?)
    }

    /// The same with a file as the input's `file`, sent as the GraphQL multipart request specification says.
    ///
    /// # Errors
    /// As [`Self::mutate`].
    pub async fn upload<T: DeserializeOwned>(
        &self,
        document: &str,
        mut input: Value,
        file: Attachment,
    ) -> Result<T, ClientError> {
        input["file"] = Value::Null;
        let operations = json!({ "query": document, "variables": { "input": input } });
        let length = file.bytes.len() as u64;
        let form = Form::new()
            .text("operations", operations.to_string())
            .text("map", json!({ "0": ["variables.input.file"] }).to_string())
            .part("0", Part::stream_with_length(file.bytes, length).file_name(file.name));
        payload(self.send(self.http.post(self.endpoint.clone()).multipart(form)).await?)
    }

    /// Gets a signed URL. The token stays here: downloads have an origin of their own.
    ///
    /// # Errors
    /// `BadUrl` and `Unreachable`; any status is an answer.
    pub async fn download(&self, url: &str) -> Result<Download, ClientError> {
        let url = Url::parse(url).map_err(|_| ClientError::BadUrl { url: url.to_owned() })?;
        fetched(self.http.get(url.clone()).send()).await.map_err(|error| unreachable(&url, error))
    }

    /// Gets a URL of the app itself, in the name of the account.
    ///
    /// # Errors
    /// As [`Self::download`].
    pub async fn fetch(&self, url: &str) -> Result<Download, ClientError> {
        let url = Url::parse(url).map_err(|_| ClientError::BadUrl { url: url.to_owned() })?;
        let request = self.signed(self.http.get(url.clone()));
        fetched(request.send()).await.map_err(|error| unreachable(&url, error))
    }

    /// Runs a subscription. It may begin a little later than this returns: what must not be missed has its place in
    /// `variables`.
    ///
    /// # Errors
    /// `Unreachable`, and `Failed` where the server takes no WebSocket or not this subscription.
    pub async fn subscribe(&self, document: &str, variables: Value) -> Result<Subscription, ClientError> {
        let request = self.http.get(self.endpoint.clone()).header("sec-websocket-key", subscription::key());
        let request =
            subscription::HANDSHAKE.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.map_err(|error| unreachable(&self.endpoint, error))?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(subscription::refused(answer.status()));
        }
        let upgraded = answer.upgrade().await.map_err(|error| unreachable(&self.endpoint, error))?;
        Subscription::begin(upgraded, self.token.as_ref().map(ExposeSecret::expose_secret), document, variables).await
    }

    fn signed(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, ClientError> {
        let request = self.signed(request);
        let read = async {
            let answer = request.header("accept", "application/graphql-response+json").send().await?;
            Ok((answer.status(), answer.bytes().await?))
        };
        let (status, body) = read.await.map_err(|error| unreachable(&self.endpoint, error))?;
        let Ok(answer) = serde_json::from_slice::<Answer>(&body) else {
            let body = String::from_utf8_lossy(&body).into_owned();
            return Err(ClientError::NotGraphQl { url: self.endpoint.to_string(), status, body });
        };
        if let Some(error) = answer.errors.into_iter().next() {
            return Err(ClientError::Failed { code: error.extensions.code, message: error.message });
        }
        answer.data.ok_or_else(|| ClientError::NotGraphQl {
            url: self.endpoint.to_string(),
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

async fn fetched(
    sent: impl Future<Output = Result<reqwest::Response, reqwest::Error>>,
) -> Result<Download, reqwest::Error> {
    let answer = sent.await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    Ok(Download { status, headers, body: answer.bytes().await? })
}

/// The payload of a document's only mutation.
fn payload<T: DeserializeOwned>(data: Value) -> Result<T, ClientError> {
    let payload = match data {
        Value::Object(fields) => fields.into_iter().next().map(|(_, payload)| payload).unwrap_or_default(),
        _ => Value::Null,
    };
    let refusals = Refusals::deserialize(&payload)?.user_errors;
    if refusals.is_empty() { Ok(serde_json::from_value(payload)?) } else { Err(ClientError::Refused(refusals)) }
}

/// Says the innermost cause, which names what the network did. The query of a signed URL is a secret.
fn unreachable(url: &Url, error: reqwest::Error) -> ClientError {
    let mut shown = url.clone();
    shown.set_query(None);
    let cause = if error.is_timeout() {
        "no answer in time".to_owned()
    } else {
        let error = error.without_url();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        cause.to_string()
    };
    ClientError::Unreachable { url: shown.to_string(), cause }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.endpoint.as_str()).finish_non_exhaustive()
    }
}
