//! The GraphQL vocabulary that modules share: ids, connections, scalars, errors.

pub mod connection;
pub mod error;
pub mod request;
pub mod scalars;
pub mod session;

pub use crate::id::{GlobalId, NodeKind};
pub use connection::{Connection, PageArguments};
pub use error::{FaultExt, fault};

use async_graphql::Context;
use tracing::Instrument as _;

use crate::{app::App, viewer::Viewer};

/// The app that the schema was built over.
pub fn app<'a>(ctx: &Context<'a>) -> &'a App {
    ctx.data_unchecked::<App>()
}

/// Who asks; the HTTP layer put it into the request.
pub fn viewer<'a>(ctx: &Context<'a>) -> &'a Viewer {
    ctx.data_opt::<Viewer>().unwrap_or(&Viewer::Anonymous)
}

/// Runs `work` to its end also where the client goes away meanwhile, so that nothing half-done waits for the sweeper.
pub async fn to_the_end<T, W>(work: W) -> async_graphql::Result<T>
where
    T: Send + 'static,
    W: Future<Output = T> + Send + 'static,
{
    let task = tokio::spawn(work.in_current_span());
    task.await.map_err(|error| fault(&crate::error::Fault::internal(error)))
}
