//! Lists: pages both ways, ties, counts, cursors.

use serde_json::{Value, json};

use crate::support::{Person, TestServer};

const PAGE: &str = "query ($first: Int, $after: String, $last: Int, $before: String, $filter: FileFilter, $order: FileOrder) { \
     files(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $order) { totalCount \
     edges { cursor node { name } } nodes { name owner { username } } \
     pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

async fn page(person: &Person, variables: Value) -> Value {
    person.query(PAGE, variables).await["files"].clone()
}

fn names(page: &Value) -> String {
    page["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_walk_over_ties_in_both_directions() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    // The clock stands still: the first four tie, and so do the last three.
    for name in ["a", "b", "c", "d"] {
        ada.upload(name, *b"x").await;
    }
    server.advance(std::time::Duration::from_secs(1));
    for name in ["e", "f", "g"] {
        ada.upload(name, *b"x").await;
    }
    server.person("bob").await.upload("z", *b"x").await;
    for (order, all) in [("DESC", "gfedcba"), ("ASC", "abcdefg")] {
        let order = json!({ "field": "CREATED_AT", "direction": order });
        for size in [1, 2, 3, 7] {
            let (mut forward, mut after) = (String::new(), Value::Null);
            loop {
                let found = page(&ada, json!({ "first": size, "after": after, "order": order })).await;
                assert_eq!(found["totalCount"], 7);
                assert_eq!(found["pageInfo"]["hasPreviousPage"], !after.is_null());
                forward.push_str(&names(&found));
                after = found["pageInfo"]["endCursor"].clone();
                if found["pageInfo"]["hasNextPage"] == false {
                    break;
                }
            }
            assert_eq!(forward, all);
            let (mut backward, mut before) = (String::new(), Value::Null);
            loop {
                let found = page(&ada, json!({ "last": size, "before": before, "order": order })).await;
                assert_eq!(found["pageInfo"]["hasNextPage"], !before.is_null());
                backward.insert_str(0, &names(&found));
                before = found["pageInfo"]["startCursor"].clone();
                if found["pageInfo"]["hasPreviousPage"] == false {
                    break;
                }
            }
            assert_eq!(backward, all);
        }
    }
    let whole = page(&ada, json!({})).await;
    let (start, end) = (&whole["edges"][1]["cursor"], &whole["edges"][5]["cursor"]);
    assert_eq!(names(&page(&ada, json!({ "first": 10, "after": start, "before": end })).await), "edc");
    assert_eq!(names(&page(&ada, json!({ "first": 0 })).await), "");
    server.work().await;
    server.finish().await;
}

#[tokio::test]
async fn a_list_shows_one_state() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let trashed = ada.upload("t", *b"x").await;
    ada.upload("a", *b"x").await;
    ada.trash(&[&trashed]).await;
    for (filter, shown) in [(json!({}), "a"), (json!({ "state": "TRASHED" }), "t"), (json!({ "state": "REMOVED" }), "")]
    {
        let found = page(&ada, json!({ "filter": filter })).await;
        assert_eq!((names(&found).as_str(), &found["totalCount"]), (shown, &json!(shown.len())));
    }
    server.finish().await;
}

#[tokio::test]
async fn wrong_page_arguments_are_named() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    for bad in [
        json!({ "first": -1 }),
        json!({ "first": 101 }),
        json!({ "last": 101 }),
        json!({ "first": 1, "last": 1 }),
        json!({ "after": "" }),
        json!({ "after": "nonsense" }),
        json!({ "before": "e30" }),
    ] {
        assert_eq!(ada.error(PAGE, bad.clone()).await, "BAD_USER_INPUT", "{bad}");
    }
    server.finish().await;
}

#[tokio::test]
async fn owners_come_with_the_page_in_one_query() {
    let server = TestServer::start().await;
    let (ada, root) = (server.person("ada").await, server.admin().await);
    ada.upload("a", *b"x").await;
    let everyone = json!({ "filter": { "everyone": true } });
    for query in [
        "query ($filter: FileFilter) { files(filter: $filter) { nodes { owner { username } } } }",
        "query ($filter: FileFilter) { files(filter: $filter) { edges { node { owner { username } } } } }",
        "query ($filter: FileFilter) { files(filter: $filter) { nodes { ...F } } } fragment F on File { owner { username } }",
    ] {
        let answer = root.query(query, everyone.clone()).await.to_string();
        assert!(answer.contains(r#"{"username":"ada"}"#), "{answer}");
    }
    server.finish().await;
}

#[tokio::test]
async fn no_query_of_a_list_runs_once_for_each_file() {
    let server = TestServer::start().await;
    let person = server.person("ada").await;
    let query = "query ($first: Int) { files(first: $first) { nodes { id owner { username } rendition { url } \
        small: rendition(size: FIT_320) { state } downloadUrl { url } copies { region state } \
        versions(first: 2) { nodes { number } pageInfo { hasNextPage } } } } }";
    let mut files = Vec::new();
    for number in 0..30 {
        files.push(person.upload(&format!("{number}.txt"), format!("file {number}")).await);
    }
    for content in ["second", "third"] {
        let file = person.file(&files[7], "id revision").await;
        assert_eq!(person.replace(&file, "7.txt", content, json!({})).await["userErrors"], json!([]));
    }
    server.quiet().await;
    // Workers ask for jobs now and then, which would count; this process has none.
    let idle = server.another().await;
    let reader = person.at(&idle.url);
    let asked = async |first: usize| {
        let before = idle.app.db.statements();
        let nodes = reader.query(query, json!({ "first": first })).await["files"]["nodes"].clone();
        (nodes, idle.app.db.statements() - before)
    };
    let (two, statements) = asked(2).await;
    let (thirty, as_many) = asked(30).await;
    assert_eq!((two.as_array().unwrap().len(), thirty.as_array().unwrap().len()), (2, 30));
    // A query a row would be 84 more; a busy machine may cut a batch in two.
    assert!(as_many < statements + 10, "{statements} statements for two files, {as_many} for thirty");
    let seventh = thirty.as_array().unwrap().iter().find(|file| file["id"] == files[7]["id"]).unwrap();
    assert_eq!(seventh["versions"]["nodes"], json!([{ "number": 3 }, { "number": 2 }]));
    assert_eq!(seventh["versions"]["pageInfo"]["hasNextPage"], true);
    assert_eq!(thirty[0]["versions"]["nodes"], json!([{ "number": 1 }]));
    assert_eq!(thirty[0]["copies"].as_array().unwrap().len(), 2);
    idle.finish().await;
    server.finish().await;
}
