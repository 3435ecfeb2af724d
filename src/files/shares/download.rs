//! Downloads by a share link: who gets a place, and when it counts.
//!
//! A link redirects to a signed URL and counts that, since nobody tells the server what becomes of it; or, being strict,
//! its bytes stream through here. A strict download takes a place under a lease before the first byte, and counts before
//! the last piece is handed out: whoever breaks off gives the place back, a killed process does so by its lease, and
//! who was revoked meanwhile never gets the end.

use std::time::Duration;

use bytes::Bytes;
use entity::{file, object::Kind, share_link};
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use sea_orm::{ConnectionTrait, DbErr};
use tokio::{runtime::Handle, time::Instant};
use uuid::Uuid;

use super::{DownloadError, State, state, store};
use crate::{
    adapters::{
        cdn::{Disposition, content_disposition},
        objects::keys::ObjectKey,
    },
    app::App,
    embedded::edge::{CatalogEntry, ReadError, Sources},
    error::Fault,
    files::Scope,
    token::{self, TokenKind},
};

/// The life of the URL that a link redirects to: such a URL cannot be revoked.
const URL_TTL: Duration = Duration::from_secs(60);
/// How long a download holds its place without a sign of life.
const LEASE: Duration = Duration::from_secs(60);
/// As often a running download extends its lease, and asks whether its link still stands.
const RENEWAL: Duration = Duration::from_secs(20);
/// Bytes handed out at a time: the last ones wait until the download is counted.
const PIECE: usize = 64 * 1024;

/// What a link gives.
pub enum Handed {
    /// A URL signed for one minute at the most.
    Redirect(String),
    Stream(Box<Download>),
}

/// Why a download ends early. The text is for logs.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the link was revoked, or its file is not there any more")]
    Revoked,
    #[error("the database: {0}")]
    Database(#[from] DbErr),
}

/// The file behind an open link, to be asked without effect.
pub async fn look(app: &App, token: &str) -> Result<file::Model, DownloadError> {
    let link = find(app, token).await?;
    let now = app.db.now(app.db.read()).await?;
    let file = standing(app.db.read(), &link).await?;
    file.filter(|file| state(&link, file, now) == State::Active).ok_or(DownloadError::NotFound)
}

/// Begins a download; see the module. Of those who ask at once, no more get a place than the link allows.
pub async fn begin(app: &App, token: &str) -> Result<Handed, DownloadError> {
    let link = find(app, token).await?.id;
    let place = Uuid::now_v7();
    let begun = app
        .db
        .transaction(async |tx| {
            let link = store::lock(&tx, link).await?.ok_or(DownloadError::NotFound)?;
            // Read once the lock is held, since it decides.
            let now = app.db.now(&tx).await?;
            let file = standing(&tx, &link).await?.ok_or(DownloadError::NotFound)?;
            if state(&link, &file, now) != State::Active {
                return Err(DownloadError::NotFound);
            }
            if !link.strict {
                let url = signed(app, &file)?;
                store::count_download(&tx, link.id, now).await?;
                return Ok((file, Some(url)));
            }
            store::delete_lapsed(&tx, link.id, now).await?;
            let left = u64::try_from(link.max_downloads - link.downloads).unwrap_or(0);
            if store::under_way(&tx, link.id).await? >= left {
                return Err(DownloadError::UnderWay);
            }
            store::insert_download(&tx, place, link.id, now.plus(LEASE)).await?;
            Ok((file, None))
        })
        .await?;
    Ok(match begun {
        (_, Some(url)) => Handed::Redirect(url),
        (file, None) => {
            let renew_at = Instant::now() + RENEWAL;
            let place = Place { app: app.clone(), link, id: place, held: true, renew_at };
            Handed::Stream(Box::new(Download { file, place }))
        }
    })
}

/// A first look without a lock: who guesses tokens holds up nobody.
async fn find(app: &App, token: &str) -> Result<share_link::Model, DownloadError> {
    let hash = token::hash(token, &[TokenKind::ShareLink]).ok_or(DownloadError::NotFound)?;
    store::by_token(app.db.read(), hash).await?.ok_or(DownloadError::NotFound)
}

/// The link's file, where the link was not revoked, the file is active with the content that was shared, and its owner
/// may log in.
async fn standing(connection: &impl ConnectionTrait, link: &share_link::Model) -> Result<Option<file::Model>, DbErr> {
    let file = crate::files::store::find(connection, Scope::Owner(link.owner_id), link.file_id).await?;
    let shared = |file: &file::Model| file.state == file::State::Active && file.version_id == link.version_id;
    let Some(file) = file.filter(|file| link.revoked_at.is_none() && shared(file)) else { return Ok(None) };
    Ok(store::is_active(connection, link.owner_id).await?.then_some(file))
}

