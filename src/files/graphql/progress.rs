//! A direct upload as it goes on.

use async_graphql::{Context, ID, Subscription};
use futures::{Stream, StreamExt as _};

use super::uploads::{UploadSession, upload_key};
use crate::{
    files::direct,
    graphql::{self, FaultExt, error::not_found},
};

#[derive(Default)]
pub struct UploadsSubscription;

#[Subscription]
impl UploadsSubscription {
    /// One's own direct upload: as it is, then after each change of its state and while its bytes are read back, to its end.
    async fn upload_progress(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<UploadSession>> + use<>> {
        let progress = direct::progress(graphql::app(ctx), graphql::viewer(ctx), upload_key(&id)).await.or_fault()?;
        let progress = progress.ok_or_else(|| not_found("There is no such upload."))?;
        Ok(progress.map(|row| row.map(UploadSession).or_fault()))
    }
}
