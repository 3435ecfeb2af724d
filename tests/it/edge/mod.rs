//! The local edge over real HTTP: signatures, ranges, conditions, safe headers, and stores that fail.

mod fixture;

use std::{sync::atomic::Ordering, time::Duration};

use entity::object::Kind;
use snaphaven::adapters::cdn::{CachePurger as _, Disposition, SigningKey, UrlSigner, content_disposition};

use self::fixture::{Answer, Edge, Fault, KEY_PAIR_ID, SMALL, START};
use crate::cdn::{ecdsa_pem, npm_signed, rsa_pem};

/// Bytes that differ everywhere.
fn bytes(length: usize) -> Vec<u8> {
    (0..length as u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_be_bytes()).take(length).collect()
}

/// Larger than what is kept in memory.
const LARGE: usize = SMALL as usize * 5 + 123;

#[tokio::test]
async fn a_signed_url_serves_the_object_safely() {
    let edge = Edge::start().await;
    let key = edge.add(Kind::Original, "application/pdf", bytes(1000));
    let url = edge.url(&key, &[]);
    let answer = edge.send("GET", &url, &[("Cookie", "session=secret"), ("Origin", "https://app.example")]).await;
    assert_eq!((answer.status, &answer.body), (200, &bytes(1000)));
    for (name, value) in [
        ("content-type", "application/pdf"),
        ("content-length", "1000"),
        ("content-disposition", "attachment"),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, max-age=600, immutable"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("access-control-allow-origin", "*"),
        ("referrer-policy", "no-referrer"),
        ("x-snaphaven-source", "primary"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let etag = answer.header("etag").unwrap();
    assert!(etag.len() == 66 && etag.starts_with('"'));

    edge.pass(Duration::from_secs(100));
    let again = edge.get(&url).await;
    assert_eq!((again.status, again.source()), (200, Some("memory")));
    assert_eq!(again.header("cache-control"), Some("private, max-age=500, immutable"));
    assert_eq!(edge.primary.reads(), 1);

    // Another address of the same server changes nothing: the Host header is never trusted.
    assert_eq!(edge.send("GET", &url, &[("Host", "other.example")]).await.status, 200);
    edge.stop().await;
}

#[tokio::test]
async fn awss_signer_and_ours_open_the_same_door() {
    for pem in [ecdsa_pem(), rsa_pem()] {
        let edge = Edge::start_with(SigningKey::from_pem(&pem).unwrap()).await;
        let key = edge.add(Kind::Original, "text/plain", "hello");
        let expires = START.unix_seconds() + 60;
        let disposition = "response-content-disposition=attachment%3B%20filename%3D%22a.txt%22";
        let urls = npm_signed(
            KEY_PAIR_ID,
            &[
                (format!("{}/{key}", edge.base), &pem, expires),
                (format!("{}/{key}?{disposition}", edge.base), &pem, expires),
                (format!("{}/{key}", edge.base), &ecdsa_pem(), expires),
                (format!("{}/{key}", edge.base), &pem, START.unix_seconds()),
            ],
        );
        let mut answers = Vec::new();
        for url in &urls {
            answers.push(edge.get(url.strip_prefix(&edge.base).unwrap()).await);
        }
        assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 403, 403]);
        assert_eq!(answers[1].header("content-disposition"), Some("attachment; filename=\"a.txt\""));
        assert_eq!(edge.get(&edge.url(&key, &[])).await.body, b"hello");
        edge.stop().await;
    }
}

