//! The types of a file and its parts.

use std::{sync::Arc, time::Duration};

use async_graphql::{
    Context, Enum, ID, Json, Object, SimpleObject,
    dataloader::{DataLoader, Loader},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use entity::{file, rendition};

use super::{
    FileState,
    holds::LegalHold,
    loader::{CopiesOf, FileLoader, RenditionOf, ShareLinksOf, VersionsOf},
    rendition::{Rendition, RenditionSize},
    shares::{ShareLink, share_links},
    uploads::UploadRejection,
    versions::FileVersion,
};
use crate::{
    accounts::graphql::{User, load_user},
    adapters::cdn,
    db::page::Position,
    error::Fault,
    files,
    graphql::{
        self, Connection, FaultExt, NodeKind, PageArguments,
        connection::{connection, page_cost},
        error::{bad_input, fault},
        scalars::{Long, Sha256, date_time},
    },
    ledger::graphql::Copy,
    viewer::Viewer,
};

/// A URL signed for CloudFront, and the time from which it is refused.
#[derive(SimpleObject)]
pub struct SignedUrl {
    url: String,
    expires_at: DateTime<Utc>,
}

impl From<cdn::SignedUrl> for SignedUrl {
    fn from(signed: cdn::SignedUrl) -> Self {
        Self { url: signed.url.to_string(), expires_at: date_time(signed.expires_at) }
    }
}

/// How a browser treats a download.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum Disposition {
    /// Saved under the file's name.
    Attachment,
    /// Shown in the page, for pictures; anything else stays an attachment.
    Inline,
}

impl From<Disposition> for cdn::Disposition {
    fn from(disposition: Disposition) -> Self {
        match disposition {
            Disposition::Attachment => Self::Attachment,
            Disposition::Inline => Self::Inline,
        }
    }
}

