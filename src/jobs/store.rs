//! Queries over `job`.

use entity::{
    Timestamp,
    job::{ActiveModel, Column, Entity, Lane, Model, State},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, ExprTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
    sea_query::{Asterisk, Expr, Query, SelectStatement, UnionType},
};
use uuid::Uuid;

use super::Job;
use crate::db::Db;

/// What a row begins as.
#[derive(Clone)]
pub(super) struct New {
    pub kind: &'static str,
    pub lane: Lane,
    pub payload: String,
    pub max_attempts: i32,
}

impl New {
    pub fn of<J: Job>(job: &J) -> Result<Self, serde_json::Error> {
        let payload = serde_json::to_string(job)?;
        Ok(Self { kind: J::KIND, lane: J::LANE, payload, max_attempts: J::MAX_ATTEMPTS })
    }
}

pub(super) async fn insert(connection: &impl ConnectionTrait, new: New, run_at: Timestamp) -> Result<(), DbErr> {
    Entity::insert(row(new, run_at, None)).exec_without_returning(connection).await?;
    Ok(())
}

/// Writes a job unless one of this key is waiting or at work.
pub(super) async fn insert_unique(
    connection: &impl ConnectionTrait,
    new: New,
    run_at: Timestamp,
    key: String,
) -> Result<(), DbErr> {
    let row = row(new, run_at, Some(key));
    Entity::insert(row).on_conflict_do_nothing_on([Column::UniqueKey]).exec_without_returning(connection).await?;
    Ok(())
}

fn row(new: New, run_at: Timestamp, unique_key: Option<String>) -> ActiveModel {
    ActiveModel {
        id: Set(Uuid::now_v7()),
        kind: Set(new.kind.to_owned()),
        lane: Set(new.lane),
        payload: Set(new.payload),
        state: Set(State::Waiting),
        run_at: Set(run_at),
        attempts: Set(0),
        max_attempts: Set(new.max_attempts),
        lease_token: Set(None),
        lease_until: Set(None),
        last_error: Set(None),
        unique_key: Set(unique_key),
        created_at: Set(run_at),
        finished_at: Set(None),
    }
}

/// The waiting jobs that nobody has, of each lane up to its limit, those that are due first; in one statement, as this is asked
/// all the time.
pub(super) async fn waiting(
    db: &Db,
    now: Timestamp,
    lanes: impl Iterator<Item = (Lane, u64)>,
) -> Result<Vec<Model>, DbErr> {
    let first = |(lane, limit): (Lane, u64)| {
        let of_lane = Entity::find()
            .filter(Column::Lane.eq(lane))
            .filter(Column::State.eq(State::Waiting))
            .filter(free(now))
            .order_by_asc(Column::RunAt)
            .limit(limit)
            .into_query();
        // Only around it may a limit stand in a union, on SQLite.
        Query::select().expr(Expr::col(Asterisk)).from_subquery(of_lane, "of_lane").take()
    };
    let unite = |mut all: SelectStatement, lane| all.union(UnionType::All, lane).take();
    let Some(all) = lanes.map(first).reduce(unite) else { return Ok(Vec::new()) };
    let rows = db.read().query_all(&all).await?;
    let mut jobs = rows.iter().map(|row| Model::from_query_result(row, "")).collect::<Result<Vec<_>, _>>()?;
    jobs.sort_by_key(|job| job.run_at);
    Ok(jobs)
}

/// The job of this unique key, where it is due and nobody has it.
pub(super) async fn due_by_key(db: &Db, key: &str, now: Timestamp) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::UniqueKey.eq(key))
        .filter(Column::State.eq(State::Waiting))
        .filter(Column::RunAt.lte(now))
        .filter(free(now))
        .one(db.read())
        .await
}

fn free(now: Timestamp) -> Condition {
    Condition::any().add(Column::LeaseUntil.is_null()).add(Column::LeaseUntil.lt(now))
}

/// Those of the candidates that could be had, leased to the caller, each with its own token.
pub(super) async fn claim(db: &Db, candidates: Vec<Model>, lease: std::time::Duration) -> Result<Vec<Model>, DbErr> {
    if candidates.is_empty() {
        return Ok(candidates);
    }
    let now = db.now(db.read()).await?;
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
                    .filter(free(now))
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
