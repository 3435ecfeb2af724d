//! Direct uploads in GraphQL: the session, its parts, and how it ends.

use async_graphql::{Context, Enum, ID, InputObject, Json, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::upload;
use uuid::Uuid;

use super::{
    File,
    mutation::{FileUserError, user_error},
};
use crate::{
    adapters::objects::Part,
    app::App,
    db::page::Position,
    error::Fault,
    files::{self, direct},
    graphql::{
        self, Connection, FaultExt, NodeKind, PageArguments,
        connection::{connection, page_cost},
        error::bad_input,
        scalars::{Long, Sha256, date_time},
    },
    viewer::Viewer,
};

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "upload::State")]
pub enum UploadState {
    /// Takes parts.
    Open,
    /// All parts are there; the server reads them back. Its file is PROCESSING.
    Verifying,
    /// Its file is ACTIVE.
    Completed,
    /// The content was refused; `rejection` says why, and its bytes are being erased.
    Rejected,
    Aborted,
    /// Given up when its time was over.
    Expired,
}

/// Why a content was refused.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "upload::Rejection")]
pub enum UploadRejection {
    /// Not the announced SHA-256.
    WrongHash,
    /// Not the announced size.
    WrongSize,
    /// Not the announced type.
    WrongType,
    /// Not the bytes that were sent: they changed on their way. Send them again.
    Altered,
    /// The server could not verify it. Send it again.
    Failed,
    /// The file that it was to be the new content of has changed or is gone.
    Stale,
    /// This content is blocked here, or a picture that looks the same.
    Blocked,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "upload::Purpose")]
pub enum UploadPurpose {
    /// A new file.
    #[default]
    File,
    /// The new content of a file: `replaceFileContent` completes it.
    Content,
    /// The picture of a snap: `sendSnap` completes it.
    Snap,
}

/// For `node(id)`.
pub async fn upload_node(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<UploadSession>, Fault> {
    Ok(direct::find(app, viewer, id).await?.map(UploadSession))
}

/// A file on its way straight to S3.
pub struct UploadSession(pub upload::Model);

#[Object]
impl UploadSession {
    pub async fn id(&self) -> ID {
        NodeKind::UploadSession.id(self.0.id).into()
    }

    async fn state(&self) -> UploadState {
        self.0.state.into()
    }

    async fn purpose(&self) -> UploadPurpose {
        self.0.purpose.into()
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Bytes, as announced.
    async fn size(&self) -> Long {
        Long(self.0.bytes)
    }

    /// Bytes of every part but the last, which has the rest.
    async fn part_size(&self) -> Long {
        Long(self.0.part_bytes)
    }

    /// Parts are numbered from 1; a file of nothing has one, of nothing.
    async fn part_count(&self) -> i32 {
        i32::try_from(direct::part_count(&self.0)).unwrap_or(i32::MAX)
    }

    /// What S3 has, in order, after part number `after`: at most 1,000 at a time. A client that resumes sends the others.
    /// Empty once the upload was completed and its parts are joined.
    #[graphql(complexity = "50 * child_complexity")]
    async fn parts(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 0)] after: i32,
    ) -> async_graphql::Result<Vec<UploadPart>> {
        let after = u32::try_from(after).map_err(|_| bad_input("`after` is the number of a part, or 0."))?;
        let parts = direct::arrived(graphql::app(ctx), &self.0, after, direct::MAX_LISTED).await.or_fault()?;
        Ok(parts.into_iter().map(UploadPart).collect())
    }

    /// Bytes that the server has read back so far; `size` at the end.
    async fn verified_size(&self) -> Long {
        Long(self.0.verified_bytes)
    }

    /// From the completion on; of a new content the file that it is for.
    async fn file(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<File>> {
        if self.0.object_id.is_none() {
            return Ok(None);
        }
        let file = self.0.target_id.unwrap_or(self.0.file_id);
        let found = files::find(graphql::app(ctx), graphql::viewer(ctx), file).await.or_fault()?;
        Ok(found.map(File::from))
    }

    /// Why it is REJECTED.
    async fn rejection(&self) -> Option<UploadRejection> {
        self.0.rejection.map(Into::into)
    }

    async fn created_at(&self) -> DateTime<Utc> {
        date_time(self.0.created_at)
    }

    /// When it is given up unless it is completed.
    async fn expires_at(&self) -> DateTime<Utc> {
        date_time(self.0.expires_at)
    }

    async fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.0.ended_at.map(date_time)
    }
}

