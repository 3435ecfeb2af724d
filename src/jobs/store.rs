//! Queries over `job`.

use entity::{
    Timestamp,
    job::{ActiveModel, Column, Entity, Model, State},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, sea_query::Expr,
};
use uuid::Uuid;

use super::Job;
use crate::db::Db;

pub(super) async fn insert<J: Job>(connection: &impl ConnectionTrait, job: &J, run_at: Timestamp) -> Result<(), DbErr> {
    let payload = serde_json::to_string(job).map_err(|error| DbErr::Json(error.to_string()))?;
    let row = row(J::KIND, payload, J::MAX_ATTEMPTS, run_at, None);
    Entity::insert(row).exec_without_returning(connection).await?;
    Ok(())
}

/// Writes a job unless one of this key is waiting or at work.
pub(super) async fn insert_unique(
    connection: &impl ConnectionTrait,
    kind: &'static str,
    payload: String,
    max_attempts: i32,
    run_at: Timestamp,
    key: String,
) -> Result<(), DbErr> {
    let row = row(kind, payload, max_attempts, run_at, Some(key));
    Entity::insert(row).on_conflict_do_nothing_on([Column::UniqueKey]).exec_without_returning(connection).await?;
    Ok(())
}

fn row(
    kind: &'static str,
    payload: String,
    max_attempts: i32,
    run_at: Timestamp,
    unique_key: Option<String>,
) -> ActiveModel {
    ActiveModel {
        id: Set(Uuid::now_v7()),
        kind: Set(kind.to_owned()),
        payload: Set(payload),
        state: Set(State::Waiting),
        run_at: Set(run_at),
        attempts: Set(0),
        max_attempts: Set(max_attempts),
        lease_token: Set(None),
        lease_until: Set(None),
        last_error: Set(None),
        unique_key: Set(unique_key),
        created_at: Set(run_at),
        finished_at: Set(None),
    }
}

/// Up to `limit` due jobs, or the one with this unique key, leased to the caller, each with its own token.
pub(super) async fn claim(
    db: &Db,
    key: Option<&str>,
    limit: u64,
    lease: std::time::Duration,
) -> Result<Vec<Model>, DbErr> {
    let now = db.now(db.read()).await?;
    let free = Condition::any().add(Column::LeaseUntil.is_null()).add(Column::LeaseUntil.lt(now));
    let candidates = Entity::find()
        .filter(Column::State.eq(State::Waiting))
        .filter(Column::RunAt.lte(now))
        .apply_if(key, |select, key| select.filter(Column::UniqueKey.eq(key)))
        .filter(free.clone())
        .order_by_asc(Column::RunAt)
        .limit(limit)
        .all(db.read())
        .await?;
    let mut claimed = Vec::with_capacity(candidates.len());
    for mut job in candidates {
        let token = Uuid::new_v4();
        let until = now.plus(lease);
        let won = db
            .transaction::<_, DbErr, _, _>(async |tx| {
                Entity::update_many()
                    .col_expr(Column::LeaseToken, Expr::value(token))
                    .col_expr(Column::LeaseUntil, Expr::value(until))
                    .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
                    .filter(Column::Id.eq(job.id))
                    .filter(Column::State.eq(State::Waiting))
                    .filter(Column::RunAt.lte(now))
                    .filter(free.clone())
                    .exec(&tx)
                    .await
            })
            .await;
        let won = match won {
            Ok(won) => won,
            Err(error) if claimed.is_empty() => return Err(error),
            // What is claimed is run; the rest waits for the next claim.
            Err(error) => {
                tracing::warn!(%error, "cannot claim all due jobs");
                break;
            }
        };
        if won.rows_affected == 1 {
            job.attempts += 1;
            job.lease_token = Some(token);
            job.lease_until = Some(until);
            claimed.push(job);
        }
    }
    Ok(claimed)
}

