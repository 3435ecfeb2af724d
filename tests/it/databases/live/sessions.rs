//! Whoever is out is out of open WebSockets too, in every process, within seconds.

use std::time::{Duration, Instant};

use entity::user;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::{Value, json};
use snaphaven::id::NodeKind;

use crate::support::{PASSWORD, Person, Socket, TestServer};

const EVENTS: &str = "subscription { eventReceived { cursor } }";
/// From the act to the end of the WebSocket: the check's interval, and what a busy machine takes.
const SOON: Duration = Duration::from_secs(15);

async fn listening(person: &Person) -> Socket {
    let mut socket = person.socket().await;
    socket.subscribe("a", EVENTS, Value::Null).await;
    socket
}

async fn set(server: &TestServer, person: &Person, column: user::Column, value: impl Into<sea_orm::Value>) {
    let value: sea_orm::Value = value.into();
    let update = user::Entity::update_many().col_expr(column, Expr::value(value));
    let of_person = update.filter(user::Column::Id.eq(NodeKind::User.parse(&person.id).unwrap()));
    assert_eq!(of_person.exec(server.app.db.read()).await.unwrap().rows_affected, 1);
}

/// The WebSockets are closed for what was just done.
async fn end(what: &str, sockets: &mut [Socket]) {
    let start = Instant::now();
    for socket in sockets {
        assert_eq!(socket.closed().await, (4403, "Forbidden: the log-in has ended".to_owned()), "{what}");
    }
    assert!(start.elapsed() < SOON, "{what} took {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_in_that_ends_takes_its_websockets_along_everywhere() {
    let server = TestServer::start().await;
    let other = server.another().await;
    let both = async |person: &Person| [listening(person).await, listening(&person.at(&other.url)).await];
    let log_in = async |login: &str| {
        let input = json!({ "login": login, "password": PASSWORD });
        server.stranger().known_as(&server.stranger().mutate("logIn", "user { id } token", input).await)
    };
    let bystander = server.person("bystander").await;
    let mut untouched = both(&bystander).await;

    let ada = server.person("ada").await;
    let ada_too = log_in("ada").await;
    let (mut of_first, mut of_second) = (both(&ada).await, both(&ada_too).await);
    ada.query("mutation { logOut { userErrors { code } } }", Value::Null).await;
    end("a log-out", &mut of_first).await;
    of_second[0].subscribe("q", "{ viewer { username } }", Value::Null).await;
    assert_eq!(of_second[0].next("q").await["data"]["viewer"]["username"], "ada", "another log-in stays");
    set(&server, &ada, user::Column::Status, user::Status::Suspended).await;
    end("a suspension", &mut of_second).await;

    let bob = server.person("bob").await;
    let mut sockets = both(&log_in("bob").await).await;
    let input = json!({ "currentPassword": PASSWORD, "newPassword": "another fox jumps 8 times" });
    bob.mutate("changePassword", "user { id }", input).await;
    end("a change of the password", &mut sockets).await;

    let eve = server.person("eve").await;
    let made = eve.mutate("createApiToken", "token apiToken { id }", json!({ "name": "a program" })).await;
    let program = server.stranger().known_as(&json!({ "token": made["token"], "user": { "id": eve.id } }));
    let mut sockets = both(&program).await;
    eve.mutate("revokeApiToken", "apiTokenId", json!({ "id": made["apiToken"]["id"] })).await;
    end("a revoked token", &mut sockets).await;
    let mut sockets = both(&eve).await;
    set(&server, &eve, user::Column::Role, user::Role::Operator).await;
    end("another role", &mut sockets).await;
    let mut sockets = both(&eve).await;
    eve.mutate("closeAccount", "receipt", json!({ "currentPassword": PASSWORD })).await;
    end("a closed account", &mut sockets).await;

    for socket in &mut untouched {
        socket.subscribe("q", "{ viewer { username } }", Value::Null).await;
        assert_eq!(socket.next("q").await["data"]["viewer"]["username"], "bystander");
    }
    other.finish().await;
    server.finish().await;
}

#[tokio::test]
async fn from_the_next_operation_on_it_holds_at_once() {
    let server = TestServer::with(|config| config.live.session_check = Duration::from_secs(3600)).await;
    let ada = server.person("ada").await;
    let mut socket = ada.socket().await;
    socket.subscribe("o", "mutation { logOut { userErrors { code } } }", Value::Null).await;
    socket.next("o").await;
    socket.completes("o").await;
    socket.subscribe("q", "{ viewer { username } }", Value::Null).await;
    assert_eq!(socket.closed().await.0, 4403);
    server.finish().await;
}
