//! Holds: an object that has one is not deleted, whoever asks. What was asked for meanwhile is remembered, and done when the
//! last hold ends.

use entity::object::{Column, Entity, Reason, State};
use sea_orm::{ColumnTrait as _, DbErr, EntityTrait as _, ExprTrait as _, QueryFilter as _, sea_query::Expr};
use uuid::Uuid;

use super::{Doomed, doom, store};
use crate::{app::App, db::Tx};

/// Holds these objects so many times more, all or none. `false`: one of them is being deleted, or gone, and a hold comes too late.
pub async fn hold(tx: &Tx, objects: &[Uuid], times: i32) -> Result<bool, DbErr> {
    let found = store::lock_many(tx, objects).await?;
    let stands = |state: State| matches!(state, State::Live | State::Pending);
    if found.len() != objects.len() || found.iter().any(|object| !stands(object.state)) {
        return Ok(false);
    }
    Entity::update_many()
        .col_expr(Column::Holds, Expr::col(Column::Holds).add(times))
        .filter(Column::Id.is_in(objects.iter().copied()))
        .exec(tx)
        .await?;
    Ok(true)
}

/// Ends one hold of each of these objects. Those that nobody holds any longer, and whose deletion waited for that, are doomed
/// by whoever had asked for it.
pub async fn release(app: &App, tx: &Tx, objects: &[Uuid]) -> Result<Doomed, DbErr> {
    let found = store::lock_many(tx, objects).await?;
    let held: Vec<_> = found.into_iter().filter(|object| object.holds > 0).collect();
    Entity::update_many()
        .col_expr(Column::Holds, Expr::col(Column::Holds).sub(1))
        .filter(Column::Id.is_in(held.iter().map(|object| object.id)))
        .exec(tx)
        .await?;
    let mut doomed = Doomed::default();
    for object in held.into_iter().filter(|object| object.holds == 1 && object.due_at.is_some()) {
        let reason = object.reason.unwrap_or(Reason::Removed);
        let outcome = doom(app, tx, &[object.id], object.requested_by, reason).await?;
        doomed.deleting.extend(outcome.deleting);
    }
    Ok(doomed)
}
