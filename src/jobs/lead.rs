//! Leadership: one process at a time keeps the schedules. A lease row with an epoch says which.

use std::time::Duration;

use entity::{
    Timestamp,
    lease::{ActiveModel, Column, Entity},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, DbErr, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use crate::db::{Db, Tx};

/// Takes or renews the lease `name` for `holder`. `true`: the caller leads until `duration` from now. The lease's row stays
/// locked for the rest of the transaction, so what is written in it is a leader's: one that was paused beyond its lease writes
/// nothing.
pub async fn lead(db: &Db, tx: &Tx, name: &'static str, holder: Uuid, duration: Duration) -> Result<bool, DbErr> {
    let row = ActiveModel { name: Set(name.to_owned()), holder: Set(None), epoch: Set(0), until: Set(Timestamp(0)) };
    Entity::insert(row).on_conflict_do_nothing_on([Column::Name]).exec_without_returning(tx).await?;
    let now = db.now(tx).await?;
    let renewed = Entity::update_many()
        .col_expr(Column::Until, Expr::value(now.plus(duration)))
        .filter(Column::Name.eq(name))
        .filter(Column::Holder.eq(holder))
        .filter(Column::Until.gt(now))
        .exec(tx)
        .await?;
    if renewed.rows_affected == 1 {
        return Ok(true);
    }
    let taken = Entity::update_many()
        .col_expr(Column::Holder, Expr::value(holder))
        .col_expr(Column::Epoch, Expr::col(Column::Epoch).add(1))
        .col_expr(Column::Until, Expr::value(now.plus(duration)))
        .filter(Column::Name.eq(name))
        .filter(Condition::any().add(Column::Holder.is_null()).add(Column::Until.lte(now)))
        .exec(tx)
        .await?;
    Ok(taken.rows_affected == 1)
}

/// Gives the lease back, so that another process need not wait for its end.
pub async fn resign(db: &Db, name: &'static str, holder: Uuid) -> Result<(), DbErr> {
    db.transaction::<_, DbErr, _, _>(async |tx| {
        Entity::update_many()
            .col_expr(Column::Until, Expr::value(Timestamp(0)))
            .filter(Column::Name.eq(name))
            .filter(Column::Holder.eq(holder))
            .exec(&tx)
            .await
    })
    .await?;
    Ok(())
}
