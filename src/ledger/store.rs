//! Queries over `object`, `object_copy` and `write_intent`.

use entity::{
    Timestamp, object,
    object::{Reason, State},
    object_copy,
    object_copy::{Proof, Site},
    write_intent,
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait,
    ExprTrait as _, IntoActiveModel as _, Order, QueryFilter, QueryOrder, QuerySelect, QueryTrait, sea_query::Expr,
};
use uuid::Uuid;

use super::ErasureFilter;
use crate::{
    adapters::objects::{Stored, keys::ObjectKey},
    db::{
        Tx,
        page::{self, Page, PageRequest, Position},
    },
};

/// A row before its bytes. `sha256` is empty where nobody has hashed them yet.
pub(super) struct Pending<'a> {
    pub bytes: u64,
    pub sha256: &'a [u8],
    pub content_type: &'a str,
    pub user_id: Option<Uuid>,
    pub file_id: Option<Uuid>,
    pub keep_until: Option<Timestamp>,
}

pub(super) async fn insert_pending(
    tx: &Tx,
    key: ObjectKey,
    new: &Pending<'_>,
    now: Timestamp,
) -> Result<object::Model, DbErr> {
    let row = object::Model {
        id: key.id,
        key: key.to_string(),
        kind: key.kind,
        state: State::Pending,
        bytes: i64::try_from(new.bytes).unwrap_or(i64::MAX),
        sha256: new.sha256.to_vec(),
        content_type: new.content_type.to_owned(),
        holds: 0,
        due_at: None,
        user_id: new.user_id,
        file_id: new.file_id,
        created_at: now,
        keep_until: new.keep_until,
        notified_at: None,
        live_at: None,
        requested_by: None,
        requested_at: None,
        reason: None,
        erased_at: None,
    };
    object::Entity::insert(row.clone().into_active_model().reset_all()).exec_without_returning(tx).await?;
    let copies = Site::ALL.map(|site| object_copy::ActiveModel {
        object_id: Set(row.id),
        site: Set(site),
        state: Set(object_copy::State::Awaiting),
        etag: Set(None),
        version_id: Set(None),
        proof: Set(None),
        verified_at: Set(None),
        arrived_at: Set(None),
        gone_at: Set(None),
    });
    object_copy::Entity::insert_many(copies).exec_without_returning(tx).await?;
    Ok(row)
}

pub(super) async fn insert_intent(tx: &Tx, object: Uuid, site: Site, deadline: Timestamp) -> Result<Uuid, DbErr> {
    let id = Uuid::now_v7();
    let row =
        write_intent::ActiveModel { id: Set(id), object_id: Set(object), site: Set(site), deadline: Set(deadline) };
    write_intent::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(id)
}

pub(super) async fn clear_intent(tx: &Tx, intent: Uuid) -> Result<(), DbErr> {
    write_intent::Entity::delete_by_id(intent).exec(tx).await?;
    Ok(())
}

/// Whether the object was still pending.
pub(super) async fn set_keep_until(tx: &Tx, id: Uuid, time: Timestamp) -> Result<bool, DbErr> {
    let outcome = object::Entity::update_many()
        .col_expr(object::Column::KeepUntil, Expr::value(time))
        .filter(object::Column::Id.eq(id))
        .filter(object::Column::State.eq(State::Pending))
        .exec(tx)
        .await?;
    Ok(outcome.rows_affected == 1)
}

/// Whether it was the first time.
pub(super) async fn set_notified(tx: &Tx, id: Uuid, now: Timestamp) -> Result<bool, DbErr> {
    let outcome = object::Entity::update_many()
        .col_expr(object::Column::NotifiedAt, Expr::value(now))
        .filter(object::Column::Id.eq(id))
        .filter(object::Column::NotifiedAt.is_null())
        .exec(tx)
        .await?;
    Ok(outcome.rows_affected == 1)
}

