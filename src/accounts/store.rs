//! Queries over `user`, `user_term` and `session`.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use entity::{Timestamp, session, user, user_term};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, ExprTrait,
    FromQueryResult, IntoActiveModel, Iterable, JoinType, Order, QueryFilter, QueryOrder, QuerySelect, Select,
    UpdateMany, Value, sea_query::Expr,
};
use uuid::Uuid;

use crate::db::{
    Db, Tx,
    page::{PageRequest, Position, keyset},
};

pub(super) async fn insert_user(tx: &Tx, row: &user::Model) -> Result<(), DbErr> {
    user::Entity::insert(row.clone().into_active_model().reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn insert_session(tx: &Tx, row: &session::Model) -> Result<(), DbErr> {
    session::Entity::insert(row.clone().into_active_model().reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn user(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<user::Model>, DbErr> {
    user::Entity::find_by_id(id).one(connection).await
}

/// When the first of those who have an account signed up.
pub async fn first_sign_up(connection: &impl ConnectionTrait) -> Result<Option<Timestamp>, DbErr> {
    let first = user::Entity::find().select_only().column_as(user::Column::CreatedAt.min(), "first");
    Ok(first.into_tuple::<Option<Timestamp>>().one(connection).await?.flatten())
}

pub(super) async fn users(connection: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<user::Model>, DbErr> {
    user::Entity::find().filter(user::Column::Id.is_in(ids.iter().copied())).all(connection).await
}

/// The row, locked until the transaction ends.
pub(super) async fn lock_user(tx: &Tx, id: Uuid) -> Result<Option<user::Model>, DbErr> {
    user::Entity::find_by_id(id).lock_exclusive().one(tx).await
}

/// The row, which until the transaction ends others may hold and nobody changes.
pub(super) async fn hold_user(tx: &Tx, id: Uuid) -> Result<Option<user::Model>, DbErr> {
    user::Entity::find_by_id(id).lock_shared().one(tx).await
}

pub(super) async fn user_by_name(
    connection: &impl ConnectionTrait,
    username_key: &str,
) -> Result<Option<user::Model>, DbErr> {
    user::Entity::find().filter(user::Column::UsernameKey.eq(username_key)).one(connection).await
}

pub(super) async fn user_by_email(
    connection: &impl ConnectionTrait,
    email_key: &str,
) -> Result<Option<user::Model>, DbErr> {
    user::Entity::find().filter(user::Column::EmailKey.eq(email_key)).one(connection).await
}

/// Users by name; those being erased only where `closing`.
pub(super) async fn list_users(
    connection: &impl ConnectionTrait,
    closing: bool,
    page: &PageRequest<Position<String>>,
) -> Result<Vec<user::Model>, DbErr> {
    let mut select = user::Entity::find();
    if !closing {
        select = select.filter(user::Column::Status.ne(user::Status::Closing));
    }
    keyset(select, user::Column::UsernameKey, user::Column::Id, Order::Asc, page).all(connection).await
}

/// Users with a term that begins with `prefix`, each at the first such term; those being erased only where `closing`.
///
/// Many may have one term, so that what follows a position is read in two parts, each a range of the index: the others with
/// the same term, then the terms beyond.
pub(super) async fn find_users(
    connection: &impl ConnectionTrait,
    prefix: &str,
    closing: bool,
    page: &PageRequest<Position<String>>,
) -> Result<Vec<(String, user::Model)>, DbErr> {
    use user_term::Column::{Closing, Previous, Term, UserId};
    // A range instead of LIKE: it needs no escaping, and every database answers it from the index.
    let mut select = user_term::Entity::find()
        .select_only()
        .columns([Term, UserId])
        .filter(Term.gte(prefix))
        .filter(Term.lt(format!("{prefix}{}", char::MAX)))
        .filter(Previous.lt(prefix));
    if !closing {
        select = select.filter(Closing.eq(false));
    }
    let (order, start, end) =
        if page.from_end { (Order::Desc, &page.before, &page.after) } else { (Order::Asc, &page.after, &page.before) };
    let beyond = |column: user_term::Column, value: Value, forward: bool| {
        if forward == page.from_end { column.lt(value) } else { column.gt(value) }
    };
    if let Some(end) = end {
        let tie = Term.eq(end.key.as_str()).and(beyond(UserId, end.id.into(), false));
        select = select.filter(beyond(Term, end.key.as_str().into(), false).or(tie));
    }
    let parts = match start {
        None => vec![select],
        Some(start) => {
            let key = start.key.as_str();
            // MariaDB reads everybody with the term where it is said to be one, and the range where it is said to be a range.
            let same = match connection.get_database_backend() {
                DbBackend::MySql => Term.gte(key).and(Term.lte(key)),
                _ => Term.eq(key),
            };
            vec![
                select.clone().filter(same).filter(beyond(UserId, start.id.into(), true)),
                select.filter(beyond(Term, key.into(), true)),
            ]
        }
    };
    let mut found: Vec<(String, Uuid)> = Vec::new();
    for part in parts {
        let part = part.order_by(Term, order.clone()).order_by(UserId, order.clone());
        let part = part.limit(page.limit + 1 - found.len() as u64);
        found.extend(part.into_tuple::<(String, Uuid)>().all(connection).await?);
        if found.len() as u64 > page.limit {
            break;
        }
    }
    let ids: Vec<Uuid> = found.iter().map(|(_, id)| *id).collect();
    let mut users: HashMap<Uuid, user::Model> =
        users(connection, &ids).await?.into_iter().map(|user| (user.id, user)).collect();
    // Nobody is left out unless they are erased just now.
    Ok(found.into_iter().filter_map(|(term, id)| Some((term, users.remove(&id)?))).collect())
}

/// What a person is found by; none of it is there yet.
pub(super) async fn insert_terms(tx: &Tx, user: &user::Model, terms: BTreeSet<String>) -> Result<(), DbErr> {
    let mut previous = String::new();
    let rows = terms.into_iter().map(|term| user_term::ActiveModel {
        user_id: Set(user.id),
        closing: Set(user.status == user::Status::Closing),
        previous: Set(std::mem::replace(&mut previous, term.clone())),
        term: Set(term),
    });
    user_term::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}

/// From now on admins alone find them.
pub(super) async fn close_terms(tx: &Tx, user_id: Uuid) -> Result<(), DbErr> {
    let update = user_term::Entity::update_many().col_expr(user_term::Column::Closing, Expr::value(true));
    update.filter(user_term::Column::UserId.eq(user_id)).exec(tx).await?;
    Ok(())
}

pub(super) async fn delete_terms(tx: &Tx, user_id: Uuid) -> Result<(), DbErr> {
    user_term::Entity::delete_many().filter(user_term::Column::UserId.eq(user_id)).exec(tx).await?;
    Ok(())
}

/// The next users in the order of their ids, locked.
pub(super) async fn lock_users_after(tx: &Tx, after: Option<Uuid>, limit: u64) -> Result<Vec<user::Model>, DbErr> {
    user::Entity::find()
        .filter(user::Column::Id.gt(after.unwrap_or_default()))
        .order_by_asc(user::Column::Id)
        .limit(limit)
        .lock_exclusive()
        .all(tx)
        .await
}

pub(super) async fn has_role(connection: &impl ConnectionTrait, role: user::Role) -> Result<bool, DbErr> {
    let found = user::Entity::find()
        .filter(user::Column::Role.eq(role))
        .filter(user::Column::Status.eq(user::Status::Active))
        .one(connection)
        .await?;
    Ok(found.is_some())
}

/// The active admins but this one, locked in the order of their ids.
pub(super) async fn lock_other_admins(tx: &Tx, id: Uuid) -> Result<Vec<user::Model>, DbErr> {
    user::Entity::find()
        .filter(user::Column::Role.eq(user::Role::Admin))
        .filter(user::Column::Status.eq(user::Status::Active))
        .filter(user::Column::Id.ne(id))
        .order_by_asc(user::Column::Id)
        .lock_exclusive()
        .all(tx)
        .await
}

pub(super) async fn delete_user(tx: &Tx, id: Uuid) -> Result<(), DbErr> {
    user::Entity::delete_by_id(id).exec(tx).await?;
    Ok(())
}

pub(super) fn update_user(id: Uuid, now: Timestamp) -> UpdateMany<user::Entity> {
    user::Entity::update_many().col_expr(user::Column::UpdatedAt, Expr::value(now)).filter(user::Column::Id.eq(id))
}

/// What authenticating needs to know of a session and its user.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Bearer {
    pub session_id: Uuid,
    pub kind: session::Kind,
    pub last_used_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    #[sea_orm(nested)]
    pub account: user::Model,
    /// The database's time, by which sessions end: see [`Db::at`].
    pub now: i64,
}

/// One look into two unique indexes.
pub(super) async fn bearer(db: &Db, token_hash: Vec<u8>) -> Result<Option<Bearer>, DbErr> {
    let to_user = session::Entity::belongs_to(user::Entity).from(session::Column::UserId).to(user::Column::Id).into();
    session::Entity::find()
        .select_only()
        .column_as(session::Column::Id, "session_id")
        .columns([session::Column::Kind, session::Column::LastUsedAt, session::Column::ExpiresAt])
        .columns(user::Column::iter())
        .expr_as(db.time_column(), "now")
        .join(JoinType::InnerJoin, to_user)
        .filter(session::Column::TokenHash.eq(token_hash))
        .into_model::<Bearer>()
        .one(db.read())
        .await
}

/// A session, and how its user stands.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct Standing {
    pub session_id: Uuid,
    pub expires_at: Option<Timestamp>,
    pub status: user::Status,
    pub role: user::Role,
    /// As in [`Bearer`].
    pub now: i64,
}

pub(super) async fn bearers(db: &Db, sessions: &[Uuid]) -> Result<Vec<Standing>, DbErr> {
    let to_user = session::Entity::belongs_to(user::Entity).from(session::Column::UserId).to(user::Column::Id).into();
    session::Entity::find()
        .select_only()
        .column_as(session::Column::Id, "session_id")
        .column(session::Column::ExpiresAt)
        .columns([user::Column::Status, user::Column::Role])
        .expr_as(db.time_column(), "now")
        .join(JoinType::InnerJoin, to_user)
        .filter(session::Column::Id.is_in(sessions.iter().copied()))
        .into_model::<Standing>()
        .all(db.read())
        .await
}

/// Notes a use, unless another process has done so since `seen`.
pub(super) async fn touch(
    tx: &Tx,
    id: Uuid,
    seen: Timestamp,
    now: Timestamp,
    expires_at: Option<Timestamp>,
) -> Result<(), DbErr> {
    session::Entity::update_many()
        .col_expr(session::Column::LastUsedAt, Expr::value(now))
        .col_expr(session::Column::ExpiresAt, Expr::value(expires_at))
        .filter(session::Column::Id.eq(id))
        .filter(session::Column::LastUsedAt.eq(seen))
        .exec(tx)
        .await?;
    Ok(())
}

/// Notes that somebody is here who shows it, unless that was done less than `interval` ago.
pub(super) async fn note_seen(tx: &Tx, user_id: Uuid, now: Timestamp, interval: Duration) -> Result<(), DbErr> {
    let seen = user::Column::LastSeenAt;
    user::Entity::update_many()
        .col_expr(seen, Expr::value(now))
        .filter(user::Column::Id.eq(user_id))
        .filter(user::Column::ShowsLastSeen.eq(true))
        .filter(seen.is_null().or(seen.lte(now.minus(interval))))
        .exec(tx)
        .await?;
    Ok(())
}

fn sessions_of(user_id: Uuid, kind: session::Kind, now: Timestamp) -> Select<session::Entity> {
    let alive = session::Column::ExpiresAt.is_null().or(session::Column::ExpiresAt.gt(now));
    session::Entity::find()
        .filter(session::Column::UserId.eq(user_id))
        .filter(session::Column::Kind.eq(kind))
        .filter(alive)
}

/// A person's sessions or tokens that have not expired, newest first.
pub(super) async fn list_sessions(
    connection: &impl ConnectionTrait,
    user_id: Uuid,
    kind: session::Kind,
    now: Timestamp,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Vec<session::Model>, DbErr> {
    let select = sessions_of(user_id, kind, now);
    keyset(select, session::Column::CreatedAt, session::Column::Id, Order::Desc, page).all(connection).await
}

pub(super) async fn session(
    connection: &impl ConnectionTrait,
    user_id: Uuid,
    id: Uuid,
) -> Result<Option<session::Model>, DbErr> {
    session::Entity::find_by_id(id).filter(session::Column::UserId.eq(user_id)).one(connection).await
}

/// Whether there was such a session of this person.
pub(super) async fn delete_session(tx: &Tx, user_id: Uuid, kind: session::Kind, id: Uuid) -> Result<bool, DbErr> {
    let outcome = session::Entity::delete_many()
        .filter(session::Column::Id.eq(id))
        .filter(session::Column::UserId.eq(user_id))
        .filter(session::Column::Kind.eq(kind))
        .exec(tx)
        .await?;
    Ok(outcome.rows_affected == 1)
}

/// Ends a person's sessions of the given kinds, all but `keep`. How many there were.
pub(super) async fn delete_sessions(
    tx: &Tx,
    user_id: Uuid,
    kinds: &[session::Kind],
    keep: Option<Uuid>,
) -> Result<u64, DbErr> {
    let mut delete = session::Entity::delete_many()
        .filter(session::Column::UserId.eq(user_id))
        .filter(session::Column::Kind.is_in(kinds.iter().copied()));
    if let Some(keep) = keep {
        delete = delete.filter(session::Column::Id.ne(keep));
    }
    Ok(delete.exec(tx).await?.rows_affected)
}
