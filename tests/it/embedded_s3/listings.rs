//! Listings in pages, with prefixes and delimiters, of few keys and of 100,000.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_s3::{Client, primitives::ByteStream, types::EncodingType};

use super::support::{FIRST, TestS3, code};

async fn fill(client: &Client, keys: &[&str]) {
    for key in keys {
        client.put_object().bucket(FIRST).key(*key).body(ByteStream::from_static(b"x")).send().await.unwrap();
    }
}

/// Keys and common prefixes, marked with a star, of all pages.
async fn walk_v2(client: &Client, prefix: &str, delimiter: Option<&str>, page: i32) -> Vec<String> {
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let answer = client
            .list_objects_v2()
            .bucket(FIRST)
            .prefix(prefix)
            .set_delimiter(delimiter.map(str::to_owned))
            .max_keys(page)
            .set_continuation_token(token)
            .send()
            .await
            .unwrap();
        let lines = answer.contents().len() + answer.common_prefixes().len();
        assert!(lines <= page as usize);
        assert_eq!(answer.key_count(), Some(lines as i32));
        seen.extend(answer.contents().iter().map(|object| object.key().unwrap().to_owned()));
        seen.extend(answer.common_prefixes().iter().map(|prefix| format!("{}*", prefix.prefix().unwrap())));
        token = answer.next_continuation_token().map(str::to_owned);
        assert_eq!(answer.is_truncated(), Some(token.is_some()));
        if token.is_none() {
            return seen;
        }
    }
}

