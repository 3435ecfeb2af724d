//! Sending, opening and ending snaps.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Snap;
use crate::{
    files::{FilesError, graphql::content},
    graphql::{
        self, FaultExt as _, NodeKind,
        error::{bad_input, fault},
        request::Upload,
        scalars::date_time,
    },
    snaps::{self, NewSnap, Opened, SnapsError, Source},
};

/// One picture — `file`, `uploadId` or `fileId` — and who is to see it.
#[derive(InputObject)]
pub struct SendSnapInput {
    /// Sent along, up to `limits.uploadSize`.
    pub file: Option<Upload>,
    /// A direct upload with the purpose SNAP, whose parts have all arrived.
    pub upload_id: Option<ID>,
    /// An active file of yours; it stays as it is.
    pub file_id: Option<ID>,
    /// 1 to `limits.snapRecipients` friends.
    pub recipient_ids: Vec<ID>,
    /// Shown with the picture, and gone with it; up to `limits.captionLength` characters.
    pub caption: Option<String>,
    /// 1 to 60; without it the picture is shown until it is closed, `limits.snapViewCap` seconds at the most.
    pub view_seconds: Option<i32>,
    /// Seconds until it is lost to who has not opened it, `limits.snapTtl` at the most; a month with one recipient and a
    /// day with several unless the server is set otherwise.
    pub expires_in: Option<i32>,
    /// Whether each recipient may look a second time.
    #[graphql(default)]
    pub allow_replay: bool,
    /// A repeat with the same key returns the first result.
    pub idempotency_key: Option<String>,
}

#[derive(InputObject)]
pub struct OpenSnapInput {
    pub id: ID,
    /// A repeat with the same key in the same session returns the same view, while its picture was not seen: a lost answer
    /// burns nothing.
    pub idempotency_key: Option<String>,
}

#[derive(InputObject)]
pub struct ReplaySnapInput {
    pub id: ID,
    /// As with `openSnap`.
    pub idempotency_key: Option<String>,
}

#[derive(InputObject)]
pub struct CloseSnapInput {
    pub id: ID,
}

#[derive(InputObject)]
pub struct RevokeSnapInput {
    pub id: ID,
}

