//! A block is silent: what the blocked see and are answered of who blocks them is, byte for byte, what they see of somebody
//! who does nothing, or who has removed a friend or cancelled a request.

use std::time::Duration;

use entity::event;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};

use super::{FRIENDSHIP, ask, befriend, codes, id, key, rows, state, suspend, to_friendship, to_user, told};
use crate::support::{Person, TestServer};

/// Somebody with the name that stands for them.
struct Other {
    person: Person,
    name: String,
    /// The friendship with them, once it was seen.
    friendship: Option<String>,
}

impl Other {
    /// A text about them as it would be about anybody.
    fn anybody(&self, text: &str) -> String {
        let text = text.replace(&self.person.id, "<id>").replace(&self.name, "<name>");
        match &self.friendship {
            Some(id) => text.replace(id, "<friendship>").replace(&uuid_text(id), "<friendship>"),
            None => text,
        }
    }
}

fn uuid_text(id: &str) -> String {
    snaphaven::id::NodeKind::Friendship.parse(id).unwrap().to_string()
}

/// Everything that shows something of another.
async fn view(server: &TestServer, person: &Person, other: &mut Other) -> String {
    let user = format!(
        "id username firstName lastName displayName about createdAt email role status lastSeenAt showsLastSeen \
         viewerHasBlocked friendship {{ {FRIENDSHIP} }}"
    );
    let query = format!(
        "query ($id: ID!, $name: String!, $friendship: ID!) {{ node(id: $id) {{ ... on User {{ {user} }} }} \
         user(username: $name) {{ {user} }} users(search: $name) {{ nodes {{ {user} }} pageInfo {{ hasNextPage }} }} \
         friendship: node(id: $friendship) {{ ... on Friendship {{ {FRIENDSHIP} }} }} \
         all: friendships {{ totalCount nodes {{ {FRIENDSHIP} user {{ id {user} }} }} }} \
         pending: friendships(state: PENDING) {{ totalCount nodes {{ {FRIENDSHIP} }} }} \
         incoming: friendships(direction: INCOMING) {{ totalCount nodes {{ {FRIENDSHIP} }} }} \
         outgoing: friendships(direction: OUTGOING) {{ totalCount nodes {{ {FRIENDSHIP} }} }} \
         friends: friendships(state: ACCEPTED) {{ totalCount nodes {{ {FRIENDSHIP} }} }} \
         blockedUsers {{ nodes {{ id }} }} }}"
    );
    let known = other.friendship.clone().unwrap_or_else(|| "friendship_none".to_owned());
    let variables = json!({ "id": other.person.id, "name": other.name, "friendship": known });
    let mut seen = person.query(&query, variables).await;
    if let Some(id) = seen["user"]["friendship"]["id"].as_str() {
        other.friendship = Some(id.to_owned());
    }
    // Of the lists what is about them; the counts are of all.
    for list in ["all", "pending", "incoming", "outgoing", "friends"] {
        let nodes = seen[list]["nodes"].as_array_mut().unwrap();
        let count = nodes.len();
        nodes.retain(|node| node["user"]["id"] == json!(other.person.id));
        assert_eq!(seen[list]["totalCount"], count);
        seen[list]["totalCount"] = Value::Null;
    }
    let blocked = seen["blockedUsers"]["nodes"].as_array_mut().unwrap();
    blocked.retain(|node| node["id"] == json!(other.person.id));
    let told = event::Entity::find()
        .filter(event::Column::Recipient.eq(key(person)))
        .order_by_asc(event::Column::Seq)
        .all(server.app.db.read())
        .await
        .unwrap();
    let about = other.friendship.as_deref().map(uuid_text);
    let told = told.iter().filter(|event| event.payload["friendship"].as_str() == about.as_deref());
    let told: Vec<_> = told.map(|event| format!("{} {}", event.kind, event.payload)).collect();
    other.anybody(&format!("{seen} {told:?}"))
}

/// What the blocked try, one after the other.
async fn attempt(person: &Person, act: &str, other: &Other) -> Value {
    match act {
        "look" => Value::Null,
        "requestFriendship" | "removeFriend" | "blockUser" | "unblockUser" => to_user(person, act, &other.person).await,
        _ => match &other.friendship {
            Some(id) => to_friendship(person, act, id).await,
            None => Value::Null,
        },
    }
}

const ATTEMPTS: [&str; 16] = [
    "look",
    "acceptFriendship",
    "declineFriendship",
    "cancelFriendship",
    "requestFriendship",
    "requestFriendship",
    "acceptFriendship",
    "cancelFriendship",
    "requestFriendship",
    "removeFriend",
    "look",
    "declineFriendship",
    "blockUser",
    "requestFriendship",
    "unblockUser",
    "requestFriendship",
];

