//! Hundreds who do something to one person at once, while that person's apps come and go at both processes: each app is
//! told of everything, once, and all in the same order.

use std::{collections::BTreeSet, time::Duration};

use futures::{SinkExt as _, StreamExt as _};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue, protocol::frame::coding::CloseCode},
};

use super::{
    arena::Arena,
    door::{Door, Person, again, volley},
    tally::Tally,
};
use crate::common::Failure;

/// Who send at once.
const SENDERS: usize = 500;
/// Apps that listen, each over one WebSocket after the other.
const APPS: u64 = 6;
/// What an app hears before it goes away, at the most.
const STAY: usize = 40;
/// How long nothing may come although something has to.
const SILENCE: Duration = Duration::from_secs(30);
/// At a time; more gain nothing on the machine's few cores.
const SIGN_UPS: usize = 16;
const LIVE: &str = "subscription ($after: String) { friendshipChanged(after: $after) { cursor friendship { id } } }";

pub struct Live {
    senders: Vec<Person>,
}

impl Live {
    pub async fn gather(arena: &Arena) -> Result<Self, Failure> {
        let people = futures::stream::iter(0..SENDERS).map(|_| arena.person("sender")).buffer_unordered(SIGN_UPS);
        let people: Vec<_> = people.collect().await;
        Ok(Self { senders: people.into_iter().collect::<Result<_, _>>()? })
    }

    pub async fn round(&self, arena: &Arena, rng: &mut StdRng, tally: &mut Tally) -> Result<(), Failure> {
        for violation in self.told(arena, rng, true, tally).await? {
            tally.expect(false, || violation);
        }
        Ok(())
    }

    /// All ask one person, whose apps listen; what was wrong with what they heard.
    async fn told(
        &self,
        arena: &Arena,
        rng: &mut StdRng,
        resumes: bool,
        tally: &mut Tally,
    ) -> Result<Vec<String>, Failure> {
        let listener = arena.person("listener").await?;
        let id = arena.doors[0].user_id(&listener.token).await;
        let mut apps = JoinSet::new();
        for _ in 0..APPS {
            let rng = StdRng::seed_from_u64(rng.random());
            let app = App { doors: arena.doors.clone(), token: listener.token.clone(), rng, resumes };
            apps.spawn(app.listen(SENDERS));
        }
        let requests = self.senders.iter().enumerate().map(|(number, sender)| {
            let (door, token, id) = (arena.doors[number % 2].clone(), sender.token.clone(), id.clone());
            async move { again(|| door.to_user(&token, "requestFriendship", &id)).await }
        });
        let answers = volley(requests.collect()).await;
        tally.take(&answers, &["ok"]);
        let sent: BTreeSet<String> = answers.iter().map(|answer| answer.text("/friendship/id")).collect();
        let mut heard = Vec::new();
        for app in apps.join_all().await {
            heard.push(app?);
        }
        Ok(wrong(&sent, &heard))
    }

    /// Apps that forget where they were: whether the race shows it.
    pub async fn planted(&self, arena: &Arena, rng: &mut StdRng) -> Result<Option<String>, Failure> {
        let mut tally = Tally::default();
        Ok(self.told(arena, rng, false, &mut tally).await?.into_iter().find(|violation| violation.contains("twice")))
    }
}

/// What is wrong with what several apps heard of what was sent.
fn wrong(sent: &BTreeSet<String>, heard: &[Vec<String>]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (app, told) in heard.iter().enumerate() {
        let once: BTreeSet<String> = told.iter().cloned().collect();
        let (missed, more) = (sent.difference(&once).count(), once.difference(sent).count());
        if told.len() > once.len() {
            wrong.push(format!("app {app} was told of {} twice", told.len() - once.len()));
        }
        if missed + more > 0 {
            wrong.push(format!("app {app} missed {missed}, and was told of {more} that nobody sent"));
        }
        if wrong.is_empty() && *told != heard[0] {
            wrong.push(format!("app {app} was told in another order than app 0"));
        }
    }
    wrong
}

/// One of a person's apps.
struct App {
    doors: Vec<Door>,
    token: String,
    rng: StdRng,
    /// From where it was; otherwise always from the beginning.
    resumes: bool,
}

impl App {
    /// Listens until it has heard so many, or nothing more comes.
    async fn listen(mut self, count: usize) -> Result<Vec<String>, Failure> {
        let mut heard = Vec::new();
        let mut cursor = beginning();
        while heard.len() < count {
            let door = &self.doors[self.rng.random_range(0..self.doors.len())];
            let after = if self.resumes { cursor.clone() } else { beginning() };
            let mut socket = subscribe(door, &self.token, &after).await?;
            for _ in 0..self.rng.random_range(1..STAY) {
                let Ok(event) = timeout(SILENCE, next(&mut socket)).await else { return Ok(heard) };
                let Some(event) = event? else { break };
                cursor = event["cursor"].as_str().ok_or_else(|| format!("no cursor in {event}"))?.to_owned();
                heard.push(event["friendship"]["id"].as_str().unwrap_or_default().to_owned());
                if heard.len() == count {
                    break;
                }
            }
            if self.rng.random() {
                socket.close(None).await?;
            }
        }
        Ok(heard)
    }
}

/// Before a log's first event: its number, as cursors have it.
fn beginning() -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode("0")
}

type Socket = WebSocketStream<TcpStream>;

async fn subscribe(door: &Door, token: &str, after: &str) -> Result<Socket, Failure> {
    let host = door.host();
    let mut request = format!("ws://{host}/graphql").into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    let (mut socket, _) = client_async(request, TcpStream::connect(host).await?).await?;
    for message in [
        json!({ "type": "connection_init", "payload": { "token": token } }),
        json!({ "type": "subscribe", "id": "live", "payload": { "query": LIVE, "variables": { "after": after } } }),
    ] {
        socket.send(Message::text(message.to_string())).await?;
    }
    Ok(socket)
}

/// The next event; `None` where the server is too busy for it now, as it may say under load: who listens comes again.
async fn next(socket: &mut Socket) -> Result<Option<Value>, Failure> {
    loop {
        let text = match socket.next().await.ok_or("the WebSocket was closed")?? {
            Message::Text(text) => text,
            Message::Close(Some(frame)) if frame.code == CloseCode::Again => return Ok(None),
            Message::Close(frame) => return Err(format!("the WebSocket was closed: {frame:?}").into()),
            _ => continue,
        };
        let mut message: Value = serde_json::from_str(&text)?;
        match message["type"].as_str() {
            Some("connection_ack") => {}
            Some("next") if message["payload"]["errors"].is_null() => {
                return Ok(Some(message["payload"]["data"]["friendshipChanged"].take()));
            }
            Some("error") if message["payload"][0]["extensions"]["code"] == "UNAVAILABLE" => return Ok(None),
            _ => return Err(format!("not an event: {message}").into()),
        }
    }
}
