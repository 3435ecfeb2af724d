//! What mutations and lists of files take.

use async_graphql::{Enum, ID, InputObject, Json};
use entity::file;

use crate::graphql::request::Upload;

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "file::State")]
pub enum FileState {
    /// Uploaded, being verified.
    Processing,
    Active,
    /// In the trash by its owner's hand.
    Trashed,
    /// By an admin's.
    Removed,
    Rejected,
}

#[derive(InputObject, Default)]
pub struct FileFilter {
    /// Another person's files. Admins.
    pub owner_id: Option<ID>,
    /// Everyone's files. Admins.
    #[graphql(default)]
    pub everyone: bool,
    /// ACTIVE where it is not given.
    pub state: Option<FileState>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Enum)]
pub enum FileOrderField {
    #[default]
    CreatedAt,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Enum)]
pub enum OrderDirection {
    Asc,
    #[default]
    Desc,
}

#[derive(InputObject, Default)]
pub struct FileOrder {
    #[graphql(default)]
    pub field: FileOrderField,
    #[graphql(default)]
    pub direction: OrderDirection,
}

impl FileOrder {
    pub(super) fn is_ascending(&self) -> bool {
        match self.field {
            FileOrderField::CreatedAt => self.direction == OrderDirection::Asc,
        }
    }
}

#[derive(InputObject)]
pub struct UploadFileInput {
    /// Sent as the GraphQL multipart request specification says; at most `limits.uploadSize`.
    pub file: Upload,
    /// The uploaded file's own name where it is not given.
    pub name: Option<String>,
    pub description: Option<String>,
    pub tags: Option<Vec<String>>,
    /// A JSON object.
    pub metadata: Option<Json<serde_json::Value>>,
    /// A repeat with the same key returns the first result.
    pub idempotency_key: Option<String>,
}

/// What is not given stays as it is.
#[derive(InputObject)]
pub struct EditFileInput {
    pub id: ID,
    /// The revision the edit is based on.
    pub revision: i32,
    pub name: Option<String>,
    pub description: Option<String>,
    pub tags: Option<Vec<String>>,
    pub metadata: Option<Json<serde_json::Value>>,
}

#[derive(InputObject)]
pub struct ReplaceFileContentInput {
    pub id: ID,
    /// The revision the new content is based on.
    pub revision: i32,
    pub file: Upload,
    /// A repeat with the same key returns the first result.
    pub idempotency_key: Option<String>,
}

/// All or none of the files; a repeat changes nothing.
#[derive(InputObject)]
pub struct TrashFilesInput {
    pub ids: Vec<ID>,
}

/// All or none of the files; a repeat changes nothing.
#[derive(InputObject)]
pub struct RestoreFilesInput {
    pub ids: Vec<ID>,
}

/// All or none of the files; a repeat returns the same erasures.
#[derive(InputObject)]
pub struct PurgeFilesInput {
    pub ids: Vec<ID>,
}