#[tokio::test]
async fn a_changed_character_anywhere_is_refused() {
    for pem in [ecdsa_pem(), rsa_pem()] {
        let edge = Edge::start_with(SigningKey::from_pem(&pem).unwrap()).await;
        let key = edge.add(Kind::Rendition, "image/png", "picture");
        let url = edge.url(&key, &[("response-content-disposition", "inline; filename=\"a b.png\"")]);
        assert_eq!(edge.get(&url).await.status, 200);
        for position in 0..url.len() {
            let original = url.as_bytes()[position] as char;
            let case = if original.is_ascii_lowercase() {
                original.to_ascii_uppercase()
            } else {
                original.to_ascii_lowercase()
            };
            let next = char::from(original as u8 ^ 1);
            for other in [case, next, '&', '%', '#', '_'] {
                if other == original {
                    continue;
                }
                let mut changed = url.clone();
                changed.replace_range(position..=position, &other.to_string());
                let status = edge.get(&changed).await.status;
                assert!([400, 403, 404].contains(&status), "{status} for {changed}");
            }
            let mut shorter = url.clone();
            shorter.remove(position);
            let status = edge.get(&shorter).await.status;
            assert!(shorter == url || [400, 403, 404].contains(&status), "{status} for {shorter}");
        }
        assert_eq!(edge.get(&url).await.status, 200, "the URL itself still works");
        edge.stop().await;
    }
}

#[tokio::test]
async fn refusals_are_small_and_say_why() {
    let edge = Edge::start().await;
    let key = edge.add(Kind::Original, "text/plain", "hello");
    let url = edge.url(&key, &[]);
    let refused = |answer: &Answer, status: u16, code: &str| {
        let body = String::from_utf8(answer.body.clone()).unwrap();
        assert_eq!(answer.status, status, "{body}");
        assert!(body.contains(&format!("<Code>{code}</Code>")) && body.len() < 300, "{body}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("content-type"), Some("application/xml"));
    };
    refused(&edge.get(&format!("/{key}")).await, 403, "MissingKey");
    refused(&edge.get("/").await, 403, "MissingKey");
    refused(&edge.get(&url.replace("KTEST", "KNONE")).await, 403, "InvalidKey");
    refused(&edge.get(&url.replace("SHA256", "SHA1")).await, 403, "MalformedSignature");
    let foreign =
        UrlSigner::new(SigningKey::generate().unwrap(), KEY_PAIR_ID, &edge.base, Duration::ZERO, Duration::MAX);
    let foreign = foreign.unwrap().sign(&key, &[], START.plus(Duration::from_secs(60))).unwrap();
    refused(&edge.get(foreign.strip_prefix(&edge.base).unwrap()).await, 403, "AccessDenied");
    for unknown in ["original/00/unknown", "../../etc/passwd", "index.html", ""] {
        refused(&edge.get(&edge.url(unknown, &[])).await, 404, "NoSuchKey");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
        let answer = edge.send(method, &url, &[("Content-Length", "0")]).await;
        refused(&answer, 405, "MethodNotAllowed");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
    let preflight = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "GET")];
    let answer = edge.send("OPTIONS", &url, &preflight).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some("*")));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("Range"));
    edge.catalog.down.store(true, Ordering::SeqCst);
    let answer = edge.get(&url).await;
    refused(&answer, 503, "ServiceUnavailable");
    assert!(answer.header("retry-after").is_some());
    edge.catalog.down.store(false, Ordering::SeqCst);
    assert_eq!(edge.get(&url).await.status, 200);
    edge.pass(Duration::from_secs(600));
    refused(&edge.get(&url).await, 403, "AccessDenied");
    edge.stop().await;
}