/// From the request's [`FileLoader`].
async fn load<K>(ctx: &Context<'_>, key: K) -> async_graphql::Result<Option<<FileLoader as Loader<K>>::Value>>
where
    K: Clone + Eq + std::hash::Hash + Send + Sync + 'static,
    FileLoader: Loader<K, Error = Arc<Fault>>,
{
    ctx.data_unchecked::<DataLoader<FileLoader>>().load_one(key).await.map_err(|error| fault(&error))
}

/// What an admin did to a file.
pub struct Removal {
    row: Arc<file::Model>,
}

#[Object]
impl Removal {
    /// In the words of the admin; null where none was given.
    async fn reason(&self) -> Option<&str> {
        self.row.removal_reason.as_deref()
    }

    /// For admins; else null.
    async fn by(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<User>> {
        match self.row.removed_by.filter(|_| graphql::viewer(ctx).is_admin()) {
            Some(admin) => load_user(ctx, admin).await,
            None => Ok(None),
        }
    }
}

/// What the viewer may do with a file now.
#[derive(SimpleObject)]
pub struct FilePermissions {
    edit: bool,
    replace_content: bool,
    trash: bool,
    /// As an admin.
    remove: bool,
    restore: bool,
    purge: bool,
    share: bool,
}

/// A file and its current content.
pub struct File {
    pub row: Arc<file::Model>,
    /// Brought along by a list that was asked for it.
    pub owner: Option<User>,
    /// The same; of the current version.
    pub renditions: Option<Vec<rendition::Model>>,
}

impl From<file::Model> for File {
    fn from(row: file::Model) -> Self {
        Self { row: row.into(), owner: None, renditions: None }
    }
}

#[Object]
impl File {
    pub async fn id(&self) -> ID {
        NodeKind::File.id(self.row.id).into()
    }

    /// As its owner gave it.
    async fn name(&self) -> &str {
        &self.row.name
    }

    async fn description(&self) -> Option<&str> {
        Some(self.row.description.as_str()).filter(|description| !description.is_empty())
    }

    async fn tags(&self) -> Vec<&str> {
        self.row.tags.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect()
    }

    /// Free metadata: a JSON object.
    async fn metadata(&self) -> Json<&serde_json::Value> {
        Json(&self.row.metadata)
    }

    async fn owner(&self, ctx: &Context<'_>) -> async_graphql::Result<User> {
        if let Some(owner) = &self.owner {
            return Ok(owner.clone());
        }
        load_user(ctx, self.row.owner_id)
            .await?
            .ok_or_else(|| fault(&Fault::Busy("the owner of a file closed the account meanwhile".to_owned())))
    }

    async fn created_at(&self) -> DateTime<Utc> {
        date_time(self.row.created_at)
    }

    async fn updated_at(&self) -> DateTime<Utc> {
        date_time(self.row.updated_at)
    }

    /// Counts every change. An edit names the one it saw.
    async fn revision(&self) -> i32 {
        self.row.revision
    }

    /// Told from the bytes.
    async fn content_type(&self) -> &str {
        &self.row.content_type
    }

    /// Bytes.
    async fn size(&self) -> Long {
        Long(self.row.bytes)
    }

    /// Null until the server has read the bytes.
    async fn sha256(&self) -> Option<Sha256> {
        (!self.row.sha256.is_empty()).then(|| Sha256(self.row.sha256.clone()))
    }

    /// Pixels as shown, orientation applied; null where it is no picture.
    async fn width(&self) -> Option<i32> {
        self.row.width
    }

    async fn height(&self) -> Option<i32> {
        self.row.height
    }

    /// A placeholder for a picture (https://evanw.github.io/thumbhash), in base64.
    async fn thumbhash(&self) -> Option<String> {
        self.row.thumbhash.as_ref().map(|hash| STANDARD.encode(hash))
    }

    /// Null while the file is not ACTIVE. `expiresIn` is in seconds; `limits.downloadTtl` is its maximum.
    async fn download_url(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Disposition::Attachment")] disposition: Disposition,
        expires_in: Option<i32>,
    ) -> async_graphql::Result<Option<SignedUrl>> {
        let ttl = ttl(ctx, expires_in)?;
        let (object, content_type) = (self.row.object_id, &self.row.content_type);
        let signed = files::download_url(graphql::app(ctx), &self.row, object, content_type, disposition.into(), ttl);
        Ok(signed.map_err(Fault::internal).or_fault()?.map(Into::into))
    }

    /// Null where the file is no picture.
    async fn rendition(
        &self,
        ctx: &Context<'_>,
        #[graphql(default)] size: RenditionSize,
    ) -> async_graphql::Result<Option<Rendition>> {
        let size = size.into();
        let row = match &self.renditions {
            Some(renditions) => renditions.iter().find(|rendition| rendition.size == size).cloned(),
            None => load(ctx, RenditionOf { version: self.row.version_id, size }).await?,
        };
        Ok(row.map(|row| Rendition { row, file: self.row.clone() }))
    }

    /// Every content the file has had, newest first.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn versions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection<FileVersion>> {
        let app = graphql::app(ctx);
        let page = PageArguments::forward(first, after).page(app.config.graphql.max_page_size)?;
        let found = if page.after.is_none() {
            load(ctx, VersionsOf { file: self.row.id, limit: page.limit }).await?.unwrap_or_default()
        } else {
            files::versions::list(app, &self.row, &page).await.or_fault()?
        };
        let versions = found.map(|row| FileVersion { row, file: self.row.clone() });
        Ok(connection(versions, Default::default(), |version| Position { key: version.row.number, id: version.row.id }))
    }

    /// Links by which others download it, newest first, whatever became of them.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn share_links(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection<ShareLink>> {
        let app = graphql::app(ctx);
        let page = PageArguments::forward(first, after).page(app.config.graphql.max_page_size)?;
        let found = if page.after.is_none() {
            load(ctx, ShareLinksOf { file: self.row.id, limit: page.limit }).await?.unwrap_or_default()
        } else {
            files::shares::list(app, &self.row, &page).await.or_fault()?
        };
        Ok(share_links(found, &self.row))
    }

    async fn state(&self) -> FileState {
        self.row.state.into()
    }

    /// Where each copy of the current content is, and when it was last confirmed.
    #[graphql(complexity = "2 * child_complexity")]
    async fn copies(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Copy>> {
        let Some((copies, roles)) = load(ctx, CopiesOf(self.row.object_id)).await? else { return Ok(Vec::new()) };
        Ok(copies.into_iter().map(|row| Copy { row, sha256: self.row.sha256.clone(), roles }).collect())
    }

    async fn trashed_at(&self) -> Option<DateTime<Utc>> {
        self.row.trashed_at.map(date_time)
    }

    /// When a trashed file is deleted for good by itself.
    async fn purge_at(&self) -> Option<DateTime<Utc>> {
        self.row.purge_at.map(date_time)
    }

    /// By an admin, while it is REMOVED.
    async fn removal(&self) -> Option<Removal> {
        (self.row.state == file::State::Removed).then(|| Removal { row: self.row.clone() })
    }

    /// Whether a legal hold keeps everything of it: what is deleted is put away, and deleted when the hold ends.
    async fn is_held(&self) -> bool {
        self.row.holds > 0
    }

    /// The holds that stand, oldest first. For admins; else empty.
    #[graphql(complexity = "2 * child_complexity")]
    async fn legal_holds(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<LegalHold>> {
        let viewer = graphql::viewer(ctx);
        if self.row.holds == 0 || !viewer.is_admin() {
            return Ok(Vec::new());
        }
        let found = files::holds::of_file(graphql::app(ctx), viewer, self.row.id).await.or_fault()?;
        Ok(found.into_iter().map(LegalHold).collect())
    }

    /// Why it is REJECTED.
    async fn rejection(&self) -> Option<UploadRejection> {
        self.row.rejection.map(Into::into)
    }

    async fn viewer_can(&self, ctx: &Context<'_>) -> FilePermissions {
        let viewer = graphql::viewer(ctx);
        permissions(viewer, &self.row)
    }
}

/// The services decide; this only foretells.
fn permissions(viewer: &Viewer, file: &file::Model) -> FilePermissions {
    use file::State;
    let own = viewer.user_id() == Some(file.owner_id);
    let admin = viewer.is_admin();
    let manages = own || admin;
    let active = file.state == State::Active;
    FilePermissions {
        edit: own && active,
        replace_content: own && active,
        trash: manages && active,
        remove: admin && (active || file.state == State::Trashed),
        restore: (manages && file.state == State::Trashed) || (admin && file.state == State::Removed),
        purge: manages,
        share: own && active,
    }
}

pub(super) fn ttl(ctx: &Context<'_>, expires_in: Option<i32>) -> async_graphql::Result<Duration> {
    let settings = &graphql::app(ctx).config.downloads;
    let Some(seconds) = expires_in else { return Ok(settings.default_ttl) };
    let max = settings.max_ttl.as_secs();
    match u64::try_from(seconds) {
        Ok(seconds) if (1..=max).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(bad_input(format!("`expiresIn` is 1 to {max} seconds."))),
    }
}
