//! Storms: what happens again and again. The first time is told at once, all further times in sums: at most one alert for each
//! key within `alerts.storm_window`, and none before the last one arrived or failed. Their counts add up to what happened.

use std::time::Duration;

use async_trait::async_trait;
use entity::{
    alert::{self, Kind, State},
    alert_storm::{Column, Entity, Model},
};
use sea_orm::{
    ActiveEnum as _, ActiveModelTrait as _, ColumnTrait as _, DbErr, EntityTrait, ExprTrait as _, IntoActiveModel as _,
    PaginatorTrait as _, QueryFilter as _, QuerySelect as _, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::NewAlert;
use crate::{
    app::App,
    db::Tx,
    jobs::{self, Job, JobError},
};

/// Storms told one by one. What else begins meanwhile is told as one, so that whoever makes up ever new keys fills no table.
const MAX_STORMS: u64 = 100;
/// Between two looks whether the last alert has arrived.
const IN_FLIGHT: Duration = Duration::from_secs(10);

/// Something that begins to happen.
#[derive(Clone, Debug)]
pub struct NewStorm {
    pub kind: Kind,
    /// What belongs together: at most 100 characters.
    pub key: String,
    /// What happens, for people, without an end: how often follows.
    pub message: String,
    /// For machines: an object.
    pub details: Value,
}

/// Counts what has happened `count` times in the caller's transaction, and tells it where it is the beginning of a storm.
pub async fn count(app: &App, tx: &Tx, storm: &NewStorm, count: i64) -> Result<(), DbErr> {
    if add(tx, &name(storm.kind, &storm.key), count).await? {
        return Ok(());
    }
    if Entity::find().count(tx).await? < MAX_STORMS {
        return begin(app, tx, storm, count).await;
    }
    let message = "More of the same than is told one by one".to_owned();
    let others = NewStorm { kind: storm.kind, key: "others".to_owned(), message, details: json!({}) };
    if add(tx, &name(others.kind, &others.key), count).await? { Ok(()) } else { begin(app, tx, &others, count).await }
}

/// `false`: there is no such storm.
async fn add(tx: &Tx, name: &str, count: i64) -> Result<bool, DbErr> {
    let added = Entity::update_many()
        .col_expr(Column::Untold, Expr::col(Column::Untold).add(count))
        .col_expr(Column::Total, Expr::col(Column::Total).add(count))
        .filter(Column::Key.eq(name))
        .exec(tx)
        .await?;
    Ok(added.rows_affected == 1)
}

async fn begin(app: &App, tx: &Tx, storm: &NewStorm, count: i64) -> Result<(), DbErr> {
    let now = app.db.now(tx).await?;
    let row = Model {
        key: name(storm.kind, &storm.key),
        kind: storm.kind,
        message: storm.message.clone(),
        details: storm.details.clone(),
        alert_id: Uuid::now_v7(),
        untold: 0,
        total: count,
        began_at: now,
        due_at: now.plus(app.config.alerts.storm_window),
    };
    let insert = Entity::insert(row.clone().into_active_model().reset_all());
    insert.on_conflict_do_nothing_on([Column::Key]).exec_without_returning(tx).await?;
    let stored = Entity::find_by_id(row.key.as_str()).lock_exclusive().one(tx).await?;
    if stored.is_none_or(|stored| stored.alert_id != row.alert_id) {
        // Another process began it, and has told.
        add(tx, &row.key, count).await?;
        return Ok(());
    }
    raise(app, tx, &row, count).await?;
    jobs::enqueue_at(tx, &Tell { storm: row.key }, row.due_at).await
}

fn name(kind: Kind, key: &str) -> String {
    format!("{}/{key}", kind.to_value())
}

/// The alert of the row's `alert_id`.
async fn raise(app: &App, tx: &Tx, storm: &Model, count: i64) -> Result<(), DbErr> {
    let Model { message, total, .. } = storm;
    let message = if count == *total {
        format!("{message}: {count} so far")
    } else {
        format!("{message}: {count} more, {total} in all")
    };
    let mut details = storm.details.clone();
    details["count"] = json!(count);
    details["total"] = json!(total);
    details["since"] = json!(storm.began_at.to_utc());
    let count = usize::try_from(count).unwrap_or_default();
    let alert = NewAlert { kind: storm.kind, actor_id: None, count, message, details };
    super::raise_as(app, tx, storm.alert_id, alert).await?;
    Ok(())
}

/// Tells what was not told in the last window, over and over until that is nothing.
#[derive(Serialize, Deserialize)]
pub(super) struct Tell {
    pub storm: String,
}

#[async_trait]
impl Job for Tell {
    const KIND: &'static str = "alerts.tell_storm";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let again = app.transaction(async |tx| tell(app, &tx, &self.storm).await).await?;
        again.map_or(Ok(()), |pause| Err(JobError::Later(pause)))
    }
}

/// How long until the next look; `None`: it is over.
async fn tell(app: &App, tx: &Tx, storm: &str) -> Result<Option<Duration>, DbErr> {
    let Some(storm) = Entity::find_by_id(storm).lock_exclusive().one(tx).await? else { return Ok(None) };
    let now = app.db.now(tx).await?;
    if storm.due_at > now {
        return Ok(Some(storm.due_at.since(now)));
    }
    let last = alert::Entity::find_by_id(storm.alert_id).one(tx).await?;
    if last.is_some_and(|last| last.state == State::Pending) {
        return Ok(Some(IN_FLIGHT));
    }
    if storm.untold == 0 {
        Entity::delete_by_id(storm.key).exec(tx).await?;
        return Ok(None);
    }
    let window = app.config.alerts.storm_window;
    let untold = storm.untold;
    let storm = Model { alert_id: Uuid::now_v7(), untold: 0, due_at: now.plus(window), ..storm };
    raise(app, tx, &storm, untold).await?;
    let key = storm.key.clone();
    let update = Entity::update_many().set(storm.into_active_model().reset_all());
    update.filter(Column::Key.eq(key)).exec(tx).await?;
    Ok(Some(window))
}
