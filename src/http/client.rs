//! Who is at the other end: the socket's address, or what trusted proxies report.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use http::{HeaderMap, header};

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The other end of the socket, in each request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// The client's address, behind the configured number of proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

/// The `User-Agent` header, at most [`UserAgent::MOST`] characters of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserAgent(pub String);

impl ClientAddress {
    /// The `hops`-th entry of `X-Forwarded-For` from the right: each trusted proxy appended the address it saw, and all
    /// further left is the client's own claim. Falls back to the peer where the entry is missing or no address.
    #[must_use]
    pub fn resolve(peer: SocketAddr, headers: &HeaderMap, hops: usize) -> Self {
        let forwarded = hops.checked_sub(1).and_then(|index| {
            let lines: Vec<_> =
                headers.get_all(X_FORWARDED_FOR).iter().map(|line| line.to_str().unwrap_or("")).collect();
            lines.iter().flat_map(|line| line.split(',')).rev().nth(index).and_then(parse)
        });
        Self(forwarded.unwrap_or(peer.ip()).to_canonical())
    }

    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.0
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl UserAgent {
    /// Longer ones are cut: the header goes to a table.
    pub const MOST: usize = 256;

    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let text =
            headers.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
        Self(text.chars().filter(|c| !c.is_control()).take(Self::MOST).collect())
    }
}

/// Whether a proxy handed the request on, as far as its headers tell.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    [X_FORWARDED_FOR, "forwarded", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name))
}

/// An address with or without a port: some proxies append it.
fn parse(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    entry.parse().or_else(|_| entry.parse::<SocketAddr>().map(|address| address.ip())).ok()
}
