//! Making, listing and revoking links.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{LINK, links, now, revoke, share, status, try_share};
use crate::support::TestServer;

#[tokio::test]
async fn a_link_says_what_it_is_and_its_token_is_kept_nowhere() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"text").await;
    let (link, url) = share(&ada, &file, json!({})).await;
    let token = url.strip_prefix(&format!("{}/s/shl_", server.url)).unwrap();
    assert_eq!(token.len(), 43);
    assert_eq!((&link["state"], &link["strict"], &link["downloads"]), (&json!("ACTIVE"), &json!(false), &json!(0)));
    assert_eq!(
        (&link["maxDownloads"], &link["revokedAt"], &link["lastUsedAt"]),
        (&json!(100), &Value::Null, &Value::Null)
    );
    let time = |name: &str| link[name].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert_eq!(time("expiresAt") - time("createdAt"), chrono::Duration::days(7));
    let (strict, _) = share(&ada, &file, json!({ "strict": true, "expiresIn": 60, "maxDownloads": 3 })).await;
    assert_eq!((&strict["strict"], &strict["maxDownloads"]), (&json!(true), &json!(3)));
    let kept = format!("{:?}", links(&server).await);
    assert!(!kept.contains(token), "only the hash is kept");
    let data = ada.query("{ limits { shareLinkTtl shareLinkDownloads } }", json!({})).await;
    assert_eq!(data["limits"], json!({ "shareLinkTtl": 90 * 24 * 3600, "shareLinkDownloads": 10_000 }));
    server.finish().await;
}

#[tokio::test]
async fn what_cannot_be_shared_is_refused() {
    let server = TestServer::with(|config| {
        config.shares.max_ttl = Duration::from_secs(3600);
        config.shares.default_ttl = Duration::from_secs(3600);
        config.shares.max_downloads = 5;
        config.shares.default_downloads = 5;
    })
    .await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let file = ada.upload("a.txt", *b"text").await;
    for (input, code, field) in [
        (json!({ "expiresIn": 0 }), "INVALID_EXPIRY", "expiresIn"),
        (json!({ "expiresIn": -1 }), "INVALID_EXPIRY", "expiresIn"),
        (json!({ "expiresIn": 3601 }), "INVALID_EXPIRY", "expiresIn"),
        (json!({ "maxDownloads": 0 }), "INVALID_DOWNLOADS", "maxDownloads"),
        (json!({ "maxDownloads": 6 }), "INVALID_DOWNLOADS", "maxDownloads"),
    ] {
        let refused = try_share(&ada, &file, input).await;
        assert_eq!((&refused["shareLink"], &refused["url"]), (&Value::Null, &Value::Null));
        let error = &refused["userErrors"][0];
        assert_eq!((&error["code"], &error["field"]), (&json!(code), &json!(field)), "{refused}");
    }
    let missing = json!({ "id": "file_00000000000000000000000000000000" });
    let theirs = try_share(&bob, &file, json!({})).await;
    assert_eq!(theirs["userErrors"][0]["code"], "NOT_FOUND");
    assert_eq!(theirs, try_share(&bob, &missing, json!({})).await, "another's is as a missing one");
    ada.trash(&[&file]).await;
    assert_eq!(try_share(&ada, &file, json!({})).await["userErrors"][0]["code"], "WRONG_STATE");
    assert!(links(&server).await.is_empty());
    server.finish().await;
}

