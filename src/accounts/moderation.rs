//! What admins do to accounts: suspend, reinstate, give roles. Each act is in the audit log, and what admins have to know
//! raises an alert, in the same transaction.

use entity::{
    alert,
    session::Kind,
    user::{Column, Model, Role, Status},
};
use sea_orm::{ActiveEnum as _, DbErr, sea_query::Expr};
use serde_json::json;
use uuid::Uuid;

use super::{
    error::{AccountsError, Problem},
    sessions, store,
};
use crate::{
    alerts::{self, NewAlert},
    app::App,
    audit,
    db::Tx,
    id::NodeKind,
    text,
    viewer::{Denied, Identity, Viewer},
};

/// An account after what was done to it, and the alert that told of it; `None` where nothing changed, or nobody has to know.
#[derive(Debug)]
pub struct Moderated {
    pub user: Model,
    pub alert: Option<alert::Model>,
}

/// Ends every log-in and token of the account, and lets nobody log in to it. A repeat changes nothing.
pub async fn suspend(app: &App, viewer: &Viewer, user: Uuid, reason: &str) -> Result<Moderated, AccountsError> {
    app.transaction(async |tx| suspend_in(app, &tx, viewer, user, reason).await).await
}

/// The same within the caller's transaction, which holds no lock yet that comes after an account's.
pub async fn suspend_in(
    app: &App,
    tx: &Tx,
    viewer: &Viewer,
    user: Uuid,
    reason: &str,
) -> Result<Moderated, AccountsError> {
    let me = admin(viewer)?;
    let reason = text::reason(reason).ok_or(Problem::InvalidReason)?;
    let row = lock(tx, me, user).await?;
    if row.id == me.user_id {
        return Err(Problem::Yourself.into());
    }
    match row.status {
        Status::Active => {}
        Status::Suspended => return Ok(Moderated { user: row, alert: None }),
        Status::Closing => return Err(Problem::AccountClosing.into()),
    }
    let now = app.db.now(tx).await?;
    let update = store::update_user(user, now)
        .col_expr(Column::Status, Expr::value(Status::Suspended))
        .col_expr(Column::SuspendedAt, Expr::value(now))
        .col_expr(Column::SuspensionReason, Expr::value(reason.as_str()));
    update.exec(tx).await?;
    store::delete_sessions(tx, user, &[Kind::Session, Kind::Token], None).await?;
    audit::record(tx, viewer, "user.suspended", user, json!({ "reason": reason }), now).await?;
    let message = format!("{} was suspended by {}: {reason}", row.username, me.account.username);
    let alert = raise(app, tx, me, alert::Kind::UserSuspended, &row, message).await?;
    let user = changed(tx, user).await?;
    Ok(Moderated { user, alert: Some(alert) })
}

/// Lets the person log in again. A repeat changes nothing.
pub async fn reinstate(app: &App, viewer: &Viewer, user: Uuid) -> Result<Moderated, AccountsError> {
    let me = admin(viewer)?;
    app.transaction(async |tx| {
        let row = lock(&tx, me, user).await?;
        match row.status {
            Status::Suspended => {}
            Status::Active => return Ok(Moderated { user: row, alert: None }),
            Status::Closing => return Err(Problem::AccountClosing.into()),
        }
        let now = app.db.now(&tx).await?;
        let update = store::update_user(user, now)
            .col_expr(Column::Status, Expr::value(Status::Active))
            .col_expr(Column::SuspendedAt, Expr::value(None::<i64>))
            .col_expr(Column::SuspensionReason, Expr::value(None::<String>));
        update.exec(&tx).await?;
        audit::record(&tx, viewer, "user.reinstated", user, json!({}), now).await?;
        Ok(Moderated { user: changed(&tx, user).await?, alert: None })
    })
    .await
}

/// Gives an account another role. Not with an API token; nobody raises their own, and one admin stays. A repeat changes
/// nothing.
pub async fn set_role(app: &App, viewer: &Viewer, user: Uuid, role: Role) -> Result<Moderated, AccountsError> {
    let me = admin(viewer)?;
    app.transaction(async |tx| {
        let row = lock(&tx, me, user).await?;
        sessions::require_log_in(&tx, me).await?;
        if row.role == role {
            return Ok(Moderated { user: row, alert: None });
        }
        if row.status != Status::Active {
            return Err(Problem::AccountNotActive.into());
        }
        // Of two admins who demote each other at once, each waits for the other's row: the database lets one begin anew.
        if row.role == Role::Admin && store::lock_other_admins(&tx, user).await?.is_empty() {
            return Err(Problem::LastAdmin.into());
        }
        let now = app.db.now(&tx).await?;
        store::update_user(user, now).col_expr(Column::Role, Expr::value(role)).exec(&tx).await?;
        let details = json!({ "from": row.role.to_value(), "to": role.to_value() });
        audit::record(&tx, viewer, "user.role_changed", user, details, now).await?;
        let alert = match role {
            Role::Admin => {
                let message = format!("{} was made an admin by {}", row.username, me.account.username);
                Some(raise(app, &tx, me, alert::Kind::AdminMade, &row, message).await?)
            }
            Role::User | Role::Operator => None,
        };
        Ok(Moderated { user: changed(&tx, user).await?, alert })
    })
    .await
}

/// The admin on whose word something goes on without them, held: until the transaction ends nobody suspends or demotes them.
/// The inner error says why it may not go on.
pub async fn hold_admin(tx: &Tx, admin: Uuid) -> Result<Result<Model, &'static str>, DbErr> {
    Ok(match store::hold_user(tx, admin).await? {
        None | Some(Model { status: Status::Closing, .. }) => Err("its admin has closed the account"),
        Some(Model { status: Status::Suspended, .. }) => Err("its admin was suspended"),
        Some(Model { role: Role::User | Role::Operator, .. }) => Err("its admin is an admin no more"),
        Some(row) => Ok(row),
    })
}

/// The person who moderates. The server itself has its command line for that.
fn admin(viewer: &Viewer) -> Result<&Identity, Denied> {
    viewer.admin()?;
    viewer.person()
}

/// The account, locked, where whoever asks is an admin still: the rows of both, in the order of their ids.
async fn lock(tx: &Tx, me: &Identity, user: Uuid) -> Result<Model, AccountsError> {
    let mut rows = Vec::with_capacity(2);
    let mut ids = vec![me.user_id, user];
    ids.sort();
    ids.dedup();
    for id in ids {
        rows.extend(store::lock_user(tx, id).await?);
    }
    let is_admin = |row: &Model| row.id == me.user_id && row.role == Role::Admin && row.status == Status::Active;
    if !rows.iter().any(is_admin) {
        return Err(Denied::Forbidden.into());
    }
    Ok(rows.into_iter().find(|row| row.id == user).ok_or(Problem::NoSuchAccount)?)
}

async fn changed(tx: &Tx, user: Uuid) -> Result<Model, AccountsError> {
    Ok(store::user(tx, user).await?.ok_or(Problem::NoSuchAccount)?)
}

async fn raise(
    app: &App,
    tx: &Tx,
    me: &Identity,
    kind: alert::Kind,
    user: &Model,
    message: String,
) -> Result<alert::Model, AccountsError> {
    let details = json!({ "user": NodeKind::User.id(user.id).to_string(), "username": user.username });
    let alert = NewAlert { kind, actor_id: Some(me.user_id), count: 1, message, details };
    Ok(alerts::raise(app, tx, alert).await?)
}
