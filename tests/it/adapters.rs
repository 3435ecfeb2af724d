//! One suite over every implementation of `ObjectStore`, so that the one in memory stays honest.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest;
use bytes::Bytes;
use futures::TryStreamExt;
use secrecy::SecretString;
use snaphaven::{
    adapters::objects::{
        Body, Condition, CopyObject, NewPart, Object, ObjectStore, Presence, PutObject, Sha256, StoreErrorKind,
        memory::MemoryStore, s3::S3Store,
    },
    config,
};

use crate::embedded_s3::{FIRST, REGION, TestS3, noise};

const TIMEOUT: Duration = Duration::from_secs(20);

fn sha256(bytes: &[u8]) -> Sha256 {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().unwrap()
}

fn put(key: &str, bytes: impl Into<Bytes>) -> PutObject {
    let bytes = bytes.into();
    PutObject {
        key: key.to_owned(),
        bytes: bytes.len() as u64,
        sha256: sha256(&bytes),
        content_type: "text/plain".to_owned(),
        body: Body::Memory(bytes),
        condition: Condition::None,
    }
}

async fn read(object: Object) -> Vec<u8> {
    let chunks: Vec<Bytes> = object.body.try_collect().await.unwrap();
    chunks.concat()
}

async fn suite(store: &dyn ObjectStore) {
    store.check().await.unwrap();
    writes_and_reads(store).await;
    bad_digests(store).await;
    ranges(store).await;
    conditions(store).await;
    listings(store).await;
    surveys(store).await;
    deletions(store).await;
    parts_and_copies(store).await;
}

async fn writes_and_reads(store: &dyn ObjectStore) {
    assert!(store.get("none", None).await.unwrap().is_none());
    assert!(store.head("none").await.unwrap().is_none());

    for length in [0, 1, 300_000, 3_000_001] {
        let bytes = noise(length);
        let key = format!("original/00/{length} ä+%20 b");
        let stored = store.put(put(&key, bytes.clone()), TIMEOUT).await.unwrap();
        let head = store.head(&key).await.unwrap().unwrap();
        assert_eq!(head.bytes, length as u64);
        assert_eq!(head.etag, stored.etag);
        assert_eq!(head.content_type.as_deref(), Some("text/plain"));
        assert_eq!(head.sha256, Some(sha256(&bytes)), "{length} bytes");
        let object = store.get(&key, None).await.unwrap().unwrap();
        assert_eq!(object.meta, head);
        assert_eq!(object.range, None);
        assert!(read(object).await == bytes, "{length} bytes came back changed");
    }

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"from a file").unwrap();
    let from_file = PutObject { body: Body::File(file.path().to_owned()), ..put("f", &b"from a file"[..]) };
    store.put(from_file, TIMEOUT).await.unwrap();
    assert_eq!(read(store.get("f", None).await.unwrap().unwrap()).await, b"from a file");

    store.put(put("f", &b"again"[..]), TIMEOUT).await.unwrap();
    assert_eq!(read(store.get("f", None).await.unwrap().unwrap()).await, b"again");
}

async fn conditions(store: &dyn ObjectStore) {
    let on = |condition, bytes: &'static [u8]| PutObject { condition, ..put("when", bytes) };
    let first = store.put(on(Condition::Absent, b"first"), TIMEOUT).await.unwrap();
    for condition in [Condition::Absent, Condition::Is("\"0123456789abcdef0123456789abcdef\"".to_owned())] {
        let error = store.put(on(condition, b"never"), TIMEOUT).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Precondition, "{error}");
        assert!(error.is_definite());
    }
    assert_eq!(read(store.get("when", None).await.unwrap().unwrap()).await, b"first");
    store.put(on(Condition::Is(first.etag), b"second"), TIMEOUT).await.unwrap();
    assert_eq!(read(store.get("when", None).await.unwrap().unwrap()).await, b"second");
    store.delete("when").await.unwrap();
}