/// When the next waiting job that nobody has is due.
pub(super) async fn next_due(db: &Db) -> Result<Option<Timestamp>, DbErr> {
    let job = Entity::find()
        .filter(Column::State.eq(State::Waiting))
        .filter(Column::LeaseUntil.is_null())
        .order_by_asc(Column::RunAt)
        .one(db.read())
        .await?;
    Ok(job.map(|job| job.run_at))
}

/// Extends the lease; `false` where it was lost.
pub(super) async fn renew(db: &Db, job: &Model, lease: std::time::Duration) -> Result<bool, DbErr> {
    let until = db.now(db.read()).await?.plus(lease);
    held(db, job, |update| update.col_expr(Column::LeaseUntil, Expr::value(until))).await
}

/// Back to the queue, due after `pause`. `counted`: whether the attempt counts.
pub(super) async fn release(
    db: &Db,
    job: &Model,
    pause: std::time::Duration,
    error: Option<String>,
    counted: bool,
) -> Result<bool, DbErr> {
    let run_at = db.now(db.read()).await?.plus(pause);
    let attempts = if counted { job.attempts } else { job.attempts - 1 };
    held(db, job, |update| {
        update
            .col_expr(Column::RunAt, Expr::value(run_at))
            .col_expr(Column::Attempts, Expr::value(attempts))
            .col_expr(Column::LastError, Expr::value(error.or_else(|| job.last_error.clone())))
            .col_expr(Column::LeaseToken, Expr::value(None::<Uuid>))
            .col_expr(Column::LeaseUntil, Expr::value(None::<Timestamp>))
    })
    .await
}

async fn held(
    db: &Db,
    job: &Model,
    set: impl FnOnce(sea_orm::UpdateMany<Entity>) -> sea_orm::UpdateMany<Entity>,
) -> Result<bool, DbErr> {
    let update =
        set(Entity::update_many()).filter(Column::Id.eq(job.id)).filter(Column::LeaseToken.eq(job.lease_token));
    let outcome = db.transaction::<_, DbErr, _, _>(async |tx| update.clone().exec(&tx).await).await?;
    Ok(outcome.rows_affected == 1)
}

/// Done: the row goes, where the lease still holds.
pub(super) async fn complete(db: &Db, job: &Model) -> Result<bool, DbErr> {
    let outcome = db
        .transaction::<_, DbErr, _, _>(async |tx| {
            Entity::delete_many()
                .filter(Column::Id.eq(job.id))
                .filter(Column::LeaseToken.eq(job.lease_token))
                .exec(&tx)
                .await
        })
        .await?;
    Ok(outcome.rows_affected == 1)
}

/// To the dead letter, in the caller's transaction. Its unique key is freed, so that the next of its kind can run.
pub(super) async fn bury(
    connection: &impl ConnectionTrait,
    job: &Model,
    error: &str,
    now: Timestamp,
) -> Result<bool, DbErr> {
    let outcome = Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Dead))
        .col_expr(Column::LastError, Expr::value(error))
        .col_expr(Column::FinishedAt, Expr::value(now))
        .col_expr(Column::UniqueKey, Expr::value(None::<String>))
        .col_expr(Column::LeaseToken, Expr::value(None::<Uuid>))
        .col_expr(Column::LeaseUntil, Expr::value(None::<Timestamp>))
        .filter(Column::Id.eq(job.id))
        .filter(Column::LeaseToken.eq(job.lease_token))
        .exec(connection)
        .await?;
    Ok(outcome.rows_affected == 1)
}

pub(super) async fn delete_dead(connection: &impl ConnectionTrait, kind: &str, payload: String) -> Result<(), DbErr> {
    let dead = Entity::delete_many().filter(Column::State.eq(State::Dead)).filter(Column::Kind.eq(kind));
    dead.filter(Column::Payload.eq(payload)).exec(connection).await?;
    Ok(())
}

pub(super) async fn forget_leases(connection: &impl ConnectionTrait) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::LeaseToken, Expr::value(None::<Uuid>))
        .col_expr(Column::LeaseUntil, Expr::value(None::<Timestamp>))
        .filter(Column::State.eq(State::Waiting))
        .exec(connection)
        .await?;
    Ok(())
}
