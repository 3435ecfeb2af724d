//! One connection: protocol, limits and time-outs, and its part in shutdown.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, service::Service, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{client::PeerAddress, stall::Stalling};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What clients may hold of one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at once; more are answered 503. By default at most half of what the process may open beyond its own.
    pub connections: usize,
    /// A connection that has not sent its first request by then is closed (slowloris).
    pub first_request: Duration,
    /// The same for later requests, and how long an HTTP/1.1 connection may idle between two.
    pub next_request: Duration,
    /// A client that takes nothing of its answer for so long is cut off (slow read).
    pub stalled_read: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        // The other half is for the database, the stores and the uploads of those that are in.
        let half = |most: usize| (most.saturating_sub(OWN_DESCRIPTORS) / 2).clamp(MIN_CONNECTIONS, CONNECTIONS);
        let connections = descriptors().map_or(CONNECTIONS, half);
        Self {
            connections,
            first_request: Duration::from_secs(10),
            next_request: Duration::from_secs(30),
            stalled_read: Duration::from_secs(30),
        }
    }
}

/// A connection's place among those that its listener may have; in the extensions of its requests.
#[derive(Clone, Debug)]
pub struct Place {
    _held: Arc<OwnedSemaphorePermit>,
    all: Arc<Semaphore>,
    most: usize,
}

impl Place {
    /// One of `most`; `None` where all are taken.
    pub(super) fn take(all: &Arc<Semaphore>, most: usize) -> Option<Self> {
        let held = all.clone().try_acquire_owned().ok()?;
        Some(Self { _held: Arc::new(held), all: all.clone(), most })
    }

    /// Whether nobody may keep a place for long any more: the last quarter is for those who ask and go.
    #[must_use]
    pub fn is_scarce(&self) -> bool {
        self.all.available_permits() < self.most / 4
    }
}

const CONNECTIONS: usize = 8192;
const MIN_CONNECTIONS: usize = 8;
/// What an idle server has open, with room: listeners, database, stores, logs.
const OWN_DESCRIPTORS: usize = 48;

/// How many files and sockets this process may open, where the system tells (Linux).
fn descriptors() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

/// Request line and headers together, in bytes.
const MAX_HEADERS: usize = 64 * 1024;
/// Bytes that the kernel takes beyond those on their way, so that what a client never read was, but for little, not handed
/// out either: a picture that may be seen once, a download that counts.
#[cfg(target_os = "linux")]
const AHEAD: u32 = 16 * 1024;
const MAX_STREAMS: u32 = 128;
const PING: Duration = Duration::from_secs(20);

/// How the connections of one listener are run.
#[derive(Clone)]
pub struct Connections {
    name: &'static str,
    builder: Builder<TokioExecutor>,
    first_request: Duration,
    stalled_read: Duration,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl Connections {
    pub fn new(name: &'static str, limits: ConnectionLimits, stop: CancellationToken, cut: CancellationToken) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.next_request).max_buf_size(MAX_HEADERS);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADERS as u32);
        let ConnectionLimits { first_request, stalled_read, .. } = limits;
        Self { name, builder, first_request, stalled_read, stop, cut }
    }

    /// Until the client closes, the connection fails, or shutdown ends it: at `stop` after the running requests, at
    /// `cut` at once. A WebSocket goes on, and may keep its place.
    pub async fn run<S, B>(self, stream: TcpStream, peer: SocketAddr, place: Place, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        // Without it a small streamed answer waits some 40 ms for the client's delayed ACK.
        let _ = stream.set_nodelay(true);
        #[cfg(target_os = "linux")]
        let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(AHEAD);
        let asked = Arc::new(AtomicBool::new(false));
        let seen = asked.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            seen.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(PeerAddress(peer));
            request.extensions_mut().insert(place.clone());
            service.call(request)
        });
        let stream = TokioIo::new(Stalling::new(stream, self.stalled_read));
        let mut connection = pin!(self.builder.serve_connection_with_upgrades(stream, service));
        let mut first = pin!(sleep(self.first_request));
        let (mut waiting, mut stopping) = (true, false);
        loop {
            tokio::select! {
                outcome = connection.as_mut() => {
                    if let Err(error) = outcome {
                        tracing::debug!(listener = self.name, %peer, error, "connection failed");
                    }
                    return;
                }
                () = first.as_mut(), if waiting => {
                    waiting = false;
                    if !asked.load(Ordering::Relaxed) {
                        tracing::debug!(listener = self.name, %peer, "no request in time");
                        return;
                    }
                }
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = self.cut.cancelled() => return,
            }
        }
    }
}