/// No write to the object goes on beyond `deadline`.
pub(super) async fn shorten_intents(tx: &Tx, object: Uuid, deadline: Timestamp) -> Result<(), DbErr> {
    write_intent::Entity::update_many()
        .col_expr(write_intent::Column::Deadline, Expr::value(deadline))
        .filter(write_intent::Column::ObjectId.eq(object))
        .filter(write_intent::Column::Deadline.gt(deadline))
        .exec(tx)
        .await?;
    Ok(())
}

/// The last deadline of any write that may still be under way.
pub(super) async fn last_deadline(connection: &impl ConnectionTrait, object: Uuid) -> Result<Option<Timestamp>, DbErr> {
    let intent = write_intent::Entity::find()
        .filter(write_intent::Column::ObjectId.eq(object))
        .order_by_desc(write_intent::Column::Deadline)
        .one(connection)
        .await?;
    Ok(intent.map(|intent| intent.deadline))
}

/// Forgets writes that ended before `time`, but for objects whose erasure still waits on them.
pub(super) async fn clear_old_intents(tx: &Tx, time: Timestamp) -> Result<u64, DbErr> {
    let settled = object::Entity::find()
        .select_only()
        .column(object::Column::Id)
        .filter(object::Column::State.is_in([State::Live, State::Erased]))
        .into_query();
    let outcome = write_intent::Entity::delete_many()
        .filter(write_intent::Column::Deadline.lt(time))
        .filter(write_intent::Column::ObjectId.in_subquery(settled))
        .exec(tx)
        .await?;
    Ok(outcome.rows_affected)
}

