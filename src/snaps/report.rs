//! What a report of a snap is about, what is kept of it for the decision, and its removal by an admin.

use entity::{Timestamp, object, snap, snap_recipient::State};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    SnapsError,
    ends::{self, tell_sender},
    model::{Phase, phase},
    store,
};
use crate::{app::App, db::Tx, error::Fault, ledger};

/// A snap that its recipient reports.
#[derive(Clone, Debug)]
pub struct Reported {
    pub snap: snap::Model,
    pub object: object::Model,
    /// Whether its picture is held from now on.
    pub is_held: bool,
    /// What it is, and its caption where the recipient could still read that.
    pub facts: Value,
}

/// Takes a snap that this person has opened as the subject of a report: while they may look at it, its picture is held, once
/// more for each report; afterwards nothing is kept but its hash and its facts. Whoever of the two blocks the other.
pub async fn report(app: &App, tx: &Tx, person: Uuid, id: Uuid) -> Result<Reported, SnapsError> {
    let found = store::received(tx, id, person).await?.ok_or(SnapsError::NotFound)?;
    let row = store::lock(tx, found.id).await?.ok_or(SnapsError::NotFound)?;
    let snap = store::find(tx, id).await?.ok_or(SnapsError::NotFound)?;
    // Read once the lock is held, since it decides.
    let now = app.db.now(tx).await?;
    let may_look = match phase(&row, &snap, &app.config.snaps, now) {
        _ if row.state == State::Revoked => return Err(SnapsError::NotFound),
        Phase::Sealed | Phase::Over(State::Expired) => return Err(SnapsError::NotOpened),
        Phase::Ended if row.state == State::Expired => return Err(SnapsError::NotOpened),
        Phase::Viewing | Phase::Replayable(_) => true,
        Phase::Over(_) | Phase::Ended => false,
    };
    let object = ledger::find(tx, snap.object_id).await?;
    let object = object.ok_or_else(|| Fault::Internal("a snap without its object".to_owned()))?;
    let is_held = may_look && ledger::hold(tx, &[object.id], 1).await?;
    let mut facts = json!({
        "contentType": object.content_type, "size": object.bytes, "width": snap.width, "height": snap.height,
        "sentAt": time(snap.created_at), "openedAt": row.opened_at.map(time),
    });
    if may_look {
        facts["caption"] = json!(snap.caption);
    }
    Ok(Reported { snap, object, is_held, facts })
}

/// RFC 3339, as everywhere in the API.
fn time(time: Timestamp) -> String {
    time.to_utc().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// Ends a snap for everybody who is not done with it, as an admin decides. `false`: it had ended.
pub async fn remove(app: &App, tx: &Tx, id: Uuid) -> Result<bool, SnapsError> {
    let Some(snap) = store::find(tx, id).await?.filter(|snap| snap.gone_at.is_none()) else { return Ok(false) };
    let ended = ends::end_all(app, tx, &snap).await?;
    let now = app.db.now(tx).await?;
    for recipient in &ended {
        tell_sender(tx, &snap, *recipient, now).await?;
    }
    Ok(!ended.is_empty())
}