#[derive(InputObject)]
pub struct ReportScreenshotInput {
    pub id: ID,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum SnapErrorCode {
    /// Not there, or not for you.
    NotFound,
    /// Too few or too many recipients.
    InvalidCount,
    DuplicateRecipient,
    /// This person did not receive it: unknown people look the same.
    NotAFriend,
    /// No picture that can be shown.
    NotAPicture,
    TooLarge,
    InvalidCaption,
    InvalidViewSeconds,
    InvalidExpiry,
    AlreadyOpened,
    Expired,
    NotOpened,
    /// There is no second look, or it is over.
    NoReplay,
    /// The upload or file cannot be sent.
    WrongState,
    /// This picture is blocked here, or one that looks the same.
    ContentBlocked,
    /// Not every part of the upload has arrived.
    PartsMissing,
    IdempotencyKeyReused,
}

/// Something the user can mend.
#[derive(SimpleObject)]
pub struct SnapUserError {
    code: SnapErrorCode,
    /// The input field it is about.
    field: Option<&'static str>,
    /// The recipient it is about.
    recipient_id: Option<ID>,
    /// For people.
    message: String,
}

#[derive(SimpleObject)]
pub struct SendSnapPayload {
    /// Null where nobody received it.
    snap: Option<Snap>,
    /// With `snap`: those who did not receive it.
    user_errors: Vec<SnapUserError>,
}

/// An open view. Its picture is fetched once, by the session that opened it.
#[derive(SimpleObject)]
pub struct SnapView {
    snap: Snap,
    /// `GET` it with the same cookie or token: it gives the picture once, and may be asked again only while it was not
    /// handed out whole.
    url: String,
    fetch_before: DateTime<Utc>,
    /// How long to show it; null: until it is closed.
    view_seconds: Option<i32>,
    caption: Option<String>,
    width: i32,
    height: i32,
}

#[derive(SimpleObject)]
pub struct OpenSnapPayload {
    view: Option<SnapView>,
    user_errors: Vec<SnapUserError>,
}

#[derive(SimpleObject)]
pub struct ReplaySnapPayload {
    view: Option<SnapView>,
    user_errors: Vec<SnapUserError>,
}

#[derive(SimpleObject)]
pub struct CloseSnapPayload {
    snap: Option<Snap>,
    user_errors: Vec<SnapUserError>,
}

#[derive(SimpleObject)]
pub struct RevokeSnapPayload {
    snap: Option<Snap>,
    user_errors: Vec<SnapUserError>,
}

#[derive(SimpleObject)]
pub struct ReportScreenshotPayload {
    snap: Option<Snap>,
    user_errors: Vec<SnapUserError>,
}

#[derive(Default)]
pub struct SnapsMutation;

#[Object]
impl SnapsMutation {
    /// Sends a picture to friends. It is made upright and fit for screens, and loses its metadata; the original is not kept.
    async fn send_snap(&self, ctx: &Context<'_>, input: SendSnapInput) -> async_graphql::Result<SendSnapPayload> {
        graphql::viewer(ctx).person().or_fault()?;
        let source = match (input.file, input.upload_id, input.file_id) {
            (Some(file), None, None) => Source::Content(content(ctx, file)?),
            (None, Some(id), None) => Source::Upload(NodeKind::UploadSession.parse(&id).unwrap_or_default()),
            (None, None, Some(id)) => Source::File(NodeKind::File.parse(&id).unwrap_or_default()),
            _ => return Err(bad_input("Give `file`, `uploadId` or `fileId`, one of them.")),
        };
        // What is no user's id is a friend of nobody; it is named as it was given.
        let mut recipients: Vec<Uuid> = Vec::new();
        let mut unknown = Vec::new();
        for id in &input.recipient_ids {
            match NodeKind::User.parse(id) {
                Some(id) => recipients.push(id),
                None => unknown.push(id.clone()),
            }
        }
        if recipients.is_empty() && !unknown.is_empty() {
            let user_errors = unknown.into_iter().map(not_a_friend).collect();
            return Ok(SendSnapPayload { snap: None, user_errors });
        }
        let new = NewSnap {
            source,
            recipients,
            caption: input.caption,
            view_seconds: input.view_seconds,
            expires_in: input.expires_in,
            allow_replay: input.allow_replay,
            idempotency_key: input.idempotency_key,
        };
        let (app, viewer) = (graphql::app(ctx).clone(), graphql::viewer(ctx).clone());
        let (snap, refused) = match graphql::to_the_end(async move { snaps::send(&app, &viewer, new).await }).await? {
            Ok(sent) => (Some(sent.snap.into()), sent.refused),
            Err(SnapsError::NotFriends(refused)) => (None, refused),
            Err(error) => return Ok(SendSnapPayload { snap: None, user_errors: vec![user_error(&error)?] }),
        };
        let refused = refused.into_iter().map(|id| NodeKind::User.id(id).into());
        Ok(SendSnapPayload { snap, user_errors: refused.chain(unknown).map(not_a_friend).collect() })
    }

    /// Opens a received snap: the one and only way to see it. Whoever sees a picture can keep it, by another camera if need
    /// be: no server prevents that.
    async fn open_snap(&self, ctx: &Context<'_>, input: OpenSnapInput) -> async_graphql::Result<OpenSnapPayload> {
        let (app, viewer) = (graphql::app(ctx).clone(), graphql::viewer(ctx).clone());
        let (id, key) = (snap_key(&input.id), input.idempotency_key);
        Ok(match graphql::to_the_end(async move { snaps::open(&app, &viewer, id, key).await }).await? {
            Ok(opened) => OpenSnapPayload { view: Some(opened.into()), user_errors: Vec::new() },
            Err(error) => OpenSnapPayload { view: None, user_errors: vec![user_error(&error)?] },
        })
    }

    /// Opens it a second time, where its sender allows that.
    async fn replay_snap(&self, ctx: &Context<'_>, input: ReplaySnapInput) -> async_graphql::Result<ReplaySnapPayload> {
        let (app, viewer) = (graphql::app(ctx).clone(), graphql::viewer(ctx).clone());
        let (id, key) = (snap_key(&input.id), input.idempotency_key);
        Ok(match graphql::to_the_end(async move { snaps::replay(&app, &viewer, id, key).await }).await? {
            Ok(opened) => ReplaySnapPayload { view: Some(opened.into()), user_errors: Vec::new() },
            Err(error) => ReplaySnapPayload { view: None, user_errors: vec![user_error(&error)?] },
        })
    }

    /// Ends the view before its time. A repeat changes nothing.
    async fn close_snap(&self, ctx: &Context<'_>, input: CloseSnapInput) -> async_graphql::Result<CloseSnapPayload> {
        Ok(match snaps::close(graphql::app(ctx), graphql::viewer(ctx), snap_key(&input.id)).await {
            Ok(snap) => CloseSnapPayload { snap: Some(snap.into()), user_errors: Vec::new() },
            Err(error) => CloseSnapPayload { snap: None, user_errors: vec![user_error(&error)?] },
        })
    }

