//! Friends: who asks whom, who is whose friend, who blocks whom. One row per pair; a block wins over everything, and
//! nobody is told of it.
//!
//! What a pair may become is the table in `model`. Everything that changes a pair makes its row where there is none, and
//! locks it. The row is what both see, with one exception: a request to somebody who blocks the asker is `Withheld`, which
//! is pending to the asker and nothing to the other. A block itself shows to the blocked as nothing, or as what they would
//! see where the other one removed a friend or cancelled a request: both are quiet.

mod act;
mod blocks;
mod closing;
mod error;
mod list;
mod model;
mod store;

use std::collections::{HashMap, HashSet};

use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr};
use uuid::Uuid;

pub use act::{accept, cancel, decline, remove, request};
pub use blocks::{block, blocked, unblock};
pub use closing::{end_all, erase_some, forget};
pub use error::FriendsError;
pub use list::{Filter, count, list};
pub use model::{Act, Direction, Friendship};

use crate::{app::App, db::Tx, error::Fault, viewer::Viewer};

/// Those of `others` who are friends of this person, locked: they stay friends until the caller's transaction ends.
pub async fn among(tx: &Tx, person: Uuid, others: &[Uuid]) -> Result<HashSet<Uuid>, DbErr> {
    let rows = store::lock_accepted(tx, person, others).await?;
    Ok(rows.into_iter().map(|row| model::other(&row, person)).collect())
}

/// One of the viewer's own, as they see it.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Friendship>, Fault> {
    let Ok(me) = viewer.person() else { return Ok(None) };
    Ok(store::find(app.db.read(), id).await?.and_then(|row| Friendship::seen(row, me.user_id)))
}

/// What somebody has with another person.
#[derive(Clone, Debug, Default)]
pub struct Relation {
    pub friendship: Option<Friendship>,
    /// Whether they block the other; not whether the other blocks them.
    pub blocks: bool,
}

/// What this person has with each of these, as they see it; nothing of those with whom they have nothing.
pub async fn relations(app: &App, person: Uuid, others: &[Uuid]) -> Result<HashMap<Uuid, Relation>, Fault> {
    let mut found: HashMap<Uuid, Relation> = HashMap::new();
    for row in store::between(app.db.read(), person, others).await? {
        let other = model::other(&row, person);
        found.entry(other).or_default().friendship = Friendship::seen(row, person);
    }
    for other in store::blocked_among(app.db.read(), person, others).await? {
        found.entry(other).or_default().blocks = true;
    }
    Ok(found)
}

/// Whether a block stands between the two, in either direction.
pub async fn are_apart(connection: &impl ConnectionTrait, one: Uuid, other: Uuid) -> Result<bool, DbErr> {
    Ok(!store::blocks_between(connection, one, other).await?.is_empty())
}

/// That no block stands between `person` and whom this column names, for a query over things of others.
pub fn not_apart<C: ColumnTrait>(column: C, person: Uuid) -> Condition {
    let (blocked, blockers) = store::blocks_of(person);
    Condition::all().add(column.not_in_subquery(blocked)).add(column.not_in_subquery(blockers))
}