#[tokio::test]
async fn ranges_follow_rfc_9110() {
    let edge = Edge::start().await;
    for length in [1000, LARGE] {
        let data = bytes(length);
        let key = edge.add(Kind::Original, "video/mp4", data.clone());
        let url = edge.url(&key, &[]);
        let etag = edge.get(&url).await.header("etag").unwrap().to_owned();
        let part = async |range: &str| edge.send("GET", &url, &[("Range", range)]).await;
        for (range, start, end) in [
            ("bytes=0-0", 0, 1),
            ("bytes=10-19", 10, 20),
            ("BYTES=900-", 900, length),
            ("bytes=-10", length - 10, length),
            ("bytes=-999999999", 0, length),
            ("bytes=990-999999999999999999999999", 990, length),
            ("bytes=0-", 0, length),
        ] {
            let answer = part(range).await;
            assert_eq!(answer.status, 206, "{range}");
            assert!(answer.is_whole() && answer.body == data[start..end], "{range}");
            let content_range = format!("bytes {start}-{}/{length}", end - 1);
            assert_eq!(answer.header("content-range"), Some(content_range.as_str()));
            assert_eq!(answer.header("etag"), Some(etag.as_str()));
        }
        for range in [
            "bytes=0-1,5-6",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=-",
            "bytes=",
            "lines=0-1",
            "bytes 0-1",
            "bytes=--1",
            "bytes=+1-2",
        ] {
            let answer = part(range).await;
            assert_eq!((answer.status, answer.header("content-range")), (200, None), "{range}");
            assert_eq!(answer.body, data, "{range}");
        }
        for range in [format!("bytes={length}-"), "bytes=99999999999999999999999-".to_owned(), "bytes=-0".to_owned()] {
            let answer = part(&range).await;
            assert_eq!(answer.status, 416, "{range}");
            assert_eq!(answer.header("content-range"), Some(format!("bytes */{length}").as_str()));
        }
        for (condition, status) in [(etag.as_str(), 206), ("\"other\"", 200), ("Fri, 01 Jan 2100 00:00:00 GMT", 200)] {
            let answer = edge.send("GET", &url, &[("Range", "bytes=0-9"), ("If-Range", condition)]).await;
            assert_eq!(answer.status, status, "{condition}");
        }
        let weak = format!("W/{etag}");
        assert_eq!(edge.send("GET", &url, &[("Range", "bytes=0-9"), ("If-Range", &weak)]).await.status, 200);
    }
    let empty = edge.url(&edge.add(Kind::Original, "text/plain", ""), &[]);
    assert_eq!(edge.get(&empty).await.status, 200);
    assert_eq!(edge.send("GET", &empty, &[("Range", "bytes=0-")]).await.status, 416);
    assert_eq!(edge.send("GET", &empty, &[("Range", "bytes=-5")]).await.status, 200);
    edge.stop().await;
}

#[tokio::test]
async fn conditions_and_head_need_no_bytes() {
    let edge = Edge::start().await;
    let key = edge.add(Kind::Original, "image/jpeg", bytes(LARGE));
    let url = edge.url(&key, &[]);
    let head = edge.send("HEAD", &url, &[("Range", "bytes=0-9")]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(LARGE.to_string().as_str()));
    assert_eq!(head.header("content-type"), Some("image/jpeg"));
    let etag = head.header("etag").unwrap();
    for (name, value, status) in [
        ("If-None-Match", etag.to_owned(), 304),
        ("If-None-Match", format!("W/{etag}"), 304),
        ("If-None-Match", format!("\"a\", {etag}"), 304),
        ("If-None-Match", "*".to_owned(), 304),
        ("If-None-Match", "\"a\"".to_owned(), 200),
        ("If-Match", etag.to_owned(), 200),
        ("If-Match", "\"a\"".to_owned(), 412),
        ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT".to_owned(), 200),
    ] {
        let answer = edge.send("HEAD", &url, &[(name, &value)]).await;
        assert_eq!(answer.status, status, "{name}: {value}");
        if status == 304 {
            assert_eq!(answer.header("etag"), Some(etag));
            assert!(answer.header("cache-control").unwrap().starts_with("private, max-age="));
        }
    }
    assert_eq!(edge.primary.reads() + edge.replica.reads(), 0);
    assert_eq!(edge.send("GET", &url, &[("If-None-Match", etag)]).await.body, b"");
    assert_eq!(edge.primary.reads() + edge.replica.reads(), 0);
    edge.stop().await;
}

