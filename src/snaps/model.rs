//! What a recipient can do with a snap at a moment: the one place that reads its times.

use std::time::Duration;

use entity::{Timestamp, snap, snap_recipient, snap_recipient::State};
use unicode_normalization::UnicodeNormalization as _;

use super::SnapsError;
use crate::config;

/// Friends of one snap.
pub const MAX_RECIPIENTS: usize = 100;
/// Characters of a caption.
pub const MAX_CAPTION: usize = 500;
/// Seconds that a snap with a time is shown.
pub const MAX_VIEW_SECONDS: i32 = 60;

/// Where a recipient stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nobody has seen anything of it: not opened, or opened and never fetched.
    Sealed,
    /// A view is open.
    Viewing,
    /// Seen once, and may be seen once more until then.
    Replayable(Timestamp),
    /// Its time is over, and it is only still to be ended: as this.
    Over(State),
    Ended,
}

/// Where the recipient stands at `now`, by the database's time where it decides.
#[must_use]
pub fn phase(row: &snap_recipient::Model, snap: &snap::Model, settings: &config::Snaps, now: Timestamp) -> Phase {
    if row.ended_at.is_some() {
        return Phase::Ended;
    }
    let sealed = if now < snap.expires_at { Phase::Sealed } else { Phase::Over(State::Expired) };
    if row.state == State::Delivered {
        return sealed;
    }
    if row.view_ends_at.is_some_and(|end| now < end) {
        return Phase::Viewing;
    }
    let unseen = row.fetched_at.is_none();
    if unseen && row.replayed_at.is_none() {
        return sealed;
    }
    match replay_until(row, snap, settings) {
        Some(until) if now < until && (unseen || row.replayed_at.is_none()) => Phase::Replayable(until),
        _ => Phase::Over(State::Opened),
    }
}

/// Until when a second look may begin.
fn replay_until(row: &snap_recipient::Model, snap: &snap::Model, settings: &config::Snaps) -> Option<Timestamp> {
    let opened_at = row.opened_at.filter(|_| snap.allow_replay)?;
    Some(opened_at.plus(settings.fetch_within).plus(view_time(snap, settings)).plus(settings.replay_within))
}

/// How long the picture may be shown once it is there.
#[must_use]
pub fn view_time(snap: &snap::Model, settings: &config::Snaps) -> Duration {
    match snap.view_seconds {
        Some(seconds) => Duration::from_secs(seconds.unsigned_abs().into()),
        None => settings.view_cap,
    }
}

/// Whether a view can be opened once more: the first one was seen, and the second is not used.
#[must_use]
pub fn may_replay(row: &snap_recipient::Model, snap: &snap::Model, settings: &config::Snaps, now: Timestamp) -> bool {
    match phase(row, snap, settings, now) {
        Phase::Replayable(_) => true,
        Phase::Viewing => snap.allow_replay && row.replayed_at.is_none() && row.consumed_at.is_some(),
        _ => false,
    }
}

/// NFC, several lines, at most [`MAX_CAPTION`] characters.
pub fn caption(given: &str) -> Result<String, SnapsError> {
    let caption: String = given.trim().nfc().collect();
    let unprintable = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if caption.chars().count() > MAX_CAPTION || caption.chars().any(unprintable) {
        return Err(SnapsError::InvalidCaption { max: MAX_CAPTION });
    }
    Ok(caption)
}
