//! What the operator of the server does to accounts from its command line. No request reaches these.

use entity::{
    session::Kind,
    user::{Column, Model, Role, Status},
};
use sea_orm::sea_query::Expr;
use secrecy::SecretString;

use super::{
    NewAccount,
    error::{AccountsError, Problem},
    model::{Email, Username},
    profile, sign_up, store,
};
use crate::{
    app::App,
    error::Fault,
    viewer::{Denied, Viewer},
};

/// Makes an account with the role ADMIN, also where sign-up is closed.
pub async fn create_admin(app: &App, viewer: &Viewer, input: &NewAccount) -> Result<Model, AccountsError> {
    system(viewer)?;
    let user = sign_up::prepare(app, input, Role::Admin).await?;
    sign_up::insert(app, &user, None).await?;
    tracing::info!(user.id = %user.id, "admin created");
    Ok(user)
}

/// Whether an active admin exists.
pub async fn has_admin(app: &App, viewer: &Viewer) -> Result<bool, Fault> {
    viewer.admin()?;
    Ok(store::has_role(app.db.read(), Role::Admin).await?)
}

/// Sets a password and ends every session and API token of the account. `login`: user name or e-mail address.
pub async fn reset_password(
    app: &App,
    viewer: &Viewer,
    login: &str,
    password: &SecretString,
) -> Result<Model, AccountsError> {
    system(viewer)?;
    let user = match Username::parse(login) {
        Ok(username) => store::user_by_name(app.db.read(), &username.key).await?,
        Err(_) => store::user_by_email(app.db.read(), &Email::parse(login)?.key).await?,
    };
    let user = user.filter(|user| user.status != Status::Closing).ok_or(Problem::NoSuchAccount)?;
    let password = profile::chosen(app, "password", password, &user)?;
    let hash = app.password_hasher.hash(password).await?;
    app.transaction::<_, AccountsError, _, _>(async |tx| {
        store::lock_user(&tx, user.id).await?;
        let update = store::update_user(user.id, app.now());
        update.col_expr(Column::PasswordHash, Expr::value(hash.as_str())).exec(&tx).await?;
        store::delete_sessions(&tx, user.id, &[Kind::Session, Kind::Token], None).await?;
        Ok(())
    })
    .await?;
    tracing::info!(user.id = %user.id, "password reset");
    Ok(user)
}

fn system(viewer: &Viewer) -> Result<(), Denied> {
    match viewer {
        Viewer::System(_) => Ok(()),
        Viewer::User(_) => Err(Denied::Forbidden),
        Viewer::Anonymous => Err(Denied::Unauthenticated),
    }
}
