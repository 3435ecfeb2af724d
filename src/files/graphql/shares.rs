//! Share links in GraphQL.

use std::{sync::Arc, time::Duration};

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{file, share_link};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::File;
use crate::{
    app::App,
    db::page::{Page, Position},
    error::Fault,
    files::shares::{self, NewShareLink, Shared, SharesError},
    graphql::{self, Connection, NodeKind, connection::connection, error::fault, scalars::date_time},
    viewer::Viewer,
};

/// Whether a link still gives its file. It gives nothing while the file is not ACTIVE, whatever the link's own state.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "shares::State")]
pub enum ShareLinkState {
    Active,
    Expired,
    /// Downloaded as often as it allows.
    Exhausted,
    /// By hand, or by a new content of the file.
    Revoked,
}

/// A link by which anybody downloads a file, as it was when the link was made. The link itself is shown once, by
/// `createShareLink`.
pub struct ShareLink {
    pub row: share_link::Model,
    pub file: Arc<file::Model>,
}

impl From<Shared> for ShareLink {
    fn from(shared: Shared) -> Self {
        Self { row: shared.link, file: shared.file.into() }
    }
}

#[Object]
impl ShareLink {
    pub async fn id(&self) -> ID {
        NodeKind::ShareLink.id(self.row.id).into()
    }

    async fn file(&self) -> File {
        File { row: self.file.clone(), owner: None, renditions: None }
    }

    async fn state(&self, ctx: &Context<'_>) -> ShareLinkState {
        shares::state(&self.row, &self.file, graphql::app(ctx).now()).into()
    }

    /// Its bytes stream through the server, so that a revocation cuts off even a download that is under way. Other links
    /// redirect to a signed URL, which works for another minute.
    async fn strict(&self) -> bool {
        self.row.strict
    }

    async fn max_downloads(&self) -> i32 {
        self.row.max_downloads
    }

    /// Of a strict link those that were completed, of others the redirects.
    async fn downloads(&self) -> i32 {
        self.row.downloads
    }

    async fn created_at(&self) -> DateTime<Utc> {
        date_time(self.row.created_at)
    }

    /// The time from which it is refused. A strict download that began before may end.
    async fn expires_at(&self) -> DateTime<Utc> {
        date_time(self.row.expires_at)
    }

    async fn revoked_at(&self) -> Option<DateTime<Utc>> {
        self.row.revoked_at.map(date_time)
    }

    /// When the last download counted.
    async fn last_used_at(&self) -> Option<DateTime<Utc>> {
        self.row.last_used_at.map(date_time)
    }
}

/// For `node(id)`.
pub async fn share_link_node(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<ShareLink>, Fault> {
    Ok(shares::find(app, viewer, id).await?.map(ShareLink::from))
}

/// A file's links as a connection.
pub(super) fn share_links(page: Page<share_link::Model>, file: &Arc<file::Model>) -> Connection<ShareLink> {
    let links = page.map(|row| ShareLink { row, file: file.clone() });
    connection(links, Default::default(), |link| Position { key: link.row.created_at, id: link.row.id })
}

#[derive(InputObject)]
pub struct CreateShareLinkInput {
    pub file_id: ID,
    /// Seconds the link works; `limits.shareLinkTtl` at the most. A week unless the server is set otherwise.
    pub expires_in: Option<i32>,
    /// Downloads it allows; `limits.shareLinkDownloads` at the most. A hundred unless the server is set otherwise.
    pub max_downloads: Option<i32>,
    /// Whether the bytes stream through the server: revoked means revoked, and completed downloads are what counts.
    #[graphql(default)]
    pub strict: bool,
    /// A repeat with the same key returns the first link, without its URL.
    pub idempotency_key: Option<String>,
}

#[derive(InputObject)]
pub struct RevokeShareLinkInput {
    pub id: ID,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum ShareErrorCode {
    /// Not there, or not yours.
    NotFound,
    /// The file is not active.
    WrongState,
    InvalidExpiry,
    InvalidDownloads,
    IdempotencyKeyReused,
}

/// Something the user can mend.
#[derive(SimpleObject)]
pub struct ShareUserError {
    code: ShareErrorCode,
    /// The input field it is about.
    field: Option<&'static str>,
    /// For people.
    message: String,
}

#[derive(SimpleObject)]
pub struct CreateShareLinkPayload {
    share_link: Option<ShareLink>,
    /// What to hand out. Shown once: null on a repeat, since the server keeps only a hash of it. Where the first answer
    /// was lost, revoke the link and make another.
    url: Option<String>,
    user_errors: Vec<ShareUserError>,
}

#[derive(SimpleObject)]
pub struct RevokeShareLinkPayload {
    share_link: Option<ShareLink>,
    user_errors: Vec<ShareUserError>,
}

#[derive(Default)]
pub struct SharesMutation;

#[Object]
impl SharesMutation {
    /// Makes a link by which anybody downloads one's own file, until it expires, is used up or is revoked.
    async fn create_share_link(
        &self,
        ctx: &Context<'_>,
        input: CreateShareLinkInput,
    ) -> async_graphql::Result<CreateShareLinkPayload> {
        // A negative time is as short as none at all, which the service refuses.
        let expires_in = input.expires_in.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
        let new = NewShareLink {
            file: NodeKind::File.parse(&input.file_id).unwrap_or_default(),
            expires_in,
            max_downloads: input.max_downloads,
            strict: input.strict,
            idempotency_key: input.idempotency_key,
        };
        match shares::create(graphql::app(ctx), graphql::viewer(ctx), new).await {
            Ok(created) => Ok(CreateShareLinkPayload {
                share_link: Some(created.shared.into()),
                url: created.url.map(|url| url.expose_secret().to_owned()),
                user_errors: Vec::new(),
            }),
            Err(error) => Ok(CreateShareLinkPayload {
                share_link: None,
                url: None,
                user_errors: vec![user_error(&error, "fileId")?],
            }),
        }
    }

    /// Ends a link of one's own file, and cuts off strict downloads under way; an admin ends anyone's.
    async fn revoke_share_link(
        &self,
        ctx: &Context<'_>,
        input: RevokeShareLinkInput,
    ) -> async_graphql::Result<RevokeShareLinkPayload> {
        let id = NodeKind::ShareLink.parse(&input.id).unwrap_or_default();
        match shares::revoke(graphql::app(ctx), graphql::viewer(ctx), id).await {
            Ok(shared) => Ok(RevokeShareLinkPayload { share_link: Some(shared.into()), user_errors: Vec::new() }),
            Err(error) => Ok(RevokeShareLinkPayload { share_link: None, user_errors: vec![user_error(&error, "id")?] }),
        }
    }
}

/// `id`: the input's field that names the file or link.
fn user_error(error: &SharesError, id: &'static str) -> async_graphql::Result<ShareUserError> {
    use ShareErrorCode as Code;
    let (code, field) = match error {
        SharesError::NotFound => (Code::NotFound, Some(id)),
        SharesError::WrongState => (Code::WrongState, None),
        SharesError::InvalidExpiry { .. } => (Code::InvalidExpiry, Some("expiresIn")),
        SharesError::InvalidDownloads { .. } => (Code::InvalidDownloads, Some("maxDownloads")),
        SharesError::IdempotencyKeyReused => (Code::IdempotencyKeyReused, Some("idempotencyKey")),
        SharesError::Fault(cause) => return Err(fault(cause)),
    };
    Ok(ShareUserError { code, field, message: error.to_string() })
}