#[tokio::test]
async fn a_repeat_with_the_same_key_makes_no_second_link() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let file = ada.upload("a.txt", *b"text").await;
    let input = json!({ "idempotencyKey": "k", "maxDownloads": 2 });
    let (first, url) = share(&ada, &file, input.clone()).await;
    let again = try_share(&ada, &file, input).await;
    assert_eq!((&again["shareLink"], &again["url"]), (&first, &Value::Null), "the URL is shown once");
    for other in [json!({ "idempotencyKey": "k" }), json!({ "idempotencyKey": "k", "maxDownloads": 2, "strict": true })]
    {
        let reused = try_share(&ada, &file, other).await;
        assert_eq!(reused["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
    }
    assert_eq!(status(&url).await, 302, "and still works");
    let key = || json!({ "idempotencyKey": "at once" });
    let answers = futures::future::join_all((0..8).map(|_| try_share(&ada, &file, key()))).await;
    for answer in &answers {
        assert_eq!(answer["userErrors"], json!([]), "{answer}");
        assert_eq!(answer["shareLink"]["id"], answers[0]["shareLink"]["id"]);
    }
    assert_eq!(answers.iter().filter(|answer| answer["url"].is_string()).count(), 1);
    assert_eq!(links(&server).await.len(), 2);
    server.finish().await;
}

#[tokio::test]
async fn links_are_listed_newest_first_for_the_owner_and_admins() {
    let server = TestServer::start().await;
    let (ada, bob, root) = (server.person("ada").await, server.person("bob").await, server.admin().await);
    let [file, other] = [ada.upload("a.txt", *b"text").await, ada.upload("b.txt", *b"more").await];
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, share(&ada, &file, json!({})).await.0["id"].clone());
        server.advance(Duration::from_secs(1));
    }
    share(&ada, &other, json!({})).await;
    let listed = async |fields: &str| {
        let fields = format!("shareLinks({fields}) {{ nodes {{ id }} pageInfo {{ hasNextPage endCursor }} }}");
        ada.file(&file, &fields).await["shareLinks"].clone()
    };
    let page = listed("first: 3").await;
    let rest = listed(&format!("first: 3, after: {}", page["pageInfo"]["endCursor"])).await;
    let shown: Vec<_> = [&page, &rest].iter().flat_map(|page| page["nodes"].as_array().unwrap().clone()).collect();
    assert_eq!(shown.iter().map(|node| node["id"].clone()).collect::<Vec<_>>(), ids);
    assert_eq!((&page["pageInfo"]["hasNextPage"], &rest["pageInfo"]["hasNextPage"]), (&json!(true), &json!(false)));
    let all = "{ files { nodes { shareLinks(first: 2) { nodes { id file { id } } pageInfo { hasNextPage } } } } }";
    let files = ada.query(all, json!({})).await["files"]["nodes"].clone();
    let first = &files[1]["shareLinks"];
    assert_eq!((&first["nodes"][0]["id"], &first["nodes"][1]["id"]), (&ids[0], &ids[1]));
    assert_eq!((&first["nodes"][0]["file"]["id"], &first["pageInfo"]["hasNextPage"]), (&file["id"], &json!(true)));
    assert_eq!(files[0]["shareLinks"]["nodes"].as_array().unwrap().len(), 1);

    let link = json!({ "id": ids[0] });
    assert_eq!(now(&bob, &link).await, Value::Null);
    assert_eq!(revoke(&bob, &link).await["userErrors"][0]["code"], "NOT_FOUND");
    assert_eq!(now(&root, &link).await["state"], "ACTIVE");
    let revoked = revoke(&root, &link).await["shareLink"].clone();
    assert_eq!(revoked["state"], "REVOKED");
    server.advance(Duration::from_secs(1));
    assert_eq!(revoke(&ada, &link).await["shareLink"], revoked, "a repeat changes nothing");
    server.finish().await;
}

#[tokio::test]
async fn a_list_of_files_asks_once_for_all_their_links() {
    let server = TestServer::start().await;
    let person = server.person("ada").await;
    for number in 0..20 {
        let file = person.upload(&format!("{number}.txt"), format!("file {number}")).await;
        share(&person, &file, json!({})).await;
    }
    server.quiet().await;
    let idle = server.another().await;
    let reader = person.at(&idle.url);
    let query = format!(
        "query ($first: Int) {{ files(first: $first) {{ nodes {{ shareLinks(first: 2) {{ nodes {{ {LINK} }} }} }} }} }}"
    );
    let asked = async |first: usize| {
        let before = idle.app.db.statements();
        let nodes = reader.query(&query, json!({ "first": first })).await["files"]["nodes"].clone();
        (nodes.as_array().unwrap().len(), idle.app.db.statements() - before)
    };
    let (two, statements) = asked(2).await;
    let (twenty, as_many) = asked(20).await;
    assert_eq!((two, twenty), (2, 20));
    assert!(as_many < statements + 9, "{statements} statements for two files, {as_many} for twenty");
    idle.finish().await;
    server.finish().await;
}
