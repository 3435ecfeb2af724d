//! Friends: who may send snaps to whom. One row per pair; a block wins over everything, and nobody is told of it.

mod store;

use std::collections::HashSet;

use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr};
use uuid::Uuid;

use crate::db::Tx;

/// Those of `others` who are friends of this person, locked: they stay friends until the caller's transaction ends.
pub async fn among(tx: &Tx, person: Uuid, others: &[Uuid]) -> Result<HashSet<Uuid>, DbErr> {
    let rows = store::lock_accepted(tx, person, others).await?;
    Ok(rows.into_iter().map(|row| if row.low_id == person { row.high_id } else { row.low_id }).collect())
}

/// Whether a block stands between the two, in either direction.
pub async fn are_apart(connection: &impl ConnectionTrait, one: Uuid, other: Uuid) -> Result<bool, DbErr> {
    store::is_block_between(connection, one, other).await
}

/// That no block stands between `person` and whom this column names, for a query over things of others.
pub fn not_apart<C: ColumnTrait>(column: C, person: Uuid) -> Condition {
    let (blocked, blockers) = store::blocks_of(person);
    Condition::all().add(column.not_in_subquery(blocked)).add(column.not_in_subquery(blockers))
}
