//! Sending: a picture is made fit for screens, stored under a key of its own, and given to those who are friends in the
//! transaction that sends it.

use std::{collections::HashSet, time::Duration};

use entity::{object::Kind, snap, snap_recipient, snap_recipient::State};
use serde_json::json;
use tempfile::TempPath;
use uuid::Uuid;

use super::{
    Snap, SnapsError, jobs,
    model::{self, MAX_RECIPIENTS, MAX_VIEW_SECONDS},
    store,
};
use crate::{
    adapters::objects::{Body, sha256},
    app::App,
    block_list,
    db::{Tx, idempotency::IdempotencyKey, is_unique_violation},
    error::Fault,
    events,
    files::{self, Content, direct},
    friends, images,
    jobs::enqueue_at,
    ledger::{self, NewObject, Written},
    viewer::Viewer,
    wanted::Marks,
};

/// Where the picture comes from.
#[derive(Debug)]
pub enum Source {
    /// Sent along.
    Content(Content),
    /// A direct upload with the purpose SNAP.
    Upload(Uuid),
    /// An active file of the sender's.
    File(Uuid),
}

#[derive(Debug)]
pub struct NewSnap {
    pub source: Source,
    pub recipients: Vec<Uuid>,
    pub caption: Option<String>,
    /// `None`: until it is closed, under the hard cap.
    pub view_seconds: Option<i32>,
    /// The configured time where it is not given.
    pub expires_in: Option<i32>,
    pub allow_replay: bool,
    pub idempotency_key: Option<String>,
}

/// What was sent, and who did not receive it.
#[derive(Debug)]
pub struct Sent {
    pub snap: Snap,
    /// No friends of the sender's at that time; unknown people look the same.
    pub refused: Vec<Uuid>,
}

/// What a request comes to once it is checked.
struct Checked {
    recipients: Vec<Uuid>,
    caption: String,
    view_seconds: Option<i32>,
    expires_in: Duration,
    allow_replay: bool,
}

