//! Changing files.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use entity::action;
use uuid::Uuid;

use super::{
    BulkAction, File, UploadSession,
    inputs::{
        EditFileInput, PurgeFilesInput, RemoveFilesInput, ReplaceFileContentInput, RestoreFilesInput, TrashFilesInput,
        UploadFileInput,
    },
    uploads::upload_key,
};
use crate::{
    alerts::graphql::Alert,
    error::Fault,
    files::{
        self, Content, FilesError, Trashed,
        bulk::{self, Removal},
        direct::{self, Replacement},
    },
    graphql::{
        self, FaultExt, NodeKind,
        connection::ids_cost,
        error::{bad_input, fault},
        request::Upload,
        scalars::Long,
    },
    ledger::{self, graphql::Erasure},
};

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum FileErrorCode {
    /// Not there, or not yours.
    NotFound,
    TooLarge,
    InvalidName,
    InvalidDescription,
    InvalidTags,
    InvalidMetadata,
    /// Somebody was faster; the payload has the current record.
    StaleRevision,
    /// The file's state does not allow this.
    WrongState,
    /// A legal hold keeps it.
    Held,
    /// It is being deleted, so that it cannot be held any more.
    Deleted,
    /// This content is blocked here, or a picture that looks the same.
    ContentBlocked,
    InvalidReason,
    IdempotencyKeyReused,
    /// Too few or too many ids, or files of a filter.
    InvalidCount,
    /// Other than the expected number of files match; the payload has how many.
    CountChanged,
    /// The upload broke off; send it again.
    UnreadableUpload,
    InvalidSize,
    InvalidContentType,
    /// No part of this upload.
    InvalidPart,
    /// Not every part has arrived.
    PartsMissing,
    /// The owner's files would take up more bytes than they may.
    QuotaExceeded,
    /// The owner has as many files as they may.
    TooManyFiles,
    /// Too many uploads are open.
    TooManyUploads,
    InvalidQuota,
}

/// Something the user can mend.
#[derive(SimpleObject)]
pub struct FileUserError {
    code: FileErrorCode,
    /// The input field it is about.
    field: Option<&'static str>,
    /// For people.
    message: String,
}

#[derive(SimpleObject)]
pub struct UploadFilePayload {
    file: Option<File>,
    user_errors: Vec<FileUserError>,
}

#[derive(SimpleObject)]
pub struct EditFilePayload {
    /// As it is now; with STALE_REVISION the current record, unchanged.
    file: Option<File>,
    user_errors: Vec<FileUserError>,
}

#[derive(SimpleObject)]
pub struct ReplaceFileContentPayload {
    /// As it is now; with STALE_REVISION the current record, unchanged.
    file: Option<File>,
    /// With `uploadId`: COMPLETED when the content is the file's; REJECTED where the file changed meanwhile.
    upload_session: Option<UploadSession>,
    user_errors: Vec<FileUserError>,
}

#[derive(SimpleObject)]
pub struct TrashFilesPayload {
    /// In the order of the ids.
    files: Vec<File>,
    /// The alert this raised; null where all were in the trash already.
    alert: Option<Alert>,
    user_errors: Vec<FileUserError>,
}

#[derive(SimpleObject, Default)]
pub struct RemoveFilesPayload {
    /// In the order of the ids.
    files: Vec<File>,
    /// The alert this raised; null where all were removed already. That of files that match a filter is the action's.
    alert: Option<Alert>,
    /// What becomes of the files that match the filter.
    action: Option<BulkAction>,
    /// With COUNT_CHANGED: how many files match now, up to one more than `limits.filesByFilter`.
    matching_count: Option<Long>,
    user_errors: Vec<FileUserError>,
}

impl From<Trashed> for RemoveFilesPayload {
    fn from(removed: Trashed) -> Self {
        let files = removed.files.into_iter().map(Into::into).collect();
        Self { files, alert: removed.alert.map(Alert), ..Self::default() }
    }
}