#[tokio::test]
async fn prefixes_delimiters_and_markers() {
    let (_server, client) = TestS3::new_over_http().await;
    fill(&client, &["a", "a/1", "a/2", "a/b/3", "a0", "b/", "b/1", "c//d", "ä/1", "z"]).await;
    for page in [1, 2, 1000] {
        assert_eq!(walk_v2(&client, "", Some("/"), page).await.iter().filter(|l| l.ends_with('*')).count(), 4);
        let mut top = walk_v2(&client, "", Some("/"), page).await;
        top.sort_unstable();
        assert_eq!(top, ["a", "a/*", "a0", "b/*", "c/*", "z", "ä/*"], "{page}");
        let mut below = walk_v2(&client, "a/", Some("/"), page).await;
        below.sort_unstable();
        assert_eq!(below, ["a/1", "a/2", "a/b/*"]);
        assert_eq!(walk_v2(&client, "a", None, page).await, ["a", "a/1", "a/2", "a/b/3", "a0"]);
        assert_eq!(walk_v2(&client, "", Some("/1"), page).await.iter().filter(|l| l.ends_with('*')).count(), 3);
    }
    let after = client.list_objects_v2().bucket(FIRST).start_after("a0").delimiter("/").send().await.unwrap();
    assert_eq!(after.common_prefixes().len(), 3);
    assert_eq!(after.contents().len(), 1);

    // The first version pages by marker.
    let mut seen = Vec::new();
    let mut marker = None;
    loop {
        let page = client.list_objects().bucket(FIRST).delimiter("/").max_keys(2).set_marker(marker);
        let page = page.send().await.unwrap();
        seen.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        seen.extend(page.common_prefixes().iter().map(|prefix| format!("{}*", prefix.prefix().unwrap())));
        marker = page.next_marker().map(str::to_owned);
        if marker.is_none() {
            break;
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, ["a", "a/*", "a0", "b/*", "c/*", "z", "ä/*"]);

    let encoded = client.list_objects_v2().bucket(FIRST).prefix("ä").encoding_type(EncodingType::Url);
    assert_eq!(encoded.send().await.unwrap().contents()[0].key(), Some("%C3%A4/1"));
    let none = client.list_objects_v2().bucket(FIRST).max_keys(0).send().await.unwrap();
    assert_eq!((none.key_count(), none.is_truncated()), (Some(0), Some(false)));
    let bad = client.list_objects_v2().bucket(FIRST).continuation_token("%%%").send().await;
    assert_eq!(code(bad), "InvalidArgument");
    let bad = client.list_objects_v2().bucket(FIRST).max_keys(-1).send().await;
    assert_eq!(code(bad), "InvalidArgument");
}

#[tokio::test]
async fn versions_of_a_bucket_without_versions() {
    let (_server, client) = TestS3::new_over_http().await;
    fill(&client, &["v", "v/1", "w"]).await;
    let page = client.list_object_versions().bucket(FIRST).prefix("v").max_keys(1).send().await.unwrap();
    assert_eq!(page.versions()[0].version_id(), Some("null"));
    assert_eq!(page.versions()[0].is_latest(), Some(true));
    assert_eq!(page.next_key_marker(), Some("v"));
    assert!(page.delete_markers().is_empty());
    let next = client.list_object_versions().bucket(FIRST).prefix("v").key_marker("v").send().await.unwrap();
    assert_eq!(next.versions().iter().map(|v| v.key().unwrap()).collect::<Vec<_>>(), ["v/1"]);
    assert!(client.get_bucket_versioning().bucket(FIRST).send().await.unwrap().status().is_none());
    let other = client.get_object().bucket(FIRST).key("v").version_id("other").send().await;
    assert_eq!(code(other), "NoSuchVersion");
    client.delete_object().bucket(FIRST).key("v").version_id("null").send().await.unwrap();
    assert_eq!(code(client.get_object().bucket(FIRST).key("v").send().await), "NoSuchKey");
}

#[tokio::test]
async fn unfinished_uploads_in_pages() {
    let (_server, client) = TestS3::new_over_http().await;
    let mut begun = Vec::new();
    for key in ["u/1", "u/1", "u/2/x", "u/2/y", "v"] {
        let created = client.create_multipart_upload().bucket(FIRST).key(key).send().await.unwrap();
        begun.push((key.to_owned(), created.upload_id.unwrap()));
    }
    let mut seen = Vec::new();
    let (mut key, mut id) = (None, None);
    loop {
        let page = client.list_multipart_uploads().bucket(FIRST).max_uploads(1);
        let page = page.set_key_marker(key).set_upload_id_marker(id).send().await.unwrap();
        seen.extend(page.uploads().iter().map(|u| (u.key().unwrap().to_owned(), u.upload_id().unwrap().to_owned())));
        (key, id) = (page.next_key_marker().map(str::to_owned), page.next_upload_id_marker().map(str::to_owned));
        if page.is_truncated() != Some(true) {
            break;
        }
    }
    assert_eq!(seen, begun);
    let rolled = client.list_multipart_uploads().bucket(FIRST).prefix("u/").delimiter("/").send().await.unwrap();
    assert_eq!(rolled.uploads().len(), 2);
    assert_eq!(rolled.common_prefixes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_keys() {
    const KEYS: usize = 100_000;
    const WRITERS: usize = 32;
    let server = TestS3::in_memory();
    let embedded = Arc::new(server.embedded().clone());
    let began = Instant::now();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let embedded = Arc::clone(&embedded);
            std::thread::spawn(move || {
                for n in (writer..KEYS).step_by(WRITERS) {
                    assert!(embedded.put_directly(FIRST, &format!("many/{:03}/{n:06}", n % 100), b"x"));
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    println!("{KEYS} objects written in {:?}", began.elapsed());
    let client = server.client_over_http().await;

    let mut pages = Vec::new();
    let mut count = 0;
    let mut last = String::new();
    let mut token = None;
    loop {
        let began = Instant::now();
        let page = client.list_objects_v2().bucket(FIRST).set_continuation_token(token).send().await.unwrap();
        pages.push(began.elapsed());
        for object in page.contents() {
            let key = object.key().unwrap();
            assert!(last.as_str() < key, "{last} before {key}");
            key.clone_into(&mut last);
        }
        count += page.contents().len();
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!((count, pages.len()), (KEYS, KEYS / 1000));
    let slowest = pages.iter().max().unwrap();
    let total: Duration = pages.iter().sum();
    println!("{} pages in {total:?}, the slowest in {slowest:?}", pages.len());
    // No page scans what is before it.
    let (first, second) = pages.split_at(pages.len() / 2);
    assert!(second.iter().sum::<Duration>() < first.iter().sum::<Duration>() * 3);

    let began = Instant::now();
    let top = client.list_objects_v2().bucket(FIRST).prefix("many/").delimiter("/").send().await.unwrap();
    println!("100 common prefixes over {KEYS} keys in {:?}", began.elapsed());
    assert_eq!((top.common_prefixes().len(), top.contents().len()), (100, 0));
    assert_eq!(embedded.count(FIRST), Some(KEYS as u64));
}
