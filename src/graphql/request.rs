//! What the HTTP layer knows of a GraphQL request: where it came from, and the sizes and hashes of its uploads.

use async_graphql::Context;

pub use crate::viewer::RequestInfo;

/// What the HTTP layer put into the request; the default where it put nothing.
pub fn request_info(ctx: &Context<'_>) -> RequestInfo {
    ctx.data_opt::<RequestInfo>().cloned().unwrap_or_default()
}

/// What is known of an uploaded file before any resolver runs. The hash is of no use where the size is over the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spooled {
    pub size: u64,
    pub sha256: [u8; 32],
}

/// In the request's data: sizes and hashes of its uploads.
#[derive(Clone, Debug, Default)]
pub struct Spools(pub Vec<Spooled>);

impl Spools {
    #[must_use]
    pub fn get(&self, upload: async_graphql::Upload) -> Option<Spooled> {
        self.0.get(upload.0).copied()
    }
}