async fn surveys(store: &dyn ObjectStore) {
    let keys = ["survey/a", "survey/b ä+%", "survey/c", "survey/c/d"];
    for key in keys {
        store.put(put(key, key.as_bytes()), TIMEOUT).await.unwrap();
    }
    let (mut found, mut after) = (Vec::new(), Some("survey/".to_owned()));
    loop {
        let page = store.survey(after.as_deref(), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        found.extend(page.into_iter().filter(|surveyed| surveyed.key.starts_with("survey/")));
    }
    assert_eq!(found.iter().map(|surveyed| surveyed.key.as_str()).collect::<Vec<_>>(), keys);
    for surveyed in found {
        let head = store.head(&surveyed.key).await.unwrap().unwrap();
        assert_eq!(surveyed.current, Some((head.bytes, head.etag)));
        store.delete(&surveyed.key).await.unwrap();
    }
}

async fn bad_digests(store: &dyn ObjectStore) {
    store.put(put("kept", &b"the first"[..]), TIMEOUT).await.unwrap();
    let altered = PutObject { body: Body::Memory("the worst".into()), ..put("kept", &b"the other"[..]) };
    let error = store.put(altered, TIMEOUT).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::BadDigest, "{error}");
    assert!(error.is_definite());
    let short = PutObject { body: Body::Memory("the".into()), ..put("kept", &b"the other"[..]) };
    assert_eq!(store.put(short, TIMEOUT).await.unwrap_err().kind, StoreErrorKind::BadDigest);
    assert_eq!(read(store.get("kept", None).await.unwrap().unwrap()).await, b"the first");

    let altered = PutObject { body: Body::Memory("x".into()), ..put("never", &b"y"[..]) };
    assert_eq!(store.put(altered, TIMEOUT).await.unwrap_err().kind, StoreErrorKind::BadDigest);
    assert_eq!(store.look("never").await.unwrap(), Presence::Gone);
}

async fn ranges(store: &dyn ObjectStore) {
    let bytes = noise(1_000_000);
    store.put(put("ranged", bytes.clone()), TIMEOUT).await.unwrap();
    for (first, last) in [(0, 0), (5, 9), (262_140, 262_150), (0, 999_999), (999_999, 2_000_000)] {
        let object = store.get("ranged", Some(first..=last)).await.unwrap().unwrap();
        let end = last.min(999_999);
        assert_eq!(object.range, Some(first..=end));
        assert_eq!(object.meta.bytes, 1_000_000);
        assert!(read(object).await == bytes[first as usize..=end as usize], "{first}-{last}");
    }
    let error = store.get("ranged", Some(1_000_000..=1_000_001)).await.err().unwrap();
    assert_eq!(error.kind, StoreErrorKind::InvalidRange, "{error}");
}

async fn listings(store: &dyn ObjectStore) {
    let keys = ["l/a", "l/a/b", "l/a b", "l/ü", "l/z+%41", "l/z/", "l/😀"];
    for key in keys {
        store.put(put(key, key.as_bytes().to_vec()), TIMEOUT).await.unwrap();
    }
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    let all = store.list("l/", None, 1000).await.unwrap();
    assert_eq!(all.iter().map(|line| line.key.as_str()).collect::<Vec<_>>(), sorted);
    for line in &all {
        assert_eq!(line.bytes, line.key.len() as u64);
        assert_eq!(line.etag, store.head(&line.key).await.unwrap().unwrap().etag);
    }
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = store.list("l/", after.as_deref(), 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        paged.extend(page);
    }
    assert_eq!(paged, all);
    assert_eq!(store.list("l/a", Some("l/a"), 10).await.unwrap().len(), 2);
    assert!(store.list("nothing/", None, 10).await.unwrap().is_empty());
}

