//! Friends: who may send snaps to whom. One row per pair; a block wins over everything, and nobody is told of it.

mod store;

use std::collections::HashSet;

use sea_orm::DbErr;
use uuid::Uuid;

use crate::db::Tx;

/// Those of `others` who are friends of this person, locked: they stay friends until the caller's transaction ends.
pub async fn among(tx: &Tx, person: Uuid, others: &[Uuid]) -> Result<HashSet<Uuid>, DbErr> {
    let rows = store::lock_accepted(tx, person, others).await?;
    Ok(rows.into_iter().map(|row| if row.low_id == person { row.high_id } else { row.low_id }).collect())
}
