//! What many files of one request refer to, gathered into one query each.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_graphql::{
    dataloader::{DataLoader, Loader},
    runtime::{TokioSpawner, TokioTimer},
};
use entity::{file, file_version, object_copy, rendition, share_link};
use uuid::Uuid;

use crate::{
    accounts::{self, graphql::User},
    app::App,
    db::page::Page,
    error::Fault,
    files,
    ledger::Roles,
    viewer::Viewer,
};

/// Add one to the schema's data: see [`file_loader`].
pub struct FileLoader(App);

/// The loader for a schema's data; it keeps nothing between requests. Call it within a Tokio runtime.
#[must_use]
pub fn file_loader(app: &App) -> DataLoader<FileLoader> {
    DataLoader::new(FileLoader(app.clone()), TokioSpawner::current(), TokioTimer::default())
}

/// A rendition of a version.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RenditionOf {
    pub version: Uuid,
    pub size: rendition::Size,
}

/// The copies of an object, and who is primary.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CopiesOf(pub Uuid);

/// The newest versions of a file.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VersionsOf {
    pub file: Uuid,
    pub limit: u64,
}

/// The newest share links of a file.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ShareLinksOf {
    pub file: Uuid,
    pub limit: u64,
}

impl Loader<RenditionOf> for FileLoader {
    type Value = rendition::Model;
    type Error = Arc<Fault>;

    async fn load(&self, wanted: &[RenditionOf]) -> Result<HashMap<RenditionOf, Self::Value>, Self::Error> {
        let versions: HashSet<Uuid> = wanted.iter().map(|wanted| wanted.version).collect();
        let sizes: HashSet<rendition::Size> = wanted.iter().map(|wanted| wanted.size).collect();
        let (versions, sizes): (Vec<_>, Vec<_>) = (versions.into_iter().collect(), sizes.into_iter().collect());
        let found = files::renditions_of(&self.0, &versions, &sizes).await.map_err(Arc::new)?;
        Ok(found.into_iter().map(|row| (RenditionOf { version: row.version_id, size: row.size }, row)).collect())
    }
}

impl Loader<CopiesOf> for FileLoader {
    type Value = (Vec<object_copy::Model>, Roles);
    type Error = Arc<Fault>;

    async fn load(&self, objects: &[CopiesOf]) -> Result<HashMap<CopiesOf, Self::Value>, Self::Error> {
        let ids: Vec<Uuid> = objects.iter().map(|object| object.0).collect();
        let (copies, roles) = files::copies(&self.0, &ids).await.map_err(Arc::new)?;
        let mut found: HashMap<CopiesOf, Self::Value> = HashMap::new();
        for copy in copies {
            found.entry(CopiesOf(copy.object_id)).or_insert_with(|| (Vec::new(), roles)).0.push(copy);
        }
        Ok(found)
    }
}

impl Loader<VersionsOf> for FileLoader {
    type Value = Page<file_version::Model>;
    type Error = Arc<Fault>;

    /// One query for each page size that the request names.
    async fn load(&self, wanted: &[VersionsOf]) -> Result<HashMap<VersionsOf, Self::Value>, Self::Error> {
        let mut by_limit: HashMap<u64, Vec<Uuid>> = HashMap::new();
        for VersionsOf { file, limit } in wanted {
            by_limit.entry(*limit).or_default().push(*file);
        }
        let mut found = HashMap::new();
        for (limit, ids) in by_limit {
            let pages = files::versions::newest(&self.0, &ids, limit).await.map_err(Arc::new)?;
            found.extend(pages.into_iter().map(|(file, page)| (VersionsOf { file, limit }, page)));
        }
        Ok(found)
    }
}

impl Loader<ShareLinksOf> for FileLoader {
    type Value = Page<share_link::Model>;
    type Error = Arc<Fault>;

    /// One query for each page size that the request names.
    async fn load(&self, wanted: &[ShareLinksOf]) -> Result<HashMap<ShareLinksOf, Self::Value>, Self::Error> {
        let mut by_limit: HashMap<u64, Vec<Uuid>> = HashMap::new();
        for ShareLinksOf { file, limit } in wanted {
            by_limit.entry(*limit).or_default().push(*file);
        }
        let mut found = HashMap::new();
        for (limit, ids) in by_limit {
            let pages = files::shares::newest(&self.0, &ids, limit).await.map_err(Arc::new)?;
            found.extend(pages.into_iter().map(|(file, page)| (ShareLinksOf { file, limit }, page)));
        }
        Ok(found)
    }
}

/// The renditions of these versions in these sizes, by version.
pub async fn renditions(
    app: &App,
    versions: &[Uuid],
    sizes: &[rendition::Size],
) -> Result<HashMap<Uuid, Vec<rendition::Model>>, Fault> {
    let mut found: HashMap<Uuid, Vec<rendition::Model>> = HashMap::new();
    for rendition in files::renditions_of(app, versions, sizes).await? {
        found.entry(rendition.version_id).or_default().push(rendition);
    }
    Ok(found)
}

/// Who owns these files, by id. Most lists are of one's own.
pub async fn owners(app: &App, viewer: &Viewer, files: &[file::Model]) -> Result<HashMap<Uuid, User>, Fault> {
    let mut ids: HashSet<Uuid> = files.iter().map(|file| file.owner_id).collect();
    let own = accounts::current(viewer).filter(|account| ids.remove(&account.id));
    let mut owners = HashMap::new();
    if !ids.is_empty() {
        // The files were found for a viewer, and a person's own fields look at theirs.
        let viewer = Viewer::System("owners of a list");
        let found = accounts::find_many(app, &viewer, &ids.into_iter().collect::<Vec<_>>()).await?;
        owners.extend(found.into_iter().map(|(id, row)| (id, User::from(row))));
    }
    owners.extend(own.map(|account| (account.id, User::from(account))));
    Ok(owners)
}