/// Two people who are to one person what is said of `before`; one of the two blocks, the other does something `instead`.
/// The first thing in which they differ to that person, whatever is tried.
async fn difference(server: &TestServer, number: usize, before: &str, instead: &str) -> Option<String> {
    let blocked = server.person(&format!("blocked{number}")).await;
    let mut others = Vec::new();
    for name in [format!("wall{number}"), format!("door{number}")] {
        let person = server.person(&name).await;
        person.mutate("updateProfile", "user { id }", json!({ "showsLastSeen": true })).await;
        match before {
            "asked" => drop(ask(&blocked, &person).await),
            "was asked" => drop(ask(&person, &blocked).await),
            "friends" => drop(befriend(&blocked, &person).await),
            "declined" => {
                let id = id(&ask(&blocked, &person).await);
                to_friendship(&person, "declineFriendship", &id).await;
            }
            "removed" => {
                befriend(&blocked, &person).await;
                to_user(&blocked, "removeFriend", &person).await;
            }
            _ => {}
        }
        let mut other = Other { person, name, friendship: None };
        view(server, &blocked, &mut other).await;
        others.push(other);
    }
    server.advance(Duration::from_secs(1));
    let heard = told(server, &blocked).await;
    let [wall, door] = [&others[0], &others[1]];
    let mut done = vec![to_user(&wall.person, "blockUser", &blocked).await];
    match instead {
        "nothing" => {}
        "removeFriend" => done.push(to_user(&door.person, instead, &blocked).await),
        _ => done.push(to_friendship(&door.person, instead, door.friendship.as_ref().unwrap()).await),
    }
    assert!(done.iter().all(|done| codes(done).is_empty()), "{done:?}");
    assert_eq!(told(server, &blocked).await, heard, "{before}: nobody is told");
    for (step, act) in ATTEMPTS.into_iter().enumerate() {
        server.advance(Duration::from_secs(1));
        let mut saw = Vec::new();
        for other in &mut others {
            let statements = server.app.db.statements();
            let answer = attempt(&blocked, act, other).await;
            let statements = server.app.db.statements() - statements;
            let view = view(server, &blocked, other).await;
            // The first events of somebody, the first row of a pair take more.
            let statements = if step > 8 { statements } else { 0 };
            saw.push(format!("{} after {statements} statements, then {view}", other.anybody(&answer.to_string())));
        }
        if saw[0] != saw[1] {
            return Some(format!("{before}, step {step}: {act}: {saw:#?}"));
        }
    }
    let [wall, door] = [&others[0].person, &others[1].person];
    // Who was declined may not ask again for a while.
    if before != "declined" {
        assert_eq!(state(wall, &blocked).await, None, "{before}: nothing arrives");
        assert_eq!(state(door, &blocked).await.unwrap().0, "PENDING", "{before}");
    }
    None
}

/// Without a worker, so that all statements are the requests' own.
async fn quiet_server() -> TestServer {
    TestServer::idle(|config| config.graphql.max_complexity = 100_000).await
}

#[tokio::test]
async fn the_blocked_see_what_they_see_of_anybody() {
    let server = quiet_server().await;
    // What there was before, and what the other one does who does not block.
    let pasts = [
        ("nothing", "nothing"),
        ("asked", "nothing"),
        ("was asked", "cancelFriendship"),
        ("friends", "removeFriend"),
        ("declined", "nothing"),
        ("removed", "nothing"),
    ];
    for (number, (before, instead)) in pasts.into_iter().enumerate() {
        assert_eq!(difference(&server, number, before, instead).await, None);
    }
    server.work().await;
    server.finish().await;
}

/// The control: where the database moves the time of a request that is withheld, it is seen.
#[tokio::test]
async fn a_request_that_changes_with_the_block_is_seen() {
    let server = quiet_server().await;
    let connection = server.app.db.read();
    let faults: &[&str] = match connection.get_database_backend() {
        DbBackend::Postgres => &[
            "CREATE FUNCTION move_on() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN NEW.changed_at := NEW.changed_at + 1; RETURN NEW; END'",
            "CREATE TRIGGER move_on BEFORE UPDATE ON friendship FOR EACH ROW WHEN (NEW.state = 'WITHHELD') \
             EXECUTE FUNCTION move_on()",
        ],
        DbBackend::MySql => &["CREATE TRIGGER move_on BEFORE UPDATE ON friendship FOR EACH ROW \
             SET NEW.changed_at = NEW.changed_at + (NEW.state = 'WITHHELD')"],
        _ => &["CREATE TRIGGER move_on AFTER UPDATE ON friendship WHEN NEW.state = 'WITHHELD' \
             BEGIN UPDATE friendship SET changed_at = changed_at + 1 WHERE id = NEW.id; END"],
    };
    for fault in faults {
        connection.execute_unprepared(fault).await.unwrap();
    }
    let seen = difference(&server, 0, "asked", "nothing").await.expect("planted and not seen");
    assert!(seen.starts_with("asked, step 0: look"), "{seen}");
    server.work().await;
    server.finish().await;
}

