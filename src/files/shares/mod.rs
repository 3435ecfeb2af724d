//! Share links: a file for whoever has the link, until it expires, is used up or is revoked.
//!
//! A link shares the content that the file had when it was made. It stands while its owner may log in and the file is
//! active with that content; all else answers as a link that never was.

mod download;
mod error;
pub(super) mod store;

use std::{collections::HashMap, time::Duration};

use entity::{Timestamp, file, share_link};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use uuid::Uuid;

pub use download::{Broken, Download, Handed, begin, look};
pub use error::{DownloadError, SharesError};

use super::{Scope, manageable};
use crate::{
    app::App,
    audit,
    db::{
        idempotency::IdempotencyKey,
        page::{Page, PageRequest, Position},
    },
    error::Fault,
    token::{self, TokenKind},
    viewer::Viewer,
};

/// What a link is made from.
#[derive(Debug)]
pub struct NewShareLink {
    pub file: Uuid,
    /// `shares.default_ttl` where it is not given.
    pub expires_in: Option<Duration>,
    /// `shares.default_downloads` where it is not given.
    pub max_downloads: Option<i32>,
    pub strict: bool,
    pub idempotency_key: Option<String>,
}

/// A link, and its file.
#[derive(Clone, Debug)]
pub struct Shared {
    pub link: share_link::Model,
    pub file: file::Model,
}

/// A link just made.
#[derive(Debug)]
pub struct Created {
    pub shared: Shared,
    /// Seen this one time; `None` where the request was a repeat.
    pub url: Option<SecretString>,
}

/// What a link says of itself, whatever the state of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    Expired,
    Exhausted,
    Revoked,
}

#[must_use]
pub fn state(link: &share_link::Model, file: &file::Model, now: Timestamp) -> State {
    if link.revoked_at.is_some() || link.version_id != file.version_id {
        State::Revoked
    } else if link.expires_at <= now {
        State::Expired
    } else if link.downloads >= link.max_downloads {
        State::Exhausted
    } else {
        State::Active
    }
}

/// Shares one's own file. A repeat returns the first link, without its URL, which is kept nowhere.
pub async fn create(app: &App, viewer: &Viewer, new: NewShareLink) -> Result<Created, SharesError> {
    let owner = viewer.person()?.user_id;
    let settings = &app.config.shares;
    let life = new.expires_in.unwrap_or(settings.default_ttl);
    if life.is_zero() || life > settings.max_ttl {
        return Err(SharesError::InvalidExpiry { max: settings.max_ttl.as_secs() });
    }
    let max_downloads = new.max_downloads.unwrap_or(settings.default_downloads);
    if !(1..=settings.max_downloads).contains(&max_downloads) {
        return Err(SharesError::InvalidDownloads { max: settings.max_downloads });
    }
    let key = new.idempotency_key.map(|key| {
        let input = (new.file, new.expires_in, new.max_downloads, new.strict);
        IdempotencyKey::new(owner, &key, "createShareLink", &input)
    });
    if let Some(first) = recall(app, viewer, key.as_ref()).await? {
        return Ok(first);
    }
    let (id, (token, token_hash)) = (Uuid::now_v7(), token::mint(TokenKind::ShareLink)?);
    let outcome = app
        .db
        .transaction(async |tx| {
            // The lock holds off a purge until the link is its to delete.
            let found = super::store::lock(&tx, Scope::Owner(owner), &[new.file]).await?.pop();
            let file = found.ok_or(SharesError::NotFound)?;
            if file.state != file::State::Active {
                return Err(SharesError::WrongState);
            }
            let now = app.db.now(&tx).await?;
            let link = share_link::Model {
                id,
                file_id: file.id,
                version_id: file.version_id,
                owner_id: owner,
                token_hash: token_hash.clone(),
                strict: new.strict,
                expires_at: now.plus(life),
                max_downloads,
                downloads: 0,
                revoked_at: None,
                created_at: now,
                last_used_at: None,
            };
            store::insert(&tx, link.clone()).await?;
            if let Some(key) = &key {
                key.remember(&tx, id, now).await?;
            }
            Ok(Shared { link, file })
        })
        .await;
    let url = Some(url(app, &token));
    match outcome {
        Ok(shared) => Ok(Created { shared, url }),
        // The reply to COMMIT may be lost: where the transaction took place after all, this finds its row.
        Err(error) => match find(app, viewer, id).await {
            Ok(Some(shared)) => Ok(Created { shared, url }),
            // Another request with the same key may have been first.
            _ => recall(app, viewer, key.as_ref()).await?.ok_or(error),
        },
    }
}

/// The first result of a repeated request.
async fn recall(app: &App, viewer: &Viewer, key: Option<&IdempotencyKey>) -> Result<Option<Created>, SharesError> {
    let Some(id) = IdempotencyKey::recall(key, app.db.read()).await? else { return Ok(None) };
    let shared = find(app, viewer, id).await?.ok_or(SharesError::NotFound)?;
    Ok(Some(Created { shared, url: None }))
}

/// Where people use the app, and the token.
fn url(app: &App, token: &SecretString) -> SecretString {
    format!("{}/s/{}", app.config.server.base_url(), token.expose_secret()).into()
}

/// Ends a link of a file that the viewer manages, and with it every strict download under way. A repeat changes nothing.
pub async fn revoke(app: &App, viewer: &Viewer, id: Uuid) -> Result<Shared, SharesError> {
    let scope = manageable(viewer)?;
    app.db
        .transaction(async |tx| {
            let mut link = store::lock(&tx, id).await?.ok_or(SharesError::NotFound)?;
            let file = super::store::find(&tx, scope, link.file_id).await?.ok_or(SharesError::NotFound)?;
            if link.revoked_at.is_none() {
                let now = app.db.now(&tx).await?;
                store::set_revoked(&tx, id, now).await?;
                link.revoked_at = Some(now);
                if viewer.user_id() != Some(link.owner_id) {
                    let details = json!({ "file": link.file_id, "owner": link.owner_id });
                    audit::record(&tx, viewer, "share.revoked", id, details, now).await?;
                }
            }
            Ok(Shared { link, file })
        })
        .await
}

/// A link by itself, where the viewer may see its file.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Shared>, Fault> {
    let Some(link) = store::find(app.db.read(), id).await? else { return Ok(None) };
    Ok(super::find(app, viewer, link.file_id).await?.map(|file| Shared { link, file }))
}

/// The links of a file, newest first. The caller found the file.
pub async fn list(
    app: &App,
    file: &file::Model,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<share_link::Model>, Fault> {
    Ok(store::list(app.db.read(), file.id, page).await?)
}

/// The newest links of each file, `limit` at the most. The caller found the files.
pub async fn newest(app: &App, files: &[Uuid], limit: u64) -> Result<HashMap<Uuid, Page<share_link::Model>>, Fault> {
    Ok(store::newest(app.db.read(), files, limit).await?)
}
