//! A fault proxy: stands before a database or an object store, and lets go wrong what it is told to, while it runs.
//!
//! Each fault counts how often it really struck, so that a trial can tell a promise kept from a fault that never came.

mod http;
mod tcp;

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub use self::{
    http::{HttpFault, HttpProxy, Op},
    tcp::{TcpFault, TcpProxy},
};

/// The fault of the moment, and how often it struck.
#[derive(Debug)]
struct Switch<F> {
    fault: watch::Sender<F>,
    struck: AtomicU32,
}

impl<F: Clone + PartialEq + Send + Sync> Switch<F> {
    fn new(clear: F) -> Self {
        Self { fault: watch::Sender::new(clear), struck: AtomicU32::new(0) }
    }

    /// From now on, and counted from zero.
    fn set(&self, fault: F) {
        self.struck.store(0, Ordering::Relaxed);
        self.fault.send_replace(fault);
    }

    fn now(&self) -> F {
        self.fault.borrow().clone()
    }

    /// Counts one; how many there were before.
    fn strike(&self) -> u32 {
        self.struck.fetch_add(1, Ordering::Relaxed)
    }

    /// Until another fault, or none, is in force.
    async fn change_from(&self, fault: &F) {
        // It fails only where the proxy is gone.
        let _ = self.fault.subscribe().wait_for(|now| now != fault).await;
    }
}

/// Takes connections on one port for as long as `open` says so: closed, the port refuses them.
async fn listen<F: Clone + PartialEq + Send + Sync>(
    first: TcpListener,
    switch: &Switch<F>,
    is_down: impl Fn(&F) -> bool,
    mut take: impl FnMut(TcpStream),
) -> io::Result<()> {
    let address = first.local_addr()?;
    let (mut listener, mut faults) = (Some(first), switch.fault.subscribe());
    loop {
        let down = is_down(&faults.borrow_and_update());
        if down {
            listener = None;
        } else if listener.is_none() {
            listener = Some(TcpListener::bind(address).await?);
        }
        tokio::select! {
            accepted = async { listener.as_ref().expect("it is open").accept().await }, if listener.is_some() => {
                if let Ok((stream, _)) = accepted {
                    let _ = stream.set_nodelay(true);
                    take(stream);
                }
            }
            changed = faults.changed() => if changed.is_err() { return Ok(()) },
        }
    }
}

/// Ends a connection with RST rather than FIN.
fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
    drop(stream);
}

const CONNECT: Duration = Duration::from_secs(5);

async fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(CONNECT, TcpStream::connect(("127.0.0.1", port))).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}
