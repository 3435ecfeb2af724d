//! One WebSocket: its beginning, its operations, its end.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_graphql::Executor;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    super::{
        super::{AuthError, Authenticate},
        Door, Operation,
    },
    Guest, Live,
    operation::{Caller, Sent, Sink, overloaded, run as run_operation},
    protocol::{ClientMessage, Close, ServerMessage},
    registry::{Watched, Who},
};
use crate::{
    http::{ClientAddress, Credentials},
    viewer::Viewer,
};

/// Answers of all operations that wait to be written.
const OUTBOX: usize = 8;
/// How long the other end may take to say good-bye too.
const FAREWELL: Duration = Duration::from_secs(1);

/// How a WebSocket ends.
enum End {
    Close(Close),
    /// The other end has closed it, or is away.
    Gone,
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

struct Running {
    /// Told apart from an earlier operation of the same id, whose answers may still be on their way.
    serial: u64,
    _task: AbortOnDropHandle<()>,
}

struct Session<E> {
    door: Door<E>,
    socket: WebSocket,
    /// Whether anything came since the last ping.
    alive: bool,
}

/// Serves one client to its end.
pub(super) async fn run<E: Executor>(door: Door<E>, socket: WebSocket, guest: Guest) {
    let mut session = Session { door, socket, alive: true };
    let end = match session.serve(&guest).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    let close = match end {
        End::Close(close) => Some(close),
        End::Gone => None,
    };
    let code = close.as_ref().map(|close| close.code.to_string()).unwrap_or_default();
    metrics::counter!("websockets_closed_total", "code" => code.clone()).increment(1);
    tracing::debug!(code, "websocket ended");
    farewell(session.socket, close.as_ref()).await;
}

/// Opens and closes: a page learns a close code, and nothing of a refused handshake.
pub(super) async fn refuse(socket: WebSocket, close: &Close) {
    farewell(socket, Some(close)).await;
}

/// The closing handshake (RFC 6455, section 7.1.2). What was sent before is read first: closing over unread bytes would
/// reset the frame away.
async fn farewell(mut socket: WebSocket, close: Option<&Close>) {
    let parting = async {
        if let Some(close) = close {
            socket.send(Message::Close(Some(close.frame()))).await.ok()?;
        }
        while let Some(Ok(_)) = socket.recv().await {}
        Some(())
    };
    let _ = timeout(FAREWELL, parting).await;
}

enum Never {}

impl<E: Executor> Session<E> {
    async fn serve(&mut self, guest: &Guest) -> Result<Never, End> {
        let live = self.door.0.live.clone();
        let payload = self.greeting(&live).await?;
        let offered = payload.as_ref().and_then(offered);
        let credentials = offered.unwrap_or_else(|| guest.credentials.clone());
        let (viewer, credentials) = enter(&*self.door.0.authenticate, credentials).await?;
        let who = viewer.user_id().map_or(Who::Address(guest.address.map(ClientAddress::ip)), Who::Person);
        let _seat = live.registry.sit(who, live.settings.max_sockets).ok_or(Close::TOO_MANY_SOCKETS)?;
        let watched = viewer.person().ok().map(|me| live.registry.watch(me));
        self.write(&live, ServerMessage::ConnectionAck.text()).await?;
        let caller =
            Caller { credentials, id: guest.id.clone(), address: guest.address, user_agent: guest.user_agent.clone() };
        self.converse(&live, Arc::new(caller), watched).await
    }

    /// The payload of the client's first message.
    async fn greeting(&mut self, live: &Live) -> Result<Option<Map<String, Value>>, End> {
        let deadline = Instant::now() + live.settings.init_timeout;
        loop {
            let message = tokio::select! {
                message = self.read() => message?,
                () = tokio::time::sleep_until(deadline) => return Err(Close::INIT_TIMEOUT.into()),
                () = live.stop.cancelled() => return Err(Close::GOING_AWAY.into()),
            };
            match message {
                ClientMessage::ConnectionInit { payload } => return Ok(payload),
                ClientMessage::Ping { payload } => self.write(live, ServerMessage::Pong { payload }.text()).await?,
                ClientMessage::Subscribe { .. } => return Err(Close::UNAUTHORIZED.into()),
                ClientMessage::Pong {} | ClientMessage::Complete { .. } => {}
            }
        }
    }

