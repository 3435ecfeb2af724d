//! Share links: made and revoked through GraphQL, followed over plain HTTP by whoever has one.

mod door;
mod downloads;
mod links;
mod races;

use entity::{share_download, share_link};
use reqwest::{Client, Response, redirect::Policy};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::support::{Person, TestServer, until};

const LINK: &str = "id state strict maxDownloads downloads createdAt expiresAt revokedAt lastUsedAt";

/// The payload of `createShareLink`.
async fn try_share(person: &Person, file: &Value, mut input: Value) -> Value {
    input["fileId"] = file["id"].clone();
    person.mutate("createShareLink", &format!("shareLink {{ {LINK} }} url"), input).await
}

/// A link: its record and its URL.
async fn share(person: &Person, file: &Value, input: Value) -> (Value, String) {
    let payload = try_share(person, file, input).await;
    assert_eq!(payload["userErrors"], json!([]));
    (payload["shareLink"].clone(), payload["url"].as_str().unwrap().to_owned())
}

async fn revoke(person: &Person, link: &Value) -> Value {
    person.mutate("revokeShareLink", &format!("shareLink {{ {LINK} }}"), json!({ "id": link["id"] })).await
}

/// The link as it is now.
async fn now(person: &Person, link: &Value) -> Value {
    let query = format!("query ($id: ID!) {{ node(id: $id) {{ ... on ShareLink {{ {LINK} }} }} }}");
    person.query(&query, json!({ "id": link["id"] })).await["node"].clone()
}

/// State and downloads of a link.
async fn used(person: &Person, link: &Value) -> (String, u64) {
    let link = now(person, link).await;
    (link["state"].as_str().unwrap().to_owned(), link["downloads"].as_u64().unwrap())
}

/// A client that does not follow redirects.
fn browser() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

async fn get(url: &str) -> Response {
    browser().get(url).send().await.unwrap()
}

/// The status of an answer that is read to its end.
async fn status(url: &str) -> u16 {
    let response = get(url).await;
    let status = response.status().as_u16();
    response.bytes().await.unwrap();
    status
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn links(server: &TestServer) -> Vec<share_link::Model> {
    share_link::Entity::find().all(server.app.db.read()).await.unwrap()
}

async fn under_way(server: &TestServer) -> usize {
    share_download::Entity::find().all(server.app.db.read()).await.unwrap().len()
}

/// Waits until no download is under way: who breaks off gives the place back soon after.
async fn given_back(server: &TestServer) {
    until("a place is given back", async || under_way(server).await == 0).await;
}
