//! What mutations and lists of files take.

use async_graphql::{Enum, ID, InputObject, Json};
use chrono::{DateTime, Utc};
use entity::{Timestamp, file};

use crate::{
    files::{self, OrderField, Whose},
    graphql::{NodeKind, error::bad_input, request::Upload, scalars::Long},
};

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

/// Files that meet all of what is given.
#[derive(InputObject, Default)]
pub struct FileFilter {
    /// Another person's files. Admins.
    pub owner_id: Option<ID>,
    /// Everyone's files. Admins.
    #[graphql(default)]
    pub everyone: bool,
    /// ACTIVE where it is not given.
    pub state: Option<FileState>,
    /// Each of these words begins a word of the name or the description, whatever the case and the accents: `img 20` finds
    /// `IMG_2034.jpeg`. Words are letters and digits; in scripts without spaces any part is found. 1 to 8 words.
    pub search: Option<String>,
    /// All of these tags, whatever the case and the accents.
    pub tags: Option<Vec<String>>,
    /// All of these metadata.
    pub metadata: Option<Vec<MetadataFilter>>,
    /// Whole, such as `image/png`, or a family, such as `image/*`.
    pub content_type: Option<String>,
    /// At this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Earlier than this.
    pub created_before: Option<DateTime<Utc>>,
    /// At this time or later.
    pub updated_after: Option<DateTime<Utc>>,
    /// Earlier than this.
    pub updated_before: Option<DateTime<Utc>>,
    /// Bytes; this or more.
    pub size_from: Option<Long>,
    /// Bytes; fewer than this.
    pub size_to: Option<Long>,
}

/// Metadata of a file, looked for at the top of the JSON object. Of each file the first 100 keys are found.
#[derive(InputObject)]
pub struct MetadataFilter {
    pub key: String,
    /// The value as text, such as `X100`, `12` or `true`; any value where it is not given.
    pub value: Option<String>,
}

impl FileFilter {
    pub(super) fn whose(&self) -> async_graphql::Result<Whose> {
        match (&self.owner_id, self.everyone) {
            (None, false) => Ok(Whose::Mine),
            (None, true) => Ok(Whose::Everyones),
            (Some(owner), false) => {
                let owner = NodeKind::User.parse(owner);
                owner.map(Whose::Of).ok_or_else(|| bad_input("`ownerId` is not the id of a user."))
            }
            (Some(_), true) => Err(bad_input("Give `ownerId` or `everyone`, not both.")),
        }
    }

    /// Without whose files they are. What cannot be looked for is `BAD_USER_INPUT`.
    pub(super) fn parse(self) -> async_graphql::Result<files::FileFilter> {
        let at =
            |field: &'static str| move |error: files::InvalidFilter| bad_input(format!("`filter.{field}`: {error}"));
        let mut filter = files::FileFilter::new(self.state.map_or(file::State::Active, Into::into));
        if let Some(search) = &self.search {
            filter.search(search).map_err(at("search"))?;
        }
        for tag in self.tags.iter().flatten() {
            filter.tag(tag).map_err(at("tags"))?;
        }
        for MetadataFilter { key, value } in self.metadata.iter().flatten() {
            filter.metadata(key, value.as_deref()).map_err(at("metadata"))?;
        }
        if let Some(content_type) = &self.content_type {
            filter.content_type(content_type).map_err(at("contentType"))?;
        }
        let time = |time: Option<DateTime<Utc>>| time.map(Timestamp::from_utc);
        let (after, before) = (time(self.created_after), time(self.created_before));
        filter.times(OrderField::CreatedAt, after, before).map_err(at("createdAfter"))?;
        let (after, before) = (time(self.updated_after), time(self.updated_before));
        filter.times(OrderField::UpdatedAt, after, before).map_err(at("updatedAfter"))?;
        let bytes = |bytes: Option<Long>| bytes.map(|bytes| bytes.0);
        filter.sizes(bytes(self.size_from), bytes(self.size_to)).map_err(at("sizeFrom"))?;
        Ok(filter)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Enum)]
#[graphql(remote = "OrderField")]
pub enum FileOrderField {
    #[default]
    CreatedAt,
    UpdatedAt,
    /// By the alphabet, whatever the case.
    Name,
    Size,
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

impl From<FileOrder> for files::FileOrder {
    fn from(order: FileOrder) -> Self {
        Self { field: order.field.into(), ascending: order.direction == OrderDirection::Asc }
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
    /// The new content, up to `limits.uploadSize`; this or `uploadId`.
    pub file: Option<Upload>,
    /// An upload whose parts have all arrived; this or `file`.
    pub upload_id: Option<ID>,
    /// A repeat with the same key returns the first result. An upload needs none: it is of one use.
    pub idempotency_key: Option<String>,
}

/// All or none of the files; a repeat changes nothing.
#[derive(InputObject)]
pub struct TrashFilesInput {
    pub ids: Vec<ID>,
}

/// Files by their ids: all or none of them; a repeat changes nothing. Or all that match a filter.
#[derive(InputObject)]
pub struct RemoveFilesInput {
    /// These, or `matching`.
    pub ids: Option<Vec<ID>>,
    /// Those, or `ids`.
    pub matching: Option<MatchingFiles>,
    /// Shown to their owners, and in the alert and the audit log; 1 to 500 characters.
    pub reason: String,
    /// With `matching`: a repeat with the same key returns the first action. Of ids a repeat changes nothing anyway.
    pub idempotency_key: Option<String>,
}

/// All files that match a filter when the server takes the order. What comes to match later stays as it is.
#[derive(InputObject)]
pub struct MatchingFiles {
    /// As of `files`; only the states ACTIVE and TRASHED.
    pub filter: FileFilter,
    /// `totalCount` of the list that was looked at, 1 to `limits.filesByFilter`. Where other than so many match, nothing is done.
    pub expected_count: i32,
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