/// A part that arrived.
pub struct UploadPart(Part);

#[Object]
impl UploadPart {
    async fn number(&self) -> i32 {
        i32::try_from(self.0.number).unwrap_or(i32::MAX)
    }

    /// Bytes.
    async fn size(&self) -> Long {
        Long(i64::try_from(self.0.bytes).unwrap_or(i64::MAX))
    }

    /// Null where the store does not tell.
    async fn sha256(&self) -> Option<Sha256> {
        self.0.sha256.map(|sha256| Sha256(sha256.to_vec()))
    }
}

/// A header that the request must carry as it is.
#[derive(SimpleObject)]
pub struct UploadHeader {
    name: String,
    value: String,
}

/// How to send a part: the bytes by `PUT` to `url`, with these headers and no others that S3 knows.
#[derive(SimpleObject)]
pub struct SignedUploadPart {
    number: i32,
    /// Bytes of this part. Another length is refused.
    size: Long,
    url: String,
    headers: Vec<UploadHeader>,
    /// The time from which the URL is refused; sign the part again then.
    expires_at: DateTime<Utc>,
}

impl From<direct::Signed> for SignedUploadPart {
    fn from(signed: direct::Signed) -> Self {
        let headers = signed.request.headers.into_iter().map(|(name, value)| UploadHeader { name, value });
        Self {
            number: i32::try_from(signed.number).unwrap_or(i32::MAX),
            size: Long(i64::try_from(signed.bytes).unwrap_or(i64::MAX)),
            url: signed.request.url,
            headers: headers.collect(),
            expires_at: date_time(signed.expires_at),
        }
    }
}

#[derive(InputObject)]
pub struct CreateUploadInput {
    pub name: String,
    /// Bytes, at most `limits.directUploadSize`. Every part's length is signed.
    pub size: Long,
    /// Where the client knows it: a content of another one is rejected.
    pub sha256: Option<Sha256>,
    /// A content that turns out to be of another type is rejected.
    pub content_type: Option<String>,
    #[graphql(default)]
    pub purpose: UploadPurpose,
    pub description: Option<String>,
    pub tags: Option<Vec<String>>,
    /// A JSON object.
    pub metadata: Option<Json<serde_json::Value>>,
    /// A repeat with the same key returns the first result.
    pub idempotency_key: Option<String>,
}

#[derive(InputObject)]
pub struct UploadPartInput {
    pub number: i32,
    /// Of the part's bytes: S3 refuses others.
    pub sha256: Sha256,
}

#[derive(InputObject)]
pub struct SignUploadPartsInput {
    pub id: ID,
    /// At most 100 at a time, each as often as it is wanted.
    pub parts: Vec<UploadPartInput>,
}

/// A repeat returns the same upload.
#[derive(InputObject)]
pub struct CompleteUploadInput {
    pub id: ID,
}

/// A repeat changes nothing.
#[derive(InputObject)]
pub struct AbortUploadInput {
    pub id: ID,
}

#[derive(SimpleObject)]
pub struct CreateUploadPayload {
    upload_session: Option<UploadSession>,
    user_errors: Vec<FileUserError>,
}

#[derive(SimpleObject)]
pub struct SignUploadPartsPayload {
    parts: Vec<SignedUploadPart>,
    user_errors: Vec<FileUserError>,
}

#[derive(SimpleObject)]
pub struct CompleteUploadPayload {
    upload_session: Option<UploadSession>,
    user_errors: Vec<FileUserError>,
}

#[derive(SimpleObject)]
pub struct AbortUploadPayload {
    upload_session: Option<UploadSession>,
    user_errors: Vec<FileUserError>,
}

#[derive(Default)]
pub struct UploadsQuery;

#[Object]
impl UploadsQuery {
    /// One's own direct upload: what arrived, and what became of it.
    async fn upload_session(&self, ctx: &Context<'_>, id: ID) -> async_graphql::Result<Option<UploadSession>> {
        upload_node(graphql::app(ctx), graphql::viewer(ctx), upload_key(&id)).await.or_fault()
    }

