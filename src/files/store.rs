//! Queries over `file`, `file_version` and `rendition`.

use std::collections::HashMap;

use entity::{Timestamp, file, file_version, object, rendition};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult as _, IntoActiveModel, Order,
    PaginatorTrait as _, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _, Select,
    sea_query::{Asterisk, Expr, ExprTrait as _, Query},
};
use uuid::Uuid;

use super::{Scope, index, shares};
use crate::db::{
    Tx,
    page::{self, Page, PageRequest, Position},
};

pub(super) fn scoped(scope: Scope) -> Select<file::Entity> {
    match scope {
        Scope::Everyone => file::Entity::find(),
        Scope::Owner(owner) => file::Entity::find().filter(file::Column::OwnerId.eq(owner)),
    }
}

pub(super) async fn find(
    connection: &impl ConnectionTrait,
    scope: Scope,
    id: Uuid,
) -> Result<Option<file::Model>, DbErr> {
    scoped(scope).filter(file::Column::Id.eq(id)).one(connection).await
}

/// Locked in id order, so that overlapping requests do not wait for each other in a circle.
pub(super) async fn lock(tx: &Tx, scope: Scope, ids: &[Uuid]) -> Result<Vec<file::Model>, DbErr> {
    scoped(scope)
        .filter(file::Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(file::Column::Id)
        .lock_exclusive()
        .all(tx)
        .await
}

/// Up to `limit` ids in their order, those after `after`.
pub(super) async fn ids_after(
    connection: &impl ConnectionTrait,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<Uuid>, DbErr> {
    file::Entity::find()
        .select_only()
        .column(file::Column::Id)
        .filter(file::Column::Id.gt(after.unwrap_or_default()))
        .order_by_asc(file::Column::Id)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await
}

/// The row, and what it is found by.
pub(super) async fn insert(tx: &Tx, row: file::Model) -> Result<(), DbErr> {
    file::Entity::insert(row.clone().into_active_model().reset_all()).exec_without_returning(tx).await?;
    index::insert(tx, &row).await
}

/// Writes the whole row, and what it is found by, where it still has the revision of `before`. `false`: somebody was
/// faster.
pub(super) async fn update(tx: &Tx, before: &file::Model, row: &file::Model) -> Result<bool, DbErr> {
    let outcome = file::Entity::update_many()
        .set(row.clone().into_active_model().reset_all())
        .filter(file::Column::Id.eq(before.id))
        .filter(file::Column::Revision.eq(before.revision))
        .exec(tx)
        .await?;
    if outcome.rows_affected != 1 {
        return Ok(false);
    }
    index::update(tx, before, row).await?;
    Ok(true)
}

pub(super) async fn insert_version(tx: &Tx, row: file_version::Model) -> Result<(), DbErr> {
    file_version::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn version(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<file_version::Model>, DbErr> {
    file_version::Entity::find_by_id(id).one(connection).await
}

/// Those of these that are still there.
pub(super) async fn versions_in(
    connection: &impl ConnectionTrait,
    ids: &[Uuid],
) -> Result<Vec<file_version::Model>, DbErr> {
    let select = file_version::Entity::find().filter(file_version::Column::Id.is_in(ids.iter().copied()));
    select.order_by_asc(file_version::Column::Id).all(connection).await
}

/// The oldest versions of a file, `limit` at the most, where it has more than `kept`.
pub(super) async fn versions_beyond(
    connection: &impl ConnectionTrait,
    file: Uuid,
    kept: u64,
    limit: u64,
) -> Result<Vec<file_version::Model>, DbErr> {
    file_version::Entity::find()
        .filter(file_version::Column::FileId.eq(file))
        .order_by_desc(file_version::Column::Number)
        .offset(kept)
        .limit(limit)
        .all(connection)
        .await
}

/// Versions that another content superseded before `time` and that nobody holds.
pub(super) async fn versions_superseded(
    connection: &impl ConnectionTrait,
    time: Timestamp,
    limit: u64,
) -> Result<Vec<file_version::Model>, DbErr> {
    let held = object::Entity::find().select_only().column(object::Column::Id).filter(object::Column::Holds.gt(0));
    file_version::Entity::find()
        .filter(file_version::Column::SupersededAt.lt(time))
        .filter(file_version::Column::ObjectId.not_in_subquery(held.into_query()))
        .order_by_asc(file_version::Column::SupersededAt)
        .limit(limit)
        .all(connection)
        .await
}

pub(super) async fn set_superseded(tx: &Tx, id: Uuid, now: Timestamp) -> Result<(), DbErr> {
    let update = file_version::Entity::update_many().col_expr(file_version::Column::SupersededAt, Expr::value(now));
    update.filter(file_version::Column::Id.eq(id)).exec(tx).await?;
    Ok(())
}

pub(super) async fn delete_versions(tx: &Tx, ids: &[Uuid]) -> Result<(), DbErr> {
    file_version::Entity::delete_many().filter(file_version::Column::Id.is_in(ids.iter().copied())).exec(tx).await?;
    Ok(())
}

/// Bytes of all versions of each of these files.
pub(super) async fn bytes_of(connection: &impl ConnectionTrait, files: &[Uuid]) -> Result<HashMap<Uuid, i64>, DbErr> {
    use file_version::Column;
    // A sum of big integers is a decimal in some databases.
    let rows: Vec<(Uuid, i64)> = file_version::Entity::find()
        .select_only()
        .columns([Column::FileId, Column::Bytes])
        .filter(Column::FileId.is_in(files.iter().copied()))
        .into_tuple()
        .all(connection)
        .await?;
    let mut sums = HashMap::new();
    for (file, bytes) in rows {
        *sums.entry(file).or_default() += bytes;
    }
    Ok(sums)
}

pub(super) async fn last_number(connection: &impl ConnectionTrait, file: Uuid) -> Result<i32, DbErr> {
    let newest = file_version::Entity::find()
        .filter(file_version::Column::FileId.eq(file))
        .order_by_desc(file_version::Column::Number)
        .one(connection)
        .await?;
    Ok(newest.map_or(0, |version| version.number))
}

/// Newest first.
pub(super) async fn versions(
    connection: &impl ConnectionTrait,
    file: Uuid,
    page: &PageRequest<Position<i32>>,
) -> Result<Page<file_version::Model>, DbErr> {
    let select = file_version::Entity::find().filter(file_version::Column::FileId.eq(file));
    let (number, id) = (file_version::Column::Number, file_version::Column::Id);
    let rows = page::keyset(select, number, id, Order::Desc, page).all(connection).await?;
    Ok(page.finish(rows))
}

/// The first page of [`versions`] of each file, in one query.
pub(super) async fn newest_versions(
    connection: &impl ConnectionTrait,
    files: &[Uuid],
    limit: u64,
) -> Result<HashMap<Uuid, Page<file_version::Model>>, DbErr> {
    use file_version::Column;
    let ranked = Query::select()
        .column(Asterisk)
        .expr_as(Expr::cust("ROW_NUMBER() OVER (PARTITION BY file_id ORDER BY number DESC)"), "place")
        .from(file_version::Entity)
        .and_where(Column::FileId.is_in(files.iter().copied()))
        .take();
    let select = Query::select()
        .column(Asterisk)
        .from_subquery(ranked, "ranked")
        .and_where(Expr::col("place").lte(limit + 1))
        .order_by("number", Order::Desc)
        .take();
    let rows = connection.query_all(&select).await?;
    let mut found: HashMap<Uuid, Vec<file_version::Model>> = HashMap::new();
    for row in rows {
        let version = file_version::Model::from_query_result(&row, "")?;
        found.entry(version.file_id).or_default().push(version);
    }
    let page = PageRequest::<Position<i32>> { after: None, before: None, limit, from_end: false };
    Ok(found.into_iter().map(|(file, rows)| (file, page.finish(rows))).collect())
}

/// One PENDING row for each size.
pub(super) async fn insert_renditions(
    tx: &Tx,
    file: Uuid,
    version: Uuid,
    sizes: &[rendition::Size],
    now: Timestamp,
) -> Result<(), DbErr> {
    let rows = sizes.iter().map(|size| rendition::ActiveModel {
        id: Set(Uuid::now_v7()),
        file_id: Set(file),
        version_id: Set(version),
        size: Set(*size),
        state: Set(rendition::State::Pending),
        object_id: Set(None),
        content_type: Set(None),
        width: Set(None),
        height: Set(None),
        error: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    });
    rendition::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}

pub(super) async fn renditions(
    connection: &impl ConnectionTrait,
    versions: &[Uuid],
) -> Result<Vec<rendition::Model>, DbErr> {
    rendition::Entity::find().filter(rendition::Column::VersionId.is_in(versions.iter().copied())).all(connection).await
}

pub(super) async fn renditions_in(
    connection: &impl ConnectionTrait,
    versions: &[Uuid],
    sizes: &[rendition::Size],
) -> Result<Vec<rendition::Model>, DbErr> {
    rendition::Entity::find()
        .filter(rendition::Column::VersionId.is_in(versions.iter().copied()))
        .filter(rendition::Column::Size.is_in(sizes.iter().copied()))
        .all(connection)
        .await
}

/// Renditions that have these bytes are to be made again. How many they are.
pub(super) async fn renew_renditions(tx: &Tx, objects: &[Uuid], now: Timestamp) -> Result<u64, DbErr> {
    let renewed = rendition::Entity::update_many()
        .col_expr(rendition::Column::State, Expr::value(rendition::State::Pending))
        .col_expr(rendition::Column::ObjectId, Expr::value(None::<Uuid>))
        .col_expr(rendition::Column::ContentType, Expr::value(None::<String>))
        .col_expr(rendition::Column::Width, Expr::value(None::<i32>))
        .col_expr(rendition::Column::Height, Expr::value(None::<i32>))
        .col_expr(rendition::Column::UpdatedAt, Expr::value(now))
        .filter(rendition::Column::ObjectId.is_in(objects.iter().copied()))
        .exec(tx)
        .await?;
    Ok(renewed.rows_affected)
}

/// Writes the outcome where the rendition is still pending.
pub(super) async fn settle_rendition(tx: &Tx, row: rendition::Model) -> Result<bool, DbErr> {
    let id = row.id;
    let outcome = rendition::Entity::update_many()
        .set(row.into_active_model().reset_all())
        .filter(rendition::Column::Id.eq(id))
        .filter(rendition::Column::State.eq(rendition::State::Pending))
        .exec(tx)
        .await?;
    Ok(outcome.rows_affected == 1)
}

pub(super) async fn delete_renditions(tx: &Tx, version: Uuid) -> Result<(), DbErr> {
    rendition::Entity::delete_many().filter(rendition::Column::VersionId.eq(version)).exec(tx).await?;
    Ok(())
}

/// The rows of these files with their share links; their objects are the ledger's.
pub(super) async fn delete(tx: &Tx, ids: &[Uuid]) -> Result<(), DbErr> {
    shares::store::delete_of(tx, ids).await?;
    index::delete(tx, ids).await?;
    let ids = || ids.iter().copied();
    rendition::Entity::delete_many().filter(rendition::Column::FileId.is_in(ids())).exec(tx).await?;
    file_version::Entity::delete_many().filter(file_version::Column::FileId.is_in(ids())).exec(tx).await?;
    file::Entity::delete_many().filter(file::Column::Id.is_in(ids())).exec(tx).await?;
    Ok(())
}

/// Up to `limit` of a person's files in whatever state, but those that a legal hold keeps.
pub(super) async fn not_held(connection: &impl ConnectionTrait, owner: Uuid, limit: u64) -> Result<Vec<Uuid>, DbErr> {
    scoped(Scope::Owner(owner))
        .select_only()
        .column(file::Column::Id)
        .filter(file::Column::Holds.eq(0))
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await
}

/// How many files a person has, in whatever state.
pub(super) async fn count(connection: &impl ConnectionTrait, owner: Uuid) -> Result<u64, DbErr> {
    scoped(Scope::Owner(owner)).count(connection).await
}

/// Trashed files whose time is up and that nobody holds.
pub(super) async fn expired(connection: &impl ConnectionTrait, now: Timestamp, limit: u64) -> Result<Vec<Uuid>, DbErr> {
    file::Entity::find()
        .select_only()
        .column(file::Column::Id)
        .filter(file::Column::PurgeAt.lte(now))
        .filter(file::Column::Holds.eq(0))
        .order_by_asc(file::Column::PurgeAt)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await
}
