//! Who may come in by a WebSocket: origins, cookies, tokens.

use serde_json::{Value, json};

use crate::support::{Heard, Person, Socket, TestServer};

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");
const ME: &str = "{ viewer { username } }";

async fn who(socket: &mut Socket) -> Value {
    socket.subscribe("me", ME, Value::Null).await;
    let me = socket.next("me").await["data"]["viewer"]["username"].clone();
    socket.completes("me").await;
    me
}

fn cookie(person: &Person) -> String {
    format!("theme=dark; snaphaven_session={}", person.token())
}

#[tokio::test]
async fn pages_of_other_sites_are_4403_whatever_they_bring() {
    let server =
        TestServer::with(|config| config.server.allowed_origins = vec!["https://app.example.org".to_owned()]).await;
    let ada = server.person("ada").await;
    let (own, cookie) = (server.url.clone(), cookie(&ada));
    for origin in ["https://evil.example.org", "null", "https://app.example.org.evil.example"] {
        let headers = [PROTOCOL, ("origin", origin), ("cookie", cookie.as_str())];
        let mut socket = Socket::with(&server.url, &headers).await;
        assert_eq!(socket.closed().await.0, 4403, "{origin}");
    }
    let cross = [PROTOCOL, ("sec-fetch-site", "cross-site"), ("cookie", cookie.as_str())];
    assert_eq!(Socket::with(&server.url, &cross).await.closed().await.0, 4403);
    for origin in [own.as_str(), "https://app.example.org"] {
        let headers = [PROTOCOL, ("origin", origin), ("cookie", cookie.as_str())];
        let mut socket = Socket::with(&server.url, &headers).await;
        socket.begin(Value::Null).await;
        assert_eq!(who(&mut socket).await, "ada", "{origin}");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_token_comes_with_the_first_message_or_the_handshake() {
    let server = TestServer::start().await;
    let (ada, bob) = (server.person("ada").await, server.person("bob").await);
    let bearer = |person: &Person| format!("Bearer {}", person.token());
    for payload in [
        json!({ "authorization": bearer(&ada) }),
        json!({ "Authorization": format!("bearer  {}", ada.token()) }),
        json!({ "token": ada.token(), "locale": "de" }),
    ] {
        let mut socket = Socket::open(&server.url).await;
        socket.begin(payload).await;
        assert_eq!(who(&mut socket).await, "ada");
    }
    let mut socket = Socket::with(&server.url, &[PROTOCOL, ("authorization", &bearer(&bob))]).await;
    socket.begin(Value::Null).await;
    assert_eq!(who(&mut socket).await, "bob");
    // What the first message says is what was meant.
    let mut socket = Socket::with(&server.url, &[PROTOCOL, ("cookie", &cookie(&bob))]).await;
    socket.begin(json!({ "token": ada.token() })).await;
    assert_eq!(who(&mut socket).await, "ada");
    server.finish().await;
}

#[tokio::test]
async fn a_bad_token_is_4403_and_a_dead_cookie_is_none() {
    let server = TestServer::start().await;
    for payload in [
        json!({ "authorization": "Bearer nonsense" }),
        json!({ "authorization": "Basic YTpi" }),
        json!({ "authorization": "" }),
        json!({ "token": "" }),
    ] {
        let mut socket = Socket::open(&server.url).await;
        socket.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.hear().await, Heard::Closed(4403, "Forbidden".to_owned()), "{payload}");
    }
    let mut socket = Socket::with(&server.url, &[PROTOCOL, ("cookie", "snaphaven_session=gone")]).await;
    socket.begin(Value::Null).await;
    assert_eq!(who(&mut socket).await, Value::Null);
    socket.subscribe("a", "subscription { eventReceived { cursor } }", Value::Null).await;
    assert_eq!(socket.error("a").await, "UNAUTHENTICATED");
    server.finish().await;
}
