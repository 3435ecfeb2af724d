//! The delivery of an alert.

use async_trait::async_trait;
use entity::alert::{Column, Entity, Kind, State};
use sea_orm::{ActiveEnum, ColumnTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    adapters::alert_sink::{OutgoingAlert, SinkError},
    app::App,
    db::Tx,
    jobs::{Job, JobError},
};

/// Delivers one alert, at least once, always with the same id.
#[derive(Serialize, Deserialize)]
pub(super) struct Deliver {
    pub alert: Uuid,
}

#[async_trait]
impl Job for Deliver {
    const KIND: &'static str = "alerts.deliver";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let Some(alert) = Entity::find_by_id(self.alert).one(app.db.read()).await? else { return Ok(()) };
        if alert.state == State::Delivered {
            return Ok(());
        }
        let outgoing = OutgoingAlert {
            id: alert.id,
            kind: alert.kind.to_value(),
            subject: subject(alert.kind),
            message: alert.message,
            details: alert.details,
        };
        let outcome = app.alert_sink.deliver(&outgoing).await;
        let now = app.now();
        let update = Entity::update_many()
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .filter(Column::Id.eq(self.alert));
        let update = match &outcome {
            Ok(receipt) => update
                .col_expr(Column::State, Expr::value(State::Delivered))
                .col_expr(Column::DeliveredAt, Expr::value(now))
                .col_expr(Column::Receipt, Expr::value(receipt.0.as_str())),
            Err(error) => update.col_expr(Column::LastError, Expr::value(error.to_string())),
        };
        app.db.transaction::<_, DbErr, _, _>(async |tx| update.clone().exec(&tx).await).await?;
        match outcome {
            Ok(_) => Ok(()),
            Err(SinkError::Unavailable(error)) => Err(JobError::Retry(error)),
            Err(SinkError::Refused(error)) => Err(JobError::Fail(error)),
        }
    }

    async fn on_dead(&self, _app: &App, tx: &Tx, error: &str) -> Result<(), DbErr> {
        Entity::update_many()
            .col_expr(Column::State, Expr::value(State::Failed))
            .col_expr(Column::LastError, Expr::value(error))
            .filter(Column::Id.eq(self.alert))
            .filter(Column::State.eq(State::Pending))
            .exec(tx)
            .await?;
        Ok(())
    }
}

/// Fixed ASCII: SNS refuses anything else in a subject, so names go to the body.
pub(super) fn subject(kind: Kind) -> &'static str {
    match kind {
        Kind::FilesTrashed => "Snaphaven: files moved to the trash",
        Kind::FilesPurged => "Snaphaven: files deleted for good",
        Kind::FilesRemoved => "Snaphaven: files removed by an admin",
        Kind::FilesExpired => "Snaphaven: trashed files expired",
        Kind::AccountClosed => "Snaphaven: account closed",
        Kind::UserSuspended => "Snaphaven: account suspended",
        Kind::AdminMade => "Snaphaven: admin made",
        Kind::ReplicationFault => "Snaphaven: something is wrong with the copies",
        Kind::ReplicationWell => "Snaphaven: the copies are well again",
        Kind::PrimaryChanged => "Snaphaven: another site is the primary",
        Kind::LogInThrottled => "Snaphaven: log-ins refused after too many failures",
    }
}
