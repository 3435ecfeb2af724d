//! What becomes of a pair.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ask, befriend, between, codes, id, rows, state, to_friendship, to_user, told};
use crate::support::{Person, TestServer};

fn is(found: Option<(String, String)>, state: &str, direction: &str) -> bool {
    found.is_some_and(|found| (found.0.as_str(), found.1.as_str()) == (state, direction))
}

#[tokio::test]
async fn a_request_is_seen_by_both_and_makes_friends_once_it_is_accepted() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    assert_eq!(between(&ada, &bob).await, Value::Null);
    let asked = ask(&ada, &bob).await;
    assert_eq!(asked["user"]["username"], "bob");
    assert_eq!(
        asked["viewerCan"],
        json!({
            "request": false, "accept": false, "decline": false, "cancel": true, "remove": false,
        })
    );
    let seen = between(&bob, &ada).await;
    assert_eq!((&seen["state"], &seen["direction"]), (&json!("PENDING"), &json!("INCOMING")));
    assert_eq!(
        seen["viewerCan"],
        json!({
            "request": false, "accept": true, "decline": true, "cancel": false, "remove": false,
        })
    );
    assert_eq!((told(&server, &ada).await, told(&server, &bob).await), (1, 1));
    assert_eq!(ask(&ada, &bob).await, asked, "asking twice changes nothing");

    let id = id(&asked);
    server.advance(Duration::from_secs(5));
    let accepted = to_friendship(&bob, "acceptFriendship", &id).await;
    assert_eq!((codes(&accepted), &accepted["friendship"]["state"]), (vec![], &json!("ACCEPTED")));
    assert_eq!(accepted["friendship"]["createdAt"], asked["createdAt"]);
    assert_ne!(accepted["friendship"]["changedAt"], asked["changedAt"]);
    for repeat in ["acceptFriendship", "acceptFriendship"] {
        assert_eq!(to_friendship(&bob, repeat, &id).await, accepted);
    }
    assert_eq!(ask(&bob, &ada).await, accepted["friendship"], "friends need not ask");
    assert_eq!((told(&server, &ada).await, told(&server, &bob).await), (2, 2), "a repeat tells nobody");
    let query = "query ($id: ID!) { node(id: $id) { __typename id ... on Friendship { state } } }";
    for (person, there) in
        [(&ada, true), (&bob, true), (&server.person("eve").await, false), (&server.admin().await, false)]
    {
        let node = person.query(query, json!({ "id": id })).await["node"].clone();
        assert_eq!(
            node,
            if there { json!({ "__typename": "Friendship", "id": id, "state": "ACCEPTED" }) } else { Value::Null }
        );
    }
    server.finish().await;
}

#[tokio::test]
async fn requests_that_cross_make_friends() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let asked = ask(&ada, &bob).await;
    let crossed = ask(&bob, &ada).await;
    assert_eq!((&crossed["state"], &crossed["direction"]), (&json!("ACCEPTED"), &json!("INCOMING")));
    assert_eq!(crossed["id"], asked["id"]);
    assert!(is(state(&ada, &bob).await, "ACCEPTED", "OUTGOING"));
    assert_eq!(rows(&server).await.len(), 1);
    server.finish().await;
}

#[tokio::test]
async fn who_was_declined_waits_and_who_declined_does_not() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let pause = server.app.config.friends.request_pause;
    let id = id(&ask(&ada, &bob).await);
    let declined = to_friendship(&bob, "declineFriendship", &id).await;
    assert_eq!((codes(&declined), &declined["friendship"]["state"]), (vec![], &json!("DECLINED")));
    assert_eq!(to_friendship(&bob, "declineFriendship", &id).await, declined);
    assert_eq!((told(&server, &ada).await, told(&server, &bob).await), (2, 2));
    let seen = between(&ada, &bob).await;
    assert_eq!(seen["state"], "DECLINED");
    assert_eq!(seen["viewerCan"]["request"], false);
    assert!(seen["requestableAt"].is_string() && declined["friendship"]["requestableAt"].is_null());
    assert_eq!(declined["friendship"]["viewerCan"]["request"], true);

    server.advance(Duration::from_secs(10));
    let query = "mutation ($id: ID!) { requestFriendship(input: { userId: $id }) { friendship { id } userErrors { code field retryAfter } } }";
    let refused = ada.query(query, json!({ "id": bob.id })).await["requestFriendship"].clone();
    let error = json!({ "code": "REQUEST_PAUSED", "field": "userId", "retryAfter": pause.as_secs() - 10 });
    assert_eq!(refused, json!({ "friendship": null, "userErrors": [error] }));
    // A log-in lives longer than the pause.
    server.advance(pause - Duration::from_secs(10));
    let again = ask(&ada, &bob).await;
    assert_eq!((&again["id"], &again["state"]), (&json!(id), &json!("PENDING")));
    assert_ne!(again["createdAt"], seen["createdAt"]);

    to_friendship(&bob, "declineFriendship", &id).await;
    let other_way = ask(&bob, &ada).await;
    assert_eq!((&other_way["state"], &other_way["direction"]), (&json!("PENDING"), &json!("OUTGOING")));
    assert!(is(state(&ada, &bob).await, "PENDING", "INCOMING"));
    server.finish().await;
}

