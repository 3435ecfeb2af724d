//! Listeners and their end: every listener of the process runs under one supervisor, which stops them in order.

use std::{collections::VecDeque, fs::File, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, service::Service};
use hyper_util::service::TowerToHyperService;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::connection::{BoxError, ConnectionLimits, Connections, Place};

/// Refusals at once, and how many connections one of them stands for. The oldest one makes room for a new one: who asks is
/// answered at once, so the oldest is of somebody who is silent.
const MAX_REFUSALS: usize = 64;
const CONNECTIONS_PER_REFUSAL: usize = 4;
const REFUSAL_TIME: Duration = Duration::from_secs(1);
const CUT_TIME: Duration = Duration::from_secs(1);
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
    content-type: text/plain\r\ncontent-length: 9\r\n\r\noverload\n";
const BACK_OFF: Duration = Duration::from_millis(100);

/// Opens a listener.
///
/// # Errors
///
/// Names the address: taken, not this machine's, or a port that needs privileges.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}

/// Runs listeners and background tasks until it is told to stop, then ends them within a deadline.
#[derive(Clone, Debug)]
pub struct Supervisor {
    stop: CancellationToken,
    cut: CancellationToken,
    tasks: TaskTracker,
    deadline: Duration,
    limits: ConnectionLimits,
}

impl Supervisor {
    /// `deadline`: how long running requests and tasks may take to finish after the stop.
    #[must_use]
    pub fn new(deadline: Duration) -> Self {
        let (stop, cut, limits) = (CancellationToken::new(), CancellationToken::new(), ConnectionLimits::default());
        Self { stop, cut, tasks: TaskTracker::new(), deadline, limits }
    }

    /// Other limits for the listeners that follow.
    #[must_use]
    pub fn limits(self, limits: ConnectionLimits) -> Self {
        Self { limits, ..self }
    }

    /// Cancelled when shutdown begins: background tasks and WebSockets end by it. Cancelling it begins shutdown.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Begins shutdown at SIGTERM or SIGINT; a second one cuts what still runs.
    ///
    /// # Errors
    ///
    /// Where the handlers cannot be installed.
    pub fn stop_on_signals(&self) -> io::Result<()> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (stop, cut) = (self.stop.clone(), self.cut.clone());
        tokio::spawn(async move {
            for token in [stop, cut] {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                tracing::info!(signal = name, "stopping");
                token.cancel();
            }
        });
        Ok(())
    }

    /// Runs a task that ends by [`Supervisor::token`]; after the deadline it is dropped where it waits.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            let _ = cut.run_until_cancelled(task).await;
        });
    }

    /// Serves a router on a listener. `name` stands in logs.
    pub fn serve(&self, name: &'static str, listener: TcpListener, router: Router) {
        self.serve_hyper(name, listener, TowerToHyperService::new(router));
    }

    /// Serves any hyper service on a listener, HTTP/1.1 and cleartext HTTP/2.
    pub fn serve_hyper<S, B>(&self, name: &'static str, listener: TcpListener, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let connections = Connections::new(name, self.limits, self.stop.clone(), self.cut.clone());
        let tasks = self.tasks.clone();
        let max_refusals = (self.limits.connections / CONNECTIONS_PER_REFUSAL).clamp(1, MAX_REFUSALS);
        let acceptor = Acceptor { name, listener, spare: spare(), refusals: VecDeque::new(), max_refusals };
        let most = self.limits.connections;
        let (stop, places) = (self.stop.clone(), Arc::new(Semaphore::new(most)));
        self.tasks.spawn(async move {
            let mut acceptor = acceptor;
            // The listener is dropped with the acceptor: the port is free once shutdown began.
            while let Some((stream, peer)) = stop.run_until_cancelled(acceptor.accept()).await {
                let Some(place) = Place::take(&places, most) else {
                    acceptor.refuse(stream, &tasks).await;
                    continue;
                };
                tasks.spawn(connections.clone().run(stream, peer, place, service.clone()));
            }
        });
    }

    /// Waits for the stop, then for everything to end. False where the deadline cut something off.
    pub async fn finished(self) -> bool {
        self.stop.cancelled().await;
        self.tasks.close();
        let whole = timeout(self.deadline, self.tasks.wait()).await.is_ok() && !self.cut.is_cancelled();
        self.cut.cancel();
        // A task that blocks its thread cannot be cut; the process ends without it.
        let _ = timeout(CUT_TIME, self.tasks.wait()).await;
        whole
    }
}

struct Acceptor {
    name: &'static str,
    listener: TcpListener,
    /// A descriptor given back when there are none left, so that the waiting client can be told.
    spare: Option<File>,
    refusals: VecDeque<JoinHandle<()>>,
    max_refusals: usize,
}

impl Acceptor {
    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(connection) => return connection,
                Err(error) if is_of_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(listener = self.name, %error, "cannot accept connections");
                    self.spare = None;
                    if let Ok(Ok((stream, _))) = timeout(BACK_OFF, self.listener.accept()).await {
                        let _ = timeout(BACK_OFF, refuse(stream)).await;
                    }
                    sleep(BACK_OFF).await;
                    self.spare = spare();
                }
            }
        }
    }

    async fn refuse(&mut self, stream: TcpStream, tasks: &TaskTracker) {
        metrics::counter!("http_connections_refused_total", "listener" => self.name).increment(1);
        if self.refusals.len() == self.max_refusals
            && let Some(oldest) = self.refusals.pop_front()
        {
            oldest.abort();
            // Its descriptor is free only then.
            let _ = oldest.await;
        }
        self.refusals.push_back(tasks.spawn(refuse(stream)));
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// The client went away before it was accepted: nothing is wrong here.
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Answers 503. What the client has sent is read first: closing over unread bytes would reset the answer away.
async fn refuse(mut stream: TcpStream) {
    let _ = timeout(REFUSAL_TIME, async {
        let _ = stream.read(&mut [0; 4096]).await?;
        stream.write_all(REFUSAL).await?;
        stream.shutdown().await?;
        while stream.read(&mut [0; 4096]).await? > 0 {}
        io::Result::Ok(())
    })
    .await;
}
