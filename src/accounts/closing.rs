//! The end of an account, as far as the account itself goes; `closing` erases what it had.

use entity::{
    session::Kind,
    user::{Column, Model, Role, Status},
};
use sea_orm::{DbErr, sea_query::Expr};
use secrecy::SecretString;
use uuid::Uuid;

use super::{
    error::{AccountsError, Problem},
    profile, sessions, store,
    throttle::{self, Counter},
};
use crate::{
    app::App,
    db::Tx,
    viewer::{Denied, Identity},
};

/// The account of somebody who has just given its password.
#[derive(Clone, Debug)]
pub struct Confirmed {
    user: Model,
    counters: [Counter; 1],
}

/// Compares the current password, as for a change of it.
pub async fn confirm(app: &App, me: &Identity, password: &SecretString) -> Result<Confirmed, AccountsError> {
    let user = store::user(app.db.read(), me.user_id).await?.ok_or(Denied::Unauthenticated)?;
    let counters = [Counter::password_change(app, user.id)];
    profile::compare_password(app, &user, password, &counters).await?;
    Ok(Confirmed { user, counters })
}

/// Takes the account out of use in the caller's transaction: from its commit on nobody comes in, and for everybody but
/// admins it is gone. Not with an API token, and not the last admin's.
pub async fn retire(app: &App, tx: &Tx, me: &Identity, confirmed: &Confirmed) -> Result<(), AccountsError> {
    let row = store::lock_user(tx, me.user_id).await?.filter(|row| row.status == Status::Active);
    let row = row.ok_or(Denied::Unauthenticated)?;
    sessions::require_log_in(tx, me).await?;
    if row.password_hash != confirmed.user.password_hash {
        return Err(Problem::WrongPassword.into());
    }
    if let Some(over) = throttle::check(app, tx, &confirmed.counters).await? {
        return Err(Problem::from(over).into());
    }
    // Of two admins who close at once, each waits for the other's row: the database lets one of them begin anew.
    if row.role == Role::Admin && store::lock_other_admins(tx, row.id).await?.is_empty() {
        return Err(Problem::LastAdmin.into());
    }
    let update = store::update_user(row.id, app.db.now(tx).await?);
    update.col_expr(Column::Status, Expr::value(Status::Closing)).exec(tx).await?;
    store::close_terms(tx, row.id).await?;
    store::delete_sessions(tx, row.id, &[Kind::Session, Kind::Token], None).await?;
    Ok(())
}

/// Whether something may be taken in for this account. Its row is held, together with others who ask: until the transaction
/// ends nobody closes it.
pub async fn stands(tx: &Tx, user_id: Uuid) -> Result<bool, DbErr> {
    Ok(store::hold_user(tx, user_id).await?.is_some_and(|row| row.status != Status::Closing))
}

/// Locks the account: until the transaction ends nothing is added to it. `None`: it was erased.
pub async fn lock(tx: &Tx, user_id: Uuid) -> Result<Option<Model>, DbErr> {
    store::lock_user(tx, user_id).await
}

/// Deletes the account's last rows, once nothing refers to it any more. The caller has locked it.
pub async fn erase(app: &App, tx: &Tx, user: &Model) -> Result<(), DbErr> {
    store::delete_sessions(tx, user.id, &[Kind::Session, Kind::Token], None).await?;
    let counters = [
        Counter::log_in(app, &user.username_key),
        Counter::log_in(app, &user.email_key),
        Counter::password_change(app, user.id),
    ];
    throttle::clear(tx, &counters).await?;
    store::delete_terms(tx, user.id).await?;
    store::delete_user(tx, user.id).await
}