#[tokio::test]
async fn only_raster_images_are_shown_inline() {
    let edge = Edge::start().await;
    for (content_type, inline) in [
        ("image/jpeg", true),
        ("image/png", true),
        ("image/gif", true),
        ("image/webp", true),
        ("image/svg+xml", false),
        ("text/html", false),
        ("application/pdf", false),
        ("application/xhtml+xml", false),
        ("text/plain; charset=utf-8", false),
        ("image/JPEG ,text/html", false),
        ("", false),
    ] {
        let key = edge.add(Kind::Original, content_type, "content");
        let asked = content_disposition(Disposition::Inline, "Möwe.bin");
        // A type in the URL changes nothing: the ledger's comes from the bytes.
        let query = [("response-content-disposition", asked.as_str()), ("response-content-type", "text/html")];
        let answer = edge.get(&edge.url(&key, &query)).await;
        let expected = if inline { asked.clone() } else { asked.replace("inline", "attachment") };
        assert_eq!(answer.header("content-disposition"), Some(expected.as_str()), "{content_type}");
        let shown = if content_type.is_empty() { "application/octet-stream" } else { content_type };
        assert_eq!(answer.header("content-type"), Some(shown));
        assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'; sandbox"));
    }
    let key = edge.add(Kind::Original, "image/png", "content");
    for hostile in ["inline\r\nSet-Cookie: a=b", "inline\0", "ïnline", "form-data; name=x", "\"attachment\"; x", ""] {
        let answer = edge.get(&edge.url(&key, &[("response-content-disposition", hostile)])).await;
        assert_eq!(answer.header("content-disposition"), Some("attachment"), "{hostile:?}");
        assert_eq!(answer.header("set-cookie"), None);
    }
    let name = "a\r\nb\0\u{202E}\"../../ü".to_owned() + &"x".repeat(400) + ".png";
    let disposition = content_disposition(Disposition::Inline, &name);
    let answer = edge.get(&edge.url(&key, &[("response-content-disposition", &disposition)])).await;
    assert_eq!((answer.status, answer.header("content-disposition")), (200, Some(disposition.as_str())));
    edge.stop().await;
}

#[tokio::test]
async fn a_failing_primary_is_replaced_by_the_replica() {
    for length in [1000, LARGE] {
        let edge = Edge::start().await;
        let data = bytes(length);
        let faults = [
            Fault::Unavailable,
            Fault::Longer,
            Fault::Checksum,
            Fault::Truncate(0),
            Fault::Reset(0),
            Fault::Reset(600),
            Fault::Truncate(999),
        ];
        for fault in faults {
            let key = edge.add(Kind::Original, "video/mp4", data.clone());
            edge.primary.set(fault);
            let answer = edge.get(&edge.url(&key, &[])).await;
            assert!(answer.status == 200 && answer.is_whole() && answer.body == data, "{fault:?} {length}");
            // A large download that changes its source on the way had named the first one.
            if length == 1000
                || matches!(
                    fault,
                    Fault::Unavailable | Fault::Longer | Fault::Checksum | Fault::Truncate(0) | Fault::Reset(0)
                )
            {
                assert_eq!(answer.source(), Some("replica"), "{fault:?} {length}");
            }
            let key = edge.add(Kind::Original, "video/mp4", data.clone());
            let answer = edge.send("GET", &edge.url(&key, &[]), &[("Range", "bytes=100-899")]).await;
            assert!(answer.status == 206 && answer.is_whole() && answer.body == data[100..900], "{fault:?} {length}");
        }
        edge.primary.set(Fault::None);
        let key = edge.add(Kind::Original, "video/mp4", data.clone());
        edge.primary.remove(&key);
        let answer = edge.get(&edge.url(&key, &[])).await;
        assert_eq!((answer.status, answer.source(), answer.body == data), (200, Some("replica"), true));
        edge.stop().await;
    }
}

