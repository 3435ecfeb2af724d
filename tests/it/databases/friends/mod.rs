//! Friends: what a pair becomes of whatever either does, what either sees of it, and that a block is seen by nobody.

mod between;
mod closing;
mod limits;
mod lists;
mod people;
mod silence;

use entity::{event, friendship, user};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr};
use serde_json::{Value, json};
use snaphaven::id::NodeKind;
use uuid::Uuid;

use crate::support::{Person, TestServer};

/// Everything that a friendship says.
const FRIENDSHIP: &str = "id state direction createdAt changedAt requestableAt user { id username } \
     viewerCan { request accept decline cancel remove }";

fn key(person: &Person) -> Uuid {
    NodeKind::User.parse(&person.id).unwrap()
}

fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect()
}

/// `name(input: { userId })`.
async fn to_user(person: &Person, name: &str, other: &Person) -> Value {
    let fields = match name {
        "requestFriendship" => format!("friendship {{ {FRIENDSHIP} }}"),
        _ => format!("user {{ id username viewerHasBlocked friendship {{ {FRIENDSHIP} }} }}"),
    };
    person.mutate(name, &fields, json!({ "userId": other.id })).await
}

/// `name(input: { id })`.
async fn to_friendship(person: &Person, name: &str, id: &str) -> Value {
    person.mutate(name, &format!("friendship {{ {FRIENDSHIP} }}"), json!({ "id": id })).await
}

async fn ask(person: &Person, other: &Person) -> Value {
    let payload = to_user(person, "requestFriendship", other).await;
    assert_eq!(codes(&payload), [""; 0]);
    payload["friendship"].clone()
}

fn id(friendship: &Value) -> String {
    friendship["id"].as_str().unwrap().to_owned()
}

async fn befriend(one: &Person, other: &Person) -> String {
    let id = id(&ask(one, other).await);
    assert_eq!(to_friendship(other, "acceptFriendship", &id).await["friendship"]["state"], "ACCEPTED");
    id
}

/// `User.friendship` of another.
async fn between(person: &Person, other: &Person) -> Value {
    let query = format!("query ($id: ID!) {{ node(id: $id) {{ ... on User {{ friendship {{ {FRIENDSHIP} }} }} }} }}");
    person.query(&query, json!({ "id": other.id })).await["node"]["friendship"].clone()
}

/// The state and the direction, where there is something.
async fn state(person: &Person, other: &Person) -> Option<(String, String)> {
    let found = between(person, other).await;
    let text = |name: &str| found[name].as_str().map(str::to_owned);
    Some((text("state")?, text("direction")?))
}

/// How many events tell this person of a change between them and another.
async fn told(server: &TestServer, person: &Person) -> usize {
    let rows = event::Entity::find()
        .filter(event::Column::Recipient.eq(key(person)))
        .order_by_asc(event::Column::Seq)
        .all(server.app.db.read())
        .await
        .unwrap();
    let told = rows.iter().filter(|row| row.kind == "friendship.changed");
    told.inspect(|row| assert!(row.payload["friendship"].is_string() && row.payload.as_object().unwrap().len() == 1))
        .count()
}

async fn rows(server: &TestServer) -> Vec<friendship::Model> {
    friendship::Entity::find().order_by_asc(friendship::Column::LowId).all(server.app.db.read()).await.unwrap()
}

/// What no mutation does yet.
async fn suspend(server: &TestServer, person: &Person) {
    let update = user::Entity::update_many().col_expr(user::Column::Status, Expr::value(user::Status::Suspended));
    update.filter(user::Column::Id.eq(key(person))).exec(server.app.db.read()).await.unwrap();
}