    /// Takes your own snap back from everybody who is not done with it, and erases it. A repeat changes nothing.
    async fn revoke_snap(&self, ctx: &Context<'_>, input: RevokeSnapInput) -> async_graphql::Result<RevokeSnapPayload> {
        Ok(match snaps::revoke(graphql::app(ctx), graphql::viewer(ctx), snap_key(&input.id)).await {
            Ok(snap) => RevokeSnapPayload { snap: Some(snap.into()), user_errors: Vec::new() },
            Err(error) => RevokeSnapPayload { snap: None, user_errors: vec![user_error(&error)?] },
        })
    }

    /// Tells the sender that you took a picture of the screen: apps call it where the system tells them.
    async fn report_screenshot(
        &self,
        ctx: &Context<'_>,
        input: ReportScreenshotInput,
    ) -> async_graphql::Result<ReportScreenshotPayload> {
        Ok(match snaps::report_screenshot(graphql::app(ctx), graphql::viewer(ctx), snap_key(&input.id)).await {
            Ok(snap) => ReportScreenshotPayload { snap: Some(snap.into()), user_errors: Vec::new() },
            Err(error) => ReportScreenshotPayload { snap: None, user_errors: vec![user_error(&error)?] },
        })
    }
}

/// An id that is none answers as a missing one.
fn snap_key(id: &ID) -> Uuid {
    NodeKind::Snap.parse(id).unwrap_or_default()
}

impl From<Opened> for SnapView {
    fn from(opened: Opened) -> Self {
        let Opened { snap, own, url } = opened;
        Self {
            url,
            fetch_before: date_time(own.fetch_before.unwrap_or(own.created_at)),
            view_seconds: snap.view_seconds,
            caption: Some(snap.caption.clone()).filter(|caption| !caption.is_empty()),
            width: snap.width,
            height: snap.height,
            snap: snaps::Snap { row: snap, own: Some(own), recipients: Vec::new() }.into(),
        }
    }
}

fn not_a_friend(recipient: ID) -> SnapUserError {
    SnapUserError {
        code: SnapErrorCode::NotAFriend,
        field: Some("recipientIds"),
        recipient_id: Some(recipient),
        message: "Only friends receive snaps.".to_owned(),
    }
}

fn user_error(error: &SnapsError) -> async_graphql::Result<SnapUserError> {
    use SnapErrorCode as Code;
    let (code, field) = match error {
        SnapsError::NotFound => (Code::NotFound, Some("id")),
        SnapsError::BadRecipientCount { .. } => (Code::InvalidCount, Some("recipientIds")),
        SnapsError::DuplicateRecipient => (Code::DuplicateRecipient, Some("recipientIds")),
        SnapsError::NotFriends(_) => (Code::NotAFriend, Some("recipientIds")),
        SnapsError::NotAPicture(_) => (Code::NotAPicture, None),
        SnapsError::TooLarge(_) => (Code::TooLarge, None),
        SnapsError::InvalidCaption { .. } => (Code::InvalidCaption, Some("caption")),
        SnapsError::InvalidViewSeconds { .. } => (Code::InvalidViewSeconds, Some("viewSeconds")),
        SnapsError::InvalidExpiry { .. } => (Code::InvalidExpiry, Some("expiresIn")),
        SnapsError::AlreadyOpened => (Code::AlreadyOpened, None),
        SnapsError::Expired => (Code::Expired, None),
        SnapsError::NotOpened => (Code::NotOpened, None),
        SnapsError::NoReplay => (Code::NoReplay, None),
        SnapsError::IdempotencyKeyReused => (Code::IdempotencyKeyReused, Some("idempotencyKey")),
        SnapsError::ContentBlocked(_) => (Code::ContentBlocked, None),
        SnapsError::Source(source) => match source {
            FilesError::TooLarge { .. } => (Code::TooLarge, None),
            FilesError::PartsMissing { .. } => (Code::PartsMissing, Some("uploadId")),
            FilesError::NoSuchUpload => (Code::NotFound, Some("uploadId")),
            FilesError::NotFound => (Code::NotFound, Some("fileId")),
            _ => (Code::WrongState, None),
        },
        SnapsError::Fault(cause) => return Err(fault(cause)),
    };
    Ok(SnapUserError { code, field, recipient_id: None, message: error.to_string() })
}
