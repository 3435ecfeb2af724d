//! The picture of an open view, to the session that opened it.
//!
//! That it was asked for is written down before the first byte is handed out, and that it was seen before the last piece
//! is. Until then the same session may ask again, for all of it or for the rest; from then on nobody may. So a transfer
//! that breaks off burns nothing, and nothing shows a picture twice.

use std::time::Duration;

use bytes::Bytes;
use entity::{Timestamp, object, snap_recipient};
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use uuid::Uuid;

use super::{ViewError, jobs, model::view_time, store, ticket};
use crate::{
    app::App,
    db::Tx,
    embedded::edge::{CatalogEntry, ReadError, Sources},
    jobs::enqueue_at,
    ledger,
    viewer::{Identity, Viewer},
};

/// Bytes handed out at a time.
const PIECE: usize = 64 * 1024;
/// The last piece is small: whoever has lost it may come again for it, in time.
const LAST: u64 = 1024;

/// A picture on its way to the session that opened its view.
pub struct Picture {
    pub content_type: String,
    /// Of all of it.
    pub bytes: u64,
    /// Where the stream goes on; below `bytes`.
    pub from: u64,
    /// It ends in an error where it is not whole, and where the view is over meanwhile.
    pub stream: BoxStream<'static, Result<Bytes, ViewError>>,
}

/// The picture of this ticket from byte `from` on, 0 where that is beyond the end, out of the first of `sources` that has
/// it unaltered: for the session that opened the view, while the view is open and the picture was not seen.
pub async fn fetch(
    app: &App,
    sources: &Sources,
    viewer: &Viewer,
    ticket: &str,
    from: u64,
) -> Result<Picture, ViewError> {
    let me = viewer.person().map_err(|_| ViewError::NotFound)?;
    let ticket = ticket::decode(ticket).ok_or(ViewError::NotFound)?;
    // Who guesses tickets holds up nobody.
    let row = store::by_ticket(app.db.read(), &ticket).await?.ok_or(ViewError::NotFound)?;
    let now = app.db.now(app.db.read()).await?;
    if !(is_of(&row, me, &ticket) && is_open(&row, now)) {
        return Err(ViewError::NotFound);
    }
    let snap = store::find(app.db.read(), row.snap_id).await?.ok_or(ViewError::NotFound)?;
    let object = ledger::find(app.db.read(), snap.object_id).await?;
    let object = object.filter(|object| object.state == object::State::Live).ok_or(ViewError::NotFound)?;
    let entry = CatalogEntry {
        bytes: u64::try_from(object.bytes).unwrap_or(0),
        sha256: object.sha256.as_slice().try_into().map_err(|_| ReadError::NoGoodCopy)?,
        content_type: object.content_type,
        cacheable: false,
    };
    // A store that does not answer burns nothing.
    let source = sources.download(&object.key, &entry).await?;
    let view_time = view_time(&snap, &app.config.snaps);
    let view = app.transaction(async |tx| begin(app, &tx, row.id, me, &ticket, view_time).await).await?;
    let CatalogEntry { bytes, content_type, .. } = entry;
    let from = if from < bytes { from } else { 0 };
    let view = View { app: app.clone(), recipient: row.id, id: view, time: view_time };
    let pieces = Pieces { source, chunk: Bytes::new(), at: 0, from, bytes, view };
    let next = |mut pieces: Pieces| async move { Ok(pieces.next().await?.map(|piece| (piece, pieces))) };
    Ok(Picture { content_type, bytes, from, stream: stream::try_unfold(pieces, next).boxed() })
}

fn is_of(row: &snap_recipient::Model, me: &Identity, ticket: &[u8]) -> bool {
    row.recipient_id == me.user_id && row.session_id == Some(me.session_id) && row.ticket.as_deref() == Some(ticket)
}

fn is_open(row: &snap_recipient::Model, now: Timestamp) -> bool {
    row.ended_at.is_none() && row.consumed_at.is_none() && row.view_ends_at.is_some_and(|end| now < end)
}

/// Writes down that the picture is being fetched: from now on it may have been seen. The view it is.
async fn begin(
    app: &App,
    tx: &Tx,
    row: Uuid,
    me: &Identity,
    ticket: &[u8],
    view_time: Duration,
) -> Result<Uuid, ViewError> {
    let row = store::lock(tx, row).await?.filter(|row| is_of(row, me, ticket)).ok_or(ViewError::NotFound)?;
    // Read once the lock is held, since it decides.
    let now = app.db.now(tx).await?;
    let view = row.view_id.filter(|_| is_open(&row, now)).ok_or(ViewError::NotFound)?;
    if row.fetched_at.is_none() {
        let view_ends_at = row.fetch_before.map(|end| end.plus(view_time));
        store::update(tx, snap_recipient::Model { fetched_at: Some(now), view_ends_at, ..row }).await?;
    }
    Ok(view)
}

/// What is being looked at.
struct View {
    app: App,
    recipient: Uuid,
    id: Uuid,
    time: Duration,
}

impl View {
    /// Writes down that the picture was seen; from now on its time runs. Of two who stream at once one gets here.
    async fn consume(&self) -> Result<(), ViewError> {
        let app = &self.app;
        app.transaction(async |tx| {
            let row = store::lock(&tx, self.recipient).await?.filter(|row| row.view_id == Some(self.id));
            let now = app.db.now(&tx).await?;
            let row = row.filter(|row| is_open(row, now)).ok_or(ViewError::NotFound)?;
            let end = now.plus(self.time);
            let end = row.view_ends_at.map_or(end, |latest| latest.min(end));
            store::update(&tx, snap_recipient::Model { consumed_at: Some(now), view_ends_at: Some(end), ..row })
                .await?;
            Ok(enqueue_at(&tx, &jobs::Settle { recipient: self.recipient }, end).await?)
        })
        .await
    }
}

/// The bytes on their way out.
struct Pieces {
    source: BoxStream<'static, Result<Bytes, ReadError>>,
    chunk: Bytes,
    /// Bytes of the object that were handed out or skipped.
    at: u64,
    from: u64,
    bytes: u64,
    view: View,
}

impl Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, ViewError> {
        while self.at < self.bytes {
            while self.chunk.is_empty() {
                self.chunk = self.source.next().await.ok_or(ReadError::NoGoodCopy)??;
            }
            // To where the client goes on, then to the last piece, then to the end.
            let stops = [self.from, self.bytes.saturating_sub(LAST), self.bytes];
            let stop = stops.into_iter().find(|stop| *stop > self.at).unwrap_or(self.bytes);
            let size = usize::try_from(stop - self.at).unwrap_or(PIECE).min(PIECE).min(self.chunk.len());
            let piece = self.chunk.split_to(size);
            self.at += piece.len() as u64;
            if self.at <= self.from {
                continue;
            }
            if self.at == self.bytes {
                self.view.consume().await?;
            }
            return Ok(Some(piece));
        }
        Ok(None)
    }
}
