//! Snaps in GraphQL.

mod mutation;
mod types;

use std::sync::Arc;

use async_graphql::{Context, Enum, Object};
use uuid::Uuid;

pub use mutation::{SnapErrorCode, SnapUserError, SnapsMutation};
pub use types::{Snap, SnapRecipient, SnapState};

use super::Folder;
use crate::{
    app::App,
    db::page::Position,
    error::Fault,
    graphql::{
        self, Connection, FaultExt, PageArguments,
        connection::{connection, page_cost},
    },
    viewer::Viewer,
};

#[derive(Clone, Copy, PartialEq, Eq, Enum, Default)]
pub enum SnapFolder {
    /// Received.
    #[default]
    Inbox,
    Sent,
}

#[derive(Default)]
pub struct SnapsQuery;

#[Object]
impl SnapsQuery {
    /// Your snaps, newest first. One that was taken back is not in the inbox any more.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn snaps(
        &self,
        ctx: &Context<'_>,
        #[graphql(default)] folder: SnapFolder,
        #[graphql(desc = "Of the inbox, those that you have not opened and still can.", default)] unopened_only: bool,
        first: Option<i32>,
        after: Option<String>,
    ) -> async_graphql::Result<Connection<Snap>> {
        let app = graphql::app(ctx);
        let page = PageArguments::forward(first, after).page(app.config.graphql.max_page_size)?;
        let folder = match folder {
            SnapFolder::Inbox => Folder::Inbox { unopened_only },
            SnapFolder::Sent => Folder::Sent,
        };
        let snaps = super::list(app, graphql::viewer(ctx), folder, &page).await.or_fault()?;
        Ok(connection(snaps.map(Snap::from), Default::default(), Snap::position))
    }

    /// How many received snaps wait to be opened; it counts up to a thousand.
    async fn unopened_snaps(&self, ctx: &Context<'_>) -> async_graphql::Result<i32> {
        let count = super::unopened(graphql::app(ctx), graphql::viewer(ctx)).await.or_fault()?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

/// For `node(id)` and events.
pub async fn snap_node(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Snap>, Fault> {
    Ok(super::find(app, viewer, id).await?.map(Snap::from))
}

impl From<super::Snap> for Snap {
    fn from(snap: super::Snap) -> Self {
        Self(Arc::new(snap))
    }
}

impl Snap {
    /// This person among its recipients, for its sender.
    #[must_use]
    pub fn recipient(&self, person: Uuid) -> Option<SnapRecipient> {
        let row = self.0.recipients.iter().find(|row| row.recipient_id == person)?.clone();
        Some(SnapRecipient { row, snap: self.0.clone() })
    }

    /// In its folder's order.
    fn position(&self) -> Position<entity::Timestamp> {
        let id = self.0.own.as_ref().map_or(self.0.row.id, |own| own.id);
        Position { key: self.0.row.created_at, id }
    }
}
