//! Finding files: words, tags, metadata, types, times and sizes, in every order, as the files change.

use std::time::Duration;

use migration::MigratorTrait as _;
use serde_json::{Value, json};

use crate::support::{Person, TestServer};

const PAGE: &str = "query ($filter: FileFilter, $order: FileOrder, $first: Int, $after: String, $last: Int, $before: String) { \
     files(filter: $filter, orderBy: $order, first: $first, after: $after, last: $last, before: $before) { \
     totalCount totalCountIsExact nodes { name } pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } }";

async fn page(person: &Person, variables: Value) -> Value {
    person.query(PAGE, variables).await["files"].clone()
}

fn names(page: &Value) -> Vec<&str> {
    page["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect()
}

/// The names of all that a filter finds, in the order of the alphabet, after checking that the count agrees.
async fn found(person: &Person, filter: Value) -> String {
    let order = json!({ "field": "NAME", "direction": "ASC" });
    let page = page(person, json!({ "filter": filter, "order": order, "first": 100 })).await;
    let names = names(&page);
    assert_eq!((&page["totalCount"], &page["totalCountIsExact"]), (&json!(names.len()), &json!(true)), "{filter}");
    names.join(" ")
}

async fn upload(person: &Person, name: &str, input: Value) -> Value {
    let payload = person.try_upload(name, *b"x", input).await;
    assert_eq!(payload["userErrors"], json!([]));
    payload["file"].clone()
}

#[tokio::test]
async fn files_are_found_by_what_people_type() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    for (name, description) in [
        ("IMG_2034.jpeg", "Un été çà et là, chez Zoë"),
        ("ada.lovelace@example.org.txt", "l'avenir"),
        ("東京都庁.png", "สวัสดีครับ"),
        ("Straße", "Ὀδυσσεύς ЁЛКА"),
        ("ﬁnal-ﬁnal.v2.docx", "100%"),
        ("it\u{202e}gnp.exe", "soft\u{ad}ware for \u{200f}people"),
        ("한국어.txt", "हिन्दी 2034年"),
    ] {
        upload(&ada, name, json!({ "description": description })).await;
    }
    for (search, expected) in [
        ("img", "IMG_2034.jpeg"),
        ("IMG_2034.jpeg", "IMG_2034.jpeg"),
        ("2034 jp", "IMG_2034.jpeg"),
        ("ca et la", "IMG_2034.jpeg"),
        ("ÇÀ, ÉTÉ", "IMG_2034.jpeg"),
        ("zoe img", "IMG_2034.jpeg"),
        ("034", ""),
        ("img nothing", ""),
        ("lovelace", "ada.lovelace@example.org.txt"),
        ("ada.love", "ada.lovelace@example.org.txt"),
        ("ada@example", "ada.lovelace@example.org.txt"),
        ("avenir", "ada.lovelace@example.org.txt"),
        ("L’avenir", "ada.lovelace@example.org.txt"),
        ("京都", "東京都庁.png"),
        ("都京", ""),
        ("東京都庁", "東京都庁.png"),
        ("สวัสดี", "東京都庁.png"),
        ("ครับ", "東京都庁.png"),
        ("STRASSE", "Straße"),
        ("strasse", "Straße"),
        ("οδυσσευσ", "Straße"),
        ("елка", "Straße"),
        ("final v2", "ﬁnal-ﬁnal.v2.docx"),
        ("100%", "ﬁnal-ﬁnal.v2.docx"),
        ("1_", "ﬁnal-ﬁnal.v2.docx"),
        ("software", "it\u{202e}gnp.exe"),
        ("itgnp", "it\u{202e}gnp.exe"),
        ("people", "it\u{202e}gnp.exe"),
        ("한국", "한국어.txt"),
        ("हिन्", "한국어.txt"),
        ("年", "한국어.txt"),
        ("txt", "ada.lovelace@example.org.txt 한국어.txt"),
        ("2034", "IMG_2034.jpeg 한국어.txt"),
        ("%", ""),
        ("' OR 1=1 --", ""),
    ] {
        if search == "%" {
            assert_eq!(ada.error(PAGE, json!({ "filter": { "search": search } })).await, "BAD_USER_INPUT");
        } else {
            assert_eq!(found(&ada, json!({ "search": search })).await, expected, "{search}");
        }
    }
    server.work().await;
    server.finish().await;
}