async fn parts_and_copies(store: &dyn ObjectStore) {
    // The first part of several has 5 MiB at least.
    let bytes = noise((5 << 20) + 7);
    let chunks: Vec<_> = bytes.chunks(5 << 20).map(Bytes::copy_from_slice).collect();
    let new = |number: u32, bytes: &[u8]| NewPart { number, bytes: bytes.len() as u64, sha256: sha256(bytes) };
    let upload = store.create_upload("staging/m", Some("image/png")).await.unwrap();
    assert_eq!(store.parts("staging/m", &upload, 0, 1000).await.unwrap(), Some(Vec::new()));
    let wrong = NewPart { sha256: sha256(b"x"), ..new(1, &chunks[0]) };
    let refused = store.put_part("staging/m", &upload, &wrong, chunks[0].clone(), TIMEOUT).await.unwrap_err();
    assert_eq!(refused.kind, StoreErrorKind::BadDigest, "{refused}");
    let mut sent = Vec::new();
    for (number, chunk) in (1..).zip(&chunks) {
        let part = store.put_part("staging/m", &upload, &new(number, chunk), chunk.clone(), TIMEOUT).await.unwrap();
        assert_eq!((part.number, part.sha256), (number, Some(sha256(chunk))));
        sent.push(part);
    }
    assert_eq!(store.parts("staging/m", &upload, 0, 1000).await.unwrap().as_ref(), Some(&sent));
    assert_eq!(store.parts("staging/m", &upload, 1, 1000).await.unwrap().unwrap(), sent[1..]);
    assert_eq!(store.parts("staging/m", &upload, 0, 1).await.unwrap().unwrap(), sent[..1]);
    assert!(store.head("staging/m").await.unwrap().is_none(), "not before it is completed");
    let stored = store.complete_upload("staging/m", &upload, &sent).await.unwrap().unwrap();
    assert_eq!(store.head("staging/m").await.unwrap().unwrap().etag, stored.etag);
    assert_eq!(read(store.get("staging/m", None).await.unwrap().unwrap()).await, bytes);
    assert_eq!(store.parts("staging/m", &upload, 0, 1000).await.unwrap(), None);
    assert_eq!(store.complete_upload("staging/m", &upload, &sent).await.unwrap(), None, "once");

    let copy = CopyObject {
        from: "staging/m".to_owned(),
        to: "original/m".to_owned(),
        bytes: bytes.len() as u64,
        content_type: "text/css".to_owned(),
    };
    store.copy(copy, TIMEOUT).await.unwrap();
    let head = store.head("original/m").await.unwrap().unwrap();
    assert_eq!((head.bytes, head.content_type.as_deref()), (bytes.len() as u64, Some("text/css")));
    assert_eq!(read(store.get("original/m", None).await.unwrap().unwrap()).await, bytes);

    let upload = store.create_upload("staging/n", None).await.unwrap();
    store.put_part("staging/n", &upload, &new(1, b"n"), Bytes::from_static(b"n"), TIMEOUT).await.unwrap();
    assert_eq!(store.look("staging/n").await.unwrap(), Presence::Present { versions: 0, markers: 0, uploads: 1 });
    store.abort_uploads("staging/n").await.unwrap();
    assert_eq!(store.look("staging/n").await.unwrap(), Presence::Gone);
    let late = store.put_part("staging/n", &upload, &new(1, b"n"), Bytes::from_static(b"n"), TIMEOUT).await;
    assert!(late.is_err_and(|error| error.is_definite()), "a part of an aborted upload is refused");
}

async fn deletions(store: &dyn ObjectStore) {
    for key in ["d", "d/e", "d2"] {
        store.put(put(key, &b"x"[..]), TIMEOUT).await.unwrap();
        store.put(put(key, &b"y"[..]), TIMEOUT).await.unwrap();
    }
    assert!(matches!(store.look("d").await.unwrap(), Presence::Present { versions: 1.., markers: 0, uploads: 0 }));
    store.delete("d").await.unwrap();
    assert_eq!(store.look("d").await.unwrap(), Presence::Gone);
    assert!(store.get("d", None).await.unwrap().is_none());
    store.delete("d").await.unwrap();
    // Only exactly this key.
    assert!(store.head("d/e").await.unwrap().is_some());
    assert!(store.head("d2").await.unwrap().is_some());
    assert_eq!(store.look("d/").await.unwrap(), Presence::Gone);
}

#[tokio::test]
async fn memory() {
    suite(&MemoryStore::new("m", REGION)).await;
}

#[tokio::test]
async fn memory_with_versions() {
    let store = MemoryStore::versioned("m", REGION);
    suite(&store).await;

    store.put(put("v", &b"1"[..]), TIMEOUT).await.unwrap();
    store.put(put("v", &b"2"[..]), TIMEOUT).await.unwrap();
    store.delete_latest("v");
    store.begin_upload("v");
    assert!(store.head("v").await.unwrap().is_none());
    assert_eq!(store.look("v").await.unwrap(), Presence::Present { versions: 2, markers: 1, uploads: 1 });
    store.delete("v").await.unwrap();
    assert_eq!(store.look("v").await.unwrap(), Presence::Gone);
    store.set_failure(Some(StoreErrorKind::Denied));
    assert_eq!(store.look("v").await.unwrap_err().kind, StoreErrorKind::Denied);
}