pub(super) async fn find(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<object::Model>, DbErr> {
    object::Entity::find_by_id(id).one(connection).await
}

pub(super) async fn by_key(connection: &impl ConnectionTrait, key: &str) -> Result<Option<object::Model>, DbErr> {
    object::Entity::find().filter(object::Column::Key.eq(key)).one(connection).await
}

/// Live objects of a kind, the newest first. Not for kinds that there are many of.
pub(super) async fn of_kind(
    connection: &impl ConnectionTrait,
    kind: object::Kind,
) -> Result<Vec<object::Model>, DbErr> {
    object::Entity::find()
        // By the keys' index: "0" comes after "/".
        .filter(object::Column::Key.gt(format!("{kind}/")))
        .filter(object::Column::Key.lt(format!("{kind}0")))
        .filter(object::Column::State.eq(State::Live))
        .order_by_desc(object::Column::CreatedAt)
        .order_by_desc(object::Column::Id)
        .all(connection)
        .await
}

pub(super) async fn lock(tx: &Tx, id: Uuid) -> Result<Option<object::Model>, DbErr> {
    object::Entity::find_by_id(id).lock_exclusive().one(tx).await
}

/// Locked in id order, so that two deletions of overlapping sets do not wait for each other.
pub(super) async fn lock_many(tx: &Tx, ids: &[Uuid]) -> Result<Vec<object::Model>, DbErr> {
    object::Entity::find()
        .filter(object::Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(object::Column::Id)
        .lock_exclusive()
        .all(tx)
        .await
}

/// With what the bytes turned out to be.
pub(super) async fn set_live(tx: &Tx, object: &object::Model, now: Timestamp) -> Result<(), DbErr> {
    update_one(
        object::Entity::update_many()
            .col_expr(object::Column::State, Expr::value(State::Live))
            .col_expr(object::Column::LiveAt, Expr::value(now))
            .col_expr(object::Column::Sha256, Expr::value(object.sha256.clone()))
            .col_expr(object::Column::ContentType, Expr::value(object.content_type.as_str()))
            .filter(object::Column::Id.eq(object.id))
            .filter(object::Column::State.eq(State::Pending)),
        tx,
    )
    .await
}

pub(super) async fn set_deleting(
    tx: &Tx,
    id: Uuid,
    requested_by: Option<Uuid>,
    reason: Reason,
    now: Timestamp,
) -> Result<(), DbErr> {
    update_one(
        object::Entity::update_many()
            .col_expr(object::Column::State, Expr::value(State::Deleting))
            .col_expr(object::Column::RequestedBy, Expr::value(requested_by))
            .col_expr(object::Column::RequestedAt, Expr::value(now))
            .col_expr(object::Column::Reason, Expr::value(reason))
            .filter(object::Column::Id.eq(id))
            .filter(object::Column::State.is_in([State::Live, State::Pending]))
            .filter(object::Column::Holds.eq(0)),
        tx,
    )
    .await
}

pub(super) async fn set_due(
    tx: &Tx,
    id: Uuid,
    requested_by: Option<Uuid>,
    reason: Reason,
    now: Timestamp,
) -> Result<(), DbErr> {
    update_one(
        object::Entity::update_many()
            .col_expr(object::Column::DueAt, Expr::value(now))
            .col_expr(object::Column::RequestedBy, Expr::value(requested_by))
            .col_expr(object::Column::Reason, Expr::value(reason))
            .filter(object::Column::Id.eq(id))
            .filter(object::Column::Holds.gt(0)),
        tx,
    )
    .await
}

pub(super) async fn set_verified(
    tx: &Tx,
    object: Uuid,
    site: Site,
    stored: &Stored,
    proof: Proof,
    now: Timestamp,
) -> Result<(), DbErr> {
    update_one(
        object_copy::Entity::update_many()
            .col_expr(object_copy::Column::State, Expr::value(object_copy::State::Verified))
            .col_expr(object_copy::Column::Etag, Expr::value(stored.etag.as_str()))
            .col_expr(object_copy::Column::VersionId, Expr::value(stored.version_id.clone()))
            .col_expr(object_copy::Column::Proof, Expr::value(proof))
            .col_expr(object_copy::Column::VerifiedAt, Expr::value(now))
            .col_expr(object_copy::Column::ArrivedAt, Expr::col(object_copy::Column::ArrivedAt).if_null(now))
            .filter(object_copy::Column::ObjectId.eq(object))
            .filter(object_copy::Column::Site.eq(site)),
        tx,
    )
    .await
}

/// What the verifier found wrong with a copy.
pub(super) async fn set_fault(tx: &Tx, object: Uuid, site: Site, state: object_copy::State) -> Result<(), DbErr> {
    object_copy::Entity::update_many()
        .col_expr(object_copy::Column::State, Expr::value(state))
        .filter(object_copy::Column::ObjectId.eq(object))
        .filter(object_copy::Column::Site.eq(site))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn set_gone(tx: &Tx, object: Uuid, site: Site, now: Timestamp) -> Result<(), DbErr> {
    update_one(
        object_copy::Entity::update_many()
            .col_expr(object_copy::Column::State, Expr::value(object_copy::State::Gone))
            .col_expr(object_copy::Column::GoneAt, Expr::value(now))
            .filter(object_copy::Column::ObjectId.eq(object))
            .filter(object_copy::Column::Site.eq(site)),
        tx,
    )
    .await
}

pub(super) async fn set_erased(tx: &Tx, id: Uuid, now: Timestamp) -> Result<(), DbErr> {
    write_intent::Entity::delete_many().filter(write_intent::Column::ObjectId.eq(id)).exec(tx).await?;
    update_one(
        object::Entity::update_many()
            .col_expr(object::Column::State, Expr::value(State::Erased))
            .col_expr(object::Column::ErasedAt, Expr::value(now))
            .filter(object::Column::Id.eq(id))
            .filter(object::Column::State.eq(State::Deleting)),
        tx,
    )
    .await
}

/// A lost race is an error, never silence.
async fn update_one<E: EntityTrait>(update: sea_orm::UpdateMany<E>, tx: &Tx) -> Result<(), DbErr> {
    match update.exec(tx).await?.rows_affected {
        1 => Ok(()),
        _ => Err(DbErr::RecordNotUpdated),
    }
}

pub(super) async fn of_file(connection: &impl ConnectionTrait, file: Uuid) -> Result<Vec<object::Model>, DbErr> {
    object::Entity::find()
        .filter(object::Column::FileId.eq(file))
        .order_by_asc(object::Column::Id)
        .all(connection)
        .await
}

pub(super) async fn of_user(connection: &impl ConnectionTrait, user: Uuid) -> Result<Vec<object::Model>, DbErr> {
    object::Entity::find()
        .filter(object::Column::UserId.eq(user))
        .order_by_asc(object::Column::Id)
        .all(connection)
        .await
}

pub(super) async fn copies(
    connection: &impl ConnectionTrait,
    objects: &[Uuid],
) -> Result<Vec<object_copy::Model>, DbErr> {
    object_copy::Entity::find()
        .filter(object_copy::Column::ObjectId.is_in(objects.iter().copied()))
        .order_by_asc(object_copy::Column::Site)
        .all(connection)
        .await
}

pub(super) async fn requested(
    connection: &impl ConnectionTrait,
    user: Option<Uuid>,
    filter: &ErasureFilter,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<object::Model>, DbErr> {
    let mut condition = Condition::all().add(object::Column::RequestedAt.is_not_null());
    if let Some(user) = user {
        condition = condition.add(object::Column::UserId.eq(user));
    }
    if let Some(file) = filter.file_id {
        condition = condition.add(object::Column::FileId.eq(file));
    }
    condition = match filter.erased {
        Some(true) => condition.add(object::Column::State.eq(State::Erased)),
        Some(false) => condition.add(object::Column::State.eq(State::Deleting)),
        None => condition,
    };
    let select = object::Entity::find().filter(condition);
    let rows = page::keyset(select, object::Column::RequestedAt, object::Column::Id, Order::Desc, page)
        .all(connection)
        .await?;
    Ok(page.finish(rows))
}

/// Pending objects made before `time` that nobody keeps any longer: their writers are gone.
pub(super) async fn abandoned(connection: &impl ConnectionTrait, time: Timestamp) -> Result<Vec<Uuid>, DbErr> {
    use object::Column::KeepUntil;
    ids(
        object::Entity::find()
            .filter(object::Column::State.eq(State::Pending))
            .filter(object::Column::CreatedAt.lt(time))
            .filter(KeepUntil.is_null().or(KeepUntil.lt(time))),
        connection,
    )
    .await
}

/// Objects whose erasure was requested before `time` and is not proven.
pub(super) async fn unproven(connection: &impl ConnectionTrait, time: Timestamp) -> Result<Vec<Uuid>, DbErr> {
    ids(
        object::Entity::find()
            .filter(object::Column::State.eq(State::Deleting))
            .filter(object::Column::RequestedAt.lt(time)),
        connection,
    )
    .await
}

/// Live objects older than `time` that wait for a copy.
pub(super) async fn uncopied(connection: &impl ConnectionTrait, time: Timestamp) -> Result<Vec<Uuid>, DbErr> {
    let awaiting = object_copy::Entity::find()
        .select_only()
        .column(object_copy::Column::ObjectId)
        .filter(object_copy::Column::Site.is_in(Site::ALL))
        .filter(object_copy::Column::State.eq(object_copy::State::Awaiting))
        .into_query();
    ids(
        object::Entity::find()
            .filter(object::Column::State.eq(State::Live))
            .filter(object::Column::LiveAt.lt(time))
            .filter(object::Column::Id.in_subquery(awaiting)),
        connection,
    )
    .await
}

/// A sweep's batch.
const BATCH: u64 = 500;

async fn ids(select: sea_orm::Select<object::Entity>, connection: &impl ConnectionTrait) -> Result<Vec<Uuid>, DbErr> {
    select
        .select_only()
        .column(object::Column::Id)
        .order_by_asc(object::Column::Id)
        .limit(BATCH)
        .into_tuple()
        .all(connection)
        .await
}