#[tokio::test]
async fn every_filter_finds_what_it_says_alone_and_with_others() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    for (name, bytes, input) in [
        (
            "a.txt",
            "x",
            json!({ "tags": ["Été", "work"], "metadata": { "iso": 100, "raw": true, "camera": "X100", "": null } }),
        ),
        ("b.txt", "xx", json!({ "tags": ["work"], "metadata": { "iso": "100", "lens": { "mm": 35 }, "note": "" } })),
        ("c.html", "<html>xxx", json!({ "metadata": { "iso": 200.5, "camera": "x100", "pair\",\"x": "y" } })),
        ("d.bin", "", json!({ "tags": ["été"], "description": "work" })),
    ] {
        let payload = ada.try_upload(name, bytes, input).await;
        assert_eq!(payload["userErrors"], json!([]));
        server.advance(Duration::from_secs(3600));
    }
    // The clock of tests begins at 2027-01-15T08:00:00Z.
    let metadata = |key: &str, value: Value| json!({ "metadata": [{ "key": key, "value": value }] });
    for (filter, expected) in [
        (json!({}), "a.txt b.txt c.html d.bin"),
        (json!({ "tags": [], "metadata": [] }), "a.txt b.txt c.html d.bin"),
        (json!({ "tags": ["work"] }), "a.txt b.txt"),
        (json!({ "tags": [" ETE "] }), "a.txt d.bin"),
        (json!({ "tags": ["work", "été"] }), "a.txt"),
        (json!({ "tags": ["wor"] }), ""),
        (json!({ "tags": ["w%"] }), ""),
        (metadata("iso", Value::Null), "a.txt b.txt c.html"),
        (metadata("iso", json!("100")), "a.txt b.txt"),
        (metadata("iso", json!("200.5")), "c.html"),
        (metadata("ISO", Value::Null), ""),
        (metadata("raw", json!("true")), "a.txt"),
        (metadata("camera", json!("X100")), "a.txt"),
        (metadata("lens", Value::Null), "b.txt"),
        (metadata("lens", json!("{\"mm\":35}")), ""),
        (metadata("note", json!("")), "b.txt"),
        (metadata("pair", json!("\",\"xy")), ""),
        (json!({ "metadata": [{ "key": "iso" }, { "key": "camera", "value": "x100" }] }), "c.html"),
        (json!({ "contentType": "text/plain" }), "a.txt b.txt"),
        (json!({ "contentType": "TEXT/*" }), "a.txt b.txt c.html"),
        (json!({ "contentType": "tex/*" }), ""),
        (json!({ "sizeFrom": 1, "sizeTo": 2 }), "a.txt"),
        (json!({ "sizeFrom": 2 }), "b.txt c.html"),
        (json!({ "sizeTo": 1 }), "d.bin"),
        (
            json!({ "createdAfter": "2027-01-15T09:00:00Z", "createdBefore": "2027-01-15T11:00:00+00:00" }),
            "b.txt c.html",
        ),
        (json!({ "createdBefore": "2027-01-15T08:00:00.000001Z" }), "a.txt"),
        (json!({ "updatedAfter": "2027-01-15T12:00:00+01:00" }), "d.bin"),
        (json!({ "search": "work" }), "d.bin"),
        (json!({ "search": "txt", "tags": ["été"], "sizeTo": 100, "contentType": "text/*" }), "a.txt"),
        (
            json!({ "search": "txt", "createdAfter": "2027-01-15T09:00:00Z", "updatedBefore": "2027-01-15T10:00:00Z" }),
            "b.txt",
        ),
        (json!({ "state": "TRASHED", "search": "txt" }), ""),
    ] {
        assert_eq!(found(&ada, filter.clone()).await, expected, "{filter}");
    }
    server.work().await;
    server.finish().await;
}