#[tokio::test]
async fn embedded_in_process() {
    let server = TestS3::new();
    suite(&server.store()).await;
    let endpoint = server.listen().await;
    unfinished_uploads(&server.store(), &server.client(&endpoint)).await;
}

#[tokio::test]
async fn embedded_over_http() {
    let server = TestS3::new();
    let endpoint = server.listen().await;
    let store = over_http(&endpoint, &server).await;
    suite(&store).await;
    unfinished_uploads(&store, &server.client(&endpoint)).await;
}

async fn over_http(endpoint: &str, server: &TestS3) -> S3Store {
    S3Store::connect(&config::Bucket {
        bucket: FIRST.to_owned(),
        region: REGION.to_owned(),
        endpoint: endpoint.to_owned(),
        access_key_id: server.credentials().access_key_id.clone(),
        secret_access_key: server.credentials().secret_access_key.clone(),
        path_style: true,
    })
    .await
}

async fn unfinished_uploads(store: &dyn ObjectStore, client: &aws_sdk_s3::Client) {
    for key in ["u", "u", "u/2"] {
        client.create_multipart_upload().bucket(FIRST).key(key).send().await.unwrap();
    }
    assert_eq!(store.look("u").await.unwrap(), Presence::Present { versions: 0, markers: 0, uploads: 2 });
    store.delete("u").await.unwrap();
    assert_eq!(store.look("u").await.unwrap(), Presence::Gone);
    assert_eq!(store.look("u/2").await.unwrap(), Presence::Present { versions: 0, markers: 0, uploads: 1 });
}

#[tokio::test]
async fn what_failures_mean() {
    let server = TestS3::new();
    let service = server.embedded().service();
    let id = &server.credentials().access_key_id;
    let wrong = SecretString::from("not the secret");
    let denied = S3Store::in_process(service.clone(), FIRST, REGION, id, &wrong);
    for kind in [
        denied.check().await.unwrap_err().kind,
        denied.look("k").await.unwrap_err().kind,
        denied.get("k", None).await.err().unwrap().kind,
        denied.head("k").await.unwrap_err().kind,
        denied.put(put("k", &b"x"[..]), TIMEOUT).await.unwrap_err().kind,
    ] {
        assert_eq!(kind, StoreErrorKind::Denied);
    }

    let secret = &server.credentials().secret_access_key;
    let elsewhere = S3Store::in_process(service, "another-bucket", REGION, id, secret);
    assert_eq!(elsewhere.check().await.unwrap_err().kind, StoreErrorKind::NoSuchBucket);
    assert_eq!(elsewhere.get("k", None).await.err().unwrap().kind, StoreErrorKind::NoSuchBucket);

    let store = server.store();
    assert!(server.embedded().stop_bucket(FIRST));
    let error = store.put(put("k", &b"x"[..]), Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
    assert!(!error.is_definite());
    assert!(server.embedded().start_bucket(FIRST));
    assert_eq!(store.look("k").await.unwrap(), Presence::Gone);

    // A listener that never answers: the whole call ends in its time.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = over_http(&format!("http://{}", silent.local_addr().unwrap()), &server).await;
    let began = std::time::Instant::now();
    let error = store.put(put("k", &b"x"[..]), Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e\"\r\n\r\nhalf").await.unwrap();
    });
    let store = over_http(&endpoint, &TestS3::new()).await;
    let object = store.get("k", None).await.unwrap().unwrap();
    assert_eq!(object.meta.bytes, 10);
    let error = object.body.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
    server.await.unwrap();
}

#[tokio::test]
async fn writers_at_once_leave_one_whole_object() {
    let server = TestS3::new();
    let store: Arc<dyn ObjectStore> = Arc::new(server.store());
    let writers: Vec<_> = (0..16_u8)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.put(put("one", vec![n; 5000]), TIMEOUT).await.unwrap() })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let bytes = read(store.get("one", None).await.unwrap().unwrap()).await;
    assert_eq!(bytes.len(), 5000);
    assert!(bytes.iter().all(|byte| *byte == bytes[0]));
    let listed = store.list("", None, 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].etag, store.head("one").await.unwrap().unwrap().etag);
}
