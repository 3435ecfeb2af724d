//! Where a GraphQL request came from.

use async_graphql::Context;

pub use crate::viewer::RequestInfo;

/// What the HTTP layer put into the request; the default where it put nothing.
pub fn request_info(ctx: &Context<'_>) -> RequestInfo {
    ctx.data_opt::<RequestInfo>().cloned().unwrap_or_default()
}
