//! The HTTP half, for object stores and topics: each request is taken in whole, then met by the fault of the moment.

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

/// What a request asks of an S3 store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Put,
    /// Of an object.
    Get,
    /// Of a bucket's objects or versions.
    List,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpFault {
    Clear,
    /// The port refuses connections.
    Down,
    /// Answered 503, with the seconds of Retry-After; the store never hears of it.
    Unavailable(Option<u32>),
    /// The store gets half the body, and both connections are reset.
    ResetRequest,
    /// Carried out; the client gets half the answer's body and a reset.
    ResetResponse,
    /// Handed on after this time, or when the fault ends, also where the client has gone.
    Slow(Duration),
    /// Half the body; the length still says the whole.
    Truncate,
    /// Half the body, and a length that fits it.
    Shorten,
    /// One bit of the body is another.
    Flip,
    /// Carried out; the connection is reset without a reply.
    DropReply,
    /// A listing with no entry, that says that it is whole.
    EmptyListing,
    /// A listing with the first half of its entries, that says that it is whole.
    CutListing,
    /// A listing with every entry twice.
    RepeatedListing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Aim {
    fault: HttpFault,
    on: Vec<Op>,
    /// So many requests, one after the other.
    first: u32,
}

impl Aim {
    const CLEAR: Self = Self { fault: HttpFault::Clear, on: Vec::new(), first: u32::MAX };
}

/// One port before another; ends with the value.
#[derive(Debug)]
pub struct HttpProxy {
    pub port: u16,
    switch: Arc<Switch<Aim>>,
    task: AbortHandle,
}

impl HttpProxy {
    /// Before a server on this port of this machine.
    pub async fn start(upstream: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let switch = Arc::new(Switch::new(Aim::CLEAR));
        let shared = switch.clone();
        let task = tokio::spawn(async move {
            let take = |client| {
                let shared = shared.clone();
                // A client that goes away ends its exchange; that is its own business.
                tokio::spawn(async move { exchange(client, upstream, &shared).await });
            };
            let is_down = |aim: &Aim| aim.fault == HttpFault::Down;
            listen(listener, &shared, is_down, take).await.expect("the proxy's port is its own");
        });
        Ok(Self { port, switch, task: task.abort_handle() })
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// On these requests only; on all where none is named.
    pub fn set(&self, fault: HttpFault, on: &[Op]) {
        self.switch.set(Aim { fault, on: on.to_vec(), ..Aim::CLEAR });
    }

    /// On the first so many of these requests.
    pub fn set_first(&self, first: u32, fault: HttpFault, on: &[Op]) {
        self.switch.set(Aim { fault, on: on.to_vec(), first });
    }

    pub fn clear(&self) {
        self.switch.fault.send_replace(Aim::CLEAR);
    }

    /// How often the fault struck since it was set. A refused connection is not seen here.
    pub fn struck(&self) -> u32 {
        self.switch.struck.load(Ordering::Relaxed)
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A message's head up to and with the empty line, and what was read of its body.
struct Message {
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Message {
    async fn head(stream: &mut TcpStream) -> io::Result<Self> {
        let mut read = Vec::with_capacity(8 * 1024);
        loop {
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                let body = read.split_off(end + 4);
                return Ok(Self { head: read, body });
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let text = std::str::from_utf8(&self.head).ok()?;
        let mut fields = text.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// With another value for this header.
    fn set(&mut self, name: &str, value: &str) {
        let text = String::from_utf8_lossy(&self.head).into_owned();
        let others = text
            .trim_end()
            .lines()
            .filter(|line| !line.split_once(':').is_some_and(|(field, _)| field.eq_ignore_ascii_case(name)));
        let lines: Vec<&str> = others.collect();
        self.head = format!("{}\r\n{name}: {value}\r\n\r\n", lines.join("\r\n")).into_bytes();
    }

    fn length(&self) -> usize {
        self.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)
    }

    fn op(&self) -> Op {
        let line = self.head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let mut words = std::str::from_utf8(line).unwrap_or_default().split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        // `/bucket/key`; listings name no key.
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let of_object = path.trim_matches('/').contains('/');
        let lists = |pair: &str| matches!(pair.split('=').next(), Some("list-type" | "versions"));
        match method {
            "PUT" if of_object => Op::Put,
            "GET" if of_object => Op::Get,
            "GET" if query.split('&').any(lists) => Op::List,
            _ => Op::Other,
        }
    }

    /// A listing with other entries, where it has any. One that has fewer says that it is whole.
    fn relist(&mut self, switch: &Switch<Aim>, change: impl for<'a> Fn(&[&'a str]) -> Vec<&'a str>) {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        let (before, entries, after) = entries(&text);
        if entries.is_empty() {
            return;
        }
        switch.strike();
        let changed = change(&entries);
        let is_less = changed.len() < entries.len();
        let mut text = [before, &changed.concat(), after].concat();
        if is_less {
            text = text.replace("<IsTruncated>true<", "<IsTruncated>false<");
        }
        self.body = text.into_bytes();
        self.set("Content-Length", &self.body.len().to_string());
    }

    fn whole(&self) -> Vec<u8> {
        [&*self.head, &*self.body].concat()
    }
}

/// What a listing has before its entries, the entries, and what is behind them. S3 has them in one run.
fn entries(text: &str) -> (&str, Vec<&str>, &str) {
    let (mut entries, mut begin, mut end) = (Vec::new(), text.len(), text.len());
    let mut at = 0;
    while let Some((from, name)) = ["Contents", "Version", "DeleteMarker"]
        .into_iter()
        .filter_map(|name| Some((at + text[at..].find(&format!("<{name}>"))?, name)))
        .min()
    {
        let close = format!("</{name}>");
        let Some(length) = text[from..].find(&close) else { break };
        at = from + length + close.len();
        entries.push(&text[from..at]);
        (begin, end) = (begin.min(from), at);
    }
    (&text[..begin], entries, &text[end..])
}

async fn exchange(mut client: TcpStream, upstream: u16, switch: &Switch<Aim>) -> io::Result<()> {
    let mut request = Message::head(&mut client).await?;
    let (length, aim) = (request.length(), switch.now());
    let is_meant =
        (aim.on.is_empty() || aim.on.contains(&request.op())) && switch.struck.load(Ordering::Relaxed) < aim.first;
    let fault = if is_meant { aim.fault.clone() } else { HttpFault::Clear };
    if request.header("expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    // Each exchange has a connection of its own, so that a fault meets just one.
    request.set("Connection", "close");
    let wanted = if fault == HttpFault::ResetRequest { length / 2 } else { length };
    while request.body.len() < wanted {
        if client.read_buf(&mut request.body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    match fault {
        HttpFault::ResetRequest if length > 0 => {
            switch.strike();
            let mut server = connect(upstream).await?;
            request.body.truncate(wanted);
            server.write_all(&request.whole()).await?;
            reset(server);
            reset(client);
            return Ok(());
        }
        HttpFault::Unavailable(retry_after) => {
            switch.strike();
            let retry_after = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
            let answer = format!(
                "HTTP/1.1 503 Service Unavailable\r\n{retry_after}Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
            return client.write_all(answer.as_bytes()).await;
        }
        HttpFault::Slow(time) => {
            switch.strike();
            tokio::select! {
                () = sleep(time) => {}
                () = switch.change_from(&aim) => {}
            }
        }
        HttpFault::Down => {
            switch.strike();
            reset(client);
            return Ok(());
        }
        _ => {}
    }
    let answer = forward(&request, upstream).await?;
    reply(client, answer, &fault, switch).await
}

async fn forward(request: &Message, upstream: u16) -> io::Result<Message> {
    let mut server = connect(upstream).await?;
    server.write_all(&request.whole()).await?;
    let mut answer = Message::head(&mut server).await?;
    while answer.head.starts_with(b"HTTP/1.1 1") {
        let rest = std::mem::take(&mut answer.body);
        answer = if rest.is_empty() { Message::head(&mut server).await? } else { split(rest)? };
    }
    server.read_to_end(&mut answer.body).await?;
    answer.set("Connection", "close");
    Ok(answer)
}

fn split(mut read: Vec<u8>) -> io::Result<Message> {
    let end = read.windows(4).position(|window| window == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let body = read.split_off(end + 4);
    Ok(Message { head: read, body })
}

async fn reply(mut client: TcpStream, mut answer: Message, fault: &HttpFault, switch: &Switch<Aim>) -> io::Result<()> {
    let half = answer.body.len() / 2;
    // An empty or refusing answer has nothing to spoil.
    let spoils = half > 0 && answer.head.starts_with(b"HTTP/1.1 2");
    match fault {
        HttpFault::DropReply => {
            switch.strike();
            reset(client);
            return Ok(());
        }
        HttpFault::ResetResponse => {
            switch.strike();
            answer.body.truncate(half);
            client.write_all(&answer.whole()).await?;
            reset(client);
            return Ok(());
        }
        HttpFault::Truncate if spoils => {
            switch.strike();
            answer.body.truncate(half);
        }
        HttpFault::Shorten if spoils => {
            switch.strike();
            answer.body.truncate(half);
            answer.set("Content-Length", &half.to_string());
        }
        HttpFault::Flip if spoils => {
            switch.strike();
            answer.body[half] ^= 1;
        }
        HttpFault::EmptyListing if spoils => answer.relist(switch, |_| Vec::new()),
        HttpFault::CutListing if spoils => answer.relist(switch, |entries| entries[..entries.len() / 2].to_vec()),
        HttpFault::RepeatedListing if spoils => {
            answer.relist(switch, |entries| entries.iter().flat_map(|entry| [*entry, *entry]).collect());
        }
        _ => {}
    }
    client.write_all(&answer.whole()).await?;
    client.shutdown().await
}
