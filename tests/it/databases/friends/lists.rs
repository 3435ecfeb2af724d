//! Lists of friends, of requests and of who is blocked: paged, counted, and without a query per row.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use super::{ask, befriend, id, to_friendship, to_user};
use crate::support::{Person, TestServer};

const QUERY: &str = "query ($state: FriendshipState, $direction: FriendshipDirection, $first: Int, $after: String) { \
     friendships(state: $state, direction: $direction, first: $first, after: $after) { totalCount \
         nodes { id state direction user { username friendship { id } viewerHasBlocked } } pageInfo { hasNextPage endCursor } } }";

/// All pages of so many, each as the names of the other people.
async fn walk(person: &Person, filter: &Value, size: usize) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), Value::Null);
    loop {
        let mut variables = filter.clone();
        (variables["first"], variables["after"]) = (json!(size), after);
        let page = person.query(QUERY, variables).await["friendships"].clone();
        let nodes = page["nodes"].as_array().unwrap();
        names.extend(nodes.iter().map(|node| node["user"]["username"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] == false {
            assert_eq!(page["totalCount"], names.len());
            return names;
        }
        assert_eq!(nodes.len(), size);
        after = page["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test]
async fn friends_and_requests_are_paged_and_counted_by_state_and_direction() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let mut expected: Vec<(&str, &str, String)> = Vec::new();
    for number in 0..18 {
        let other = server.person(&format!("person{number:02}")).await;
        // Some at the same time.
        server.advance(Duration::from_secs(u64::from(number % 3 == 0)));
        let (state, direction) = match number % 6 {
            0 => (befriend(&ada, &other).await, ("ACCEPTED", "OUTGOING")).1,
            1 => (befriend(&other, &ada).await, ("ACCEPTED", "INCOMING")).1,
            2 => (ask(&ada, &other).await, ("PENDING", "OUTGOING")).1,
            3 => (ask(&other, &ada).await, ("PENDING", "INCOMING")).1,
            4 => {
                // To ada it is a request like any other.
                to_user(&other, "blockUser", &ada).await;
                (ask(&ada, &other).await, ("PENDING", "OUTGOING")).1
            }
            _ => {
                let id = id(&ask(&other, &ada).await);
                to_friendship(&ada, "declineFriendship", &id).await;
                ("DECLINED", "INCOMING")
            }
        };
        expected.push((state, direction, format!("person{number:02}")));
    }
    for state in
        [Value::Null, json!("PENDING"), json!("ACCEPTED"), json!("DECLINED"), json!("CANCELLED"), json!("REMOVED")]
    {
        for direction in [Value::Null, json!("INCOMING"), json!("OUTGOING")] {
            let filter = json!({ "state": state, "direction": direction });
            let wanted = expected.iter().filter(|(its_state, its_direction, _)| {
                (state.is_null() || state == *its_state) && (direction.is_null() || direction == *its_direction)
            });
            let wanted: BTreeSet<_> = wanted.map(|(_, _, name)| name.clone()).collect();
            let whole = walk(&ada, &filter, 100).await;
            assert_eq!(whole.iter().cloned().collect::<BTreeSet<_>>(), wanted, "{filter}");
            assert_eq!(whole.len(), wanted.len(), "{filter}: nobody twice");
            for size in [1, 2, 5] {
                assert_eq!(walk(&ada, &filter, size).await, whole, "{filter} by {size}");
            }
            let groups: Vec<_> = whole.iter().map(|name| name[6..].parse::<u32>().unwrap() / 3).collect();
            assert!(groups.is_sorted_by(|a, b| a >= b), "{filter}: the last change first: {whole:?}");
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn a_page_asks_the_database_as_often_whatever_its_size() {
    let server = TestServer::idle(|_| {}).await;
    let ada = server.person("ada").await;
    for number in 0..12 {
        befriend(&ada, &server.person(&format!("person{number:02}")).await).await;
    }
    let statements = async |query: &str, size: usize| {
        ada.query(query, json!({ "first": size })).await;
        let before = server.app.db.statements();
        ada.query(query, json!({ "first": size })).await;
        server.app.db.statements() - before
    };
    let users = "query ($first: Int) { users(search: \"ada\", first: $first) { \
         nodes { username friendship { state user { username } } viewerHasBlocked lastSeenAt } } }";
    for query in [QUERY, users] {
        assert_eq!(statements(query, 2).await, statements(query, 12).await, "{query}");
    }
    server.work().await;
    server.finish().await;
}

#[tokio::test]
async fn those_one_blocks_are_paged_the_last_one_first() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    for number in 0..5 {
        server.advance(Duration::from_secs(1));
        to_user(&ada, "blockUser", &server.person(&format!("person{number}")).await).await;
    }
    let query = "query ($first: Int, $after: String) { blockedUsers(first: $first, after: $after) { \
         nodes { username viewerHasBlocked } pageInfo { hasNextPage endCursor } } }";
    let (mut names, mut after) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let page = ada.query(query, json!({ "first": 2, "after": after })).await["blockedUsers"].clone();
        for node in page["nodes"].as_array().unwrap() {
            assert_eq!(node["viewerHasBlocked"], true);
            names.push(node["username"].as_str().unwrap().to_owned());
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(names, ["person4", "person3", "person2", "person1", "person0"]);
    let nobody = server.person("nobody").await;
    assert_eq!(nobody.query(query, json!({})).await["blockedUsers"]["nodes"], json!([]));
    assert_eq!(server.stranger().error(query, json!({})).await, "UNAUTHENTICATED");
    server.finish().await;
}