fn key(file: &file::Model) -> String {
    ObjectKey { kind: Kind::Original, id: file.object_id }.to_string()
}

/// For this one download: unlike other URLs it is rounded to no window.
fn signed(app: &App, file: &file::Model) -> Result<String, Fault> {
    let header = content_disposition(Disposition::Attachment, &file.name);
    let query = [("response-content-disposition", header.as_str())];
    app.signer.sign(&key(file), &query, app.now().plus(URL_TTL)).map_err(Fault::internal)
}

/// A strict download that has its place.
pub struct Download {
    pub file: file::Model,
    place: Place,
}

impl Download {
    /// The bytes, from the first of `sources` that has them unaltered. The stream ends in an error where it is not whole.
    pub async fn open(mut self, sources: &Sources) -> Result<BoxStream<'static, Result<Bytes, Broken>>, Broken> {
        let entry = CatalogEntry {
            bytes: u64::try_from(self.file.bytes).unwrap_or(0),
            sha256: self.file.sha256.as_slice().try_into().map_err(|_| ReadError::NoGoodCopy)?,
            content_type: self.file.content_type.clone(),
            cacheable: false,
        };
        let source = sources.download(&key(&self.file), &entry).await?;
        if entry.bytes == 0 {
            // Nobody asks for a piece of nothing.
            self.place.complete().await?;
            return Ok(stream::empty().boxed());
        }
        let pieces = Pieces { source, chunk: Bytes::new(), left: entry.bytes, place: self.place };
        let next = |mut pieces: Pieces| async move { Ok(pieces.next().await?.map(|piece| (piece, pieces))) };
        Ok(stream::try_unfold(pieces, next).boxed())
    }
}

/// The bytes on their way out.
struct Pieces {
    source: BoxStream<'static, Result<Bytes, ReadError>>,
    chunk: Bytes,
    left: u64,
    place: Place,
}

impl Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        if self.left == 0 {
            return Ok(None);
        }
        while self.chunk.is_empty() {
            self.chunk = self.source.next().await.ok_or(ReadError::NoGoodCopy)??;
        }
        let piece = self.chunk.split_to(self.chunk.len().min(PIECE));
        self.left = self.left.saturating_sub(piece.len() as u64);
        if self.left == 0 {
            self.place.complete().await?;
        } else {
            self.place.keep().await?;
        }
        Ok(Some(piece))
    }
}

/// One of the downloads that a link allows, held until it counts; given back when dropped before.
struct Place {
    app: App,
    link: Uuid,
    id: Uuid,
    held: bool,
    renew_at: Instant,
}

impl Place {
    /// Extends the lease when it is time.
    async fn keep(&mut self) -> Result<(), Broken> {
        if Instant::now() < self.renew_at {
            return Ok(());
        }
        let db = &self.app.db;
        let kept = db
            .transaction::<_, DbErr, _, _>(async |tx| {
                let Some(link) = store::lock(&tx, self.link).await? else { return Ok(false) };
                let until = db.now(&tx).await?.plus(LEASE);
                Ok(standing(&tx, &link).await?.is_some() && store::extend_download(&tx, self.id, until).await?)
            })
            .await?;
        self.renew_at = Instant::now() + RENEWAL;
        if kept { Ok(()) } else { Err(Broken::Revoked) }
    }

    /// Makes the place a download. One that began in time may end after its link has expired.
    async fn complete(&mut self) -> Result<(), Broken> {
        let db = &self.app.db;
        let counted = db
            .transaction::<_, DbErr, _, _>(async |tx| {
                let Some(link) = store::lock(&tx, self.link).await? else { return Ok(false) };
                if standing(&tx, &link).await?.is_none() || !store::delete_download(&tx, self.id).await? {
                    return Ok(false);
                }
                store::count_download(&tx, link.id, db.now(&tx).await?).await?;
                Ok(true)
            })
            .await?;
        self.held = !counted;
        if counted { Ok(()) } else { Err(Broken::Revoked) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(runtime) = Handle::try_current().ok().filter(|_| self.held) else { return };
        let (app, id) = (self.app.clone(), self.id);
        runtime.spawn(async move {
            let given_back =
                app.db.transaction::<_, DbErr, _, _>(async |tx| store::delete_download(&tx, id).await).await;
            if let Err(error) = given_back {
                tracing::warn!(%error, "a share link's place is given back by its lease");
            }
        });
    }
}
