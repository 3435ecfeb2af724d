//! What people who send snaps ask of the server; the picture is read slowly, so that a kill meets it on its way.

use bytes::Bytes;
use serde_json::{Value, json};
use snaphaven::token::TokenKind;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use crate::common::client::{Answer, Client, NoAnswer, unknown};

/// Read at a time, and the pause after it where there is no hurry.
const GULP: usize = 16 * 1024;
const PAUSE: Duration = Duration::from_millis(4);
/// The kernel's buffer for what was not read yet.
const BUFFER: u32 = 8 * 1024;
/// Longer than a store may take to answer.
const STALLED: Duration = Duration::from_secs(20);

/// A snap to send.
pub struct NewSnap<'a> {
    pub key: &'a str,
    pub picture: &'a Bytes,
    pub to: &'a [&'a str],
    /// `None`: shown until it is closed.
    pub seconds: Option<u32>,
    /// Seconds; `None`: when the server says.
    pub expires: Option<u32>,
}

/// What came of asking for a picture.
pub enum Fetched {
    /// This many bytes from the start, or from where it was to go on, and of how many.
    Bytes { from: usize, bytes: Vec<u8>, of: usize },
    /// There is none.
    Missing,
}

/// A snap as its sender sees it.
#[derive(Clone, Debug)]
pub struct SentSnap {
    pub id: String,
    pub is_gone: bool,
    /// At both sites.
    pub is_erased: bool,
}

impl Client {
    /// Makes the two friends.
    pub async fn befriend(&self, other: &Self) -> Answer<()> {
        let ask = "mutation($input: RequestFriendshipInput!) { answer: requestFriendship(input: $input) { friendship { id } userErrors { code message } } }";
        let asked = self.mutate(ask, json!({ "userId": other.id().await? })).await?;
        let accept = "mutation($input: AcceptFriendshipInput!) { answer: acceptFriendship(input: $input) { userErrors { code message } } }";
        other.mutate(accept, json!({ "id": asked["friendship"]["id"] })).await.map(drop)
    }

    /// Its id.
    pub async fn send_snap(&self, snap: NewSnap<'_>) -> Answer<String> {
        let query = "mutation($input: SendSnapInput!) { answer: sendSnap(input: $input) { snap { id } userErrors { code message } } }";
        let input = json!({
            "file": null, "recipientIds": snap.to, "viewSeconds": snap.seconds, "expiresIn": snap.expires,
            "idempotencyKey": snap.key,
        });
        let answer = self.attach(query, input, snap.picture).await?;
        answer["snap"]["id"].as_str().map(str::to_owned).ok_or_else(|| unknown(format!("no snap in {answer}")))
    }

    /// Where its picture is fetched.
    pub async fn open_snap(&self, id: &str, key: &str) -> Answer<String> {
        let query = "mutation($input: OpenSnapInput!) { answer: openSnap(input: $input) { view { url } userErrors { code message } } }";
        let answer = self.mutate(query, json!({ "id": id, "idempotencyKey": key })).await?;
        answer["view"]["url"].as_str().map(str::to_owned).ok_or_else(|| unknown(format!("no view in {answer}")))
    }

    pub async fn close_snap(&self, id: &str) -> Answer<()> {
        let query =
            "mutation($input: CloseSnapInput!) { answer: closeSnap(input: $input) { userErrors { code message } } }";
        self.mutate(query, json!({ "id": id })).await.map(drop)
    }

    pub async fn revoke_snap(&self, id: &str) -> Answer<()> {
        let query =
            "mutation($input: RevokeSnapInput!) { answer: revokeSnap(input: $input) { userErrors { code message } } }";
        self.mutate(query, json!({ "id": id })).await.map(drop)
    }

    /// Everything that this person has sent.
    pub async fn sent_snaps(&self) -> Answer<Vec<SentSnap>> {
        let query = "query($after: String) { snaps(folder: SENT, first: 50, after: $after) { \
                     nodes { id goneAt erasure { primaryConfirmedAt replicaConfirmedAt } } \
                     pageInfo { hasNextPage endCursor } } }";
        let (mut sent, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = self.graphql(query, json!({ "after": after })).await?["snaps"].take();
            for node in page["nodes"].as_array().into_iter().flatten() {
                let proof = &node["erasure"];
                sent.push(SentSnap {
                    id: node["id"].as_str().unwrap_or_default().to_owned(),
                    is_gone: !node["goneAt"].is_null(),
                    is_erased: proof["primaryConfirmedAt"].is_string() && proof["replicaConfirmedAt"].is_string(),
                });
            }
            if page["pageInfo"]["hasNextPage"] != json!(true) {
                return Ok(sent);
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
    }

    /// The picture of an open view, from this byte on. The view's URL names the process that gave it, whose address may be
    /// another by now.
    pub async fn fetch_view(&self, url: &str, from: usize, slowly: bool) -> Answer<Fetched> {
        let (_, ticket) = url.split_once(TokenKind::View.prefix()).ok_or_else(|| unknown("not a view's URL"))?;
        let path = format!("/v/{}{ticket}", TokenKind::View.prefix());
        let host = self.url().trim_start_matches("http://").trim_end_matches("/graphql");
        let socket = TcpSocket::new_v4().map_err(unknown)?;
        socket.set_recv_buffer_size(BUFFER).map_err(unknown)?;
        let mut stream = socket.connect(host.parse().map_err(unknown)?).await.map_err(unknown)?;
        let token = self.token();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nrange: bytes={from}-\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.map_err(unknown)?;
        let head = timeout(STALLED, head(&mut stream)).await.map_err(unknown)?.map_err(unknown)?;
        let left = || -> Option<usize> {
            let lines = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
            lines.trim().parse().ok()
        };
        let from = match head.split(' ').nth(1) {
            Some("200") => 0,
            Some("206") => from,
            Some("404") => return Ok(Fetched::Missing),
            _ => return Err(NoAnswer::Fault(head)),
        };
        let of = from + left().ok_or_else(|| unknown("no content-length"))?;
        let mut bytes = Vec::new();
        let mut gulp = vec![0; GULP];
        // A connection that breaks is an end before the end.
        while let Ok(Ok(size)) = timeout(STALLED, stream.read(&mut gulp)).await {
            if size == 0 {
                break;
            }
            bytes.extend_from_slice(&gulp[..size]);
            if slowly {
                sleep(PAUSE).await;
            }
        }
        Ok(Fetched::Bytes { from, bytes, of })
    }
}

async fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