impl From<action::Model> for RemoveFilesPayload {
    fn from(row: action::Model) -> Self {
        Self { action: Some(BulkAction(row)), ..Self::default() }
    }
}

#[derive(SimpleObject)]
pub struct RestoreFilesPayload {
    files: Vec<File>,
    user_errors: Vec<FileUserError>,
}

#[derive(SimpleObject)]
pub struct PurgeFilesPayload {
    purged_ids: Vec<ID>,
    /// What a legal hold keeps: put away at once, and deleted for good when the hold ends.
    held: Vec<File>,
    /// One for every stored object of the files: the proof that it is gone, at first still under way.
    erasures: Vec<Erasure>,
    /// The alert this raised; null where they were purged before.
    alert: Option<Alert>,
    user_errors: Vec<FileUserError>,
}

#[derive(Default)]
pub struct FilesMutation;

#[Object]
impl FilesMutation {
    /// Uploads a small file of any type. The type is told from its bytes; renditions of pictures follow.
    async fn upload_file(&self, ctx: &Context<'_>, input: UploadFileInput) -> async_graphql::Result<UploadFilePayload> {
        let upload = files::Upload {
            content: content(ctx, input.file)?,
            name: input.name,
            description: input.description,
            tags: input.tags,
            metadata: input.metadata.map(|json| json.0),
            idempotency_key: input.idempotency_key,
        };
        let (app, viewer) = (graphql::app(ctx).clone(), graphql::viewer(ctx).clone());
        match graphql::to_the_end(async move { files::upload(&app, &viewer, upload).await }).await? {
            Ok(row) => Ok(UploadFilePayload { file: Some(row.into()), user_errors: Vec::new() }),
            Err(error) => Ok(UploadFilePayload { file: None, user_errors: vec![user_error(&error)?] }),
        }
    }

    /// Changes what is said about one's own file.
    async fn edit_file(&self, ctx: &Context<'_>, input: EditFileInput) -> async_graphql::Result<EditFilePayload> {
        let edit = files::Edit {
            id: file_key(&input.id),
            revision: input.revision,
            name: input.name,
            description: input.description,
            tags: input.tags,
            metadata: input.metadata.map(|json| json.0),
        };
        match files::edit(graphql::app(ctx), graphql::viewer(ctx), edit).await {
            Ok(row) => Ok(EditFilePayload { file: Some(row.into()), user_errors: Vec::new() }),
            Err(error) => {
                let user_errors = vec![user_error(&error)?];
                Ok(EditFilePayload { file: current(error), user_errors })
            }
        }
    }

    /// Gives one's own file a new content, sent along or by a direct upload: a new version under a new key. What was uploaded
    /// is verified first: until then the file stays as it is.
    async fn replace_file_content(
        &self,
        ctx: &Context<'_>,
        input: ReplaceFileContentInput,
    ) -> async_graphql::Result<ReplaceFileContentPayload> {
        let (app, viewer) = (graphql::app(ctx).clone(), graphql::viewer(ctx).clone());
        let (id, revision) = (file_key(&input.id), input.revision);
        let replaced = match (input.file, input.upload_id) {
            (Some(file), None) => {
                let content = content(ctx, file)?;
                let replace = files::Replace { id, revision, content, idempotency_key: input.idempotency_key };
                let replaced = graphql::to_the_end(async move { files::replace(&app, &viewer, replace).await }).await?;
                replaced.map(|row| (None, row))
            }
            (None, Some(upload)) => {
                let replacement = Replacement { upload: upload_key(&upload), file: id, revision };
                let replacing = direct::replace(&app, &viewer, replacement).await;
                replacing.map(|(upload, row)| (Some(UploadSession(upload)), row))
            }
            _ => return Err(bad_input("Give `file` or `uploadId`, one of them.")),
        };
        Ok(match replaced {
            Ok((upload_session, row)) => {
                ReplaceFileContentPayload { file: Some(row.into()), upload_session, user_errors: Vec::new() }
            }
            Err(error) => {
                let user_errors = vec![user_error(&error)?];
                ReplaceFileContentPayload { file: current(error), upload_session: None, user_errors }
            }
        })
    }

