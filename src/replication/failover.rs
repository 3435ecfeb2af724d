//! Another site becomes the primary: at once where the primary is lost (promotion), or without leaving anything behind where both
//! answer (fail-back). Either way the epoch is raised in one transaction, so that no write that was begun before becomes live.

use std::time::Duration;

use entity::{alert, replica_run::Mode};
use futures::{StreamExt as _, stream};
use sea_orm::ActiveEnum as _;
use serde_json::json;
use uuid::Uuid;

use super::{SiteHealth, new_run, status::check, store};
use crate::{
    adapters::objects::Condition,
    alerts::{self, NewAlert},
    app::App,
    audit,
    error::Fault,
    ledger::{self, Exposure, Roles},
    viewer::Viewer,
};

/// Objects that are copied at once, and that are read at once.
const AT_ONCE: usize = 8;
const PAGE: u64 = 500;
/// A promotion takes less, and where its process dies in it, writes go on so much later.
const CLOSED: Duration = Duration::from_secs(10);

/// Why the primary stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum FailoverError {
    #[error("another site has become the primary meanwhile")]
    RolesChanged,
    #[error("{left} objects are not at the replica yet")]
    NotReplicated { left: u64 },
    #[error(transparent)]
    Fault(#[from] Fault),
}

crate::module_error!(FailoverError);

/// What a promotion of the replica would mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// As they are now: what the promotion depends on.
    pub roles: Roles,
    pub primary: SiteHealth,
    pub replica: SiteHealth,
    /// What would be at the former primary alone.
    pub exposure: Exposure,
}

/// Looks at what a promotion would mean; changes nothing. Operators and admins.
pub async fn plan_promotion(app: &App, viewer: &Viewer) -> Result<Promotion, Fault> {
    viewer.operator()?;
    let roles = ledger::roles(app.db.read()).await?;
    let (primary, replica) = tokio::join!(check(app, roles.primary), check(app, roles.replica()));
    Ok(Promotion { roles, primary, replica, exposure: ledger::exposure(app.db.read(), roles).await? })
}

/// Makes the replica the primary, though it may lack something. Admins.
///
/// # Errors
/// [`FailoverError::RolesChanged`] where the roles are no longer those that were seen.
pub async fn promote(app: &App, viewer: &Viewer, seen: Roles, exposure: Exposure) -> Result<Roles, FailoverError> {
    close(app, viewer, seen, CLOSED).await?;
    become_primary(app, viewer, seen, Some(exposure)).await
}

/// Makes the replica the primary where it has all that the primary has. The caller has closed writes. Admins.
///
/// # Errors
/// [`FailoverError::NotReplicated`] where it has not.
pub async fn switch(app: &App, viewer: &Viewer, seen: Roles) -> Result<Roles, FailoverError> {
    become_primary(app, viewer, seen, None).await
}

async fn become_primary(
    app: &App,
    viewer: &Viewer,
    seen: Roles,
    exposure: Option<Exposure>,
) -> Result<Roles, FailoverError> {
    viewer.admin()?;
    app.transaction(async |tx| {
        let Some(roles) = ledger::promote(&tx, seen).await? else {
            return Err(FailoverError::RolesChanged);
        };
        // Counted under the lock: nothing becomes live meanwhile.
        let left = match exposure {
            Some(exposure) => exposure.objects,
            None => ledger::count_lacking(&tx, seen).await?,
        };
        if exposure.is_none() && left > 0 {
            return Err(FailoverError::NotReplicated { left });
        }
        let now = app.db.now(&tx).await?;
        // A run of its own kind, so that it stands among the others, and what was verified before it counts no longer.
        let run = entity::replica_run::Model {
            state: entity::replica_run::State::Complete,
            finished_at: Some(now),
            ..new_run(Mode::Promotion, viewer.user_id(), 0, now)
        };
        store::insert(&tx, run.clone(), Vec::new()).await?;
        let primary = app.stores.at(roles.primary);
        let details = json!({
            "mode": run.mode.to_value(), "primary": primary.bucket(), "epoch": roles.epoch, "leftBehind": left,
        });
        audit::record(&tx, viewer, "run.ordered", run.id, details.clone(), now).await?;
        let told = if left == 0 {
            "Nothing is left behind.".to_owned()
        } else {
            format!("{left} objects are at the former primary alone, or at none.")
        };
        let alert = NewAlert {
            kind: alert::Kind::PrimaryChanged,
            actor_id: viewer.user_id(),
            count: usize::try_from(left).unwrap_or(usize::MAX),
            message: format!("{} in {} is the primary now. {told}", primary.bucket(), primary.region()),
            details,
        };
        alerts::raise(app, &tx, alert).await?;
        Ok(roles)
    })
    .await
}

/// Refuses new writes for so long at the most: until [`switch`] or [`reopen`]. Admins.
pub async fn close(app: &App, viewer: &Viewer, seen: Roles, life: Duration) -> Result<(), FailoverError> {
    viewer.admin()?;
    let closed = app.transaction::<_, FailoverError, _, _>(async |tx| Ok(ledger::close(app, &tx, seen, life).await?));
    if closed.await? { Ok(()) } else { Err(FailoverError::RolesChanged) }
}

/// Takes new writes again. Admins.
pub async fn reopen(app: &App, viewer: &Viewer, seen: Roles) -> Result<(), Fault> {
    viewer.admin()?;
    app.transaction::<_, Fault, _, _>(async |tx| Ok(ledger::reopen(&tx, seen).await?)).await
}

/// How many objects the replica is not known to have. Operators and admins.
pub async fn lacking(app: &App, viewer: &Viewer, roles: Roles) -> Result<u64, Fault> {
    viewer.operator()?;
    Ok(ledger::count_lacking(app.db.read(), roles).await?)
}

/// Copies each of them once, whoever else may be about to, and says why the last that could not be copied was not. Admins.
pub async fn catch_up(app: &App, viewer: &Viewer, roles: Roles) -> Result<Option<String>, Fault> {
    viewer.admin()?;
    let (mut after, mut why) = (Some(Uuid::nil()), None);
    while let Some(from) = after {
        let (some, next) = ledger::next_lacking(app.db.read(), roles, from, PAGE).await?;
        let copies = stream::iter(some).map(async |object| {
            let copied = ledger::copy_again(app, &object, roles.primary, roles.replica(), Condition::None).await;
            copied.err().map(|error| error.to_string())
        });
        let errors: Vec<Option<String>> = copies.buffer_unordered(AT_ONCE).collect().await;
        why = errors.into_iter().flatten().last().or(why);
        after = next;
    }
    Ok(why)
}