/// Sends a picture to friends. Who is no friend is left out and named; where nobody is left, nothing is sent.
pub async fn send(app: &App, viewer: &Viewer, new: NewSnap) -> Result<Sent, SnapsError> {
    let sender = viewer.person()?.user_id;
    let checked = check(app, &new)?;
    let key = new.idempotency_key.as_deref().map(|key| {
        let source = match &new.source {
            Source::Content(content) => hex::encode(content.sha256),
            Source::Upload(id) | Source::File(id) => id.to_string(),
        };
        let Checked { recipients, caption, view_seconds, allow_replay, .. } = &checked;
        let input = (source, recipients, caption, view_seconds, new.expires_in, allow_replay);
        IdempotencyKey::new(sender, key, "sendSnap", &input)
    });
    if let Some(first) = recall(app, sender, key.as_ref(), &checked.recipients).await? {
        return Ok(first);
    }
    // Before any work for the picture; it counts again when it is sent.
    let friends = app.db.transaction::<_, SnapsError, _, _>(async |tx| receivers(&tx, sender, &checked).await).await?;
    if friends.is_empty() {
        return Err(SnapsError::NotFriends(checked.recipients));
    }
    let Brought { path, sha256: source, upload } = bring(app, viewer, new.source).await?;
    let still = app.images.still(path.to_path_buf(), app.config.snaps.max_side).await?;
    drop(path);
    let fingerprint = still.fingerprint;
    let (width, height, body) = (still.width, still.height, bytes::Bytes::from(still.bytes));
    let object = NewObject {
        kind: Kind::Snap,
        bytes: body.len() as u64,
        sha256: sha256(&body),
        content_type: still.content_type.to_owned(),
        user_id: Some(sender),
        file_id: None,
    };
    // As it was sent, and as it is stored: of a snap that ended the latter is known.
    let sent = Marks { sha256: &source, fingerprint: fingerprint.as_ref() };
    let stored = object.sha256;
    let marks = [sent, Marks { sha256: &stored, ..sent }];
    if let Some(entry) = block_list::foresee(app, &marks).await? {
        return Err(blocked(app, viewer, entry).await);
    }
    let written = ledger::write(app, object, Body::Memory(body)).await?;
    let id = Uuid::now_v7();
    let outcome = app
        .transaction::<_, SnapsError, _, _>(async |tx| {
            let friends = receivers(&tx, sender, &checked).await?;
            if friends.is_empty() {
                return Err(SnapsError::NotFriends(checked.recipients.clone()));
            }
            if let Some(upload) = upload {
                direct::spend(app, &tx, sender, upload).await?;
            }
            if let Some(entry) = block_list::check(app, &tx, &marks).await? {
                return Err(SnapsError::ContentBlocked(entry));
            }
            if !ledger::make_live(app, &tx, &written).await? {
                return Err(Fault::Busy("a snap took longer than its deadline".to_owned()).into());
            }
            let now = app.db.now(&tx).await?;
            let snap = snap::Model {
                id,
                sender_id: sender,
                object_id: written.object.id,
                caption: checked.caption.clone(),
                width: i32::try_from(width).unwrap_or(i32::MAX),
                height: i32::try_from(height).unwrap_or(i32::MAX),
                view_seconds: checked.view_seconds,
                allow_replay: checked.allow_replay,
                remaining: i32::try_from(friends.len()).unwrap_or(i32::MAX),
                created_at: now,
                expires_at: now.plus(checked.expires_in),
                gone_at: None,
            };
            let rows: Vec<_> = friends.iter().map(|friend| delivered(&snap, *friend)).collect();
            store::insert(&tx, snap.clone(), rows.clone()).await?;
            enqueue_at(&tx, &jobs::Expire { snap: id }, snap.expires_at).await?;
            if let Some(key) = &key {
                key.remember(&tx, id, now).await?;
            }
            for friend in &friends {
                events::append(&tx, *friend, events::SNAP_RECEIVED, json!({ "snap": id }), now).await?;
            }
            let refused = checked.recipients.iter().copied().filter(|asked| !friends.contains(asked)).collect();
            Ok(Sent { snap: Snap { row: snap, own: None, recipients: rows }, refused })
        })
        .await;
    match settle(app, sender, id, &written, key.as_ref(), &checked, outcome).await {
        Err(SnapsError::ContentBlocked(entry)) => Err(blocked(app, viewer, entry).await),
        settled => settled,
    }
}

/// The refusal, written down.
async fn blocked(app: &App, viewer: &Viewer, entry: Uuid) -> SnapsError {
    block_list::refused(app, viewer, viewer.user_id(), entry).await;
    SnapsError::ContentBlocked(entry)
}

fn check(app: &App, new: &NewSnap) -> Result<Checked, SnapsError> {
    let settings = &app.config.snaps;
    let count = new.recipients.len();
    if count == 0 || count > MAX_RECIPIENTS {
        return Err(SnapsError::BadRecipientCount { max: MAX_RECIPIENTS });
    }
    if new.recipients.iter().collect::<HashSet<_>>().len() != count {
        return Err(SnapsError::DuplicateRecipient);
    }
    if new.view_seconds.is_some_and(|seconds| !(1..=MAX_VIEW_SECONDS).contains(&seconds)) {
        return Err(SnapsError::InvalidViewSeconds { max: MAX_VIEW_SECONDS });
    }
    let max = settings.max_ttl;
    let expires_in = match new.expires_in {
        None if count > 1 => settings.group_ttl,
        None => settings.default_ttl,
        Some(seconds) => {
            let wanted = u64::try_from(seconds).ok().filter(|seconds| (1..=max.as_secs()).contains(seconds));
            Duration::from_secs(wanted.ok_or(SnapsError::InvalidExpiry { max: max.as_secs() })?)
        }
    };
    Ok(Checked {
        recipients: new.recipients.clone(),
        caption: model::caption(new.caption.as_deref().unwrap_or_default())?,
        view_seconds: new.view_seconds,
        expires_in,
        allow_replay: new.allow_replay,
    })
}

