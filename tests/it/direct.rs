//! Direct uploads over the real S3 protocol: a client that only knows HTTP, and one that tries what it was not given.

use aws_lc_rs::digest::{SHA256, digest};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use snaphaven::adapters::objects::{self, Body, Condition, ObjectStore as _, PutObject, s3::S3Store};

use crate::{
    common::process::ObjectServer,
    proxy::{HttpFault, HttpProxy, Op},
    support::{PASSWORD, PATIENCE, Person, process::ServerProcess, until},
};

pub const PART: usize = 16 << 20;

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

pub struct Sender {
    pub server: ServerProcess,
    pub ada: Person,
    http: reqwest::Client,
}

/// A part as it was signed.
pub struct Signed {
    url: String,
    headers: Vec<(String, String)>,
}

impl Sender {
    async fn start() -> Self {
        Self::with(&[]).await
    }

    /// At a server with these further arguments.
    pub async fn with(args: &[&str]) -> Self {
        let server = ServerProcess::start(&[&["--set", "accounts.hash_memory=8 MiB"], args].concat()).await;
        let input = json!({
            "username": "ada", "email": "ada@example.org", "firstName": "Ada", "lastName": "L", "password": PASSWORD,
        });
        let nobody = Person::new(&server.app);
        let ada = nobody.clone().known_as(&nobody.mutate("signUp", "user { id } token", input).await);
        Self { server, ada, http: reqwest::Client::new() }
    }

    pub async fn create(&self, bytes: &[u8]) -> Value {
        let input = json!({ "name": "a.bin", "size": bytes.len(), "sha256": sha256(bytes) });
        self.ada.mutate("createUpload", "uploadSession { id partCount }", input).await["uploadSession"].clone()
    }

    pub async fn sign(&self, upload: &Value, number: usize, bytes: &[u8]) -> Signed {
        let input = json!({ "id": upload["id"], "parts": [{ "number": number, "sha256": sha256(bytes) }] });
        let payload = self.ada.mutate("signUploadParts", "parts { url headers { name value } }", input).await;
        let part = &payload["parts"][0];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let headers = part["headers"].as_array().unwrap().iter();
        Signed {
            url: text(&part["url"]),
            headers: headers.map(|header| (text(&header["name"]), text(&header["value"]))).collect(),
        }
    }

    fn request(&self, method: Method, signed: &Signed) -> RequestBuilder {
        // The length is the body's, which the client library writes itself.
        let headers = signed.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
        headers.fold(self.http.request(method, &signed.url), |request, (name, value)| request.header(name, value))
    }

    pub async fn put(&self, signed: &Signed, bytes: &[u8]) -> StatusCode {
        self.request(Method::PUT, signed).body(bytes.to_vec()).send().await.unwrap().status()
    }

    async fn parts(&self, upload: &Value) -> Value {
        let query = "query ($id: ID!) { uploadSession(id: $id) { parts { number size sha256 } } }";
        self.ada.query(query, json!({ "id": upload["id"] })).await["uploadSession"]["parts"].clone()
    }

    async fn end(&self, mutation: &str, upload: &Value) -> Value {
        self.ada.mutate(mutation, "uploadSession { state }", json!({ "id": upload["id"] })).await
    }

    /// The session, once it has ended.
    pub async fn ended(&self, upload: &Value) -> Value {
        let query = "query ($id: ID!) { uploadSession(id: $id) { endedAt state rejection file { id state sha256 \
             downloadUrl { url } copies { region state } } } }";
        let look = async || self.ada.query(query, json!({ "id": upload["id"] })).await["uploadSession"].clone();
        until("the upload ends", async || look().await["endedAt"].is_string()).await;
        look().await
    }