/// However a list is found, its pages are those of the whole list, both ways, over ties too.
#[tokio::test]
async fn pages_of_every_order_are_parts_of_the_whole_list() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    let mut files = Vec::new();
    for (number, name) in ["b", "A", "ä", "C", "a", "b", "Z", "é"].into_iter().enumerate() {
        let input = json!({ "name": name, "description": "common words", "tags": ["all"], "metadata": { "k": "v" } });
        let payload = ada.try_upload("x.txt", "x".repeat(number % 3 + 1), input).await;
        files.push(payload["file"].clone());
        if number % 2 == 1 {
            server.advance(Duration::from_secs(1));
        }
    }
    // The first ones are the last to change.
    server.advance(Duration::from_secs(1));
    let edit = json!({ "id": files[0]["id"], "revision": 1, "description": "common words, changed" });
    assert_eq!(ada.mutate("editFile", "file { id }", edit).await["userErrors"], json!([]));
    for filter in [
        json!({}),
        json!({ "search": "common" }),
        json!({ "tags": ["all"] }),
        json!({ "tags": ["all"], "search": "word" }),
        json!({ "contentType": "text/*", "createdAfter": "2027-01-01T00:00:00Z" }),
        json!({ "metadata": [{ "key": "k" }, { "key": "k", "value": "v" }], "sizeTo": 10 }),
        json!({ "createdAfter": "2027-01-01T00:00:00Z", "updatedAfter": "2027-01-01T00:00:00Z" }),
    ] {
        for field in ["CREATED_AT", "UPDATED_AT", "NAME", "SIZE"] {
            let mut wholes = Vec::new();
            for direction in ["ASC", "DESC"] {
                let order = json!({ "field": field, "direction": direction });
                let asked = async |paging: Value| {
                    let mut variables = paging;
                    variables["filter"] = filter.clone();
                    variables["order"] = order.clone();
                    page(&ada, variables).await
                };
                let whole = asked(json!({ "first": 100 })).await["nodes"].as_array().unwrap().clone();
                assert_eq!(whole.len(), 8);
                let (mut forward, mut after) = (Vec::new(), Value::Null);
                let (mut backward, mut before) = (Vec::new(), Value::Null);
                for _ in 0..3 {
                    let next = asked(json!({ "first": 3, "after": after })).await;
                    assert_eq!(next["pageInfo"]["hasNextPage"], forward.len() < 5);
                    forward.extend(next["nodes"].as_array().unwrap().clone());
                    after = next["pageInfo"]["endCursor"].clone();
                    let previous = asked(json!({ "last": 3, "before": before })).await;
                    assert_eq!(previous["pageInfo"]["hasPreviousPage"], backward.len() < 5);
                    backward.splice(0..0, previous["nodes"].as_array().unwrap().clone());
                    before = previous["pageInfo"]["startCursor"].clone();
                }
                assert_eq!((&forward, &backward), (&whole, &whole), "{filter} {order}");
                wholes.push(whole);
            }
            wholes[1].reverse();
            assert_eq!(wholes[0], wholes[1], "{filter} {field}");
            let names: Vec<_> = wholes[0].iter().map(|node| node["name"].as_str().unwrap()).collect();
            match field {
                "NAME" => assert_eq!(names.join("").to_lowercase(), "aabbczäé"),
                "UPDATED_AT" => assert_eq!(names[7], "b", "changed last"),
                _ => {}
            }
        }
    }
    server.work().await;
    server.finish().await;
}

#[tokio::test]
async fn what_a_file_is_found_by_follows_every_change_of_it() {
    let server = TestServer::start().await;
    let (ada, bob, root) = (server.person("ada").await, server.person("bob").await, server.admin().await);
    let input = json!({ "description": "old words", "tags": ["old"], "metadata": { "old": 1 } });
    let file = upload(&ada, "first.txt", input).await;
    let old = [
        json!({ "search": "old" }),
        json!({ "search": "first" }),
        json!({ "tags": ["old"] }),
        json!({ "metadata": [{ "key": "old", "value": "1" }] }),
        json!({ "contentType": "text/plain" }),
    ];
    let is_found = async |person: &Person, filter: &Value, more: Value| {
        let mut filter = filter.clone();
        filter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        !found(person, filter).await.is_empty()
    };
    for filter in &old {
        assert!(is_found(&ada, filter, json!({})).await, "{filter}");
        assert!(!is_found(&bob, filter, json!({})).await && !is_found(&root, filter, json!({})).await);
        assert!(is_found(&root, filter, json!({ "everyone": true })).await);
        assert!(is_found(&root, filter, json!({ "ownerId": ada.id })).await);
        assert!(!is_found(&root, filter, json!({ "ownerId": bob.id })).await);
        assert!(!is_found(&root, filter, json!({ "everyone": true, "state": "TRASHED" })).await);
    }
    ada.trash(&[&file]).await;
    for filter in &old {
        assert!(!is_found(&ada, filter, json!({})).await, "{filter}");
        assert!(is_found(&ada, filter, json!({ "state": "TRASHED" })).await);
    }
    ada.restore(&[&file]).await;
    let revision = ada.file(&file, "revision").await["revision"].clone();
    let edit = json!({ "id": file["id"], "revision": revision, "name": "second.txt", "description": "", "tags": ["new"],
        "metadata": { "new": "y" } });
    assert_eq!(ada.mutate("editFile", "file { id }", edit).await["userErrors"], json!([]));
    for filter in &old[..4] {
        assert!(!is_found(&ada, filter, json!({})).await, "{filter}");
    }
    assert!(is_found(&ada, &old[4], json!({})).await, "it is still a text");
    let new = [
        json!({ "search": "second" }),
        json!({ "tags": ["new"] }),
        json!({ "metadata": [{ "key": "new", "value": "y" }] }),
    ];
    let current = ada.file(&file, "id revision").await;
    let replaced =
        ada.replace(&current, "third.png", crate::images::fixtures::Picture::quarters(4, 4).png(), json!({})).await;
    assert_eq!(replaced["userErrors"], json!([]));
    for filter in &new {
        assert!(is_found(&ada, filter, json!({ "contentType": "image/*" })).await, "{filter}");
    }
    assert!(!is_found(&ada, &old[4], json!({})).await, "it is a picture now");
    ada.purge(&[&file]).await;
    for filter in new.iter().chain(&old) {
        assert!(!is_found(&ada, filter, json!({})).await, "{filter}");
    }
    server.finish().await;
}