    /// One's own direct uploads, newest first; those in one state where it is given. Ended ones are forgotten after as long as
    /// an upload may take.
    #[graphql(complexity = "page_cost(__ctx, __variables_definition, __field, child_complexity)")]
    async fn upload_sessions(
        &self,
        ctx: &Context<'_>,
        state: Option<UploadState>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> async_graphql::Result<Connection<UploadSession>> {
        let app = graphql::app(ctx);
        let page = PageArguments { first, after, last, before }.page(app.config.graphql.max_page_size)?;
        let state = state.map(Into::into);
        let found = direct::list(app, graphql::viewer(ctx), state, &page).await.or_fault()?.map(UploadSession);
        Ok(connection(found, Default::default(), |upload| Position { key: upload.0.created_at, id: upload.0.id }))
    }
}

#[derive(Default)]
pub struct UploadsMutation;

#[Object]
impl UploadsMutation {
    /// Begins a direct upload, of any size: sign its parts, send them, complete it.
    async fn create_upload(
        &self,
        ctx: &Context<'_>,
        input: CreateUploadInput,
    ) -> async_graphql::Result<CreateUploadPayload> {
        let new = direct::NewUpload {
            name: input.name,
            bytes: input.size.0,
            sha256: input.sha256.as_ref().map(digest).transpose()?,
            content_type: input.content_type,
            purpose: input.purpose.into(),
            description: input.description,
            tags: input.tags,
            metadata: input.metadata.map(|json| json.0),
            idempotency_key: input.idempotency_key,
        };
        let (app, viewer) = (graphql::app(ctx).clone(), graphql::viewer(ctx).clone());
        match graphql::to_the_end(async move { direct::create(&app, &viewer, new).await }).await? {
            Ok(row) => Ok(CreateUploadPayload { upload_session: Some(UploadSession(row)), user_errors: Vec::new() }),
            Err(error) => Ok(CreateUploadPayload { upload_session: None, user_errors: vec![user_error(&error)?] }),
        }
    }

    /// URLs for parts of an open upload: each takes exactly the bytes whose length and SHA-256 it was signed for.
    async fn sign_upload_parts(
        &self,
        ctx: &Context<'_>,
        input: SignUploadPartsInput,
    ) -> async_graphql::Result<SignUploadPartsPayload> {
        let part = |part: UploadPartInput| {
            digest(&part.sha256).map(|sha256| direct::PartToSign { number: part.number, sha256 })
        };
        let parts: Vec<_> = input.parts.into_iter().map(part).collect::<Result<_, _>>()?;
        match direct::sign(graphql::app(ctx), graphql::viewer(ctx), upload_key(&input.id), &parts).await {
            Ok(signed) => Ok(SignUploadPartsPayload {
                parts: signed.into_iter().map(Into::into).collect(),
                user_errors: Vec::new(),
            }),
            Err(error) => Ok(SignUploadPartsPayload { parts: Vec::new(), user_errors: vec![user_error(&error)?] }),
        }
    }

    /// Ends the sending. The file is PROCESSING until the server has read its bytes back, then ACTIVE or REJECTED.
    async fn complete_upload(
        &self,
        ctx: &Context<'_>,
        input: CompleteUploadInput,
    ) -> async_graphql::Result<CompleteUploadPayload> {
        match direct::complete(graphql::app(ctx), graphql::viewer(ctx), upload_key(&input.id)).await {
            Ok(row) => Ok(CompleteUploadPayload { upload_session: Some(UploadSession(row)), user_errors: Vec::new() }),
            Err(error) => Ok(CompleteUploadPayload { upload_session: None, user_errors: vec![user_error(&error)?] }),
        }
    }

    /// Gives up an open upload; what arrived is erased.
    async fn abort_upload(
        &self,
        ctx: &Context<'_>,
        input: AbortUploadInput,
    ) -> async_graphql::Result<AbortUploadPayload> {
        match direct::abort(graphql::app(ctx), graphql::viewer(ctx), upload_key(&input.id)).await {
            Ok(row) => Ok(AbortUploadPayload { upload_session: Some(UploadSession(row)), user_errors: Vec::new() }),
            Err(error) => Ok(AbortUploadPayload { upload_session: None, user_errors: vec![user_error(&error)?] }),
        }
    }
}

/// An id that is none answers as a missing one: no upload has the nil key.
pub(super) fn upload_key(id: &ID) -> Uuid {
    NodeKind::UploadSession.parse(id).unwrap_or_default()
}

fn digest(sha256: &Sha256) -> async_graphql::Result<[u8; 32]> {
    sha256.0.as_slice().try_into().map_err(|_| bad_input("a SHA-256 has 64 hex digits"))
}