    /// What is left in a bucket, unfinished uploads of this key included.
    async fn left(&self) -> Vec<String> {
        let keys = std::fs::read_to_string(self.server.data_dir().join("keys/s3-credentials.env")).unwrap();
        let value = |name: &str| {
            let line = keys.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_else(|| panic!("no {name} in {keys}")).trim_matches('"').to_owned()
        };
        let mut left = Vec::new();
        for (bucket, region) in [("snaphaven-first", "eu-central-1"), ("snaphaven-second", "eu-west-1")] {
            let bucket = snaphaven::config::Bucket {
                bucket: bucket.to_owned(),
                region: region.to_owned(),
                endpoint: self.server.s3.clone(),
                access_key_id: value("AWS_ACCESS_KEY_ID"),
                secret_access_key: value("AWS_SECRET_ACCESS_KEY").into(),
                path_style: true,
            };
            let store = S3Store::connect(&bucket).await;
            left.extend(store.list("", None, 1000).await.unwrap().into_iter().map(|listed| listed.key));
        }
        left
    }
}

#[tokio::test]
async fn a_client_that_knows_only_http_sends_a_file_in_parts() {
    let mut sender = Sender::start().await;
    let bytes: Vec<u8> = (0..PART + 1000).map(|at: usize| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let upload = sender.create(&bytes).await;
    assert_eq!(upload["partCount"], 2);
    for (number, part) in bytes.chunks(PART).enumerate() {
        let signed = sender.sign(&upload, number + 1, part).await;
        assert_eq!(sender.put(&signed, part).await, StatusCode::OK);
    }
    let lengths: Vec<_> =
        sender.parts(&upload).await.as_array().unwrap().iter().map(|part| part["size"].clone()).collect();
    assert_eq!(lengths, [json!(PART), json!(1000)]);
    assert_eq!(sender.end("completeUpload", &upload).await["userErrors"], json!([]));
    let ended = sender.ended(&upload).await;
    assert_eq!((&ended["state"], &ended["file"]["state"]), (&json!("COMPLETED"), &json!("ACTIVE")));
    assert_eq!(ended["file"]["sha256"], sha256(&bytes));
    let url = ended["file"]["downloadUrl"]["url"].as_str().unwrap();
    let served = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    assert!(served == bytes, "other bytes are served");
    assert!(sender.server.stop().await.success());
}

#[tokio::test]
async fn a_part_url_takes_its_part_and_nothing_else() {
    let mut sender = Sender::start().await;
    let bytes = b"exactly these bytes".to_vec();
    let upload = sender.create(&bytes).await;
    let signed = sender.sign(&upload, 1, &bytes).await;
    let other = Signed { url: signed.url.replace("partNumber=1", "partNumber=2"), headers: signed.headers.clone() };
    let elsewhere = Signed { url: signed.url.replace("/staging/", "/original/"), headers: signed.headers.clone() };
    let longer = [&bytes[..], b"!"].concat();
    let wrong = b"EXACTLY these bytes".to_vec();
    let put = Method::PUT;
    for (what, request) in [
        ("GET", sender.request(Method::GET, &signed)),
        ("POST", sender.request(Method::POST, &signed).body(bytes.clone())),
        ("DELETE", sender.request(Method::DELETE, &signed)),
        ("another part", sender.request(put.clone(), &other).body(bytes.clone())),
        ("another key", sender.request(put.clone(), &elsewhere).body(bytes.clone())),
        ("a longer body", sender.request(put.clone(), &signed).body(longer)),
        ("a shorter body", sender.request(put.clone(), &signed).body(bytes[1..].to_vec())),
        ("other bytes", sender.request(put.clone(), &signed).body(wrong.clone())),
        ("no checksum", sender.http.request(put.clone(), &signed.url).body(bytes.clone())),
        (
            "another checksum",
            sender.http.request(put.clone(), &signed.url).header("x-amz-checksum-sha256", "AAAA").body(wrong),
        ),
        (
            "a copy",
            sender.request(put.clone(), &signed).header("x-amz-copy-source", "/snaphaven-first/x").body(bytes.clone()),
        ),
        ("an ACL", sender.request(put, &signed).header("x-amz-acl", "public-read").body(bytes.clone())),
    ] {
        let status = request.send().await.unwrap().status();
        let refused = status == StatusCode::FORBIDDEN || (what == "other bytes" && status == StatusCode::BAD_REQUEST);
        assert!(refused, "{what}: {status}");
        assert_eq!(sender.parts(&upload).await, json!([]), "{what}");
    }
    assert_eq!(sender.put(&signed, &bytes).await, StatusCode::OK);

    // Dead with the upload, however it ends.
    assert_eq!(sender.end("completeUpload", &upload).await["userErrors"], json!([]));
    let file = sender.ended(&upload).await["file"].clone();
    assert_eq!(sender.put(&signed, &bytes).await, StatusCode::NOT_FOUND);
    let aborted = sender.create(&bytes).await;
    let signed = sender.sign(&aborted, 1, &bytes).await;
    assert_eq!(sender.put(&signed, &bytes).await, StatusCode::OK);
    assert_eq!(sender.end("abortUpload", &aborted).await["uploadSession"]["state"], "ABORTED");
    until("the URL dies", async || sender.put(&signed, &bytes).await == StatusCode::NOT_FOUND).await;
    assert_eq!(sender.ada.purge(&[&file]).await["userErrors"], json!([]));
    until("nothing is left in either bucket", async || sender.left().await.is_empty()).await;
    assert!(sender.server.stop().await.success());
}

#[tokio::test]
async fn bytes_exchanged_between_the_check_and_the_copy_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let objects = ObjectServer::start(folder.path()).await.unwrap();
    let [first, second] = objects.stores().await;
    let proxy = HttpProxy::start(objects.port()).await.unwrap();
    let settings = objects.settings().into_iter().map(|(name, value)| match name {
        "objects.first.endpoint" => format!("{name}={}", proxy.endpoint()),
        _ => format!("{name}={value}"),
    });
    let settings: Vec<String> = settings.chain(["ledger.erase_margin=200ms".to_owned()]).collect();
    let args: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let mut sender = Sender::with(&args).await;
    let (bytes, other) = (b"what was announced".to_vec(), b"what came after it".to_vec());
    for exchanged in [true, false] {
        // Without the announced hash the server has its parts alone to go by.
        let input = json!({ "name": "a.bin", "size": bytes.len() });
        let upload = sender.ada.mutate("createUpload", "uploadSession { id }", input).await["uploadSession"].clone();
        let signed = sender.sign(&upload, 1, &bytes).await;
        assert_eq!(sender.put(&signed, &bytes).await, StatusCode::OK);
        proxy.set(HttpFault::Slow(PATIENCE), &[Op::Put]);
        assert_eq!(sender.end("completeUpload", &upload).await["userErrors"], json!([]));
        // The parts are checked and joined; the copy to the key that nobody else writes waits at the proxy.
        until("the copy waits", async || proxy.struck() > 0).await;
        let staged = first.list("staging/", None, 10).await.unwrap().pop().unwrap().key;
        if exchanged {
            let put = PutObject {
                key: staged,
                bytes: other.len() as u64,
                sha256: objects::sha256(&other),
                content_type: "text/plain".to_owned(),
                body: Body::Memory(other.clone().into()),
                condition: Condition::None,
            };
            first.put(put, PATIENCE).await.unwrap();
        }
        proxy.clear();
        let ended = sender.ended(&upload).await;
        if exchanged {
            assert_eq!((&ended["state"], &ended["rejection"]), (&json!("REJECTED"), &json!("ALTERED")));
            assert_eq!((&ended["file"]["state"], &ended["file"]["sha256"]), (&json!("REJECTED"), &Value::Null));
        } else {
            // The control: what waited as long and was left alone.
            assert_eq!((&ended["state"], &ended["file"]["sha256"]), (&json!("COMPLETED"), &json!(sha256(&bytes))));
        }
        assert_eq!(sender.ada.purge(&[&ended["file"]]).await["userErrors"], json!([]));
        until("nothing is left", async || {
            first.list("", None, 10).await.unwrap().is_empty() && second.list("", None, 10).await.unwrap().is_empty()
        })
        .await;
    }
    assert!(sender.server.stop().await.success());
}
