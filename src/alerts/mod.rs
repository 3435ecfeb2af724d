//! Alerts: written in the transaction of the act they tell of, delivered by a job.

pub mod graphql;
mod jobs;
pub mod storms;

use entity::{
    Timestamp,
    alert::{Column, Entity, Kind, Model, State},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, DbErr, EntityTrait, IntoActiveModel as _, Order, QueryFilter as _,
    sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    app::App,
    db::{
        Tx,
        page::{self, Page, PageRequest, Position},
    },
    error::Fault,
    jobs::Registry,
    viewer::Viewer,
};

/// An alert to be raised.
#[derive(Clone, Debug)]
pub struct NewAlert {
    pub kind: Kind,
    /// `None`: the system.
    pub actor_id: Option<Uuid>,
    /// How many things the act touched.
    pub count: usize,
    /// For people.
    pub message: String,
    /// For machines.
    pub details: serde_json::Value,
}

pub fn register(registry: &mut Registry) {
    registry.register::<jobs::Deliver>();
    registry.register::<storms::Tell>();
}

/// Writes the alert and its delivery in the caller's transaction. Deliveries carry the returned row's id.
pub async fn raise(app: &App, tx: &Tx, alert: NewAlert) -> Result<Model, DbErr> {
    raise_as(app, tx, Uuid::now_v7(), alert).await
}

async fn raise_as(app: &App, tx: &Tx, id: Uuid, alert: NewAlert) -> Result<Model, DbErr> {
    let row = Model {
        id,
        kind: alert.kind,
        state: State::Pending,
        actor_id: alert.actor_id,
        count: i64::try_from(alert.count).unwrap_or(i64::MAX),
        message: alert.message,
        details: alert.details,
        attempts: 0,
        last_error: None,
        created_at: app.now(),
        delivered_at: None,
        receipt: None,
    };
    Entity::insert(row.clone().into_active_model().reset_all()).exec_without_returning(tx).await?;
    crate::jobs::enqueue(app, tx, &jobs::Deliver { alert: row.id }).await?;
    Ok(row)
}

/// Has a failed alert delivered again. `false`: it has not failed, or is not there.
pub async fn deliver_again(app: &App, tx: &Tx, id: Uuid) -> Result<bool, DbErr> {
    let waits = Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Pending))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(State::Failed))
        .exec(tx)
        .await?;
    if waits.rows_affected == 0 {
        return Ok(false);
    }
    // The dead letter's job of it goes: this one takes its place.
    let deliver = jobs::Deliver { alert: id };
    crate::jobs::discard_dead(tx, &deliver).await?;
    crate::jobs::enqueue(app, tx, &deliver).await?;
    Ok(true)
}

/// The alert, where the viewer may see it: operators and admins see all, others those of their own acts.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Model>, Fault> {
    let alert = Entity::find_by_id(id).one(app.db.read()).await?;
    Ok(alert.filter(|alert| {
        viewer.operator().is_ok() || (viewer.user_id().is_some() && viewer.user_id() == alert.actor_id)
    }))
}

/// Whether the viewer may read why a delivery failed, in the words of what alerts are sent to: operators and admins.
#[must_use]
pub fn sees_delivery(viewer: &Viewer) -> bool {
    viewer.operator().is_ok()
}

/// All alerts, newest first. Operators and admins.
pub async fn list(app: &App, viewer: &Viewer, page: &PageRequest<Position<Timestamp>>) -> Result<Page<Model>, Fault> {
    viewer.operator()?;
    let rows =
        page::keyset(Entity::find(), Column::CreatedAt, Column::Id, Order::Desc, page).all(app.db.read()).await?;
    Ok(page.finish(rows))
}