#[tokio::test]
async fn altered_bytes_are_never_served_as_whole() {
    let edge = Edge::start().await;
    // Small: noticed before the first byte.
    let key = edge.add(Kind::Original, "video/mp4", bytes(1000));
    edge.primary.set(Fault::Flip(500));
    let answer = edge.get(&edge.url(&key, &[])).await;
    assert_eq!((answer.status, answer.source(), answer.body == bytes(1000)), (200, Some("replica"), true));
    // Large: noticed before the last chunk; the connection is cut, and the next attempt gets the replica.
    for at in [0, LARGE / 2, LARGE - 1] {
        let key = edge.add(Kind::Original, "video/mp4", bytes(LARGE));
        edge.primary.set(Fault::Flip(at));
        let url = edge.url(&key, &[]);
        let answer = edge.get(&url).await;
        assert_eq!(answer.header("content-length"), Some(LARGE.to_string().as_str()));
        assert!(!answer.is_whole(), "flipped at {at}");
        let again = edge.get(&url).await;
        assert!(again.is_whole() && again.body == bytes(LARGE));
        assert_eq!(again.source(), Some("replica"));
    }
    // The same from the replica, where the primary is away.
    edge.primary.set(Fault::Unavailable);
    edge.replica.set(Fault::Flip(7));
    let large = edge.get(&edge.url(&edge.add(Kind::Original, "video/mp4", bytes(LARGE)), &[])).await;
    assert!(!large.is_whole());
    let small = edge.get(&edge.url(&edge.add(Kind::Original, "video/mp4", bytes(1000)), &[])).await;
    assert_eq!(small.status, 503, "the primary may come back with the good copy");
    edge.primary.set(Fault::Truncate(3));
    let small = edge.get(&edge.url(&edge.add(Kind::Original, "video/mp4", bytes(1000)), &[])).await;
    assert_eq!(small.status, 502);
    let large = edge.get(&edge.url(&edge.add(Kind::Original, "video/mp4", bytes(LARGE)), &[])).await;
    assert!(!large.is_whole());
    edge.primary.set(Fault::Unavailable);
    edge.replica.set(Fault::Unavailable);
    for length in [1000, LARGE] {
        let answer = edge.get(&edge.url(&edge.add(Kind::Original, "video/mp4", bytes(length)), &[])).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    }
    edge.stop().await;
}

#[tokio::test]
async fn a_deleted_object_is_gone_within_five_seconds() {
    let edge = Edge::start().await;
    let key = edge.add(Kind::Rendition, "image/jpeg", "thumbnail");
    let url = edge.url(&key, &[]);
    assert_eq!(edge.get(&url).await.status, 200);
    let asked = edge.catalog.asked.load(Ordering::SeqCst);
    edge.pass(Duration::from_millis(4_999));
    assert_eq!(edge.get(&url).await.source(), Some("memory"));
    assert_eq!(edge.catalog.asked.load(Ordering::SeqCst), asked, "the ledger is not asked for every hit");
    edge.catalog.remove(&key);
    edge.pass(Duration::from_millis(1));
    assert_eq!(edge.get(&url).await.status, 404);
    assert_eq!(edge.get(&url).await.status, 404);

    // A purge is at once.
    let key = edge.add(Kind::Rendition, "image/jpeg", "another");
    let url = edge.url(&key, &[]);
    assert_eq!(edge.get(&url).await.status, 200);
    edge.catalog.remove(&key);
    edge.cache.purge(std::slice::from_ref(&key), "reference").await.unwrap();
    assert_eq!(edge.get(&url).await.status, 404);

    // A ledger that cannot be asked vouches for nothing.
    let key = edge.add(Kind::Rendition, "image/jpeg", "a third");
    let url = edge.url(&key, &[]);
    assert_eq!(edge.get(&url).await.status, 200);
    edge.catalog.down.store(true, Ordering::SeqCst);
    assert_eq!(edge.get(&url).await.status, 200);
    edge.pass(Duration::from_secs(5));
    assert_eq!(edge.get(&url).await.status, 503);
    edge.stop().await;
}

#[tokio::test]
async fn snaps_and_large_objects_stay_out_of_memory() {
    let edge = Edge::start().await;
    for (kind, length) in [(Kind::Snap, 100), (Kind::Original, LARGE)] {
        let key = edge.add(kind, "image/jpeg", bytes(length));
        let url = edge.url(&key, &[]);
        let before = edge.primary.reads();
        for _ in 0..2 {
            let answer = edge.get(&url).await;
            assert_eq!((answer.source(), answer.body == bytes(length)), (Some("primary"), true));
            assert_eq!(answer.header("cache-control") == Some("no-store"), kind == Kind::Snap);
        }
        assert_eq!(edge.primary.reads() - before, 2);
    }
    edge.stop().await;
}
