//! What the smoke test asks, and the shapes of the answers.

use serde::Deserialize;
use serde_json::Value;

pub const LIMITS: &str = "{ limits { uploadSize passwordMinLength } }";

pub const SIGN_UP: &str = "mutation ($input: SignUpInput!) {
  signUp(input: $input) { token user { id } userErrors { code message } }
}";

pub const LOG_OUT: &str = "mutation { logOut { userErrors { code message } } }";

macro_rules! with_file {
    ($document:literal) => {
        concat!(
            $document,
            " fragment File on File {
                id name description tags metadata revision state contentType size sha256 width height
                downloadUrl { url }
                copies { region state }
                square: rendition(size: SQUARE_150) { ...Rendition }
                small: rendition(size: FIT_320) { ...Rendition }
                large: rendition(size: FIT_1280) { ...Rendition }
                versions(first: 10) { nodes { sha256 } }
            }
            fragment Rendition on Rendition { size state error width height contentType url }"
        )
    };
}

pub const UPLOAD: &str = with_file!(
    "mutation ($input: UploadFileInput!) { uploadFile(input: $input) { file { ...File } userErrors { code message } } }"
);

pub const EDIT: &str = with_file!(
    "mutation ($input: EditFileInput!) { editFile(input: $input) { file { ...File } userErrors { code message } } }"
);

pub const REPLACE: &str = with_file!(
    "mutation ($input: ReplaceFileContentInput!) {
      replaceFileContent(input: $input) { file { ...File } userErrors { code message } }
    }"
);

pub const FILE: &str = with_file!("query ($id: ID!) { node(id: $id) { ...File } }");

pub const TRASH: &str = with_file!(
    "mutation ($input: TrashFilesInput!) {
      trashFiles(input: $input) { files { ...File } alert { id } userErrors { code message } }
    }"
);

pub const RESTORE: &str = with_file!(
    "mutation ($input: RestoreFilesInput!) {
      restoreFiles(input: $input) { files { ...File } userErrors { code message } }
    }"
);

pub const PURGE: &str = "mutation ($input: PurgeFilesInput!) {
  purgeFiles(input: $input) { purgedIds alert { id } userErrors { code message } }
}";

pub const MINE: &str = "{
  active: files(filter: { state: ACTIVE }, first: 20) { nodes { id } }
  trashed: files(filter: { state: TRASHED }, first: 20) { nodes { id } }
}";

pub const ALERT: &str = "query ($id: ID!) {
  node(id: $id) { ... on Alert { state message lastError } }
}";

pub const ERASURES: &str = "query ($file: ID!, $after: String) {
  erasures(filter: { fileId: $file }, first: 10, after: $after) {
    nodes { key kind sha256 primaryConfirmedAt replicaConfirmedAt }
    pageInfo { hasNextPage endCursor }
  }
}";

pub const REQUEST_FRIENDSHIP: &str = "mutation ($input: RequestFriendshipInput!) {
  requestFriendship(input: $input) { friendship { id } userErrors { code message } }
}";

pub const ACCEPT_FRIENDSHIP: &str = "mutation ($input: AcceptFriendshipInput!) {
  acceptFriendship(input: $input) { userErrors { code message } }
}";

pub const REMOVE_FRIEND: &str = "mutation ($input: RemoveFriendInput!) {
  removeFriend(input: $input) { userErrors { code message } }
}";

pub const LATEST: &str = "{ events(first: 0) { latestCursor } }";

pub const SNAP_RECEIVED: &str = "subscription ($after: String) { snapReceived(after: $after) { cursor snap { id } } }";

pub const SEND_SNAP: &str = "mutation ($input: SendSnapInput!) {
  sendSnap(input: $input) { snap { id } userErrors { code message } }
}";

pub const OPEN_SNAP: &str = "mutation ($input: OpenSnapInput!) {
  openSnap(input: $input) { view { url caption } userErrors { code message } }
}";

pub const CLOSE_SNAP: &str = "mutation ($input: CloseSnapInput!) {
  closeSnap(input: $input) { userErrors { code message } }
}";

