//! What people change of their own account.

use entity::{
    session::Kind,
    user::{Column, Model},
};
use sea_orm::sea_query::Expr;
use secrecy::SecretString;

use super::{
    credentials,
    error::{AccountsError, Problem},
    find,
    model::{self, Email, Username},
    store,
    throttle::{self, Counter},
};
use crate::{
    app::App,
    db::is_unique_violation,
    error::Fault,
    password::Verdict,
    viewer::{Denied, Viewer},
};

/// New values; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub about: Option<String>,
    pub shows_last_seen: Option<bool>,
}

#[derive(Clone, Debug)]
pub struct PasswordChange {
    pub current: SecretString,
    pub new: SecretString,
    /// API tokens outlive a change of password unless they are to end too.
    pub revoke_api_tokens: bool,
}

#[derive(Debug)]
pub struct PasswordChanged {
    pub user: Model,
    /// How many other sessions, and tokens if asked, were ended.
    pub ended: u64,
}

/// Changes names, address, text and what is shown of the viewer's account.
pub async fn update_profile(app: &App, viewer: &Viewer, change: &ProfileChange) -> Result<Model, AccountsError> {
    let me = viewer.person()?;
    let email = change.email.as_deref().map(Email::parse).transpose();
    let first_name = change.first_name.as_deref().map(|name| model::name("firstName", name, true)).transpose();
    let last_name = change.last_name.as_deref().map(|name| model::name("lastName", name, false)).transpose();
    let about = change.about.as_deref().map(model::about).transpose();
    let (Ok(email), Ok(first_name), Ok(last_name), Ok(about)) = (&email, &first_name, &last_name, &about) else {
        let problems = [email.err(), first_name.err(), last_name.err(), about.err()];
        return Err(AccountsError::Refused(problems.into_iter().flatten().collect()));
    };
    let columns = [
        (Column::Email, email.as_ref().map(|email| &email.address)),
        (Column::EmailKey, email.as_ref().map(|email| &email.key)),
        (Column::FirstName, first_name.as_ref()),
        (Column::LastName, last_name.as_ref()),
        (Column::About, about.as_ref()),
    ];
    let outcome = app
        .transaction::<_, AccountsError, _, _>(async |tx| {
            let mut update = store::update_user(me.user_id, app.now());
            for (column, value) in columns {
                if let Some(value) = value {
                    update = update.col_expr(column, Expr::value(value.as_str()));
                }
            }
            if let Some(shows) = change.shows_last_seen {
                // The time is kept only of who shows it.
                let seen = if shows { Some(app.db.now(&tx).await?) } else { None };
                update = update.col_expr(Column::ShowsLastSeen, Expr::value(shows));
                update = update.col_expr(Column::LastSeenAt, Expr::value(seen));
            }
            update.exec(&tx).await?;
            let user = store::user(&tx, me.user_id).await?.ok_or(Denied::Unauthenticated)?;
            if first_name.is_some() || last_name.is_some() {
                find::update(&tx, &user).await?;
            }
            Ok(user)
        })
        .await;
    match outcome {
        Err(AccountsError::Fault(Fault::Database(error))) if is_unique_violation(&error) => {
            Err(Problem::EmailTaken.into())
        }
        outcome => outcome,
    }
}

/// Changes the viewer's password and ends their other sessions.
pub async fn change_password(
    app: &App,
    viewer: &Viewer,
    change: &PasswordChange,
) -> Result<PasswordChanged, AccountsError> {
    let me = viewer.person()?;
    let user = store::user(app.db.read(), me.user_id).await?.ok_or(Denied::Unauthenticated)?;
    let new = chosen(app, "newPassword", &change.new, &user)?;
    let counters = [Counter::password_change(app, user.id)];
    compare_password(app, &user, &change.current, &counters).await?;
    let hash = app.password_hasher.hash(new).await?;
    let kinds: &[Kind] = if change.revoke_api_tokens { &[Kind::Session, Kind::Token] } else { &[Kind::Session] };
    let changed = app
        .transaction::<_, AccountsError, _, _>(async |tx| {
            let row = store::lock_user(&tx, user.id).await?.ok_or(Denied::Unauthenticated)?;
            if row.password_hash != user.password_hash {
                return Err(Problem::WrongPassword.into());
            }
            if let Some(over) = throttle::check(app, &tx, &counters).await? {
                return Err(Problem::from(over).into());
            }
            let update = store::update_user(user.id, app.now());
            update.col_expr(Column::PasswordHash, Expr::value(hash.as_str())).exec(&tx).await?;
            throttle::clear(&tx, &counters).await?;
            let ended = store::delete_sessions(&tx, user.id, kinds, Some(me.session_id)).await?;
            Ok(PasswordChanged { user: row, ended })
        })
        .await?;
    tracing::info!(user.id = %user.id, ended = changed.ended, "password changed");
    Ok(changed)
}

/// Compares the current password, as often as the counters allow; a wrong one is counted.
pub(super) async fn compare_password(
    app: &App,
    user: &Model,
    password: &SecretString,
    counters: &[Counter],
) -> Result<(), AccountsError> {
    if let Some(over) = throttle::glance(app, counters).await? {
        return Err(Problem::from(over).into());
    }
    let candidate = credentials::candidate(password);
    if app.password_hasher.verify(candidate, Some(user.password_hash.clone())).await? == Verdict::Wrong {
        let over =
            app.transaction::<_, AccountsError, _, _>(async |tx| Ok(throttle::fail(app, &tx, counters).await?)).await?;
        return Err(over.map_or(Problem::WrongPassword, Problem::from).into());
    }
    Ok(())
}

/// A new password for an account that exists.
pub(super) fn chosen(
    app: &App,
    field: &'static str,
    password: &SecretString,
    user: &Model,
) -> Result<SecretString, Problem> {
    let username = Username { name: user.username.clone(), key: user.username_key.clone() };
    let email = Email { address: user.email.clone(), key: user.email_key.clone() };
    credentials::choose(field, password, app.config.accounts.password_min_length, Some(&username), Some(&email))
}
