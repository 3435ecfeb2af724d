//! Versions in GraphQL: what a file was, bringing it back, and deleting it.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::{file, file_version};
use uuid::Uuid;

use super::{
    File,
    mutation::{FileUserError, current, user_error},
    types::{Disposition, SignedUrl, ttl},
};
use crate::{
    app::App,
    error::Fault,
    files::{
        self,
        versions::{self, RestoreVersion},
    },
    graphql::{
        self, FaultExt, NodeKind,
        scalars::{Long, Sha256, date_time},
    },
    ledger::{self, graphql::Erasure},
    viewer::Viewer,
};

/// For `node(id)`.
pub async fn version_node(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<FileVersion>, Fault> {
    let found = versions::find(app, viewer, id).await?;
    Ok(found.map(|(file, row)| FileVersion { row, file: file.into() }))
}

/// One content that a file has had.
pub struct FileVersion {
    pub row: file_version::Model,
    pub file: Arc<file::Model>,
}

#[Object]
impl FileVersion {
    pub async fn id(&self) -> ID {
        NodeKind::FileVersion.id(self.row.id).into()
    }

    /// 1, 2, 3, … within the file.
    async fn number(&self) -> i32 {
        self.row.number
    }

    async fn is_current(&self) -> bool {
        self.file.version_id == self.row.id
    }

    /// The number of the version that it is a copy of.
    async fn restored_from(&self) -> Option<i32> {
        self.row.restored_from
    }

    /// When it is deleted for good by itself, unless there are more than `limits.fileVersions` before; null for the
    /// current one.
    async fn purge_at(&self, ctx: &Context<'_>) -> Option<DateTime<Utc>> {
        let kept = graphql::app(ctx).config.files.version_retention;
        self.row.superseded_at.map(|time| date_time(time.plus(kept)))
    }

    async fn created_at(&self) -> DateTime<Utc> {
        date_time(self.row.created_at)
    }

    async fn content_type(&self) -> &str {
        &self.row.content_type
    }

    /// Bytes.
    async fn size(&self) -> Long {
        Long(self.row.bytes)
    }

    async fn sha256(&self) -> Sha256 {
        Sha256(self.row.sha256.clone())
    }

    /// Pixels as shown.
    async fn width(&self) -> Option<i32> {
        self.row.width
    }

    async fn height(&self) -> Option<i32> {
        self.row.height
    }

    /// Null while the file is not ACTIVE.
    async fn download_url(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "Disposition::Attachment")] disposition: Disposition,
        expires_in: Option<i32>,
    ) -> async_graphql::Result<Option<SignedUrl>> {
        let ttl = ttl(ctx, expires_in)?;
        let (object, content_type) = (self.row.object_id, &self.row.content_type);
        let signed = files::download_url(graphql::app(ctx), &self.file, object, content_type, disposition.into(), ttl);
        Ok(signed.map_err(Fault::internal).or_fault()?.map(Into::into))
    }
}

#[derive(InputObject)]
pub struct RestoreFileVersionInput {
    /// Of the version.
    pub id: ID,
    /// The file's revision that this is based on.
    pub revision: i32,
    /// A repeat with the same key returns the first result.
    pub idempotency_key: Option<String>,
}

#[derive(InputObject)]
pub struct DeleteFileVersionInput {
    /// Of the version.
    pub id: ID,
    /// A repeat with the same key returns the same erasure.
    pub idempotency_key: Option<String>,
}

#[derive(SimpleObject)]
pub struct RestoreFileVersionPayload {
    /// As it is now; with STALE_REVISION the current record, unchanged.
    file: Option<File>,
    user_errors: Vec<FileUserError>,
}

#[derive(SimpleObject)]
pub struct DeleteFileVersionPayload {
    file: Option<File>,
    /// The proof that its stored object is gone, at first still under way.
    erasure: Option<Erasure>,
    user_errors: Vec<FileUserError>,
}

#[derive(Default)]
pub struct VersionsMutation;

#[Object]
impl VersionsMutation {
    /// Makes an old version of one's own file its current content again: a new version with the same bytes. The others stay.
    async fn restore_file_version(
        &self,
        ctx: &Context<'_>,
        input: RestoreFileVersionInput,
    ) -> async_graphql::Result<RestoreFileVersionPayload> {
        let restore = RestoreVersion {
            id: version_key(&input.id),
            revision: input.revision,
            idempotency_key: input.idempotency_key,
        };
        let (app, viewer) = (graphql::app(ctx).clone(), graphql::viewer(ctx).clone());
        match graphql::to_the_end(async move { versions::restore(&app, &viewer, restore).await }).await? {
            Ok(row) => Ok(RestoreFileVersionPayload { file: Some(row.into()), user_errors: Vec::new() }),
            Err(error) => {
                let user_errors = vec![user_error(&error)?];
                Ok(RestoreFileVersionPayload { file: current(error), user_errors })
            }
        }
    }

    /// Deletes an old version of one's own file for good, at both sites.
    async fn delete_file_version(
        &self,
        ctx: &Context<'_>,
        input: DeleteFileVersionInput,
    ) -> async_graphql::Result<DeleteFileVersionPayload> {
        let (app, id) = (graphql::app(ctx), version_key(&input.id));
        match versions::delete(app, graphql::viewer(ctx), id, input.idempotency_key.as_deref()).await {
            Ok(deleted) => {
                let erasure = ledger::with_confirmations(app, vec![deleted.object]).await.or_fault()?.pop();
                let (file, erasure) = (Some(deleted.file.into()), erasure.map(Erasure));
                Ok(DeleteFileVersionPayload { file, erasure, user_errors: Vec::new() })
            }
            Err(error) => {
                Ok(DeleteFileVersionPayload { file: None, erasure: None, user_errors: vec![user_error(&error)?] })
            }
        }
    }
}

/// An id that is none answers as a missing one: no version has the nil key.
fn version_key(id: &ID) -> Uuid {
    NodeKind::FileVersion.parse(id).unwrap_or_default()
}
