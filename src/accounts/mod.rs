//! Accounts: sign-up, log-in, sessions and API tokens, profiles, and who may see what of whom.

mod administration;
mod closing;
mod credentials;
mod error;
mod find;
pub mod graphql;
mod jobs;
mod log_in;
mod model;
mod moderation;
mod profile;
mod refusals;
mod sessions;
mod sign_up;
mod store;
mod throttle;

use std::{collections::HashMap, sync::Arc};

use entity::{
    Timestamp,
    user::{Model, Status},
};
use uuid::Uuid;

pub use administration::{create_admin, has_admin, reset_password};
pub use closing::{Confirmed, confirm, erase, lock, retire, stands};
pub use error::{AccountsError, Problem, Weakness};
pub use find::list;
pub use jobs::register;
pub use log_in::log_in;
pub use model::{Email, Username};
pub use moderation::{Moderated, hold_admin, reinstate, set_role, suspend, suspend_in};
pub use profile::{PasswordChange, PasswordChanged, ProfileChange, change_password, update_profile};
pub use sessions::{
    ApiTokenCreated, LoggedIn, NewApiToken, api_tokens, authenticate, create_api_token, log_out, revoke_api_token,
    revoke_session, sessions, standing,
};
pub use sign_up::{NewAccount, sign_up};
pub use store::first_sign_up;

use crate::{
    app::App,
    error::Fault,
    viewer::{Denied, Viewer},
};

/// Whether the viewer may see a person's e-mail address, role and status: their own, or as an admin.
#[must_use]
pub fn sees_private(viewer: &Viewer, user_id: Uuid) -> bool {
    viewer.user_id() == Some(user_id) || viewer.is_admin()
}

/// Whether the viewer may look at this person: one who closed the account is there for admins alone.
#[must_use]
pub fn sees(viewer: &Viewer, user: &Model) -> bool {
    user.status != Status::Closing || sees_private(viewer, user.id)
}

/// The viewer's own account as the request found it; `None` for anonymous and for the system.
#[must_use]
pub fn current(viewer: &Viewer) -> Option<Arc<Model>> {
    Some(viewer.person().ok()?.account.clone())
}

/// A person by id, where the viewer may look: see [`sees`], and [`sees_private`] for what they see.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Model>, Fault> {
    if known(viewer).is_err() {
        return Ok(None);
    }
    Ok(store::user(app.db.read(), id).await?.filter(|user| sees(viewer, user)))
}

/// People by id, those that the viewer may look at.
pub async fn find_many(app: &App, viewer: &Viewer, ids: &[Uuid]) -> Result<HashMap<Uuid, Model>, Fault> {
    known(viewer)?;
    let rows = store::users(app.db.read(), ids).await?;
    Ok(rows.into_iter().filter(|row| sees(viewer, row)).map(|row| (row.id, row)).collect())
}

/// A person by user name, however it is spelled.
pub async fn find_by_username(app: &App, viewer: &Viewer, username: &str) -> Result<Option<Model>, Fault> {
    known(viewer)?;
    match Username::parse(username) {
        Ok(username) => {
            let user = store::user_by_name(app.db.read(), &username.key).await?;
            Ok(user.filter(|user| sees(viewer, user)))
        }
        Err(_) => Ok(None),
    }
}

/// When a person was last here, where they show it and the viewer is a friend of theirs or themselves.
#[must_use]
pub fn last_seen(viewer: &Viewer, user: &Model, is_friend: bool) -> Option<Timestamp> {
    let sees = is_friend || viewer.user_id() == Some(user.id);
    user.last_seen_at.filter(|_| sees && user.shows_last_seen)
}

/// Whoever is not anonymous.
fn known(viewer: &Viewer) -> Result<(), Denied> {
    match viewer {
        Viewer::Anonymous => Err(Denied::Unauthenticated),
        Viewer::User(_) | Viewer::System(_) => Ok(()),
    }
}
