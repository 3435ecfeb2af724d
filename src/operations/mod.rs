//! What operators watch and admins set going again: jobs, and alerts that could not be delivered.

pub mod graphql;

use entity::{
    Timestamp, alert,
    job::{Column, Entity, Model, State},
};
use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, Order, QueryFilter as _, sea_query::Expr};
use serde_json::json;
use uuid::Uuid;

use crate::{
    alerts,
    app::App,
    audit,
    db::page::{self, Page, PageRequest, Position},
    error::Fault,
    viewer::Viewer,
};

/// Where a job stands. One that has succeeded is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Waiting,
    Running,
    /// Out of attempts, or failed for good: the dead letter.
    Failed,
}

/// A job, and where it stands at the time it was looked at.
#[derive(Clone, Debug)]
pub struct Seen {
    pub row: Model,
    pub standing: Standing,
}

/// Jobs of one standing. Those that wait or run come by when they are or were due, those that failed the latest first.
/// Operators and admins.
pub async fn jobs(
    app: &App,
    viewer: &Viewer,
    standing: Standing,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<Seen>, Fault> {
    viewer.operator()?;
    let now = app.db.now(app.db.read()).await?;
    let leased = Column::LeaseUntil.gte(now);
    let (select, order) = match standing {
        Standing::Waiting => {
            let free = Condition::any().add(Column::LeaseUntil.is_null()).add(Column::LeaseUntil.lt(now));
            (Entity::find().filter(Column::State.eq(State::Waiting)).filter(free), Order::Asc)
        }
        Standing::Running => (Entity::find().filter(Column::State.eq(State::Waiting)).filter(leased), Order::Asc),
        Standing::Failed => (Entity::find().filter(Column::State.eq(State::Dead)), Order::Desc),
    };
    let rows = page::keyset(select, Column::RunAt, Column::Id, order, page).all(app.db.read()).await?;
    Ok(page.finish(rows).map(|row| Seen { row, standing }))
}

/// One job that has not succeeded. Operators and admins; nobody else learns of any.
pub async fn job(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Seen>, Fault> {
    if viewer.operator().is_err() {
        return Ok(None);
    }
    let now = app.db.now(app.db.read()).await?;
    Ok(Entity::find_by_id(id).one(app.db.read()).await?.map(|row| seen(row, now)))
}

fn seen(row: Model, now: Timestamp) -> Seen {
    let standing = match row.state {
        State::Dead => Standing::Failed,
        State::Waiting if row.lease_until.is_some_and(|until| until >= now) => Standing::Running,
        State::Waiting => Standing::Waiting,
    };
    Seen { row, standing }
}

/// Runs a failed job again, with all its attempts. Of one that waits or runs nothing changes. `None`: there is no such job,
/// or it has succeeded. Admins.
pub async fn retry_job(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Seen>, Fault> {
    viewer.admin()?;
    app.transaction(async |tx| {
        let now = app.db.now(&tx).await?;
        let revived = Entity::update_many()
            .col_expr(Column::State, Expr::value(State::Waiting))
            .col_expr(Column::RunAt, Expr::value(now))
            .col_expr(Column::Attempts, Expr::value(0))
            .col_expr(Column::FinishedAt, Expr::value(None::<Timestamp>))
            .filter(Column::Id.eq(id))
            .filter(Column::State.eq(State::Dead))
            .exec(&tx)
            .await?;
        let Some(row) = Entity::find_by_id(id).one(&tx).await? else { return Ok(None) };
        if revived.rows_affected == 1 {
            audit::record(&tx, viewer, "job.retried", id, json!({ "kind": row.kind }), now).await?;
        }
        Ok(Some(seen(row, now)))
    })
    .await
}

/// Delivers a failed alert again. Of one that waits or was delivered nothing changes. `None`: there is no such alert. Admins.
pub async fn retry_alert(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<alert::Model>, Fault> {
    viewer.admin()?;
    app.transaction(async |tx| {
        let now = app.db.now(&tx).await?;
        if alerts::deliver_again(app, &tx, id).await? {
            audit::record(&tx, viewer, "alert.retried", id, json!({}), now).await?;
        }
        Ok(alert::Entity::find_by_id(id).one(&tx).await?)
    })
    .await
}
