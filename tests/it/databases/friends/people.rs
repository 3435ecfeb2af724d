//! Finding people by their names, and when friends were last here.

use std::time::Duration;

use serde_json::{Value, json};

use super::{befriend, to_user};
use crate::support::{PASSWORD, Person, TestServer};

async fn named(server: &TestServer, username: &str, first: &str, last: &str) -> Person {
    let input = json!({
        "username": username, "email": format!("{username}@example.org"), "firstName": first, "lastName": last,
        "password": PASSWORD,
    });
    let payload = server.stranger().mutate("signUp", "user { id } token", input).await;
    server.stranger().known_as(&payload)
}

const SEARCH: &str = "query ($search: String, $first: Int, $after: String, $last: Int, $before: String) { \
     users(search: $search, first: $first, after: $after, last: $last, before: $before) { nodes { username } \
         pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

fn names(page: &Value) -> Vec<String> {
    let nodes = page["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["username"].as_str().unwrap().to_owned()).collect()
}

async fn search(person: &Person, text: &str) -> Vec<String> {
    names(&person.query(SEARCH, json!({ "search": text })).await["users"])
}

#[tokio::test]
async fn people_are_found_by_the_beginning_of_every_name() {
    let server = TestServer::start().await;
    let ada = named(&server, "countess", "Ada", "Lovelace").await;
    named(&server, "mjs", "Mary  Jane", "Smith-Étoile").await;
    named(&server, "lovely", "Зоя", "").await;
    named(&server, "straße", "Émile", "Zola").await;
    for (text, found) in [
        ("count", vec!["countess"]),
        ("LOVE", vec!["countess", "lovely"]),
        ("ada lo", vec!["countess"]),
        ("  Ada   Lovelace ", vec!["countess"]),
        ("jane", vec!["mjs"]),
        ("jane smith", vec!["mjs"]),
        ("mary jane s", vec!["mjs"]),
        ("smith-etoi", vec!["mjs"]),
        ("smith-étoi", vec!["mjs"]),
        ("emile", vec!["straße"]),
        ("ÉMILE ZO", vec!["straße"]),
        ("strasse", vec!["straße"]),
        ("зоЯ", vec!["lovely"]),
        ("velace", vec![]),
        ("ada smith", vec![]),
        ("%", vec![]),
        ("_", vec![]),
        ("\0", vec!["countess", "lovely", "mjs", "straße"]),
        ("", vec!["countess", "lovely", "mjs", "straße"]),
    ] {
        assert_eq!(search(&ada, text).await, found, "{text:?}");
    }
    let names = json!({ "firstName": "Augusta", "lastName": "Byron" });
    ada.mutate("updateProfile", "user { id }", names).await;
    assert_eq!(search(&ada, "love").await, ["lovely"]);
    assert_eq!(search(&ada, "byr").await, ["countess"]);
    assert_eq!(search(&ada, "countess").await, ["countess"]);
    server.finish().await;
}

#[tokio::test]
async fn who_is_found_by_several_names_is_shown_once_and_pages_do_not_move() {
    let server = TestServer::start().await;
    let ada = named(&server, "ann", "Ann", "Anders").await;
    for number in 0..6 {
        named(&server, &format!("anna{number}"), "Anna", "Andrews").await;
        named(&server, &format!("xavier{number}"), "Xavier", "Anson").await;
    }
    let whole = search(&ada, "an").await;
    assert_eq!(whole.len(), 13);
    assert_eq!(whole.iter().collect::<std::collections::BTreeSet<_>>().len(), 13);
    for size in [1, 4, 5] {
        let (mut forward, mut after) = (Vec::new(), Value::Null);
        loop {
            let page =
                ada.query(SEARCH, json!({ "search": "an", "first": size, "after": after })).await["users"].clone();
            forward.extend(names(&page));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(forward, whole, "by {size}");
        let (mut backward, mut before) = (Vec::new(), Value::Null);
        loop {
            let page =
                ada.query(SEARCH, json!({ "search": "an", "last": size, "before": before })).await["users"].clone();
            backward = [names(&page), backward].concat();
            before = page["pageInfo"]["startCursor"].clone();
            if page["pageInfo"]["hasPreviousPage"] == false {
                break;
            }
        }
        assert_eq!(backward, whole, "backwards by {size}");
    }
    server.finish().await;
}

async fn last_seen(person: &Person, other: &Person) -> Value {
    let query = "query ($id: ID!) { node(id: $id) { ... on User { lastSeenAt } } }";
    person.query(query, json!({ "id": other.id })).await["node"]["lastSeenAt"].clone()
}

#[tokio::test]
async fn friends_see_when_somebody_was_last_here_who_shows_it() {
    let server = TestServer::start().await;
    let (ada, bob, eve) = (server.person("ada").await, server.person("bob").await, server.person("eve").await);
    let admin = server.admin().await;
    befriend(&ada, &bob).await;
    assert_eq!(last_seen(&bob, &ada).await, Value::Null, "not unless one says so");
    let shows = async |shows: bool| {
        let change = json!({ "showsLastSeen": shows });
        ada.mutate("updateProfile", "user { showsLastSeen lastSeenAt }", change).await["user"].clone()
    };
    let shown = shows(true).await;
    assert_eq!(shown["showsLastSeen"], true);
    let first = shown["lastSeenAt"].clone();
    assert!(first.is_string());
    assert_eq!(last_seen(&bob, &ada).await, first);
    for other in [&eve, &admin] {
        assert_eq!(last_seen(other, &ada).await, Value::Null, "friends alone see it");
    }

    // To the minute.
    server.advance(Duration::from_secs(59));
    ada.query("{ viewer { id } }", json!({})).await;
    assert_eq!(last_seen(&bob, &ada).await, first);
    server.advance(Duration::from_secs(1));
    assert_eq!(last_seen(&bob, &ada).await, first, "who looks is not who is seen");
    ada.query("{ viewer { id } }", json!({})).await;
    let second = last_seen(&bob, &ada).await;
    assert!(second.as_str() > first.as_str(), "{second} after {first}");

    to_user(&ada, "removeFriend", &bob).await;
    assert_eq!(last_seen(&bob, &ada).await, Value::Null);
    befriend(&bob, &ada).await;
    assert_eq!(last_seen(&bob, &ada).await, second);
    assert_eq!(shows(false).await, json!({ "showsLastSeen": false, "lastSeenAt": null }));
    assert_eq!(last_seen(&bob, &ada).await, Value::Null);
    server.finish().await;
}