#[tokio::test]
async fn who_blocks_hears_nothing_and_unblocks_to_nothing() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    befriend(&ada, &bob).await;
    let blocked = to_user(&ada, "blockUser", &bob).await;
    assert_eq!((&blocked["user"]["viewerHasBlocked"], &blocked["user"]["friendship"]), (&json!(true), &Value::Null));
    assert_eq!(to_user(&ada, "blockUser", &bob).await, blocked);
    let search = "{ users(search: \"bob\") { nodes { viewerHasBlocked friendship { id } } } }";
    let found = ada.query(search, json!({})).await["users"]["nodes"][0].clone();
    assert_eq!(found, json!({ "viewerHasBlocked": true, "friendship": null }));
    assert_eq!(codes(&to_user(&ada, "requestFriendship", &bob).await), ["BLOCKED"]);
    let (hers, his) = (told(&server, &ada).await, told(&server, &bob).await);

    // Asked, and asked again after it was taken back.
    let withheld = id(&ask(&bob, &ada).await);
    to_friendship(&bob, "cancelFriendship", &withheld).await;
    ask(&bob, &ada).await;
    assert_eq!(told(&server, &ada).await, hers, "nothing arrives");
    assert_eq!(told(&server, &bob).await, his + 3);
    let lists = "{ friendships { totalCount nodes { id } } }";
    let none = json!({ "friendships": { "totalCount": 0, "nodes": [] } });
    assert_eq!(ada.query(lists, json!({})).await, none);
    let node = "query ($id: ID!) { node(id: $id) { id } }";
    assert_eq!(ada.query(node, json!({ "id": withheld })).await["node"], Value::Null);
    for act in ["acceptFriendship", "declineFriendship", "cancelFriendship"] {
        assert_eq!(codes(&to_friendship(&ada, act, &withheld).await), ["NOT_FOUND"], "{act}");
    }

    for _ in 0..2 {
        let unblocked = to_user(&ada, "unblockUser", &bob).await;
        assert_eq!(codes(&unblocked), [""; 0]);
        assert_eq!(
            (&unblocked["user"]["viewerHasBlocked"], &unblocked["user"]["friendship"]),
            (&json!(false), &Value::Null)
        );
    }
    assert_eq!(ada.query(lists, json!({})).await, none, "what was asked meanwhile stays unheard");
    assert_eq!(state(&bob, &ada).await.unwrap().0, "PENDING", "and nothing tells of the end of a block");
    assert_eq!(told(&server, &bob).await, his + 3);
    let before = super::between(&bob, &ada).await;
    server.advance(Duration::from_secs(1));
    assert_eq!(ask(&bob, &ada).await, before, "asked again it arrives");
    assert_eq!(state(&ada, &bob).await.unwrap(), ("PENDING".to_owned(), "INCOMING".to_owned()));
    assert_eq!((told(&server, &ada).await, told(&server, &bob).await), (hers + 1, his + 3));
    assert_eq!(rows(&server).await.len(), 1);
    server.finish().await;
}

#[tokio::test]
async fn asking_again_after_the_block_is_answered_as_any_repeat() {
    let server = TestServer::start().await;
    let (ada, bob, eve) = (server.person("ada").await, server.person("bob").await, server.person("eve").await);
    to_user(&ada, "blockUser", &bob).await;
    let asked = [ask(&bob, &ada).await, ask(&bob, &eve).await];
    to_user(&ada, "unblockUser", &bob).await;
    for (person, asked) in [&ada, &eve].into_iter().zip(asked) {
        suspend(&server, person).await;
        assert_eq!(ask(&bob, person).await, asked);
    }
    server.finish().await;
}

#[tokio::test]
async fn two_who_block_each_other_know_each_of_their_own() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    ask(&bob, &ada).await;
    to_user(&ada, "blockUser", &bob).await;
    to_user(&bob, "blockUser", &ada).await;
    for (one, other) in [(&ada, &bob), (&bob, &ada)] {
        assert_eq!(state(one, other).await, None);
        assert_eq!(codes(&to_user(one, "requestFriendship", other).await), ["BLOCKED"]);
    }
    to_user(&bob, "unblockUser", &ada).await;
    assert_eq!(ask(&bob, &ada).await["state"], "PENDING");
    assert_eq!(state(&ada, &bob).await, None);
    to_user(&ada, "unblockUser", &bob).await;
    assert_eq!(ask(&ada, &bob).await["state"], "ACCEPTED", "who asks whoever has asked agrees");
    server.finish().await;
}
