//! A picture made from a file.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object};
use chrono::{DateTime, Utc};
use entity::{file, rendition};

use crate::{
    adapters::cdn,
    error::Fault,
    files,
    graphql::{self, FaultExt as _, scalars::date_time},
};

#[derive(Clone, Copy, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "rendition::Size")]
pub enum RenditionSize {
    /// Cover crop, exactly 150 × 150 pixels.
    #[default]
    #[graphql(name = "SQUARE_150")]
    Square150,
    /// Within 320 × 320, never enlarged.
    #[graphql(name = "FIT_320")]
    Fit320,
    /// Within 1280 × 1280, never enlarged.
    #[graphql(name = "FIT_1280")]
    Fit1280,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "rendition::State")]
pub enum RenditionState {
    Pending,
    Ready,
    Failed,
}

/// A small picture made from a file.
pub struct Rendition {
    pub row: rendition::Model,
    pub file: Arc<file::Model>,
}

impl Rendition {
    fn signed(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<cdn::SignedUrl>> {
        let Some(object) = self.row.object_id else { return Ok(None) };
        files::rendition_url(graphql::app(ctx), &self.file, object).map_err(Fault::internal).or_fault()
    }
}

#[Object]
impl Rendition {
    async fn size(&self) -> RenditionSize {
        self.row.size.into()
    }

    async fn state(&self) -> RenditionState {
        self.row.state.into()
    }

    /// Signed; null unless READY, and while the file is not active.
    async fn url(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<String>> {
        Ok(self.signed(ctx)?.map(|signed| signed.url.to_string()))
    }

    /// The time from which the URL is refused.
    async fn url_expires_at(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<DateTime<Utc>>> {
        Ok(self.signed(ctx)?.map(|signed| date_time(signed.expires_at)))
    }

    /// Pixels.
    async fn width(&self) -> Option<i32> {
        self.row.width
    }

    async fn height(&self) -> Option<i32> {
        self.row.height
    }

    async fn content_type(&self) -> Option<&str> {
        self.row.content_type.as_deref()
    }

    /// Why it FAILED.
    async fn error(&self) -> Option<&str> {
        self.row.error.as_deref()
    }
}