    async fn converse(&mut self, live: &Live, caller: Arc<Caller>, watched: Option<Watched>) -> Result<Never, End> {
        let (outbox, mut outgoing) = mpsc::channel(OUTBOX);
        let mut running: HashMap<Arc<str>, Running> = HashMap::new();
        let (mut serial, mut stopping) = (0, false);
        let mut ping = Instant::now() + live.settings.keep_alive;
        loop {
            if stopping && running.is_empty() {
                return Err(Close::GOING_AWAY.into());
            }
            let ended = async {
                match &watched {
                    Some(watched) => watched.ended().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = self.read() => match message? {
                    ClientMessage::ConnectionInit { .. } => return Err(Close::TOO_MANY_INITS.into()),
                    ClientMessage::Ping { payload } => self.write(live, ServerMessage::Pong { payload }.text()).await?,
                    ClientMessage::Pong {} => {}
                    ClientMessage::Complete { id } => drop(running.remove(id.as_str())),
                    ClientMessage::Subscribe { id, .. } if running.contains_key(id.as_str()) => {
                        return Err(Close::taken(&id).into());
                    }
                    // The client does it again elsewhere.
                    ClientMessage::Subscribe { .. } if stopping => {}
                    ClientMessage::Subscribe { id, .. } if running.len() >= live.settings.max_operations => {
                        self.write(live, overloaded(&id, &caller.id)).await?;
                    }
                    ClientMessage::Subscribe { id, payload } => {
                        let operation = Operation::from_parameters(payload);
                        let operation = operation.map_err(|error| Close::invalid(error.message))?;
                        serial += 1;
                        let id: Arc<str> = id.into();
                        let sink = Sink { id: id.clone(), serial, outbox: outbox.clone() };
                        let task = run_operation(self.door.clone(), caller.clone(), operation, sink);
                        let task = AbortOnDropHandle::new(tokio::spawn(task));
                        running.insert(id, Running { serial, _task: task });
                    }
                },
                Some(sent) = outgoing.recv() => {
                    let Sent { id, serial, text, last } = *sent;
                    if running.get(&id).is_none_or(|running| running.serial != serial) {
                        continue; // The client has done with it.
                    }
                    if last {
                        running.remove(&id);
                    }
                    match text {
                        Ok(text) => self.write(live, text).await?,
                        Err(close) => return Err(close.into()),
                    }
                }
                () = tokio::time::sleep_until(ping) => {
                    if !std::mem::take(&mut self.alive) {
                        return Err(End::Gone);
                    }
                    ping = Instant::now() + live.settings.keep_alive;
                    self.send(live, Message::Ping(Default::default())).await?;
                }
                () = ended => return Err(Close::ENDED.into()),
                // Subscriptions end by themselves then; what else is at work comes to its end.
                () = live.stop.cancelled(), if !stopping => stopping = true,
            }
        }
    }

    /// The next message of the protocol.
    async fn read(&mut self) -> Result<ClientMessage, End> {
        let limits = &self.door.0.limits;
        loop {
            let message = self.socket.recv().await.ok_or(End::Gone)?;
            self.alive = true;
            match message.map_err(|error| {
                tracing::debug!(%error, "a websocket failed");
                End::Gone
            })? {
                Message::Text(text) if text.len() as u64 > limits.max_body => return Err(Close::TOO_LARGE.into()),
                Message::Text(text) => return Ok(ClientMessage::parse(&text, limits.max_tokens)?),
                Message::Binary(_) => return Err(Close::invalid("it is not text").into()),
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Close(_) => return Err(End::Gone),
            }
        }
    }

    async fn write(&mut self, live: &Live, text: Option<Utf8Bytes>) -> Result<(), End> {
        match text {
            Some(text) => self.send(live, Message::Text(text)).await,
            None => Ok(()),
        }
    }

    /// Waits for the client to take it: nothing else is made for it meanwhile.
    async fn send(&mut self, live: &Live, message: Message) -> Result<(), End> {
        tokio::select! {
            sent = self.socket.send(message) => sent.map_err(|_| End::Gone),
            () = sleep(live.settings.write_timeout) => Err(Close::SLOW.into()),
        }
    }
}

/// Who it is. A browser keeps an ended session's cookie and cannot drop it by itself, so that counts as none.
async fn enter(authenticate: &dyn Authenticate, credentials: Credentials) -> Result<(Viewer, Credentials), End> {
    match (authenticate.authenticate(credentials.clone()).await, &credentials) {
        (Ok(viewer), _) => Ok((viewer, credentials)),
        (Err(AuthError::Invalid), Credentials::Bearer(_)) => Err(Close::FORBIDDEN.into()),
        (Err(AuthError::Invalid), _) => Ok((Viewer::Anonymous, Credentials::None)),
        (Err(AuthError::Unavailable(cause)), _) => {
            tracing::error!(cause, "cannot check credentials");
            Err(Close::UNAVAILABLE.into())
        }
    }
}

/// The token of `connection_init`: as `authorization`, or as `token`.
fn offered(payload: &Map<String, Value>) -> Option<Credentials> {
    let text = |name: &str| {
        let found = payload.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_str())
    };
    let token = match text("authorization") {
        Some(line) => match line.trim().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            // Of another scheme, which is none of ours.
            _ => line,
        },
        None => text("token")?,
    };
    Some(Credentials::Bearer(SecretString::from(token)))
}
