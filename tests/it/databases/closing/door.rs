//! Who may close an account, and that from then on it is gone for everybody.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use super::{assert_gone, close, closure, closures, codes, kept, try_close};
use crate::support::{PASSWORD, Person, TestServer, code};

/// A receipt of one's own choice.
fn receipt(letter: char) -> String {
    format!("shc_{}", letter.to_string().repeat(43))
}

async fn log_in(server: &TestServer, login: &str) -> Value {
    let input = json!({ "login": login, "password": PASSWORD });
    server.stranger().mutate("logIn", "user { id } token", input).await
}

async fn sign_up(server: &TestServer, username: &str) -> Value {
    let input = json!({
        "username": username, "email": format!("{username}@example.org"), "firstName": "Ada", "lastName": "Lovelace",
        "password": PASSWORD,
    });
    server.stranger().mutate("signUp", "user { id } token", input).await
}

/// Another admin, as a mutation cannot make one.
async fn second_admin(server: &TestServer) -> Person {
    use entity::user::{Column, Entity, Role};
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
    let person = server.person("second").await;
    let update = Entity::update_many().col_expr(Column::Role, Expr::value(Role::Admin));
    update.filter(Column::UsernameKey.eq("second")).exec(server.app.db.read()).await.unwrap();
    person
}

#[tokio::test]
async fn only_who_knows_the_password_and_has_logged_in_closes_an_account() {
    let server = TestServer::with(|config| config.accounts.log_in_failures_per_account = 3).await;
    let ada = server.person("ada").await;
    let made = ada.mutate("createApiToken", "token", json!({ "name": "a program" })).await;
    let program = server.stranger().known_as(&json!({ "token": made["token"], "user": { "id": ada.id } }));
    ada.upload("a.txt", *b"a").await;
    server.settle().await;
    let rows = kept(&server).await;

    let anonymous = "mutation { closeAccount(input: { currentPassword: \"x\" }) { receipt } }";
    assert_eq!(server.stranger().error(anonymous, json!({})).await, "UNAUTHENTICATED");
    assert_eq!(codes(&try_close(&program, json!({})).await), ["SESSION_REQUIRED"]);
    for bad in ["shc_short", "", &receipt('+'), &receipt('a').replace("shc_", "shl_")] {
        let refused = try_close(&ada, json!({ "receipt": bad })).await;
        assert_eq!(refused["userErrors"][0]["field"], "receipt", "{bad}");
        assert_eq!((codes(&refused), &refused["closure"]), (vec!["INVALID_RECEIPT"], &Value::Null), "{bad}");
    }
    assert_eq!(kept(&server).await, rows, "a refusal changes nothing");

    let wrong = json!({ "currentPassword": "not the password" });
    for _ in 0..3 {
        let refused = try_close(&ada, wrong.clone()).await;
        assert_eq!(codes(&refused), ["WRONG_PASSWORD"]);
        assert_eq!(
            (&refused["receipt"], &refused["userErrors"][0]["field"]),
            (&Value::Null, &json!("currentPassword"))
        );
    }
    assert_eq!(codes(&try_close(&ada, wrong).await), ["TOO_MANY_ATTEMPTS"]);
    assert_eq!(codes(&try_close(&ada, json!({})).await), ["TOO_MANY_ATTEMPTS"], "the right one too");
    server.advance(server.app.config.accounts.log_in_window + Duration::from_secs(1));
    assert!(closures(&server).await.is_empty());

    let receipt = close(&ada).await;
    server.settle().await;
    assert_gone(&server, &ada, "ada", &receipt).await;
    assert_eq!(program.error("{ viewer { id } }", json!({})).await, "UNAUTHENTICATED");
    server.finish().await;
}

#[tokio::test]
async fn the_last_admin_stays() {
    let server = TestServer::start().await;
    let root = server.admin().await;
    assert_eq!(codes(&try_close(&root, json!({})).await), ["LAST_ADMIN"]);
    let second = second_admin(&server).await;
    let payloads = join_all([&root, &second].map(|admin| try_close(admin, json!({})))).await;
    let mut outcomes: Vec<_> = payloads.iter().map(codes).collect();
    outcomes.sort();
    assert_eq!(outcomes, [vec![], vec!["LAST_ADMIN"]], "of two at once one stays");
    server.settle().await;
    server.finish().await;
}

