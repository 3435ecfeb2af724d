//! `GET /graphql` as a WebSocket: subscriptions, and all other operations too, by graphql-transport-ws.
//!
//! Each WebSocket is a task that reads, writes and keeps the rules of the protocol; each of its operations is another,
//! which waits while the client does not take what it is sent.

mod operation;
mod protocol;
mod registry;
mod socket;

use std::sync::Arc;

use async_graphql::Executor;
use axum::{
    extract::{FromRequestParts as _, WebSocketUpgrade},
    response::Response,
};
use http::{HeaderMap, header, request::Parts};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use self::{
    protocol::{Close, SUBPROTOCOL},
    registry::Registry,
};
use super::{
    super::{Authenticate, ClientAddress, Credentials, HttpError, Origins, Place, RequestId, UserAgent},
    Door, Endpoint,
};
use crate::config::{self, Config};

/// A message is read in pieces of this size, so that an idle WebSocket holds little memory.
const READ_BUFFER: usize = 1024;

/// The WebSockets of one process.
#[derive(Clone, Debug)]
pub struct Live {
    settings: config::Live,
    /// How long a query or a mutation may take.
    request_timeout: std::time::Duration,
    origins: Origins,
    registry: Arc<Registry>,
    stop: CancellationToken,
    sockets: TaskTracker,
}

impl Live {
    /// WebSockets are closed when `stop` is cancelled.
    #[must_use]
    pub fn new(config: &Config, stop: CancellationToken) -> Self {
        Self {
            settings: config.live.clone(),
            request_timeout: config.server.request_timeout,
            origins: Origins::new(&config.server),
            registry: Arc::default(),
            stop,
            sockets: TaskTracker::new(),
        }
    }

    /// Looks after the log-ins of open WebSockets; at the stop, until all have been told.
    pub async fn run(self, authenticate: Arc<dyn Authenticate>) {
        let look_after = self.registry.look_after(&*authenticate, self.settings.session_check);
        self.stop.run_until_cancelled(look_after).await;
        self.sockets.close();
        self.sockets.wait().await;
    }
}

/// What is known of a client before it says anything.
struct Guest {
    credentials: Credentials,
    id: RequestId,
    address: Option<ClientAddress>,
    user_agent: UserAgent,
    /// Held as long as the WebSocket is open.
    _place: Option<Place>,
}

/// Whether a request wants to become a WebSocket.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// The answer to a request that does. A browser tells its page no status and no body, so what may be refused is opened
/// first and then closed with a code.
pub(super) async fn upgrade<E: Executor>(door: Door<E>, mut parts: Parts) -> Result<Response, HttpError> {
    let place = parts.extensions.get::<Place>().cloned();
    if place.as_ref().is_some_and(Place::is_scarce) {
        return Err(HttpError::unavailable("Too many WebSockets are open; try again."));
    }
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let upgrade = upgrade.map_err(|refusal| HttpError::bad_request(refusal.body_text()))?;
    let Endpoint { live, cookie, limits, .. } = &door.0;
    let (max, ours) = (usize::try_from(limits.max_body).unwrap_or(usize::MAX), [SUBPROTOCOL]);
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        // Larger ones are told why; much larger ones are not read.
        .max_message_size(max.saturating_mul(2))
        .max_frame_size(max.saturating_mul(2))
        .protocols(ours);
    let refusal = if upgrade.selected_protocol().is_none() {
        Some(Close::SUBPROTOCOL)
    } else {
        (!live.origins.permits(&parts.headers)).then_some(Close::FOREIGN)
    };
    let guest = Guest {
        credentials: cookie.credentials(&parts.headers),
        id: RequestId::in_extensions(&parts.extensions),
        address: parts.extensions.get().copied(),
        user_agent: UserAgent::of(&parts.headers),
        _place: place,
    };
    let (counted, span) = (live.sockets.token(), tracing::info_span!("websocket", request_id = %guest.id));
    let run = move |socket| {
        async move {
            match refusal {
                Some(refusal) => socket::refuse(socket, &refusal).await,
                None => socket::run(door, socket, guest).await,
            }
            drop(counted);
        }
        .instrument(span)
    };
    Ok(upgrade.on_upgrade(run))
}
