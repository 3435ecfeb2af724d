//! The session cookie as resolvers see it: a slot that the HTTP layer reads after the request.

use std::sync::Arc;

use async_graphql::Context;
use entity::Timestamp;

/// Sets or clears the session cookie of the response.
pub trait SessionCookie: Send + Sync {
    fn set(&self, token: &str, expires_at: Timestamp);

    fn clear(&self);
}

/// The slot of this request; `None` where the transport has no cookies (WebSocket, in-process).
pub fn session_cookie<'a>(ctx: &Context<'a>) -> Option<&'a dyn SessionCookie> {
    ctx.data_opt::<Arc<dyn SessionCookie>>().map(AsRef::as_ref)
}
