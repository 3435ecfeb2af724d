//! Files: upload, edit, replace, trash, restore, purge, sharing by link, and finding them again.

mod blocked;
pub mod bulk;
pub mod graphql;
pub mod model;
pub mod shares;

mod closing;
mod content;
pub mod direct;
mod edit;
mod error;
mod filter;
mod find;
pub mod holds;
mod index;
mod purge;
mod quota;
mod renditions;
mod replace;
mod store;
mod terms;
mod trash;
mod upload;
pub mod versions;

use entity::{file, file::State, object::Kind, object_copy, rendition};
use serde::Serialize;
use uuid::Uuid;

pub use closing::{Left, count_owned, erase_some, forget};
pub use content::{Content, spool};
pub use edit::{Edit, edit};
pub use error::FilesError;
pub use filter::{FileFilter, FileOrder, InvalidFilter, OrderField, Place};
pub use find::{COUNTED, Count};
pub use purge::{Purged, purge};
pub use quota::{NewQuota, Usage, set as set_quota, usage};
pub use replace::{Replace, replace};
pub use trash::{Trashed, remove, remove_in, restore, trash};
pub use upload::{Upload, upload};

use crate::{
    adapters::{
        cdn::{Disposition, SignError, SignedUrl, content_disposition},
        objects::keys::ObjectKey,
    },
    app::App,
    config::Config,
    db::page::{Page, PageRequest, Position},
    error::Fault,
    images,
    jobs::Registry,
    ledger,
    viewer::{Denied, Viewer},
};

/// Whose files are meant. Only [`scope`] and [`manageable`] make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ScopeOf(Scope);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Scope {
    Everyone,
    Owner(Uuid),
}

/// Whose files somebody wants to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Mine,
    Of(Uuid),
    Everyones,
}

pub fn register(registry: &mut Registry, config: &Config) -> Result<(), serde_json::Error> {
    registry.register::<renditions::Render>();
    direct::register(registry, config)?;
    registry.register::<index::Reindex>();
    bulk::register(registry);
    registry.schedule(config.ledger.sweep_interval, &renditions::MakeAgain {})?;
    registry.schedule(config.ledger.sweep_interval, &versions::Expire {})?;
    registry.schedule(config.ledger.sweep_interval, &purge::PurgeExpired {})
}

/// The rule of lists: one's own; another's and everyone's for admins only.
pub fn scope(viewer: &Viewer, whose: Whose) -> Result<ScopeOf, Fault> {
    Ok(ScopeOf(match whose {
        Whose::Mine => Scope::Owner(viewer.person()?.user_id),
        Whose::Of(owner) if viewer.user_id() == Some(owner) => Scope::Owner(owner),
        Whose::Of(owner) => {
            viewer.admin()?;
            Scope::Owner(owner)
        }
        Whose::Everyones => {
            viewer.admin()?;
            Scope::Everyone
        }
    }))
}

/// The rule of single files: one's own; every file for admins and the server itself.
fn manageable(viewer: &Viewer) -> Result<Scope, Denied> {
    if viewer.is_admin() { Ok(Scope::Everyone) } else { Ok(Scope::Owner(viewer.person()?.user_id)) }
}

/// The file, where the viewer may see it.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<file::Model>, Fault> {
    let Ok(scope) = manageable(viewer) else { return Ok(None) };
    Ok(store::find(app.db.read(), scope, id).await?)
}

/// The viewer's own active file.
pub async fn active(app: &App, viewer: &Viewer, id: Uuid) -> Result<file::Model, FilesError> {
    let file = store::find(app.db.read(), Scope::Owner(viewer.person()?.user_id), id).await?;
    let file = file.ok_or(FilesError::NotFound)?;
    if file.state == State::Active { Ok(file) } else { Err(FilesError::WrongState("Only an active file can be sent.")) }
}

/// A page of files.
pub async fn list(
    app: &App,
    scope: ScopeOf,
    filter: &FileFilter,
    order: FileOrder,
    page: &PageRequest<Position<Place>>,
) -> Result<Page<file::Model>, Fault> {
    Ok(find::list(app.db.read(), scope.0, filter, order, page).await?)
}

/// How many files there are, up to [`COUNTED`].
pub async fn count(app: &App, scope: ScopeOf, filter: &FileFilter) -> Result<Count, Fault> {
    Ok(find::count(app.db.read(), scope.0, filter).await?)
}

/// Where the copies of these contents are. The caller found their files.
pub async fn copies(app: &App, objects: &[Uuid]) -> Result<(Vec<object_copy::Model>, ledger::Roles), Fault> {
    let copies = ledger::copies(app.db.read(), objects).await?;
    Ok((copies, ledger::roles(app.db.read()).await?))
}

/// The renditions of these versions in these sizes. The caller found their files.
pub async fn renditions_of(
    app: &App,
    versions: &[Uuid],
    sizes: &[rendition::Size],
) -> Result<Vec<rendition::Model>, Fault> {
    Ok(store::renditions_in(app.db.read(), versions, sizes).await?)
}

/// A URL for a content of the file; `None` while the file is not active. Shown inline only where it is a picture.
pub fn download_url(
    app: &App,
    file: &file::Model,
    object: Uuid,
    content_type: &str,
    disposition: Disposition,
    ttl: std::time::Duration,
) -> Result<Option<SignedUrl>, SignError> {
    if file.state != State::Active {
        return Ok(None);
    }
    let disposition = if images::is_raster(content_type) { disposition } else { Disposition::Attachment };
    let header = content_disposition(disposition, &file.name);
    let key = ObjectKey { kind: Kind::Original, id: object }.to_string();
    app.signer.signed_url(&key, &[("response-content-disposition", &header)], ttl, app.now()).map(Some)
}

/// A URL for a rendition that is ready; `None` while the file is not active.
pub fn rendition_url(app: &App, file: &file::Model, object: Uuid) -> Result<Option<SignedUrl>, SignError> {
    if file.state != State::Active {
        return Ok(None);
    }
    let header = content_disposition(Disposition::Inline, &file.name);
    let key = ObjectKey { kind: Kind::Rendition, id: object }.to_string();
    let ttl = app.config.downloads.default_ttl;
    app.signer.signed_url(&key, &[("response-content-disposition", &header)], ttl, app.now()).map(Some)
}
