//! The TCP half, for databases: it knows of their protocols no more than what a COMMIT looks like.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
    time::sleep,
};

use super::{Switch, connect, listen, reset};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpFault {
    Clear,
    /// The port refuses connections, and those that were are reset.
    Down,
    /// Each piece of data waits so long.
    Delay(Duration),
    /// Nothing moves, in either direction; the connections stay.
    Freeze,
    /// The connections of now never move again, new ones are fine.
    Wedge,
    /// Every connection is reset as data moves on it.
    Reset,
    /// Every n-th COMMIT is carried out and its connection reset before the reply.
    LoseCommit(u32),
    /// The same, and from the first on nothing is reached for so long.
    LoseCommitAndAll(Duration),
}

/// One port before another; ends with the value.
#[derive(Debug)]
pub struct TcpProxy {
    pub port: u16,
    switch: Arc<Switch<TcpFault>>,
    task: AbortHandle,
}

impl TcpProxy {
    /// Before a server on this port of this machine.
    pub async fn start(upstream: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let switch = Arc::new(Switch::new(TcpFault::Clear));
        let shared = switch.clone();
        let task = tokio::spawn(async move {
            let take = |client| drop(tokio::spawn(carry(client, upstream, shared.clone())));
            let is_down = |fault: &TcpFault| *fault == TcpFault::Down;
            listen(listener, &shared, is_down, take).await.expect("the proxy's port is its own");
        });
        Ok(Self { port, switch, task: task.abort_handle() })
    }

    pub fn set(&self, fault: TcpFault) {
        self.switch.set(fault);
    }

    /// No fault any more; the count stays.
    pub fn clear(&self) {
        self.switch.fault.send_replace(TcpFault::Clear);
    }

    /// How often the fault struck since it was set.
    pub fn struck(&self) -> u32 {
        self.switch.struck.load(Ordering::Relaxed)
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What one piece of data meets.
enum Gate {
    Open,
    Reset,
}

async fn carry(mut client: TcpStream, upstream: u16, switch: Arc<Switch<TcpFault>>) {
    let Ok(mut server) = connect(upstream).await else { return reset(client) };
    let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let (mut losing, mut known) = (false, switch.now());
    let broken = loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(length @ 1..) = read else { break false };
                if matches!(gate(&switch).await, Gate::Reset) {
                    break true;
                }
                losing = has_commit(&up[..length]) && loses(&switch);
                if server.write_all(&up[..length]).await.is_err() {
                    break true;
                }
            }
            read = server.read(&mut down) => {
                let Ok(length @ 1..) = read else { break true };
                // The reply is here, so the server has carried it out.
                if losing || matches!(gate(&switch).await, Gate::Reset) {
                    break true;
                }
                if client.write_all(&down[..length]).await.is_err() {
                    break false;
                }
            }
            () = switch.change_from(&known) => {
                known = switch.now();
                match known {
                    TcpFault::Down => {
                        switch.strike();
                        break true;
                    }
                    TcpFault::Wedge => {
                        switch.strike();
                        return wedge(client, &mut up).await;
                    }
                    _ => {}
                }
            }
        }
    };
    if broken {
        reset(client);
    }
}

/// Takes what comes and answers nothing, until the client ends it.
async fn wedge(mut client: TcpStream, taken: &mut [u8]) {
    while client.read(taken).await.is_ok_and(|length| length > 0) {}
}

async fn gate(switch: &Switch<TcpFault>) -> Gate {
    loop {
        let fault = switch.now();
        match fault {
            TcpFault::Clear | TcpFault::Wedge | TcpFault::LoseCommit(_) | TcpFault::LoseCommitAndAll(_) => {
                return Gate::Open;
            }
            TcpFault::Down | TcpFault::Reset => {
                switch.strike();
                return Gate::Reset;
            }
            TcpFault::Delay(time) => {
                switch.strike();
                sleep(time).await;
                return Gate::Open;
            }
            TcpFault::Freeze => {
                switch.strike();
                switch.change_from(&fault).await;
            }
        }
    }
}

fn loses(switch: &Arc<Switch<TcpFault>>) -> bool {
    match switch.now() {
        TcpFault::LoseCommit(every) => switch.strike().is_multiple_of(every),
        TcpFault::LoseCommitAndAll(time) => {
            if switch.strike() > 0 {
                return false;
            }
            let switch = switch.clone();
            tokio::spawn(async move {
                // Only now, so that this COMMIT itself is carried out.
                sleep(Duration::from_millis(20)).await;
                switch.fault.send_replace(TcpFault::Down);
                sleep(time).await;
                switch.fault.send_if_modified(|fault| {
                    let down = *fault == TcpFault::Down;
                    if down {
                        *fault = TcpFault::Clear;
                    }
                    down
                });
            });
            true
        }
        _ => false,
    }
}

/// Postgres: a Query message (PostgreSQL 17, 53.7). MariaDB: a packet with COM_QUERY.
fn has_commit(data: &[u8]) -> bool {
    const POSTGRES: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
    const MARIADB: &[u8] = b"\x07\0\0\0\x03COMMIT";
    [POSTGRES, MARIADB].iter().any(|commit| data.windows(commit.len()).any(|window| window == *commit))
}
