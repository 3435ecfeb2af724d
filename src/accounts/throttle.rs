//! Counters of failed attempts in the database, so that they hold across processes and restarts.
//!
//! A window starts with its first failure and does not slide. What decides is the count at commit time under the
//! counter's lock: of any number of parallel guesses, none that comes after the limit is accepted.

use std::{net::IpAddr, time::Duration};

use entity::{
    Timestamp,
    throttle::{ActiveModel, Column, Entity, Model},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

use super::{credentials::sha256, error::Problem};
use crate::{app::App, db::Tx};

/// What is counted, and how many failures a window allows.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    key: String,
    limit: i64,
}

impl Counter {
    /// Log-ins to one account, existing or not. Hashed, because what people type may be long, and may be a password.
    pub fn log_in(app: &App, log_in_key: &str) -> Self {
        Self {
            key: format!("log_in:account:{}", hex::encode(sha256(log_in_key))),
            limit: app.config.accounts.log_in_failures_per_account.into(),
        }
    }

    /// Log-ins from one address; of IPv6, from one /64, which is what one customer gets.
    pub fn address(app: &App, address: IpAddr) -> Self {
        let network = match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        };
        Self { key: format!("log_in:address:{network}"), limit: app.config.accounts.log_in_failures_per_address.into() }
    }

    /// Guesses of the current password by who holds a session.
    pub fn password_change(app: &App, user_id: uuid::Uuid) -> Self {
        Self {
            key: format!("password_change:{}", user_id.simple()),
            limit: app.config.accounts.log_in_failures_per_account.into(),
        }
    }
}

/// A counter is at its limit.
#[derive(Clone, Debug)]
pub(super) struct Over {
    pub wait: Duration,
    /// Of two the one that is so for longer.
    pub key: String,
}

impl From<Over> for Problem {
    fn from(over: Over) -> Self {
        Self::TooManyAttempts { retry_after: over.wait }
    }
}

/// Which of the counters is at its limit. Takes no lock: a first look that saves a hash.
pub(super) async fn glance(app: &App, counters: &[Counter]) -> Result<Option<Over>, DbErr> {
    let connection = app.db.read();
    let rows = Entity::find().filter(Column::Key.is_in(keys(counters))).all(connection).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(over(app, &rows, counters, app.db.now(connection).await?, |count, limit| count >= limit))
}

/// The same under lock, to be decided upon in this transaction.
pub(super) async fn check(app: &App, tx: &Tx, counters: &[Counter]) -> Result<Option<Over>, DbErr> {
    let rows = locked(tx, counters).await?;
    Ok(over(app, &rows, counters, app.db.now(tx).await?, |count, limit| count >= limit))
}

/// Counts a failure, and says which limit had been reached before it.
pub(super) async fn fail(app: &App, tx: &Tx, counters: &[Counter]) -> Result<Option<Over>, DbErr> {
    let now = app.db.now(tx).await?;
    for counter in counters {
        count(tx, counter, now, now.minus(app.config.accounts.log_in_window)).await?;
    }
    let rows = locked(tx, counters).await?;
    Ok(over(app, &rows, counters, now, |count, limit| count > limit))
}

pub(super) async fn clear(tx: &Tx, counters: &[Counter]) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::Key.is_in(keys(counters))).exec(tx).await?;
    Ok(())
}

/// One more, in one statement: a first failure inserts, a later one adds, one after the window starts a new window.
async fn count(tx: &Tx, counter: &Counter, now: Timestamp, oldest: Timestamp) -> Result<(), DbErr> {
    let row = ActiveModel { key: Set(counter.key.clone()), window_start: Set(now), count: Set(1) };
    let stored = |column: Column| Expr::col((Entity, column));
    let over = || stored(Column::WindowStart).lte(oldest);
    let conflict = OnConflict::column(Column::Key)
        // In this order: MySQL assigns from left to right, and the second still has to see the old window.
        .value(Column::Count, Expr::case(over(), 1_i64).finally(stored(Column::Count).add(1_i64)))
        .value(Column::WindowStart, Expr::case(over(), now).finally(stored(Column::WindowStart)))
        .to_owned();
    Entity::insert(row).on_conflict(conflict).exec_without_returning(tx).await?;
    Ok(())
}

async fn locked(connection: &impl ConnectionTrait, counters: &[Counter]) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::Key.is_in(keys(counters)))
        .order_by_asc(Column::Key)
        .lock_exclusive()
        .all(connection)
        .await
}

fn over(
    app: &App,
    rows: &[Model],
    counters: &[Counter],
    now: Timestamp,
    is_over: impl Fn(i64, i64) -> bool,
) -> Option<Over> {
    let limit =
        |key: &str| counters.iter().find(|counter| counter.key == key).map_or(i64::MAX, |counter| counter.limit);
    let window = app.config.accounts.log_in_window;
    rows.iter()
        .filter(|row| is_over(row.count, limit(&row.key)))
        .map(|row| Over { wait: row.window_start.plus(window).since(now).min(window), key: row.key.clone() })
        .filter(|over| !over.wait.is_zero())
        .max_by_key(|over| over.wait)
}

fn keys(counters: &[Counter]) -> impl Iterator<Item = &str> {
    counters.iter().map(|counter| counter.key.as_str())
}
