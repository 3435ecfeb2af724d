//! A pair of people: what each of the two sees of it, and what it may become.

use std::time::Duration;

use entity::{
    Timestamp,
    friendship::{Model, State},
};
use uuid::Uuid;

/// A pair that one of the two sees something of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Friendship {
    row: Model,
    viewer: Uuid,
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The other one.
    Incoming,
    /// The viewer.
    Outgoing,
}

impl Friendship {
    /// `None`: the person is not one of the two, or there is nothing between them that they see.
    pub(super) fn seen(row: Model, viewer: Uuid) -> Option<Self> {
        let found = is_of(&row, viewer).then_some(Self { row, viewer })?;
        let is_seen = match found.row.state {
            State::Pending | State::Accepted | State::Declined => true,
            State::Withheld => found.direction() == Direction::Outgoing,
            State::Cancelled | State::Removed | State::Closing => false,
        };
        is_seen.then_some(found)
    }

    /// What one of the two has just made of it.
    pub(super) fn made(row: Model, viewer: Uuid) -> Self {
        Self { row, viewer }
    }

    /// As it is kept. What this one sees of its state is [`Friendship::state`].
    #[must_use]
    pub fn row(&self) -> &Model {
        &self.row
    }

    /// The other one of the two.
    #[must_use]
    pub fn other(&self) -> Uuid {
        other(&self.row, self.viewer)
    }

    /// As this one of the two sees it: never [`State::Withheld`].
    #[must_use]
    pub fn state(&self) -> State {
        if self.row.state == State::Withheld { State::Pending } else { self.row.state }
    }

    #[must_use]
    pub fn direction(&self) -> Direction {
        if self.row.requested_by == self.viewer { Direction::Outgoing } else { Direction::Incoming }
    }

    /// Whether this one of the two would change something by doing this, as far as they see.
    #[must_use]
    pub fn allows(&self, act: Act) -> bool {
        let (state, mine) = (self.state(), self.direction() == Direction::Outgoing);
        next(act, state, mine).is_some_and(|next| next != state)
    }

    /// From when on this one may ask again whoever has declined; `None` where nothing is to be waited for.
    #[must_use]
    pub fn requestable_at(&self, pause: Duration) -> Option<Timestamp> {
        let declined = self.row.state == State::Declined && self.direction() == Direction::Outgoing;
        declined.then(|| self.row.changed_at.plus(pause))
    }
}

pub(super) fn is_of(row: &Model, person: Uuid) -> bool {
    [row.low_id, row.high_id].contains(&person)
}

pub(super) fn other(row: &Model, person: Uuid) -> Uuid {
    if row.low_id == person { row.high_id } else { row.low_id }
}

/// The lower id and the higher one, as a pair's row has them.
pub(super) fn pair(one: Uuid, two: Uuid) -> (Uuid, Uuid) {
    (one.min(two), one.max(two))
}

/// What one of the two does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Request,
    Accept,
    Decline,
    Cancel,
    Remove,
    Block,
}

/// What a pair becomes; the same state where there is nothing to do, as on a repeat. `mine`: whether who acts is who asked
/// last. `None`: it cannot be done.
pub(super) fn next(act: Act, state: State, mine: bool) -> Option<State> {
    use State::{Accepted, Cancelled, Closing, Declined, Pending, Removed, Withheld};
    match (act, state, mine) {
        // Who asks the one who has asked them agrees.
        (Act::Request, Pending | Withheld, false) => Some(Accepted),
        (Act::Request, Accepted | Pending, _) => Some(state),
        (Act::Request, Withheld | Declined | Cancelled | Removed | Closing, _) => Some(Pending),
        (Act::Accept, Pending, false) | (Act::Accept, Accepted, _) => Some(Accepted),
        (Act::Decline, Pending | Declined, false) => Some(Declined),
        (Act::Cancel, Pending | Withheld | Cancelled, true) => Some(Cancelled),
        (Act::Remove | Act::Block, Accepted, _) => Some(Removed),
        (Act::Remove, _, _) => Some(state),
        (Act::Block, Pending, false) => Some(Withheld),
        (Act::Block, Pending | Withheld, true) => Some(Cancelled),
        (Act::Block, _, _) => Some(state),
        (Act::Accept | Act::Decline | Act::Cancel, _, _) => None,
    }
}
