//! Strict downloads that do not go smoothly: broken off, cut off, altered, forgotten by a process that died.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use entity::share_download;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};
use snaphaven::{
    adapters::objects::{Body, Condition, ObjectStore, PutObject, StoreErrorKind, memory::MemoryStore},
    id::NodeKind,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use uuid::Uuid;

use super::{get, given_back, revoke, share, status, under_way, used};
use crate::support::{Person, TestServer};

/// More than a connection holds on its way.
const LARGE: usize = 16 << 20;

async fn with_large_file() -> (TestServer, Person, Value) {
    let server = TestServer::with(|config| config.uploads.max_size = bytesize::ByteSize::mib(32)).await;
    let ada = server.person("ada").await;
    let file = ada.upload("large.bin", vec![7; LARGE]).await;
    server.settle().await;
    (server, ada, file)
}

/// A download whose client has read the answer's head and no more.
async fn begun(url: &str) -> TcpStream {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(256 << 10).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains(&format!("content-length: {LARGE}\r\n")), "{head}");
    stream
}

/// The bytes that still come.
async fn rest(mut stream: TcpStream) -> usize {
    let mut bytes = Vec::new();
    // A download that is cut off may end in a reset.
    let _ = stream.read_to_end(&mut bytes).await;
    bytes.len()
}

#[tokio::test]
async fn a_download_that_breaks_off_gives_its_place_back() {
    let (server, ada, file) = with_large_file().await;
    let (link, url) = share(&ada, &file, json!({ "strict": true, "maxDownloads": 1 })).await;
    let stream = begun(&url).await;
    assert_eq!((under_way(&server).await, used(&ada, &link).await), (1, ("ACTIVE".to_owned(), 0)));
    let second = get(&url).await;
    assert_eq!((second.status().as_u16(), super::header(&second, "retry-after")), (409, "60"));
    assert_eq!(second.json::<Value>().await.unwrap()["errors"][0]["extensions"]["code"], "UNDER_WAY");
    drop(stream);
    given_back(&server).await;
    assert_eq!(used(&ada, &link).await, ("ACTIVE".to_owned(), 0));
    assert_eq!(rest(begun(&url).await).await, LARGE);
    assert_eq!((under_way(&server).await, used(&ada, &link).await), (0, ("EXHAUSTED".to_owned(), 1)));
    server.finish().await;
}

#[tokio::test]
async fn what_ends_a_link_cuts_off_the_download_under_way() {
    let (server, ada, file) = with_large_file().await;
    for end in ["revoked", "trashed", "purged"] {
        let (link, url) = share(&ada, &file, json!({ "strict": true })).await;
        let stream = begun(&url).await;
        match end {
            "revoked" => drop(revoke(&ada, &link).await),
            "trashed" => drop(ada.trash(&[&file]).await),
            _ => drop(ada.purge(&[&file]).await),
        }
        let read = rest(stream).await;
        assert!(read < LARGE, "{end}, and still whole");
        given_back(&server).await;
        match end {
            "revoked" => assert_eq!(used(&ada, &link).await, ("REVOKED".to_owned(), 0)),
            "trashed" => {
                assert_eq!(used(&ada, &link).await, ("ACTIVE".to_owned(), 0));
                ada.restore(&[&file]).await;
            }
            _ => assert_eq!(super::now(&ada, &link).await, Value::Null),
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn a_download_that_began_in_time_may_end_after_its_link_has_expired() {
    let (server, ada, file) = with_large_file().await;
    let (link, url) = share(&ada, &file, json!({ "strict": true, "expiresIn": 30 })).await;
    let stream = begun(&url).await;
    server.advance(Duration::from_secs(31));
    assert_eq!(status(&url).await, 404);
    assert_eq!(rest(stream).await, LARGE);
    assert_eq!(used(&ada, &link).await, ("EXPIRED".to_owned(), 1));
    server.finish().await;
}

#[tokio::test]
async fn the_place_of_a_process_that_died_is_free_after_its_lease() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"text").await;
    let (link, url) = share(&ada, &file, json!({ "strict": true, "maxDownloads": 1 })).await;
    let row = share_download::ActiveModel {
        id: Set(Uuid::now_v7()),
        link_id: Set(NodeKind::ShareLink.parse(link["id"].as_str().unwrap()).unwrap()),
        lease_until: Set(server.app.now().plus(Duration::from_secs(60))),
    };
    share_download::Entity::insert(row).exec_without_returning(server.app.db.read()).await.unwrap();
    assert_eq!(status(&url).await, 409);
    server.advance(Duration::from_secs(59));
    assert_eq!(status(&url).await, 409);
    server.advance(Duration::from_secs(1));
    assert_eq!(get(&url).await.text().await.unwrap(), "text");
    assert_eq!((under_way(&server).await, used(&ada, &link).await), (0, ("EXHAUSTED".to_owned(), 1)));
    server.finish().await;
}

#[tokio::test]
async fn a_slow_download_whose_place_another_took_never_gets_the_end() {
    let (server, ada, file) = with_large_file().await;
    let (link, url) = share(&ada, &file, json!({ "strict": true, "maxDownloads": 1 })).await;
    let stream = begun(&url).await;
    server.advance(Duration::from_secs(60));
    assert_eq!(rest(begun(&url).await).await, LARGE, "the lease is over");
    assert!(rest(stream).await < LARGE, "two have the whole file");
    assert_eq!(used(&ada, &link).await, ("EXHAUSTED".to_owned(), 1));
    server.finish().await;
}

/// Puts bytes under a key behind the ledger's back.
async fn plant(store: &MemoryStore, key: &str, bytes: &'static [u8]) {
    let put = PutObject {
        key: key.to_owned(),
        body: Body::Memory(bytes.into()),
        bytes: bytes.len() as u64,
        sha256: digest(&SHA256, bytes).as_ref().try_into().unwrap(),
        content_type: "text/plain".to_owned(),
        condition: Condition::None,
    };
    store.put(put, Duration::from_secs(1)).await.unwrap();
}

#[tokio::test]
async fn what_no_site_has_unaltered_is_not_served_and_does_not_count() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"true").await;
    server.settle().await;
    let key = server.objects().await[0].key.clone();
    let (link, url) = share(&ada, &file, json!({ "strict": true, "maxDownloads": 2 })).await;
    server.first.set_failure(Some(StoreErrorKind::Unavailable));
    assert_eq!(get(&url).await.text().await.unwrap(), "true", "from the other site");
    server.second.set_failure(Some(StoreErrorKind::Unavailable));
    assert_eq!(status(&url).await, 503);
    for store in [&server.first, &server.second] {
        store.set_failure(None);
        plant(store, &key, b"lies").await;
    }
    given_back(&server).await;
    let answer = get(&url).await;
    assert_eq!(answer.status(), 502);
    assert!(!answer.text().await.unwrap().contains("lies"));
    given_back(&server).await;
    assert_eq!(used(&ada, &link).await, ("ACTIVE".to_owned(), 1));
    for store in [&server.first, &server.second] {
        plant(store, &key, b"true").await;
    }
    assert_eq!(get(&url).await.text().await.unwrap(), "true");
    assert_eq!(used(&ada, &link).await, ("EXHAUSTED".to_owned(), 2));
    server.finish().await;
}
