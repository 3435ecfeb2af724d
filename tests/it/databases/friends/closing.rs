//! Friends of somebody who closes the account.

use entity::{block, user_term};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::{ask, befriend, between, key, rows, to_user, told};
use crate::support::{PASSWORD, TestServer};

#[tokio::test]
async fn who_closes_the_account_is_nobodys_friend_at_once_and_then_forgotten() {
    let server = TestServer::idle(|_| {}).await;
    let (ada, bob, eve, wall) = (
        server.person("ada").await,
        server.person("bob").await,
        server.person("eve").await,
        server.person("wall").await,
    );
    let friendship = befriend(&ada, &bob).await;
    ask(&eve, &ada).await;
    ask(&ada, &server.person("zoe").await).await;
    // Neither of these is to hear anything.
    to_user(&wall, "blockUser", &ada).await;
    ask(&ada, &wall).await;
    to_user(&ada, "blockUser", &server.person("bad").await).await;
    let before = [told(&server, &bob).await, told(&server, &eve).await, told(&server, &wall).await];

    let closed = ada.mutate("closeAccount", "receipt", json!({ "currentPassword": PASSWORD })).await;
    assert_eq!(closed["userErrors"], json!([]));
    for person in [&bob, &eve] {
        assert_eq!(between(person, &ada).await, Value::Null);
        let query = "{ friendships { totalCount nodes { id } } }";
        let none = json!({ "friendships": { "totalCount": 0, "nodes": [] } });
        assert_eq!(person.query(query, json!({})).await, none);
    }
    let node = "query ($id: ID!) { node(id: $id) { id } }";
    assert_eq!(bob.query(node, json!({ "id": friendship })).await["node"], Value::Null);
    let blocked = "{ blockedUsers { nodes { id } } }";
    assert_eq!(wall.query(blocked, json!({})).await, json!({ "blockedUsers": { "nodes": [] } }));

    server.work().await;
    server.settle().await;
    assert!(rows(&server).await.is_empty(), "no pair is left");
    let db = server.app.db.read();
    assert!(block::Entity::find().all(db).await.unwrap().is_empty());
    let terms = user_term::Entity::find().filter(user_term::Column::UserId.eq(key(&ada))).all(db).await.unwrap();
    assert!(terms.is_empty());
    let after = [told(&server, &bob).await, told(&server, &eve).await, told(&server, &wall).await];
    assert_eq!(after, [before[0] + 1, before[1] + 1, before[2]], "those are told who had something with them");
    server.finish().await;
}
