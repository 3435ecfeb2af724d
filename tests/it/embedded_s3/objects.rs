//! Single objects: reads with ranges and conditions, writes with conditions and checksums, copies, hostile keys.

use aws_sdk_s3::{
    Client,
    primitives::{ByteStream, DateTime},
    types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, MetadataDirective},
};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::support::{FIRST, SECOND, TestS3, bytes, code, files, noise, status};

async fn put(client: &Client, key: &str, body: impl Into<Vec<u8>>) -> String {
    let body = ByteStream::from(body.into());
    client.put_object().bucket(FIRST).key(key).body(body).send().await.unwrap().e_tag.unwrap()
}

#[tokio::test]
async fn what_was_put_comes_back_with_all_that_was_said_of_it() {
    let server = TestS3::new();
    let client = server.client_over_http().await;
    let body = noise(700_000);
    let put = client
        .put_object()
        .bucket(FIRST)
        .key("a/photo ü.jpg")
        .content_type("image/jpeg")
        .cache_control("private, max-age=60")
        .content_language("de")
        .content_encoding("identity")
        .metadata("camera", "X100")
        .body(ByteStream::from(body.clone()))
        .send()
        .await
        .unwrap();
    let head = client.head_object().bucket(FIRST).key("a/photo ü.jpg").send().await.unwrap();
    assert_eq!(head.content_type(), Some("image/jpeg"));
    assert_eq!(head.cache_control(), Some("private, max-age=60"));
    assert_eq!(head.content_language(), Some("de"));
    assert_eq!(head.content_encoding(), Some("identity"));
    assert_eq!(head.content_length(), Some(700_000));
    assert_eq!(head.metadata().unwrap()["camera"], "X100");
    assert_eq!(head.e_tag(), put.e_tag());
    assert!(bytes(&client, "a/photo ü.jpg").await == body);

    assert_eq!(code(client.get_object().bucket(FIRST).key("a/photo").send().await), "NoSuchKey");
    assert_eq!(status(client.head_object().bucket(FIRST).key("a").send().await), 404);
    client.delete_object().bucket(FIRST).key("a/photo ü.jpg").send().await.unwrap();
    assert_eq!(code(client.get_object().bucket(FIRST).key("a/photo ü.jpg").send().await), "NoSuchKey");
    client.delete_object().bucket(FIRST).key("a/photo ü.jpg").send().await.unwrap();
    assert_eq!(files(&server.bucket_folder().join("objects")), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn ranges_and_overrides() {
    let (_server, client) = TestS3::new_over_http().await;
    put(&client, "r", noise(600_000)).await;
    let whole = noise(600_000);
    for (range, first, last) in [
        ("bytes=0-9", 0, 9),
        ("bytes=262143-262144", 262_143, 262_144),
        ("bytes=599990-", 599_990, 599_999),
        ("bytes=-5", 599_995, 599_999),
    ] {
        let part = client.get_object().bucket(FIRST).key("r").range(range).send().await.unwrap();
        assert_eq!(part.content_range().unwrap(), format!("bytes {first}-{last}/600000"));
        assert!(part.body.collect().await.unwrap().to_vec() == whole[first..=last], "{range}");
    }
    let past = client.get_object().bucket(FIRST).key("r").range("bytes=600000-").send().await;
    assert_eq!(code(past), "InvalidRange");
    let head = client.head_object().bucket(FIRST).key("r").range("bytes=0-9").send().await.unwrap();
    assert_eq!(head.content_length(), Some(10));

    let shown = client
        .get_object()
        .bucket(FIRST)
        .key("r")
        .response_content_type("text/plain")
        .response_content_disposition("inline")
        .response_cache_control("no-store")
        .send()
        .await
        .unwrap();
    assert_eq!(shown.content_type(), Some("text/plain"));
    assert_eq!(shown.content_disposition(), Some("inline"));
    assert_eq!(shown.cache_control(), Some("no-store"));
    let plain = client.get_object().bucket(FIRST).key("r").send().await.unwrap();
    assert_eq!(plain.content_disposition(), Some("attachment"));
}

#[tokio::test]
async fn conditional_reads() {
    let (_server, client) = TestS3::new_over_http().await;
    let etag = put(&client, "c", "one").await;
    let get = || client.get_object().bucket(FIRST).key("c");
    get().if_match(&etag).send().await.unwrap();
    assert_eq!(status(get().if_match("\"other\"").send().await), 412);
    assert_eq!(status(get().if_none_match(&etag).send().await), 304);
    get().if_none_match("\"other\"").send().await.unwrap();
    let modified = get().send().await.unwrap().last_modified.unwrap();
    assert_eq!(status(get().if_modified_since(modified).send().await), 304);
    let before = DateTime::from_secs(modified.secs() - 10);
    get().if_modified_since(before).send().await.unwrap();
    assert_eq!(status(get().if_unmodified_since(before).send().await), 412);
    assert_eq!(status(client.head_object().bucket(FIRST).key("c").if_none_match(&etag).send().await), 304);
}

#[tokio::test]
async fn conditional_writes() {
    let (_server, client) = TestS3::new_over_http().await;
    let write = |key: &str, body: &'static str| {
        client.put_object().bucket(FIRST).key(key).body(ByteStream::from_static(body.as_bytes()))
    };
    let first = write("w", "one").if_none_match("*").send().await.unwrap().e_tag.unwrap();
    assert_eq!(code(write("w", "two").if_none_match("*").send().await), "PreconditionFailed");
    assert_eq!(code(write("w", "two").if_match("\"other\"").send().await), "PreconditionFailed");
    assert_eq!(bytes(&client, "w").await, b"one");
    write("w", "two").if_match(&first).send().await.unwrap();
    assert_eq!(bytes(&client, "w").await, b"two");
    assert_eq!(code(write("absent", "x").if_match(&first).send().await), "NoSuchKey");

    // Of many writers that want to be the first, one is.
    let writers: Vec<_> = (0..12).map(|_| tokio::spawn(write("race", "mine").if_none_match("*").send())).collect();
    let mut won = 0;
    for writer in writers {
        won += usize::from(writer.await.unwrap().is_ok());
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn checksums_are_compared_kept_and_given_back() {
    let (_server, client) = TestS3::new_over_http().await;
    // Of the nine digits, as the catalogue of CRCs and RFC 3174 / FIPS 180 have them.
    let known = [
        (ChecksumAlgorithm::Crc32, STANDARD.encode(0xCBF4_3926_u32.to_be_bytes())),
        (ChecksumAlgorithm::Crc32C, STANDARD.encode(0xE306_9283_u32.to_be_bytes())),
        (ChecksumAlgorithm::Crc64Nvme, STANDARD.encode(0xAE8B_1486_0A79_9888_u64.to_be_bytes())),
        (ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE=".to_owned()),
        (ChecksumAlgorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=".to_owned()),
    ];
    for (algorithm, value) in known {
        let key = algorithm.as_str();
        // The SDK computes it and sends it as a header or a trailer.
        client
            .put_object()
            .bucket(FIRST)
            .key(key)
            .checksum_algorithm(algorithm.clone())
            .body(ByteStream::from_static(b"123456789"))
            .send()
            .await
            .unwrap();
        let head =
            client.head_object().bucket(FIRST).key(key).checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        let (kept, wrong) = match algorithm {
            ChecksumAlgorithm::Crc32 => (head.checksum_crc32(), "AAAAAA=="),
            ChecksumAlgorithm::Crc32C => (head.checksum_crc32_c(), "AAAAAA=="),
            ChecksumAlgorithm::Crc64Nvme => (head.checksum_crc64_nvme(), "AAAAAAAAAAA="),
            ChecksumAlgorithm::Sha1 => (head.checksum_sha1(), "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            _ => (head.checksum_sha256(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        };
        assert_eq!(kept, Some(value.as_str()), "{key}");
        assert_eq!(head.checksum_type(), Some(&ChecksumType::FullObject));

        // A wrong one never touches the object that was there.
        let bad = client.put_object().bucket(FIRST).key(key).body(ByteStream::from_static(b"something else"));
        let bad = match algorithm {
            ChecksumAlgorithm::Crc32 => bad.checksum_crc32(wrong),
            ChecksumAlgorithm::Crc32C => bad.checksum_crc32_c(wrong),
            ChecksumAlgorithm::Crc64Nvme => bad.checksum_crc64_nvme(wrong),
            ChecksumAlgorithm::Sha1 => bad.checksum_sha1(wrong),
            _ => bad.checksum_sha256(wrong),
        };
        assert_eq!(code(bad.send().await), "BadDigest", "{key}");
        assert_eq!(bytes(&client, key).await, b"123456789");
    }
    let bad = client.put_object().bucket(FIRST).key("SHA256").content_md5(STANDARD.encode([0; 16]));
    assert_eq!(code(bad.body(ByteStream::from_static(b"x")).send().await), "BadDigest");
    let bad = client.put_object().bucket(FIRST).key("SHA256").content_md5("short");
    assert_eq!(code(bad.body(ByteStream::from_static(b"x")).send().await), "InvalidDigest");
    assert_eq!(bytes(&client, "SHA256").await, b"123456789");
}

#[tokio::test]
async fn a_body_that_breaks_off_changes_nothing() {
    use tokio::io::AsyncWriteExt;

    let server = TestS3::new();
    let endpoint = server.listen().await;
    let client = server.client(&endpoint);
    put(&client, "staging/kept", "the first").await;
    let url = super::guard::presigned_put(&client, "staging/kept").await;
    let address = endpoint.strip_prefix("http://").unwrap();
    let path = url.strip_prefix(&endpoint).unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("PUT {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 2000000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&noise(1_500_000)).await.unwrap();
    drop(stream);
    let temporary = server.bucket_folder().join("temporary");
    tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while !files(&temporary).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the temporary file goes with its request");
    assert_eq!(bytes(&client, "staging/kept").await, b"the first");
}

#[tokio::test]
async fn copies() {
    let server = TestS3::new();
    let client = server.client_over_http().await;
    for length in [100, 3_000_000] {
        let body = noise(length);
        client
            .put_object()
            .bucket(FIRST)
            .key("source")
            .content_type("image/png")
            .metadata("a", "1")
            .body(ByteStream::from(body.clone()))
            .send()
            .await
            .unwrap();
        let source = client.head_object().bucket(FIRST).key("source").send().await.unwrap();
        let copy = || client.copy_object().bucket(SECOND).key("copy").copy_source(format!("{FIRST}/source"));
        copy().send().await.unwrap();
        let copied = client.head_object().bucket(SECOND).key("copy").send().await.unwrap();
        assert_eq!(copied.e_tag(), source.e_tag());
        assert_eq!(copied.content_type(), Some("image/png"));
        assert_eq!(copied.metadata().unwrap()["a"], "1");

        let replaced = copy()
            .metadata_directive(MetadataDirective::Replace)
            .content_type("text/plain")
            .metadata("b", "2")
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .send()
            .await
            .unwrap();
        let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        assert_eq!(replaced.copy_object_result.unwrap().checksum_sha256, Some(STANDARD.encode(sha256)));
        let copied = client.head_object().bucket(SECOND).key("copy").send().await.unwrap();
        assert_eq!(copied.content_type(), Some("text/plain"));
        assert_eq!(copied.metadata().unwrap().keys().collect::<Vec<_>>(), ["b"]);

        let etag = source.e_tag().unwrap();
        assert_eq!(code(copy().copy_source_if_none_match(etag).send().await), "PreconditionFailed");
        assert_eq!(code(copy().copy_source_if_match("\"x\"").send().await), "PreconditionFailed");

        // The copy lives on by itself, also through copies of it and its own replacement.
        client.delete_object().bucket(FIRST).key("source").send().await.unwrap();
        let back = client.copy_object().bucket(FIRST).key("back").copy_source(format!("{SECOND}/copy"));
        back.send().await.unwrap();
        client.delete_object().bucket(SECOND).key("copy").send().await.unwrap();
        assert!(bytes(&client, "back").await == body, "{length}");
        let range = client.get_object().bucket(FIRST).key("back").range("bytes=50-69").send().await.unwrap();
        assert!(range.body.collect().await.unwrap().to_vec() == body[50..70]);
        let onto_itself = client.copy_object().bucket(FIRST).key("back").copy_source(format!("{FIRST}/back"));
        assert_eq!(code(onto_itself.clone().send().await), "InvalidRequest");
        onto_itself.metadata_directive(MetadataDirective::Replace).content_type("a/b").send().await.unwrap();
        assert!(bytes(&client, "back").await == body, "{length}");
        client.delete_object().bucket(FIRST).key("back").send().await.unwrap();
        assert_eq!(files(&server.bucket_folder().join("objects")), Vec::<std::path::PathBuf>::new());
    }
    let missing = client.copy_object().bucket(FIRST).key("x").copy_source(format!("{FIRST}/none")).send().await;
    assert_eq!(code(missing), "NoSuchKey");
    let elsewhere = client.copy_object().bucket(FIRST).key("x").copy_source("other-bucket/none").send().await;
    assert_eq!(code(elsewhere), "NoSuchBucket");
}

#[tokio::test]
async fn a_reader_keeps_what_it_reads_while_it_is_replaced() {
    let server = TestS3::new();
    let client = server.client_over_http().await;
    let body = noise(8_000_000);
    put(&client, "source", body.clone()).await;
    client.copy_object().bucket(FIRST).key("k").copy_source(format!("{FIRST}/source")).send().await.unwrap();
    let reading = client.get_object().bucket(FIRST).key("k").send().await.unwrap();
    put(&client, "k", "short").await;
    client.delete_object().bucket(FIRST).key("source").send().await.unwrap();
    assert!(reading.body.collect().await.unwrap().to_vec() == body);
    assert_eq!(bytes(&client, "k").await, b"short");
}

#[tokio::test]
async fn hostile_keys_are_answered_and_listings_go_on() {
    let server = TestS3::new();
    let client = server.client_over_http().await;
    let long = "k".repeat(1_000);
    let longest = "ü".repeat(512);
    let taken = [
        "../second-bucket/x",
        "../../etc/passwd",
        "a",
        "a/b",
        "a//b",
        "/leading",
        "trailing/",
        "..",
        ".",
        "a/../b",
        "con",
        "ä ö+ü%2F&<>\"'",
        "*?[x]{y}~`|\\^",
        "日本語/😀",
        "\u{202e}gnp.exe",
        long.as_str(),
        longest.as_str(),
    ];
    for key in taken {
        put(&client, key, key).await;
    }
    for key in taken {
        assert_eq!(bytes(&client, key).await, key.as_bytes(), "{key:?}");
        let head = client.head_object().bucket(FIRST).key(key).send().await.unwrap();
        assert_eq!(head.content_length(), Some(key.len() as i64));
    }
    for key in ["new\nline", "bell\u{7}", "nul\0", "del\u{7f}", "tab\ttab", "cr\rcr", "\u{ffff}"] {
        let refused = client.put_object().bucket(FIRST).key(key).send().await;
        assert_eq!(code(refused), "InvalidArgument", "{key:?}");
        let refused = client.create_multipart_upload().bucket(FIRST).key(key).send().await;
        assert_eq!(code(refused), "InvalidArgument", "{key:?}");
    }
    let too_long = client.put_object().bucket(FIRST).key("k".repeat(1_025)).send().await;
    assert_eq!(code(too_long), "KeyTooLongError");

    let listed = client.list_objects_v2().bucket(FIRST).send().await.unwrap();
    let mut expected = taken.to_vec();
    expected.sort_unstable();
    assert_eq!(listed.contents().iter().map(|object| object.key().unwrap()).collect::<Vec<_>>(), expected);
    let other = client.list_objects_v2().bucket(SECOND).send().await.unwrap();
    assert_eq!(other.key_count(), Some(0));
    for key in taken {
        client.delete_object().bucket(FIRST).key(key).send().await.unwrap();
    }
    assert_eq!(client.list_objects_v2().bucket(FIRST).send().await.unwrap().key_count(), Some(0));
}