#[tokio::test]
async fn the_person_is_gone_at_once_and_the_name_is_free_in_the_end() {
    let server = TestServer::idle(|_| {}).await;
    let (ada, bob, root) = (server.person("ada").await, server.person("bob").await, server.admin().await);
    let file = ada.upload("a.txt", *b"a").await;
    let shared = ada.mutate("createShareLink", "url", json!({ "fileId": file["id"] })).await;
    let url = shared["url"].as_str().unwrap();
    let receipt = close(&ada).await;

    assert_eq!(ada.error("{ viewer { id } }", json!({})).await, "UNAUTHENTICATED");
    let unknown = log_in(&server, "nobody").await;
    assert_eq!(codes(&unknown), ["BAD_CREDENTIALS"]);
    for login in ["ada", "ada@example.org"] {
        assert_eq!(log_in(&server, login).await, unknown, "as if there was no such account");
    }
    assert_eq!(reqwest::get(url).await.unwrap().status(), 404);
    let look = "query ($id: ID!) { user(username: \"ada\") { id status } users { nodes { username } } \
        found: users(search: \"love\") { nodes { username } } \
        node(id: $id) { ... on User { username } } }";
    let ask = async |person: &Person| person.query(look, json!({ "id": ada.id })).await;
    let seen = ask(&bob).await;
    assert_eq!((&seen["user"], &seen["node"]), (&Value::Null, &Value::Null));
    assert_eq!(seen["users"]["nodes"], json!([{ "username": "bob" }, { "username": "root" }]));
    assert_eq!(seen["found"]["nodes"], json!([{ "username": "bob" }]));
    let seen = ask(&root).await;
    assert_eq!(seen["found"]["nodes"], json!([{ "username": "ada" }, { "username": "bob" }]));
    assert_eq!(seen["user"]["status"], "CLOSING", "admins see who is being erased");
    assert_eq!(seen["node"], json!({ "username": "ada" }));
    assert_eq!(codes(&sign_up(&server, "ada").await), ["NAME_TAKEN", "EMAIL_TAKEN"]);

    server.work().await;
    server.settle().await;
    assert_gone(&server, &ada, "ada", &receipt).await;
    assert_eq!(ask(&root).await["node"], Value::Null);
    let again = sign_up(&server, "ada").await;
    assert_eq!(codes(&again), [""; 0]);
    let new = server.stranger().known_as(&again);
    assert_ne!(new.id, ada.id);
    assert_eq!(new.query("{ files { totalCount } }", json!({})).await["files"]["totalCount"], 0);
    assert_eq!(new.query("{ erasures { nodes { id } } }", json!({})).await["erasures"]["nodes"], json!([]));
    assert_eq!(closure(&server, &receipt).await["state"], "ERASED", "the receipt stays good");
    server.finish().await;
}

#[tokio::test]
async fn a_receipt_of_ones_own_finds_the_closure_whatever_became_of_the_answer() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    ada.upload("a.txt", *b"a").await;
    assert_eq!(closure(&server, &receipt('a')).await, Value::Null, "not closed yet");
    let query = "mutation ($input: CloseAccountInput!) { closeAccount(input: $input) { receipt userErrors { code } } }";
    let input = json!({ "input": { "currentPassword": PASSWORD, "receipt": receipt('a') } });
    let answers = join_all((0..4).map(|_| ada.send(query, input.clone()))).await;
    let closed = json!({ "receipt": receipt('a'), "userErrors": [] });
    for answer in &answers {
        let repeated = answer["data"]["closeAccount"] == closed;
        assert!(repeated || code(answer) == "UNAUTHENTICATED", "{answer}");
    }
    assert!(answers.iter().any(|answer| answer["data"]["closeAccount"] == closed));
    assert_eq!(code(&ada.send(query, input).await), "UNAUTHENTICATED", "the session has ended");
    assert_eq!(closures(&server).await.len(), 1);
    server.settle().await;
    assert_gone(&server, &ada, "ada", &receipt('a')).await;
    let told = server.sink.delivered();
    assert_eq!(told.iter().filter(|alert| alert.kind == "ACCOUNT_CLOSED").count(), 1, "{told:?}");

    let taken = try_close(&bob, json!({ "receipt": receipt('a') })).await;
    assert_eq!((codes(&taken), &taken["closure"]), (vec!["INVALID_RECEIPT"], &Value::Null), "another account's");
    assert!(bob.query("{ viewer { id } }", json!({})).await["viewer"]["id"].is_string(), "nothing took place");
    for unknown in [&receipt('b'), "nonsense", ""] {
        assert_eq!(closure(&server, unknown).await, Value::Null);
    }
    let kept = format!("{:?}", closures(&server).await);
    assert!(!kept.contains(&receipt('a')), "only the hash is kept");
    server.finish().await;
}
