//! Which site is the primary, and how that changes. A promotion raises the epoch: what was begun before it never becomes live.

use std::{collections::HashSet, time::Duration};

use entity::{
    object,
    object::State,
    object_copy::{self, Site},
    site_role,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select, sea_query::Expr,
};
use uuid::Uuid;

use super::Roles;
use crate::{app::App, db::Tx, error::Fault};

/// Objects that are read at once.
const PAGE: u64 = 500;

/// The roles now.
pub async fn roles(connection: &impl ConnectionTrait) -> Result<Roles, DbErr> {
    primary(site_role::Entity::find(), connection).await
}

/// The roles until the end of the transaction: no promotion comes in between. Takes the primary's row, shared: whoever wants it
/// for themselves may wait as long as others come for a share (Postgres), and so has to [`close`] first.
pub(super) async fn hold_roles(tx: &Tx) -> Result<Roles, DbErr> {
    let select = || site_role::Entity::find().lock_shared();
    match primary(select(), tx).await {
        // It waited for a promotion: the row that it waited for is the primary's no longer, and the one that is now was not when
        // this statement began (Postgres, READ COMMITTED). The next statement sees it.
        Err(DbErr::RecordNotFound(_)) => primary(select(), tx).await,
        outcome => outcome,
    }
}

/// The roles for a new write. Refused for the moment in which the primary changes.
pub(super) async fn roles_for_write(app: &App, tx: &Tx) -> Result<Roles, Fault> {
    let rows = site_role::Entity::find().all(tx).await?;
    let closed_until = rows.iter().filter_map(|row| row.closed_until).max();
    if closed_until.is_some() && closed_until > Some(app.db.now(tx).await?) {
        return Err(Fault::Busy("another site is becoming the primary".to_owned()));
    }
    let primary = rows.iter().find(|row| row.role == site_role::Role::Primary);
    Ok(primary.ok_or_else(no_primary)?.into())
}

fn no_primary() -> DbErr {
    DbErr::RecordNotFound("no site is the primary".to_owned())
}

/// Of the primary's row.
impl From<&site_role::Model> for Roles {
    fn from(row: &site_role::Model) -> Self {
        Self { primary: row.site, epoch: row.epoch }
    }
}

async fn primary(select: Select<site_role::Entity>, connection: &impl ConnectionTrait) -> Result<Roles, DbErr> {
    let row = select.filter(site_role::Column::Role.eq(site_role::Role::Primary)).one(connection).await?;
    Ok((&row.ok_or_else(no_primary)?).into())
}

/// Makes the replica the primary, where the roles are still those that were seen, and takes new writes again. `None`: they are
/// others, and nothing changed.
pub async fn promote(tx: &Tx, seen: Roles) -> Result<Option<Roles>, DbErr> {
    use site_role::{Column, Role};
    // Waits for those who are making an object live.
    let rows = site_role::Entity::find().order_by_asc(Column::Site).lock_exclusive().all(tx).await?;
    if !rows.iter().any(|row| row.role == Role::Primary && Roles::from(row) == seen) {
        return Ok(None);
    }
    let epoch = rows.iter().map(|row| row.epoch).max().unwrap_or_default() + 1;
    let roles = Roles { primary: seen.replica(), epoch };
    for site in Site::ALL {
        let role = if site == roles.primary { Role::Primary } else { Role::Replica };
        site_role::Entity::update_many()
            .col_expr(Column::Role, Expr::value(role))
            .col_expr(Column::Epoch, Expr::value(epoch))
            .col_expr(Column::ClosedUntil, Expr::value(None::<entity::Timestamp>))
            .filter(Column::Site.eq(site))
            .exec(tx)
            .await?;
    }
    Ok(Some(roles))
}

/// Refuses new writes for so long, or until [`promote`] or [`reopen`]. `false`: the roles are others.
pub async fn close(app: &App, tx: &Tx, seen: Roles, life: Duration) -> Result<bool, DbErr> {
    let until = app.db.now(tx).await?.plus(life);
    set_closed(tx, seen, Some(until)).await
}

/// The roles stay, and begin anew.
pub(super) async fn begin_epoch(tx: &Tx) -> Result<(), DbErr> {
    use site_role::Column;
    site_role::Entity::update_many()
        .col_expr(Column::Epoch, Expr::col(Column::Epoch).add(1))
        .col_expr(Column::ClosedUntil, Expr::value(None::<entity::Timestamp>))
        .exec(tx)
        .await?;
    Ok(())
}

/// Takes new writes again.
pub async fn reopen(tx: &Tx, seen: Roles) -> Result<(), DbErr> {
    set_closed(tx, seen, None).await.map(drop)
}

async fn set_closed(tx: &Tx, seen: Roles, until: Option<entity::Timestamp>) -> Result<bool, DbErr> {
    use site_role::Column;
    let changed = site_role::Entity::update_many()
        .col_expr(Column::ClosedUntil, Expr::value(until))
        // Not the primary's row, whose shares others hold.
        .filter(Column::Site.eq(seen.replica()))
        .filter(Column::Epoch.eq(seen.epoch))
        .filter(Column::Role.eq(site_role::Role::Replica))
        .exec(tx)
        .await?;
    Ok(changed.rows_affected == 1)
}

/// Up to `limit` of the live objects that the primary has and the replica is not known to have, by id, and after which id the next
/// are; `None` at the end. What a change of the primary would leave behind.
pub async fn next_lacking(
    connection: &impl ConnectionTrait,
    roles: Roles,
    after: Uuid,
    limit: u64,
) -> Result<(Vec<object::Model>, Option<Uuid>), DbErr> {
    use object_copy::{Column as Of, State as Copy};
    // Few, and by an index; joined with all objects they would be many for a planner that does not know that.
    let ids: Vec<Uuid> = object_copy::Entity::find()
        .select_only()
        .column(Of::ObjectId)
        .filter(Of::State.is_in([Copy::Awaiting, Copy::Lagging, Copy::Missing, Copy::Stale, Copy::Corrupt]))
        .filter(Of::Site.eq(roles.replica()))
        .filter(Of::ObjectId.gt(after))
        .order_by_asc(Of::ObjectId)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await?;
    let proven = object_copy::Entity::find()
        .filter(Of::ObjectId.is_in(ids.iter().copied()))
        .filter(Of::Site.eq(roles.primary))
        .filter(Of::State.eq(Copy::Verified));
    let proven: HashSet<Uuid> = proven.all(connection).await?.into_iter().map(|copy| copy.object_id).collect();
    let objects = object::Entity::find()
        .filter(object::Column::Id.is_in(ids.iter().copied().filter(|id| proven.contains(id))))
        .filter(object::Column::State.eq(State::Live))
        .filter(object::Column::Kind.ne(object::Kind::Canary));
    let full = ids.len() as u64 == limit;
    Ok((objects.all(connection).await?, ids.last().copied().filter(|_| full)))
}

/// How many they are.
pub async fn count_lacking(connection: &impl ConnectionTrait, roles: Roles) -> Result<u64, DbErr> {
    let (mut count, mut after) = (0, Some(Uuid::nil()));
    while let Some(from) = after {
        let (some, next) = next_lacking(connection, roles, from, PAGE).await?;
        count += some.len() as u64;
        after = next;
    }
    Ok(count)
}