#[tokio::test]
async fn a_request_is_taken_back_and_a_friendship_ended_without_a_word() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let id = id(&ask(&ada, &bob).await);
    let cancelled = to_friendship(&ada, "cancelFriendship", &id).await;
    assert_eq!((codes(&cancelled), &cancelled["friendship"]["state"]), (vec![], &json!("CANCELLED")));
    assert_eq!(to_friendship(&ada, "cancelFriendship", &id).await, cancelled);
    assert_eq!((state(&ada, &bob).await, state(&bob, &ada).await), (None, None));
    assert_eq!((told(&server, &ada).await, told(&server, &bob).await), (2, 1));

    server.advance(Duration::from_secs(1));
    assert_eq!(befriend(&bob, &ada).await, id, "one row per pair");
    for _ in 0..2 {
        let removed = to_user(&ada, "removeFriend", &bob).await;
        assert_eq!((codes(&removed), &removed["user"]["username"]), (vec![], &json!("bob")));
        assert_eq!(removed["user"]["friendship"], Value::Null);
    }
    assert_eq!((state(&ada, &bob).await, state(&bob, &ada).await), (None, None));
    assert_eq!((told(&server, &ada).await, told(&server, &bob).await), (5, 3));
    let query = "query ($id: ID!) { node(id: $id) { id } }";
    assert_eq!(bob.query(query, json!({ "id": id })).await["node"], Value::Null);
    assert_eq!(codes(&to_user(&ada, "removeFriend", &server.person("eve").await).await), [""; 0]);
    assert_eq!(rows(&server).await.len(), 1, "nothing is kept of who was no friend");
    server.finish().await;
}

/// Every state, and what either may make of it: the state that it has then, or the refusal.
#[tokio::test]
async fn a_pair_changes_only_as_the_table_allows() {
    let server = TestServer::start().await;
    let (asker, asked) = (server.person("asker").await, server.person("asked").await);
    let pause = server.app.config.friends.request_pause;
    let id = id(&ask(&asker, &asked).await);
    // Cancelled, removed, declined or nothing; then asked again.
    let reset = async |people: (&Person, &Person), to: &str| {
        to_user(&asker, "blockUser", &asked).await;
        to_user(&asked, "blockUser", &asker).await;
        to_user(&asker, "unblockUser", &asked).await;
        to_user(&asked, "unblockUser", &asker).await;
        server.advance(pause);
        ask(people.0, people.1).await;
        match to {
            "ACCEPTED" => to_friendship(people.1, "acceptFriendship", &id).await,
            "DECLINED" => to_friendship(people.1, "declineFriendship", &id).await,
            "CANCELLED" => to_friendship(people.0, "cancelFriendship", &id).await,
            "REMOVED" => {
                to_friendship(people.1, "acceptFriendship", &id).await;
                to_user(people.0, "removeFriend", people.1).await
            }
            _ => Value::Null,
        }
    };
    let (a, d, c) = ("acceptFriendship", "declineFriendship", "cancelFriendship");
    for (before, act, by_asker, outcome) in [
        ("PENDING", a, true, "WRONG_STATE"),
        ("PENDING", a, false, "ACCEPTED"),
        ("PENDING", d, true, "WRONG_STATE"),
        ("PENDING", d, false, "DECLINED"),
        ("PENDING", c, true, "CANCELLED"),
        ("PENDING", c, false, "WRONG_STATE"),
        ("ACCEPTED", a, true, "ACCEPTED"),
        ("ACCEPTED", a, false, "ACCEPTED"),
        ("ACCEPTED", d, false, "WRONG_STATE"),
        ("ACCEPTED", c, true, "WRONG_STATE"),
        ("DECLINED", a, false, "WRONG_STATE"),
        ("DECLINED", d, false, "DECLINED"),
        ("DECLINED", d, true, "WRONG_STATE"),
        ("DECLINED", c, true, "WRONG_STATE"),
        ("CANCELLED", a, false, "WRONG_STATE"),
        ("CANCELLED", d, false, "WRONG_STATE"),
        ("CANCELLED", c, true, "CANCELLED"),
        ("CANCELLED", c, false, "WRONG_STATE"),
        ("REMOVED", a, false, "WRONG_STATE"),
        ("REMOVED", d, false, "WRONG_STATE"),
        ("REMOVED", c, true, "WRONG_STATE"),
    ] {
        // Whoever of the two has the lower id.
        for (first, second) in [(&asker, &asked), (&asked, &asker)] {
            reset((first, second), before).await;
            let payload = to_friendship(if by_asker { first } else { second }, act, &id).await;
            let saw = codes(&payload).first().copied().map(str::to_owned);
            let saw = saw.unwrap_or_else(|| payload["friendship"]["state"].as_str().unwrap().to_owned());
            assert_eq!(saw, outcome, "{before}: {act}, by who asked: {by_asker}");
        }
    }
    server.finish().await;
}

#[tokio::test]
async fn nobody_answers_for_others() {
    let server = TestServer::start().await;
    let (ada, bob, eve) = (server.person("ada").await, server.person("bob").await, server.person("eve").await);
    let id = id(&ask(&ada, &bob).await);
    for name in ["acceptFriendship", "declineFriendship", "cancelFriendship"] {
        assert_eq!(codes(&to_friendship(&eve, name, &id).await), ["NOT_FOUND"]);
        assert_eq!(codes(&to_friendship(&eve, name, &ada.id).await), ["NOT_FOUND"]);
    }
    assert!(is(state(&ada, &bob).await, "PENDING", "OUTGOING"));
    server.finish().await;
}