/// Those who are friends, in the order of their ids; they stay so until the transaction ends.
async fn receivers(tx: &Tx, sender: Uuid, checked: &Checked) -> Result<Vec<Uuid>, SnapsError> {
    let mut friends: Vec<Uuid> = friends::among(tx, sender, &checked.recipients).await?.into_iter().collect();
    friends.sort_unstable();
    Ok(friends)
}

fn delivered(snap: &snap::Model, recipient: Uuid) -> snap_recipient::Model {
    snap_recipient::Model {
        id: Uuid::now_v7(),
        snap_id: snap.id,
        recipient_id: recipient,
        sender_id: snap.sender_id,
        state: State::Delivered,
        created_at: snap.created_at,
        opened_at: None,
        replayed_at: None,
        screenshot_at: None,
        view_id: None,
        ticket: None,
        session_id: None,
        fetch_before: None,
        fetched_at: None,
        consumed_at: None,
        view_ends_at: None,
        ended_at: None,
    }
}

/// A picture as it was given.
struct Brought {
    path: TempPath,
    sha256: Vec<u8>,
    /// The upload that it came by.
    upload: Option<Uuid>,
}

async fn bring(app: &App, viewer: &Viewer, source: Source) -> Result<Brought, SnapsError> {
    match source {
        Source::Content(content) => {
            let sha256 = content.sha256.to_vec();
            Ok(Brought { path: files::spool(app, content).await?.0, sha256, upload: None })
        }
        Source::Upload(id) => {
            let taken = direct::take(app, viewer, id, app.config.uploads.max_size.as_u64()).await?;
            Ok(Brought { path: taken.path, sha256: taken.sha256.to_vec(), upload: Some(taken.upload) })
        }
        Source::File(id) => {
            let file = files::active(app, viewer, id).await?;
            if !images::is_raster(&file.content_type) {
                return Err(SnapsError::NotAPicture("the file is of another type".to_owned()));
            }
            Ok(Brought { path: ledger::spool(app, file.object_id).await?, sha256: file.sha256, upload: None })
        }
    }
}

/// Turns what became of the transaction into an answer, and erases a picture that nobody received.
async fn settle(
    app: &App,
    sender: Uuid,
    id: Uuid,
    written: &Written,
    key: Option<&IdempotencyKey>,
    checked: &Checked,
    outcome: Result<Sent, SnapsError>,
) -> Result<Sent, SnapsError> {
    let error = match outcome {
        Ok(sent) => {
            tracing::info!(snap = %id, recipients = sent.snap.recipients.len(), "snap sent");
            return Ok(sent);
        }
        Err(error) => error,
    };
    // The reply to COMMIT may be lost: where the transaction took place after all, this finds its row.
    if let Ok(Some(sent)) = found(app, sender, id, &checked.recipients).await {
        return Ok(sent);
    }
    ledger::give_up(app, written).await;
    let too_late = match &error {
        SnapsError::Fault(Fault::Database(cause)) => is_unique_violation(cause),
        SnapsError::Source(_) | SnapsError::NotFriends(_) => true,
        _ => false,
    };
    if too_late && let Some(first) = recall(app, sender, key, &checked.recipients).await? {
        return Ok(first);
    }
    Err(error)
}

/// The first result of a repeated request.
async fn recall(
    app: &App,
    sender: Uuid,
    key: Option<&IdempotencyKey>,
    asked: &[Uuid],
) -> Result<Option<Sent>, SnapsError> {
    let Some(id) = IdempotencyKey::recall(key, app.db.read()).await? else { return Ok(None) };
    found(app, sender, id, asked).await?.ok_or(SnapsError::NotFound).map(Some)
}

async fn found(app: &App, sender: Uuid, id: Uuid, asked: &[Uuid]) -> Result<Option<Sent>, SnapsError> {
    let Some(row) = store::find(app.db.read(), id).await?.filter(|row| row.sender_id == sender) else {
        return Ok(None);
    };
    let recipients = store::recipients(app.db.read(), vec![id]).await?;
    let received = |asked: &Uuid| recipients.iter().any(|row| row.recipient_id == *asked);
    let refused = asked.iter().copied().filter(|asked| !received(asked)).collect();
    Ok(Some(Sent { snap: Snap { row, own: None, recipients }, refused }))
}
