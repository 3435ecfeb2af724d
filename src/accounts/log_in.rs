//! Logging in. An unknown user and a wrong password take the same way through here, and get the same answer.

use entity::user::{Column, Model, Status};
use sea_orm::sea_query::Expr;
use secrecy::SecretString;

use super::{
    credentials,
    error::{AccountsError, Problem},
    model::{self, Email, Username},
    refusals,
    sessions::{LoggedIn, NewSession, TOUCH_INTERVAL},
    store,
    throttle::{self, Counter, Over},
};
use crate::{app::App, db::Tx, error::Fault, password::Verdict, viewer::RequestInfo};

/// How often a log-in starts again because the password hash changed under it.
const ATTEMPTS: usize = 4;

/// How an attempt ended.
enum Attempt {
    In(Box<LoggedIn>),
    Wrong,
    Throttled(Over),
    /// The password hash is no longer the one that was verified, or the account was closed.
    Again,
}

/// Opens a session for who knows the password. `login`: user name or e-mail address, however spelled.
pub async fn log_in(
    app: &App,
    login: &str,
    password: &SecretString,
    request: &RequestInfo,
) -> Result<LoggedIn, AccountsError> {
    let outcome = match attempt_until_settled(app, login, password, request).await {
        Ok(Attempt::In(logged_in)) => Ok(*logged_in),
        Ok(Attempt::Wrong) => Err(Problem::BadCredentials.into()),
        // Out of turn, so that nobody who logs in waits for it.
        Ok(Attempt::Throttled(over)) => {
            refusals::count(app, &over, login).await.and_then(|()| Err(Problem::from(over).into()))
        }
        Ok(Attempt::Again) => Err(Fault::Busy("the password hash keeps changing".to_owned()).into()),
        Err(error) => Err(error),
    };
    let label = match &outcome {
        Ok(_) => "success",
        Err(AccountsError::Refused(problems)) if matches!(problems[..], [Problem::TooManyAttempts { .. }]) => {
            "throttled"
        }
        Err(AccountsError::Refused(_)) => "refused",
        Err(AccountsError::Fault(_)) => "fault",
    };
    metrics::counter!("snaphaven_log_ins_total", "outcome" => label).increment(1);
    outcome
}

async fn attempt_until_settled(
    app: &App,
    login: &str,
    password: &SecretString,
    request: &RequestInfo,
) -> Result<Attempt, AccountsError> {
    let account = Counter::log_in(app, &model::log_in_key(login));
    let mut counters = vec![account];
    counters.extend(request.address.map(|address| Counter::address(app, address)));
    let password = credentials::candidate(password);
    let _turn = app.password_hasher.turn().await?;
    for _ in 0..ATTEMPTS {
        if let Some(over) = throttle::glance(app, &counters).await? {
            return Ok(Attempt::Throttled(over));
        }
        let user = find(app, login).await?;
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        let verdict = app.password_hasher.verify(password.clone(), stored).await?;
        let (Some(user), Verdict::Right { rehashed }) = (user, verdict) else {
            return Ok(refuse(app, &counters).await?.map_or(Attempt::Wrong, Attempt::Throttled));
        };
        match open(app, &user, rehashed.as_deref(), &counters, request).await? {
            Attempt::Again => {}
            settled => return Ok(settled),
        }
    }
    Ok(Attempt::Again)
}

/// The account of this user name or e-mail address.
pub(super) async fn find(app: &App, login: &str) -> Result<Option<Model>, Fault> {
    let login = login.trim();
    // User names hold no "@", so a text is one or the other.
    let user = if login.contains('@') {
        match Email::parse(login) {
            Ok(email) => store::user_by_email(app.db.read(), &email.key).await?,
            Err(_) => None,
        }
    } else {
        match Username::parse(login) {
            Ok(username) => store::user_by_name(app.db.read(), &username.key).await?,
            Err(_) => None,
        }
    };
    // Who closed the account is as unknown as when it is erased.
    Ok(user.filter(|user| user.status != Status::Closing))
}

/// Counts the failure. Which limit had been reached before it.
async fn refuse(app: &App, counters: &[Counter]) -> Result<Option<Over>, AccountsError> {
    app.transaction(async |tx| Ok(throttle::fail(app, &tx, counters).await?)).await
}

/// The session, in a transaction that holds the account and its counter.
async fn open(
    app: &App,
    user: &Model,
    rehashed: Option<&str>,
    counters: &[Counter],
    request: &RequestInfo,
) -> Result<Attempt, AccountsError> {
    app.transaction::<_, AccountsError, _, _>(async |tx| {
        let current = store::lock_user(&tx, user.id).await?;
        let stands = |current: &Model| current.password_hash == user.password_hash && current.status != Status::Closing;
        let Some(current) = current.filter(stands) else { return Ok(Attempt::Again) };
        if let Some(over) = throttle::check(app, &tx, counters).await? {
            return Ok(Attempt::Throttled(over));
        }
        if current.status != Status::Active {
            return Err(Problem::AccountSuspended.into());
        }
        if let Some(hash) = rehashed {
            let update = store::update_user(user.id, current.updated_at);
            update.col_expr(Column::PasswordHash, Expr::value(hash)).exec(&tx).await?;
        }
        forgive(app, &tx, &current).await?;
        let session = NewSession::log_in(app, &tx, user.id, request).await?;
        store::insert_session(&tx, &session.row).await?;
        store::note_seen(&tx, user.id, session.row.created_at, TOUCH_INTERVAL).await?;
        Ok(Attempt::In(Box::new(session.of(current))))
    })
    .await
}

/// Forgets the account's failures under either of its names. The address's stay: one good account is no licence to guess.
async fn forgive(app: &App, tx: &Tx, user: &Model) -> Result<(), AccountsError> {
    let counters = [Counter::log_in(app, &user.username_key), Counter::log_in(app, &user.email_key)];
    Ok(throttle::clear(tx, &counters).await?)
}
