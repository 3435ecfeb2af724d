//! Files in GraphQL: the types, and the queries that find them.

mod bulk;
mod holds;
mod inputs;
mod loader;
mod mutation;
mod progress;
mod rendition;
mod shares;
mod types;
mod uploads;
mod usage;
mod versions;

use std::collections::{HashMap, HashSet};

use async_graphql::{Context, InputType, Lookahead, Object};
use entity::rendition::Size;
use tokio::sync::OnceCell;
use uuid::Uuid;

pub use bulk::{BulkAction, BulkQuery, action_node};
pub use holds::{HoldsMutation, HoldsQuery, LegalHold, legal_hold_node};
pub use inputs::{FileFilter, FileOrder, FileState};
pub use loader::{FileLoader, file_loader};
pub use mutation::{FilesMutation, content};
pub use progress::UploadsSubscription;
use rendition::RenditionSize;
pub use shares::{ShareLink, SharesMutation, share_link_node};
pub use types::File;
pub use uploads::{UploadSession, UploadsMutation, UploadsQuery, upload_node};
pub use usage::{UsageMutation, UsageQuery};
pub use versions::{FileVersion, VersionsMutation, version_node};

use super::{Count, FileFilter as Filter, Place, ScopeOf};
use crate::{
    app::App,
    db::page::Position,
    error::Fault,
    graphql::{
        self, Connection, FaultExt, PageArguments,
        connection::{connection, page_cost},
        error::bad_input,
        scalars::Long,
    },
    viewer::Viewer,
};

/// For `node(id)`.
pub async fn file_node(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<File>, Fault> {
    Ok(super::find(app, viewer, id).await?.map(File::from))
}

/// What a file connection has beside its edges.
pub struct FileConnectionFields {
    scope: ScopeOf,
    filter: Filter,
    count: OnceCell<Count>,
}

impl FileConnectionFields {
    async fn count(&self, ctx: &Context<'_>) -> async_graphql::Result<&Count> {
        self.count.get_or_try_init(|| super::count(graphql::app(ctx), self.scope, &self.filter)).await.or_fault()
    }
}

#[Object]
impl FileConnectionFields {
    /// All files of this list, whatever the page; counted up to 10,000.
    async fn total_count(&self, ctx: &Context<'_>) -> async_graphql::Result<Long> {
        Ok(Long(i64::try_from(self.count(ctx).await?.files).unwrap_or(i64::MAX)))
    }

    /// False where there are more files than `totalCount`.
    async fn total_count_is_exact(&self, ctx: &Context<'_>) -> async_graphql::Result<bool> {
        Ok(self.count(ctx).await?.is_exact)
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
        let scope = super::scope(graphql::viewer(ctx), filter.whose()?).or_fault()?;
        let filter = filter.parse()?;
        let order = super::FileOrder::from(order_by.unwrap_or_default());
        let page = PageArguments { first, after, last, before }.page(app.config.graphql.max_page_size)?;
        let is_of_another = |cursor: &Position<Place>| !cursor.key.is_of(order);
        if page.after.iter().chain(&page.before).any(is_of_another) {
            return Err(bad_input("This cursor is of a list in another order: begin again without it."));
        }
        let ahead = ctx.look_ahead();
        let wanted =
            |name| ahead.field("nodes").field(name).exists() || ahead.field("edges").field("node").field(name).exists();
        let found = super::list(app, scope, &filter, order, &page).await.or_fault()?;
        // Few people own the files of a page: asking for them apart costs less than their columns beside every file.
        let owners = if wanted("owner") {
            loader::owners(app, graphql::viewer(ctx), &found.items).await.or_fault()?
        } else {
            HashMap::new()
        };
        let mut renditions = None;
        if wanted("rendition") {
            let versions: Vec<Uuid> = found.items.iter().map(|file| file.version_id).collect();
            let sizes = sizes(&[ahead.field("nodes"), ahead.field("edges").field("node")]);
            renditions = Some(loader::renditions(app, &versions, &sizes).await.or_fault()?);
        }
        let files = found.map(|row| {
            let renditions = renditions.as_mut().map(|all| all.remove(&row.version_id).unwrap_or_default());
            File { owner: owners.get(&row.owner_id).cloned(), renditions, row: row.into() }
        });
        let fields = FileConnectionFields { scope, filter, count: OnceCell::new() };
        Ok(connection(files, fields, |file| Position { key: Place::of(&file.row, order), id: file.row.id }))
    }
}

/// The sizes of renditions that are asked of files.
fn sizes(files: &[Lookahead<'_>]) -> Vec<Size> {
    let fields = files.iter().flat_map(|file| file.field("rendition").selection_fields());
    let sizes: HashSet<Size> = fields
        .filter_map(|field| {
            let given = field.arguments().ok()?.into_iter().find(|(name, _)| name == "size");
            match given {
                Some((_, size)) => RenditionSize::parse(Some(size)).ok(),
                None => Some(RenditionSize::default()),
            }
        })
        .map(Into::into)
        .collect();
    sizes.into_iter().collect()
}
