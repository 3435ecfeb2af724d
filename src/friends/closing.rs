//! The end of a person's friendships and blocks, with their account.

use entity::{Timestamp, friendship::State};
use sea_orm::DbErr;
use serde_json::json;
use uuid::Uuid;

use super::{
    model::{self, Friendship},
    store,
};
use crate::{app::App, db::Tx, events};

/// Pairs deleted in one transaction.
const BATCH: u64 = 50;

/// Nobody is a friend of this person from the transaction's commit on. Before the account is locked: pairs come first.
pub async fn end_all(tx: &Tx, person: Uuid, now: Timestamp) -> Result<(), DbErr> {
    store::close_all(tx, person, now).await
}

/// Deletes some of a person's pairs, and tells the others of whom they saw something to look again. Whether some are left.
pub async fn erase_some(app: &App, tx: &Tx, person: Uuid) -> Result<bool, DbErr> {
    let rows = store::lock_some(tx, person, BATCH).await?;
    let now = app.db.now(tx).await?;
    let mut others: Vec<_> = rows.iter().map(|row| (model::other(row, person), row)).collect();
    others.sort_unstable_by_key(|(other, _)| *other);
    for (other, row) in others {
        if row.state == State::Closing || Friendship::seen(row.clone(), other).is_some() {
            events::append(tx, other, events::FRIENDSHIP_CHANGED, json!({ "friendship": row.id }), now).await?;
        }
        // What was written for nobody to read.
        events::forget(tx, row.id).await?;
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    store::delete(tx, &ids).await?;
    Ok(rows.len() as u64 == BATCH)
}

/// Deletes the blocks of a person and of others against them. `false`: a request that was under way has left another pair.
/// The caller has locked the account.
pub async fn forget(tx: &Tx, person: Uuid) -> Result<bool, DbErr> {
    store::delete_blocks(tx, person).await?;
    store::has_none(tx, person).await
}
