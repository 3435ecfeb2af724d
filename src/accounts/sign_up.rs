//! Making an account. The unique keys decide who gets a name, never a look beforehand.

use entity::{
    session,
    user::{Model, Role, Status},
};
use secrecy::SecretString;
use uuid::Uuid;

use super::{
    credentials,
    error::{AccountsError, Problem},
    find,
    model::{self, Email, Username},
    sessions::{LoggedIn, NewSession},
    store,
};
use crate::{app::App, db::is_unique_violation, error::Fault, viewer::RequestInfo};

/// What a new account is made from, as typed.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub username: String,
    pub email: String,
    pub first_name: String,
    /// May be empty: not everyone has one.
    pub last_name: String,
    pub password: SecretString,
}

/// Makes an account and logs it in.
pub async fn sign_up(app: &App, input: NewAccount, request: &RequestInfo) -> Result<LoggedIn, AccountsError> {
    if !app.config.accounts.sign_up {
        return Err(Problem::SignUpClosed.into());
    }
    let user = prepare(app, &input, Role::User).await?;
    let session = NewSession::log_in(app, app.db.read(), user.id, request).await?;
    insert(app, &user, Some(&session.row)).await?;
    metrics::counter!("snaphaven_sign_ups_total").increment(1);
    tracing::info!(user.id = %user.id, "account created");
    Ok(session.of(user))
}

/// Checks every field, so that the answer names all that is wrong, and hashes the password.
pub(super) async fn prepare(app: &App, input: &NewAccount, role: Role) -> Result<Model, AccountsError> {
    let username = Username::parse(&input.username);
    let email = Email::parse(&input.email);
    let first_name = model::name("firstName", &input.first_name, true);
    let last_name = model::name("lastName", &input.last_name, false);
    let min_length = app.config.accounts.password_min_length;
    let password =
        credentials::choose("password", &input.password, min_length, username.as_ref().ok(), email.as_ref().ok());
    let (Ok(username), Ok(email), Ok(first_name), Ok(last_name), Ok(password)) =
        (&username, &email, &first_name, &last_name, &password)
    else {
        let problems = [username.err(), email.err(), first_name.err(), last_name.err(), password.err()];
        return Err(AccountsError::Refused(problems.into_iter().flatten().collect()));
    };
    let now = app.now();
    Ok(Model {
        id: Uuid::now_v7(),
        username: username.name.clone(),
        username_key: username.key.clone(),
        email: email.address.clone(),
        email_key: email.key.clone(),
        first_name: first_name.clone(),
        last_name: last_name.clone(),
        about: String::new(),
        password_hash: app.password_hasher.hash(password.clone()).await?,
        role,
        status: Status::Active,
        created_at: now,
        updated_at: now,
        shows_last_seen: false,
        last_seen_at: None,
        suspended_at: None,
        suspension_reason: None,
    })
}

/// Writes the account, and the session it starts with. Of many who want one name, the unique key lets one through.
pub(super) async fn insert(app: &App, user: &Model, session: Option<&session::Model>) -> Result<(), AccountsError> {
    let outcome = app
        .transaction::<_, AccountsError, _, _>(async |tx| {
            store::insert_user(&tx, user).await?;
            find::insert(&tx, user).await?;
            if let Some(session) = session {
                store::insert_session(&tx, session).await?;
            }
            Ok(())
        })
        .await;
    match outcome {
        Err(AccountsError::Fault(Fault::Database(error))) if is_unique_violation(&error) => {
            Err(taken(app, user).await?)
        }
        outcome => outcome,
    }
}

/// Which of the keys were taken. Databases name the violated key each in their own way, so it is looked up.
async fn taken(app: &App, user: &Model) -> Result<AccountsError, Fault> {
    let by_name = store::user_by_name(app.db.read(), &user.username_key).await?;
    let by_email = store::user_by_email(app.db.read(), &user.email_key).await?;
    let problems = [by_name.map(|_| Problem::NameTaken), by_email.map(|_| Problem::EmailTaken)];
    let problems: Vec<Problem> = problems.into_iter().flatten().collect();
    if problems.is_empty() {
        return Err(Fault::Busy("the account that stood in the way is gone".to_owned()));
    }
    Ok(AccountsError::Refused(problems))
}