#[tokio::test]
async fn what_cannot_be_looked_for_is_refused_and_nothing_else_breaks() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    upload(&ada, "a.txt", json!({})).await;
    let many = |count: usize| (0..count).map(|n| format!("w{n}")).collect::<Vec<_>>();
    for (field, bad) in [
        ("search", json!("")),
        ("search", json!(" \t-_%")),
        ("search", json!("\0")),
        ("search", json!("x".repeat(257))),
        ("search", json!(many(9).join(" "))),
        ("search", json!(many(10_000).join(" "))),
        ("tags", json!([""])),
        ("tags", json!([" "])),
        ("tags", json!(many(9))),
        ("tags", json!(["x".repeat(1_001)])),
        ("metadata", json!([{ "key": "" }])),
        ("metadata", json!([{ "key": "k", "value": "x".repeat(1_001) }])),
        ("metadata", json!(many(9).iter().map(|key| json!({ "key": key })).collect::<Vec<_>>())),
        ("contentType", json!("")),
        ("contentType", json!("*")),
        ("contentType", json!("*/*")),
        ("contentType", json!("*/png")),
        ("contentType", json!("image/p*")),
        ("contentType", json!("image")),
        ("contentType", json!("image/")),
        ("contentType", json!("a/b/c")),
        ("sizeFrom", json!(-1)),
    ] {
        let answer = ada.send(PAGE, json!({ "filter": { field: bad } })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{field} {answer}");
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains(&format!("`filter.{field}`")), "{answer}");
    }
    for bad in [
        json!({ "sizeFrom": 2, "sizeTo": 2 }),
        json!({ "createdAfter": "2027-01-01T00:00:00Z", "createdBefore": "2027-01-01T00:00:00Z" }),
        json!({ "updatedAfter": "2028-01-01T00:00:00Z", "updatedBefore": "2027-01-01T00:00:00Z" }),
    ] {
        assert_eq!(ada.error(PAGE, json!({ "filter": bad })).await, "BAD_USER_INPUT", "{bad}");
    }
    for odd in ["a\0b", "\u{202e}a\u{200f}", "'\"\\%_a", "a\u{ffff}", "\u{10ffff}a", "a ".repeat(100).as_str()] {
        for filter in [
            json!({ "search": odd }),
            json!({ "tags": [odd] }),
            json!({ "metadata": [{ "key": odd, "value": odd }] }),
            json!({ "contentType": format!("image/{}", odd.replace(' ', "")) }),
        ] {
            page(&ada, json!({ "filter": filter })).await;
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn a_cursor_belongs_to_its_order() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    upload(&ada, "a.txt", json!({})).await;
    let orders = ["CREATED_AT", "UPDATED_AT", "NAME", "SIZE"]
        .into_iter()
        .flat_map(|field| ["ASC", "DESC"].map(|direction| json!({ "field": field, "direction": direction })));
    let orders: Vec<Value> = orders.collect();
    for made_for in &orders {
        let cursor = page(&ada, json!({ "order": made_for })).await["pageInfo"]["endCursor"].clone();
        for order in &orders {
            for side in ["after", "before"] {
                let answer = ada.send(PAGE, json!({ "order": order, side: cursor })).await;
                if order == made_for {
                    assert_eq!(answer["data"]["files"]["nodes"], json!([]));
                } else {
                    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
                    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("another order"), "{answer}");
                }
            }
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn files_from_before_there_was_a_search_become_findable() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    // More than one run of the job takes.
    for number in 0..120 {
        upload(&ada, &format!("file-{number}.txt"), json!({ "tags": ["kept"] })).await;
    }
    let connection = server.app.db.read().pool();
    let steps = migration::Migrator::migrations();
    let search = steps.iter().position(|step| step.name().ends_with("search")).unwrap();
    let steps = u32::try_from(steps.len() - search).unwrap();
    migration::Migrator::down(connection, Some(steps)).await.unwrap();
    migration::Migrator::up(connection, None).await.unwrap();
    let count = async |filter: Value| page(&ada, json!({ "filter": filter })).await["totalCount"].clone();
    assert_eq!(count(json!({ "search": "file" })).await, 0);
    assert_eq!(count(json!({})).await, 120, "a list needs no search");
    let file = upload(&ada, "new.txt", json!({ "tags": ["kept"] })).await;
    ada.trash(&[&file]).await;
    server.work().await;
    server.settle().await;
    assert_eq!(count(json!({ "search": "file" })).await, 120);
    assert_eq!(count(json!({ "tags": ["kept"] })).await, 120);
    assert_eq!(count(json!({ "tags": ["kept"], "state": "TRASHED" })).await, 1);
    server.finish().await;
}