    /// Moves one's own files to the trash; an admin removes anyone's. Raises an alert.
    #[graphql(complexity = "ids_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn trash_files(&self, ctx: &Context<'_>, input: TrashFilesInput) -> async_graphql::Result<TrashFilesPayload> {
        match files::trash(graphql::app(ctx), graphql::viewer(ctx), &file_keys(&input.ids)).await {
            Ok(trashed) => Ok(TrashFilesPayload {
                files: trashed.files.into_iter().map(Into::into).collect(),
                alert: trashed.alert.map(Alert),
                user_errors: Vec::new(),
            }),
            Err(error) => {
                Ok(TrashFilesPayload { files: Vec::new(), alert: None, user_errors: vec![user_error(&error)?] })
            }
        }
    }

    /// Removes files of anyone's, also from their owner's trash: while they are kept, only an admin restores them. Of those that
    /// match a filter the server keeps a list, and works it off as `action` tells. Raises an alert. Admins.
    #[graphql(complexity = "ids_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn remove_files(
        &self,
        ctx: &Context<'_>,
        input: RemoveFilesInput,
    ) -> async_graphql::Result<RemoveFilesPayload> {
        let (app, viewer) = (graphql::app(ctx), graphql::viewer(ctx));
        let removed = match (input.ids, input.matching) {
            (Some(ids), None) => files::remove(app, viewer, &file_keys(&ids), &input.reason).await.map(Into::into),
            (None, Some(matching)) => {
                let removal = Removal {
                    scope: files::scope(viewer, matching.filter.whose()?).or_fault()?,
                    filter: matching.filter.parse()?,
                    // A negative number is as little as none at all, which the service refuses.
                    expected: u64::try_from(matching.expected_count).unwrap_or_default(),
                    reason: input.reason,
                    idempotency_key: input.idempotency_key,
                };
                bulk::remove(app, viewer, &removal).await.map(Into::into)
            }
            _ => return Err(bad_input("Give `ids` or `matching`, one of them.")),
        };
        removed.or_else(|error| {
            let matching_count = match &error {
                FilesError::CountChanged { now } => Some(Long(i64::try_from(*now).unwrap_or(i64::MAX))),
                _ => None,
            };
            Ok(RemoveFilesPayload { matching_count, user_errors: vec![user_error(&error)?], ..Default::default() })
        })
    }

    /// Takes files back from the trash. What an admin removed only an admin restores.
    #[graphql(complexity = "ids_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn restore_files(
        &self,
        ctx: &Context<'_>,
        input: RestoreFilesInput,
    ) -> async_graphql::Result<RestoreFilesPayload> {
        match files::restore(graphql::app(ctx), graphql::viewer(ctx), &file_keys(&input.ids)).await {
            Ok(rows) => {
                Ok(RestoreFilesPayload { files: rows.into_iter().map(Into::into).collect(), user_errors: Vec::new() })
            }
            Err(error) => Ok(RestoreFilesPayload { files: Vec::new(), user_errors: vec![user_error(&error)?] }),
        }
    }

    /// Deletes files for good, with every version and rendition, at both sites. Raises an alert.
    #[graphql(complexity = "ids_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn purge_files(&self, ctx: &Context<'_>, input: PurgeFilesInput) -> async_graphql::Result<PurgeFilesPayload> {
        let app = graphql::app(ctx);
        match files::purge(app, graphql::viewer(ctx), &file_keys(&input.ids)).await {
            Ok(purged) => {
                let erasures = ledger::with_confirmations(app, purged.objects).await.or_fault()?;
                Ok(PurgeFilesPayload {
                    purged_ids: purged.files.into_iter().map(|id| NodeKind::File.id(id).into()).collect(),
                    held: purged.held.into_iter().map(Into::into).collect(),
                    erasures: erasures.into_iter().map(Erasure).collect(),
                    alert: purged.alert.map(Alert),
                    user_errors: Vec::new(),
                })
            }
            Err(error) => Ok(PurgeFilesPayload {
                purged_ids: Vec::new(),
                held: Vec::new(),
                erasures: Vec::new(),
                alert: None,
                user_errors: vec![user_error(&error)?],
            }),
        }
    }
}

