//! Closing an account: the person is out at once, everything that they had is erased by a job, and a receipt tells how far
//! that is.
//!
//! It stands after everything that keeps something by person, and is where each of these is told to forget them.

pub mod graphql;
mod jobs;
mod store;

use entity::{account_closure, alert};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use uuid::Uuid;

use crate::{
    accounts::{self, AccountsError, Problem},
    alerts::{self, NewAlert},
    app::App,
    db::is_unique_violation,
    error::Fault,
    files, friends,
    jobs::{Registry, enqueue},
    ledger,
    token::{self, TokenKind},
    viewer::Viewer,
};

/// An account just closed.
#[derive(Debug)]
pub struct Closed {
    pub closure: account_closure::Model,
    /// What the closure is found by; kept nowhere.
    pub receipt: SecretString,
}

/// How far a closure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Erasing,
    /// All that is left is under a legal hold.
    Held,
    Erased,
}

#[must_use]
pub fn state(closure: &account_closure::Model) -> State {
    match closure.erased_at {
        Some(_) => State::Erased,
        None if closure.held > 0 => State::Held,
        None => State::Erasing,
    }
}

pub fn register(registry: &mut Registry) {
    registry.register::<jobs::Erase>();
}

/// Closes the viewer's account. Who chooses the receipt can ask for the closure also where the answer was lost: the
/// session ends with the account, so the request itself cannot be repeated.
pub async fn close(
    app: &App,
    viewer: &Viewer,
    password: &SecretString,
    receipt: Option<SecretString>,
) -> Result<Closed, AccountsError> {
    let me = viewer.person()?;
    let (receipt, receipt_hash) = match receipt {
        Some(chosen) => {
            let hash = token::hash(chosen.expose_secret(), &[TokenKind::Closure]);
            (chosen, hash.ok_or(Problem::InvalidReceipt)?)
        }
        None => token::mint(TokenKind::Closure)?,
    };
    let confirmed = accounts::confirm(app, me, password).await?;
    let outcome = app
        .transaction::<_, AccountsError, _, _>(async |tx| {
            // Pairs come before the account in the order of locks.
            friends::end_all(&tx, me.user_id, app.db.now(&tx).await?).await?;
            accounts::retire(app, &tx, me, &confirmed).await?;
            let now = app.db.now(&tx).await?;
            let (files, objects) =
                (files::count_owned(&tx, me.user_id).await?, ledger::toll(&tx, me.user_id, now).await?.left);
            let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            let closure = account_closure::Model {
                id: Uuid::now_v7(),
                user_id: me.user_id,
                receipt_hash: receipt_hash.clone(),
                requested_at: now,
                files: count(files),
                files_left: count(files),
                held: 0,
                objects: count(objects),
                objects_erased: 0,
                erased_at: None,
            };
            store::insert(&tx, closure.clone()).await?;
            let alert = NewAlert {
                kind: alert::Kind::AccountClosed,
                actor_id: Some(me.user_id),
                count: usize::try_from(files).unwrap_or(usize::MAX),
                message: format!("An account was closed by its owner: {files} files, {objects} objects to be erased"),
                details: json!({ "files": files, "objects": objects }),
            };
            alerts::raise(app, &tx, alert).await?;
            enqueue(app, &tx, &jobs::Erase { closure: closure.id }).await?;
            Ok(closure)
        })
        .await;
    let error = match outcome {
        Ok(closure) => {
            tracing::info!(user.id = %me.user_id, files = closure.files, "account closed");
            return Ok(Closed { closure, receipt });
        }
        Err(error) => error,
    };
    // The reply to COMMIT may be lost, or the same request came twice at once.
    match store::by_receipt(app.db.read(), receipt_hash).await {
        Ok(Some(closure)) if closure.user_id == me.user_id => Ok(Closed { closure, receipt }),
        Ok(Some(_)) if is_taken(&error) => Err(Problem::InvalidReceipt.into()),
        _ => Err(error),
    }
}

/// Whether a row with this receipt stood in the way.
fn is_taken(error: &AccountsError) -> bool {
    matches!(error, AccountsError::Fault(Fault::Database(cause)) if is_unique_violation(cause))
}

/// The closure of this receipt, for whoever has it: the person cannot log in any more.
pub async fn find(app: &App, receipt: &str) -> Result<Option<account_closure::Model>, Fault> {
    let Some(hash) = token::hash(receipt, &[TokenKind::Closure]) else { return Ok(None) };
    Ok(store::by_receipt(app.db.read(), hash).await?)
}
