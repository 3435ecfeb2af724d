//! Files in GraphQL: the types, and the queries that find them.

mod inputs;
mod mutation;
mod types;

use async_graphql::{
    Context, Object,
    dataloader::DataLoader,
    runtime::{TokioSpawner, TokioTimer},
};
use entity::{file, rendition};
use std::{collections::HashMap, sync::Arc};
use uuid::Uuid;

pub use inputs::{FileFilter, FileOrder, FileState};
pub use mutation::FilesMutation;
pub use types::{File, FileVersion};

use super::{FileFilter as Filter, ScopeOf, Whose};
use crate::{
    app::App,
    db::page::Position,
    error::Fault,
    graphql::{
        self, Connection, FaultExt, NodeKind, PageArguments,
        connection::{connection, page_cost},
        error::bad_input,
        scalars::Long,
    },
    viewer::Viewer,
};

/// Loads the renditions of many versions at once.
pub struct RenditionLoader(App);

/// The loader for a schema's data; it keeps nothing between requests. Call it within a Tokio runtime.
#[must_use]
pub fn rendition_loader(app: &App) -> DataLoader<RenditionLoader> {
    DataLoader::new(RenditionLoader(app.clone()), TokioSpawner::current(), TokioTimer::default())
}

impl async_graphql::dataloader::Loader<Uuid> for RenditionLoader {
    type Value = Vec<rendition::Model>;
    type Error = Arc<Fault>;

    async fn load(&self, versions: &[Uuid]) -> Result<HashMap<Uuid, Self::Value>, Self::Error> {
        let mut found: HashMap<Uuid, Self::Value> = HashMap::new();
        for rendition in super::renditions_of(&self.0, versions).await.map_err(Arc::new)? {
            found.entry(rendition.version_id).or_default().push(rendition);
        }
        Ok(found)
    }
}

/// For `node(id)`.
pub async fn file_node(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<File>, Fault> {
    Ok(super::find(app, viewer, id).await?.map(File::from))
}

/// For `node(id)`.
pub async fn version_node(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<FileVersion>, Fault> {
    let found = super::find_version(app, viewer, id).await?;
    Ok(found.map(|(file, row)| FileVersion { row, file }))
}

/// What a file connection has beside its edges.
pub struct FileConnectionFields {
    scope: ScopeOf,
    filter: Filter,
}

#[Object]
impl FileConnectionFields {
    /// All files of this list, whatever the page.
    async fn total_count(&self, ctx: &Context<'_>) -> async_graphql::Result<Long> {
        let count = super::count(graphql::app(ctx), self.scope, &self.filter).await.or_fault()?;
        Ok(Long(i64::try_from(count).unwrap_or(i64::MAX)))
    }
}

#[derive(Default)]
pub struct FilesQuery;

#[Object]
impl FilesQuery {
    /// My files; for admins also another's or everyone's. Active ones, newest first, unless asked otherwise.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "the Relay connection's arguments")]
    async fn files(
        &self,
        ctx: &Context<'_>,
        filter: Option<FileFilter>,
        order_by: Option<FileOrder>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> async_graphql::Result<Connection<File, FileConnectionFields>> {
        let app = graphql::app(ctx);
        let filter = filter.unwrap_or_default();
        let whose = match (filter.owner_id, filter.everyone) {
            (None, false) => Whose::Mine,
            (None, true) => Whose::Everyones,
            (Some(owner), false) => {
                Whose::Of(NodeKind::User.parse(&owner).ok_or_else(|| bad_input("`ownerId` is not the id of a user."))?)
            }
            (Some(_), true) => return Err(bad_input("Give `ownerId` or `everyone`, not both.")),
        };
        let scope = super::scope(graphql::viewer(ctx), whose).or_fault()?;
        let filter = Filter {
            state: filter.state.map_or(file::State::Active, Into::into),
            oldest_first: order_by.unwrap_or_default().is_ascending(),
        };
        let page = PageArguments { first, after, last, before }.page(app.config.graphql.max_page_size)?;
        let ahead = ctx.look_ahead();
        let with_owner =
            ahead.field("nodes").field("owner").exists() || ahead.field("edges").field("node").field("owner").exists();
        let found = super::list(app, scope, &filter, with_owner, &page).await.or_fault()?;
        let files = found.map(|(row, owner)| File { row, owner });
        Ok(connection(files, FileConnectionFields { scope, filter }, |file| Position {
            key: file.row.created_at,
            id: file.row.id,
        }))
    }
}