/// An id that is none answers as a missing one: no file has the nil key.
fn file_key(id: &ID) -> Uuid {
    NodeKind::File.parse(id).unwrap_or_default()
}

fn file_keys(ids: &[ID]) -> Vec<Uuid> {
    ids.iter().map(file_key).collect()
}

/// A file of the request as the services take it.
pub fn content(ctx: &Context<'_>, upload: Upload) -> async_graphql::Result<Content> {
    let spooled = upload.spooled(ctx).ok_or_else(|| fault(&Fault::Internal("an unspooled upload".to_owned())))?;
    let file = spooled.open().map_err(|error| fault(&Fault::internal(error)))?;
    Ok(Content { name: spooled.name.clone(), file, bytes: spooled.size, sha256: spooled.sha256 })
}

/// With a stale revision: the current record.
pub(super) fn current(error: FilesError) -> Option<File> {
    match error {
        FilesError::Stale(current) => Some((*current).into()),
        _ => None,
    }
}

pub(super) fn user_error(error: &FilesError) -> async_graphql::Result<FileUserError> {
    use FileErrorCode as Code;
    let (code, field) = match error {
        FilesError::NotFound => (Code::NotFound, Some("id")),
        FilesError::NoSuchUpload => (Code::NotFound, Some("uploadId")),
        FilesError::NoSuchUser => (Code::NotFound, Some("userId")),
        FilesError::QuotaExceeded { .. } => (Code::QuotaExceeded, None),
        FilesError::TooManyFiles { .. } => (Code::TooManyFiles, None),
        FilesError::TooManyUploads { .. } => (Code::TooManyUploads, None),
        FilesError::InvalidQuota => (Code::InvalidQuota, None),
        FilesError::TooLarge { .. } => (Code::TooLarge, Some("file")),
        FilesError::InvalidName(_) => (Code::InvalidName, Some("name")),
        FilesError::DescriptionTooLong { .. } => (Code::InvalidDescription, Some("description")),
        FilesError::InvalidTags(_) => (Code::InvalidTags, Some("tags")),
        FilesError::InvalidMetadata(_) => (Code::InvalidMetadata, Some("metadata")),
        FilesError::Stale(_) => (Code::StaleRevision, Some("revision")),
        FilesError::WrongState(_) => (Code::WrongState, None),
        FilesError::Held => (Code::Held, None),
        FilesError::Deleted => (Code::Deleted, Some("fileId")),
        FilesError::ContentBlocked(_) => (Code::ContentBlocked, None),
        FilesError::NoSuchHold => (Code::NotFound, Some("id")),
        FilesError::InvalidReason => (Code::InvalidReason, Some("reason")),
        FilesError::IdempotencyKeyReused => (Code::IdempotencyKeyReused, Some("idempotencyKey")),
        FilesError::BadCount { .. } => (Code::InvalidCount, Some("ids")),
        FilesError::BadExpectedCount { .. } => (Code::InvalidCount, Some("expectedCount")),
        FilesError::CountChanged { .. } => (Code::CountChanged, Some("expectedCount")),
        FilesError::InvalidSize => (Code::InvalidSize, Some("size")),
        FilesError::InvalidContentType => (Code::InvalidContentType, Some("contentType")),
        FilesError::BadPartCount { .. } => (Code::InvalidCount, Some("parts")),
        FilesError::InvalidPart { .. } => (Code::InvalidPart, Some("parts")),
        FilesError::PartsMissing { .. } => (Code::PartsMissing, None),
        FilesError::Unreadable(cause) => {
            tracing::warn!(error = %cause, "an upload could not be spooled");
            (Code::UnreadableUpload, Some("file"))
        }
        FilesError::Fault(cause) => return Err(fault(cause)),
    };
    Ok(FileUserError { code, field, message: error.to_string() })
}