pub const SNAP: &str = "query ($id: ID!) {
  node(id: $id) { ... on Snap { erasure { key kind sha256 primaryConfirmedAt replicaConfirmedAt } } }
}";

#[derive(Debug, Deserialize)]
pub struct Asked {
    pub friendship: Id,
}

#[derive(Debug, Deserialize)]
pub struct Events {
    pub events: Latest,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latest {
    pub latest_cursor: String,
}

#[derive(Debug, Deserialize)]
pub struct SnapSent {
    pub snap: Id,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapHeard {
    pub snap_received: SnapEvent,
}

#[derive(Debug, Deserialize)]
pub struct SnapEvent {
    pub cursor: String,
    pub snap: Id,
}

#[derive(Debug, Deserialize)]
pub struct SnapOpened {
    pub view: View,
}

#[derive(Debug, Deserialize)]
pub struct View {
    pub url: String,
    pub caption: String,
}

#[derive(Debug, Deserialize)]
pub struct SnapGone {
    pub erasure: Option<Erasure>,
}

#[derive(Debug, Deserialize)]
pub struct Limited {
    pub limits: Limits,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Bytes.
    pub upload_size: usize,
    pub password_min_length: usize,
}

#[derive(Debug, Deserialize)]
pub struct SignedUp {
    pub token: String,
    pub user: Id,
}

#[derive(Debug, Deserialize)]
pub struct Url {
    pub url: String,
}

#[derive(Debug, Deserialize)]
pub struct Id {
    pub id: String,
}

#[derive(Debug, Deserialize)]
pub struct Node<T> {
    pub node: Option<T>,
}

#[derive(Debug, Deserialize)]
pub struct Nodes<T> {
    pub nodes: Vec<T>,
}

/// The payload of a mutation of one file.
#[derive(Debug, Deserialize)]
pub struct OneFile {
    pub file: File,
}

/// The payload of a mutation of many.
#[derive(Debug, Deserialize)]
pub struct ManyFiles {
    pub files: Vec<File>,
    pub alert: Option<Id>,
}

#[derive(Debug, Deserialize)]
pub struct Restored {
    pub files: Vec<File>,
}

#[derive(Debug, Deserialize)]
pub struct Mine {
    pub active: Nodes<Id>,
    pub trashed: Nodes<Id>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Purged {
    pub purged_ids: Vec<String>,
    pub alert: Option<Id>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub tags: Vec<String>,
    pub metadata: Value,
    pub revision: i32,
    pub state: String,
    pub content_type: String,
    pub size: u64,
    pub sha256: Option<String>,
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub download_url: Option<Url>,
    pub copies: Vec<Copy>,
    square: Option<Rendition>,
    small: Option<Rendition>,
    large: Option<Rendition>,
    pub versions: Nodes<Version>,
}

impl File {
    /// All or none: only pictures have them.
    pub fn renditions(&self) -> impl Iterator<Item = &Rendition> {
        [&self.square, &self.small, &self.large].into_iter().flatten()
    }
}

#[derive(Debug, Deserialize)]
pub struct Copy {
    pub region: String,
    pub state: String,
}

#[derive(Debug, Deserialize)]
pub struct Version {
    pub sha256: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rendition {
    pub size: String,
    pub state: String,
    pub error: Option<String>,
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub content_type: Option<String>,
    pub url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    pub state: String,
    pub message: String,
    pub last_error: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Erasures {
    pub erasures: ErasurePage,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasurePage {
    pub nodes: Vec<Erasure>,
    pub page_info: PageInfo,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageInfo {
    pub has_next_page: bool,
    pub end_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Erasure {
    pub key: String,
    pub kind: String,
    pub sha256: String,
    pub primary_confirmed_at: Option<String>,
    pub replica_confirmed_at: Option<String>,
}

impl Erasure {
    pub fn is_proven(&self) -> bool {
        self.primary_confirmed_at.is_some() && self.replica_confirmed_at.is_some()
    }
}
