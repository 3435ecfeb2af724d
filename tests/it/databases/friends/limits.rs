//! Whom one may ask and block, and how many.

use serde_json::json;

use super::{ask, befriend, codes, id, rows, suspend, to_friendship, to_user};
use crate::support::{PASSWORD, Person, TestServer};

const BY_USER: [&str; 4] = ["requestFriendship", "removeFriend", "blockUser", "unblockUser"];

#[tokio::test]
async fn oneself_the_unknown_and_those_who_left_are_refused() {
    let server = TestServer::start().await;
    let (ada, bob, left) = (server.person("ada").await, server.person("bob").await, server.person("left").await);
    left.mutate("closeAccount", "receipt", json!({ "currentPassword": PASSWORD })).await;
    let mut nobody = server.person("nobody").await;
    nobody.id = format!("user_{}", uuid::Uuid::now_v7().simple());
    let mut no_id = nobody.clone();
    no_id.id = "nonsense".to_owned();
    for name in BY_USER {
        assert_eq!(codes(&to_user(&ada, name, &ada).await), ["ONESELF"], "{name}");
        let refused = to_user(&ada, name, &nobody).await;
        assert_eq!(codes(&refused), ["NOT_FOUND"], "{name}");
        for other in [&left, &no_id] {
            assert_eq!(to_user(&ada, name, other).await, refused, "{name}");
        }
    }
    assert!(rows(&server).await.iter().all(|row| ![row.low_id, row.high_id].contains(&super::key(&ada))));

    suspend(&server, &bob).await;
    assert_eq!(codes(&to_user(&ada, "requestFriendship", &bob).await), ["UNAVAILABLE"]);
    assert_eq!(codes(&to_user(&ada, "blockUser", &bob).await), [""; 0]);
    assert_eq!(codes(&to_user(&ada, "requestFriendship", &bob).await), ["BLOCKED"]);
    server.finish().await;
}

#[tokio::test]
async fn who_is_suspended_stays_a_friend_and_can_do_nothing() {
    let server = TestServer::start().await;
    let (ada, bob, eve) = (server.person("ada").await, server.person("bob").await, server.person("eve").await);
    befriend(&ada, &bob).await;
    let asked = id(&ask(&bob, &eve).await);
    suspend(&server, &bob).await;
    assert_eq!(super::state(&ada, &bob).await.unwrap().0, "ACCEPTED");
    let query = "mutation ($id: ID!) { removeFriend(input: { userId: $id }) { user { id } } }";
    assert_eq!(bob.error(query, json!({ "id": ada.id })).await, "UNAUTHENTICATED");
    assert_eq!(to_friendship(&eve, "acceptFriendship", &asked).await["friendship"]["state"], "ACCEPTED");
    server.finish().await;
}

async fn crowd(server: &TestServer, size: usize) -> Vec<Person> {
    let mut people = Vec::new();
    for number in 0..size {
        people.push(server.person(&format!("crowd{number}")).await);
    }
    people
}

#[tokio::test]
async fn requests_friends_and_blocks_have_limits() {
    let server = TestServer::with(|config| {
        config.friends.max_pending = 2;
        config.friends.max_friends = 2;
        config.friends.max_blocks = 2;
    })
    .await;
    let ada = server.person("ada").await;
    let crowd = crowd(&server, 4).await;
    // One of the two does not arrive, and counts.
    to_user(&crowd[0], "blockUser", &ada).await;
    let waiting = id(&ask(&ada, &crowd[0]).await);
    ask(&ada, &crowd[1]).await;
    assert_eq!(codes(&to_user(&ada, "requestFriendship", &crowd[2]).await), ["TOO_MANY_PENDING"]);
    assert_eq!(ask(&ada, &crowd[0]).await["id"], json!(waiting), "a repeat is no further one");
    to_friendship(&ada, "cancelFriendship", &waiting).await;
    ask(&ada, &crowd[2]).await;

    befriend(&crowd[3], &ada).await;
    ask(&crowd[1], &ada).await;
    assert_eq!(codes(&to_user(&ada, "requestFriendship", &crowd[0]).await), ["TOO_MANY_FRIENDS"]);
    // Who has asked was not full then, and is now.
    let payload = to_user(&crowd[2], "requestFriendship", &ada).await;
    assert_eq!(codes(&payload), ["TOO_MANY_FRIENDS"]);
    assert!(payload["userErrors"][0]["message"].as_str().unwrap().starts_with("This person has"));
    to_user(&ada, "removeFriend", &crowd[1]).await;
    assert_eq!(ask(&crowd[2], &ada).await["state"], "ACCEPTED");

    for number in [0, 1] {
        assert_eq!(codes(&to_user(&ada, "blockUser", &crowd[number]).await), [""; 0]);
    }
    assert_eq!(codes(&to_user(&ada, "blockUser", &crowd[2]).await), ["TOO_MANY_BLOCKS"]);
    assert_eq!(codes(&to_user(&ada, "blockUser", &crowd[1]).await), [""; 0], "a repeat is no further one");
    let limits = "{ limits { friends pendingFriendRequests friendRequestPause blockedUsers } }";
    let expected =
        json!({ "friends": 2, "pendingFriendRequests": 2, "friendRequestPause": 7 * 86_400, "blockedUsers": 2 });
    assert_eq!(ada.query(limits, json!({})).await["limits"], expected);
    server.finish().await;
}
