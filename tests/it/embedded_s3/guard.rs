//! What is refused before it reaches an operation, and the headers every answer carries.

use std::time::Duration;

use aws_credential_types::Credentials as AwsKey;
use aws_sdk_s3::{Client, presigning::PresigningConfig, primitives::ByteStream};
use reqwest::{Method, StatusCode, header};
use secrecy::ExposeSecret;

use super::support::{self, FIRST, ORIGIN, TestS3, bytes, code};

fn for_a_minute() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(60)).unwrap()
}

pub async fn presigned_put(client: &Client, key: &str) -> String {
    client.put_object().bucket(FIRST).key(key).presigned(for_a_minute()).await.unwrap().uri().to_owned()
}

async fn presigned_get(client: &Client, key: &str) -> String {
    client.get_object().bucket(FIRST).key(key).presigned(for_a_minute()).await.unwrap().uri().to_owned()
}

async fn put(client: &Client, key: &str, body: &'static [u8]) {
    client.put_object().bucket(FIRST).key(key).body(ByteStream::from_static(body)).send().await.unwrap();
}

#[tokio::test]
async fn only_the_key_of_the_folder_opens_it() {
    let server = TestS3::new();
    let endpoint = server.listen().await;
    let key = server.credentials();
    let wrong_secret = support::client(&endpoint, AwsKey::new(&key.access_key_id, "wrong", None, None, "test"));
    assert_eq!(code(wrong_secret.list_objects_v2().bucket(FIRST).send().await), "SignatureDoesNotMatch");
    let secret = key.secret_access_key.expose_secret();
    let wrong_id = support::client(&endpoint, AwsKey::new("AKIAOTHER", secret, None, None, "test"));
    assert_eq!(code(wrong_id.list_objects_v2().bucket(FIRST).send().await), "InvalidAccessKeyId");
    for path in ["", FIRST, "first-bucket/k", "first-bucket?uploads"] {
        let answer = reqwest::get(format!("{endpoint}/{path}")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let client = server.client(&endpoint);
    assert_eq!(code(client.list_objects_v2().bucket("third-bucket").send().await), "NoSuchBucket");
    assert_eq!(code(client.create_bucket().bucket("third-bucket").send().await), "NoSuchBucket");
    assert_eq!(code(client.create_bucket().bucket(FIRST).send().await), "BucketAlreadyOwnedByYou");
    let names = client.list_buckets().send().await.unwrap();
    assert_eq!(names.buckets().len(), 2);
    let location = client.get_bucket_location().bucket(FIRST).send().await.unwrap();
    assert_eq!(location.location_constraint().unwrap().as_str(), "eu-central-1");
    assert_eq!(code(client.get_bucket_policy().bucket(FIRST).send().await), "NotImplemented");
    let old = reqwest::get(format!(
        "{endpoint}/{FIRST}/k?AWSAccessKeyId={}&Signature=x&Expires=9999999999",
        key.access_key_id
    ));
    assert_eq!(old.await.unwrap().status(), StatusCode::FORBIDDEN);
    let form = reqwest::Client::new().post(format!("{endpoint}/{FIRST}")).multipart(reqwest::multipart::Form::new());
    assert_eq!(form.send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[cfg(unix)]
#[test]
fn the_key_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s3-credentials.env");
    let made = snaphaven::embedded::s3::Credentials::load_or_create(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let read = snaphaven::embedded::s3::Credentials::load_or_create(&path).unwrap();
    assert_eq!(made.access_key_id, read.access_key_id);
    assert_eq!(made.secret_access_key.expose_secret(), read.secret_access_key.expose_secret());
    std::fs::write(&path, "nonsense").unwrap();
    let error = snaphaven::embedded::s3::Credentials::load_or_create(&path).unwrap_err();
    assert!(error.to_string().contains("AWS_ACCESS_KEY_ID"), "{error}");
}

#[tokio::test]
async fn presigned_urls_read_and_write_staging_only() {
    let (_server, client) = TestS3::new_over_http().await;
    put(&client, "k", b"open").await;
    let http = reqwest::Client::new();
    let read = http.get(presigned_get(&client, "k").await).send().await.unwrap();
    assert_eq!(read.bytes().await.unwrap(), "open");
    let range = http.get(presigned_get(&client, "k").await).header(header::RANGE, "bytes=1-2").send().await.unwrap();
    assert_eq!((range.status(), range.bytes().await.unwrap()), (StatusCode::PARTIAL_CONTENT, "pe".into()));

    let written = http.put(presigned_put(&client, "staging/x").await).body("new").send().await.unwrap();
    assert_eq!(written.status(), StatusCode::OK);
    assert_eq!(bytes(&client, "staging/x").await, b"new");
    for key in ["k", "original/00/x", "staging", "staging/", "stagingx/y", "/staging/x"] {
        let refused = http.put(presigned_put(&client, key).await).body("bad").send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{key}");
    }
    assert_eq!(bytes(&client, "k").await, b"open");

    let deletion = client.delete_object().bucket(FIRST).key("k").presigned(for_a_minute()).await.unwrap();
    assert_eq!(http.delete(deletion.uri()).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let created = client.create_multipart_upload().bucket(FIRST).key("staging/m").send().await.unwrap();
    let id = created.upload_id.unwrap();
    let part = client.upload_part().bucket(FIRST).key("staging/m").upload_id(&id).part_number(1).content_length(4);
    let part = part.presigned(for_a_minute()).await.unwrap();
    let long = http.put(part.uri()).body("longer").send().await.unwrap();
    assert_eq!(long.status(), StatusCode::FORBIDDEN, "the length is signed");
    let sent = http.put(part.uri()).body("part").send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);
    assert!(sent.headers().contains_key(header::ETAG));
}

#[tokio::test]
async fn a_changed_presigned_url_is_refused() {
    let (_server, client) = TestS3::new_over_http().await;
    put(&client, "k", b"open").await;
    put(&client, "l", b"other").await;
    let url = presigned_get(&client, "k").await;
    for changed in [
        url.replace("/k?", "/l?"),
        url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"),
        format!("{url}&response-content-type=text%2Fhtml"),
        format!("{url}&X-Amz-SignedHeaders=host%3Bx-amz-copy-source"),
    ] {
        let answer = reqwest::get(&changed).await.unwrap();
        assert!(matches!(answer.status().as_u16(), 400 | 403), "{changed}: {}", answer.status());
    }
    let expired = client.get_object().bucket(FIRST).key("k");
    let yesterday = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let expired = expired.presigned(
        PresigningConfig::builder().start_time(yesterday).expires_in(Duration::from_secs(60)).build().unwrap(),
    );
    assert_eq!(reqwest::get(expired.await.unwrap().uri()).await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn unsigned_headers_say_nothing() {
    let (_server, client) = TestS3::new_over_http().await;
    put(&client, "secret", b"not for all").await;
    put(&client, "staging/x", b"before").await;
    let url = presigned_put(&client, "staging/x").await;
    let http = reqwest::Client::new();
    for (name, value) in [
        ("x-amz-copy-source", "/first-bucket/secret"),
        ("X-Amz-Copy-Source", "first-bucket/secret"),
        ("x-amz-metadata-directive", "REPLACE"),
        ("x-amz-meta-owner", "me"),
        ("x-amz-acl", "public-read"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-storage-class", "GLACIER"),
        ("content-disposition", "inline"),
        ("content-encoding", "gzip"),
        ("if-none-match", "*"),
    ] {
        let answer = http.put(&url).header(name, value).body("").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}");
        assert_eq!(bytes(&client, "staging/x").await, b"before", "{name}");
    }
    let part = presigned_put(&client, "staging/x").await;
    let both = http.put(&part).header(header::AUTHORIZATION, "AWS4-HMAC-SHA256 Credential=x").body("").send().await;
    assert!(both.unwrap().status().is_client_error());
}

#[tokio::test]
async fn nothing_stored_runs_in_a_browser() {
    let (server, client) = TestS3::new_over_http().await;
    client
        .put_object()
        .bucket(FIRST)
        .key("page.html")
        .content_type("text/html")
        .body(ByteStream::from_static(b"<script>alert(1)</script>"))
        .send()
        .await
        .unwrap();
    let url = presigned_get(&client, "page.html").await;
    let answers = [
        reqwest::Client::new().get(&url).header(header::COOKIE, "session=1").send().await.unwrap(),
        reqwest::get(format!("{}/", server.listen().await)).await.unwrap(),
    ];
    for answer in answers {
        let headers = answer.headers();
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "default-src 'none'; sandbox");
        assert!(!headers.contains_key(header::SET_COOKIE));
        if answer.status() == StatusCode::OK {
            assert_eq!(headers[header::CONTENT_DISPOSITION], "attachment");
        }
    }
}

#[tokio::test]
async fn pages_of_the_app_may_upload_and_read() {
    let (_server, client) = TestS3::new_over_http().await;
    let url = presigned_put(&client, "staging/x").await;
    let http = reqwest::Client::new();
    let preflight = |origin: &'static str, method: &'static str, headers: &'static str| {
        http.request(Method::OPTIONS, &url)
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, method)
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, headers)
            .send()
    };
    let granted = preflight(ORIGIN, "PUT", "content-type,x-amz-checksum-sha256").await.unwrap();
    assert!(granted.status().is_success());
    assert_eq!(granted.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], ORIGIN);
    assert!(granted.headers()[header::ACCESS_CONTROL_ALLOW_METHODS].to_str().unwrap().contains("PUT"));
    assert_eq!(preflight("https://evil.example", "PUT", "content-type").await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(preflight(ORIGIN, "DELETE", "content-type").await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(preflight(ORIGIN, "PUT", "cookie").await.unwrap().status(), StatusCode::FORBIDDEN);

    let sent = http.put(&url).header(header::ORIGIN, ORIGIN).body("x").send().await.unwrap();
    assert_eq!(sent.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], ORIGIN);
    assert!(sent.headers()[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap().contains("ETag"));
    let other = http.put(&url).header(header::ORIGIN, "https://evil.example").body("x").send().await.unwrap();
    assert!(!other.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    assert_eq!(other.headers()[header::VARY], "Origin");
    let rules = client.get_bucket_cors().bucket(FIRST).send().await.unwrap();
    assert_eq!(rules.cors_rules()[0].allowed_origins(), [ORIGIN]);
}

#[tokio::test]
async fn a_bucket_can_be_stopped() {
    let server = TestS3::new();
    let endpoint = server.listen().await;
    let client = server.client(&endpoint);
    put(&client, "k", b"x").await;
    let http = reqwest::Client::new();
    assert_eq!(http.get(format!("{endpoint}/-/health")).send().await.unwrap().status(), StatusCode::OK);
    let act = |name: &str, act: &str| http.post(format!("{endpoint}/-/bucket/{name}/{act}"));
    assert_eq!(act(FIRST, "stop").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let key = server.credentials();
    let secret = key.secret_access_key.expose_secret();
    let owner = |request: reqwest::RequestBuilder| request.basic_auth(&key.access_key_id, Some(secret)).send();
    assert_eq!(act(FIRST, "stop").basic_auth("x", Some("y")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(owner(act(FIRST, "stop")).await.unwrap().status(), StatusCode::NO_CONTENT);
    let url = presigned_get(&client, "k").await;
    assert_eq!(reqwest::get(&url).await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    client.list_objects_v2().bucket(super::support::SECOND).send().await.unwrap();
    assert_eq!(owner(act(FIRST, "start")).await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(reqwest::get(&url).await.unwrap().status(), StatusCode::OK);
    assert_eq!(owner(act("none", "stop")).await.unwrap().status(), StatusCode::NOT_FOUND);
}
