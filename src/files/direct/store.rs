//! Queries over `upload`.

use entity::{
    Timestamp, file, upload,
    upload::{Column, State},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait as _, IntoActiveModel as _,
    Order, PaginatorTrait as _, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _, sea_query::Expr,
};
use uuid::Uuid;

use crate::db::{
    Tx,
    page::{self, Page, PageRequest, Position},
};

/// A round of the sweeper, and of an account's end.
const BATCH: u64 = 500;

pub(super) async fn find(
    connection: &impl ConnectionTrait,
    owner: Uuid,
    id: Uuid,
) -> Result<Option<upload::Model>, DbErr> {
    upload::Entity::find_by_id(id).filter(Column::OwnerId.eq(owner)).one(connection).await
}

/// Whosever it is; for jobs.
pub(super) async fn get(connection: &impl ConnectionTrait, id: Uuid) -> Result<Option<upload::Model>, DbErr> {
    upload::Entity::find_by_id(id).one(connection).await
}

pub(super) async fn lock(tx: &Tx, owner: Uuid, id: Uuid) -> Result<Option<upload::Model>, DbErr> {
    upload::Entity::find_by_id(id).filter(Column::OwnerId.eq(owner)).lock_exclusive().one(tx).await
}

/// One's uploads, newest first.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    owner: Uuid,
    state: Option<State>,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<upload::Model>, DbErr> {
    let mut select = upload::Entity::find().filter(Column::OwnerId.eq(owner));
    if let Some(state) = state {
        select = select.filter(Column::State.eq(state));
    }
    Ok(page.finish(page::keyset(select, Column::CreatedAt, Column::Id, Order::Desc, page).all(connection).await?))
}

pub(super) async fn open_of(connection: &impl ConnectionTrait, owner: Uuid) -> Result<u64, DbErr> {
    let open = Column::OwnerId.eq(owner).and(Column::State.eq(State::Open));
    upload::Entity::find().filter(open).count(connection).await
}

pub(super) async fn insert(tx: &Tx, row: upload::Model) -> Result<(), DbErr> {
    upload::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

/// The whole row, which the caller has locked.
pub(super) async fn update(tx: &Tx, row: upload::Model) -> Result<(), DbErr> {
    let id = row.id;
    let update = upload::Entity::update_many().set(row.into_active_model().reset_all()).filter(Column::Id.eq(id));
    match update.exec(tx).await?.rows_affected {
        1 => Ok(()),
        _ => Err(DbErr::RecordNotUpdated),
    }
}

/// Where it has none yet.
pub(super) async fn set_multipart_id(tx: &Tx, id: Uuid, multipart_id: &str) -> Result<(), DbErr> {
    upload::Entity::update_many()
        .col_expr(Column::MultipartId, Expr::value(multipart_id))
        .filter(Column::Id.eq(id))
        .filter(Column::MultipartId.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn set_verified_bytes(tx: &Tx, id: Uuid, bytes: i64) -> Result<(), DbErr> {
    upload::Entity::update_many()
        .col_expr(Column::VerifiedBytes, Expr::value(bytes))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(State::Verifying))
        .exec(tx)
        .await?;
    Ok(())
}

/// A part was signed: S3 is not asked before `look_at`.
pub(super) async fn set_signed(tx: &Tx, id: Uuid, now: Timestamp, look_at: Option<Timestamp>) -> Result<(), DbErr> {
    upload::Entity::update_many()
        .col_expr(Column::SignedAt, Expr::value(now))
        .col_expr(Column::LookAt, Expr::value(look_at))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn set_look_at(tx: &Tx, id: Uuid, time: Timestamp) -> Result<(), DbErr> {
    let update = upload::Entity::update_many().col_expr(Column::LookAt, Expr::value(time));
    update.filter(Column::Id.eq(id)).exec(tx).await?;
    Ok(())
}

/// Before its parts are joined. `false`: it is open no longer.
pub(super) async fn set_composite(tx: &Tx, id: Uuid, composite: Option<Vec<u8>>) -> Result<bool, DbErr> {
    let outcome = upload::Entity::update_many()
        .col_expr(Column::Composite, Expr::value(composite))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(State::Open))
        .exec(tx)
        .await?;
    Ok(outcome.rows_affected == 1)
}

/// Of this file, the one that is sent to this staging object.
pub(super) async fn of_staging(
    connection: &impl ConnectionTrait,
    file: Uuid,
    staging: Uuid,
) -> Result<Option<upload::Model>, DbErr> {
    let of_file = upload::Entity::find().filter(Column::FileId.eq(file));
    of_file.filter(Column::StagingId.eq(staging)).one(connection).await
}

/// Open ones that S3 is to be asked about, with their owners.
pub(super) async fn idle(connection: &impl ConnectionTrait, now: Timestamp) -> Result<Vec<(Uuid, Uuid)>, DbErr> {
    upload::Entity::find()
        .select_only()
        .columns([Column::OwnerId, Column::Id])
        .filter(Column::State.eq(State::Open))
        .filter(Column::LookAt.lte(now))
        .order_by_asc(Column::LookAt)
        .limit(BATCH)
        .into_tuple()
        .all(connection)
        .await
}

/// Open ones whose time is over, with their owners.
pub(super) async fn expired(connection: &impl ConnectionTrait, now: Timestamp) -> Result<Vec<(Uuid, Uuid)>, DbErr> {
    upload::Entity::find()
        .select_only()
        .columns([Column::OwnerId, Column::Id])
        .filter(Column::State.eq(State::Open))
        .filter(Column::ExpiresAt.lte(now))
        .order_by_asc(Column::ExpiresAt)
        .limit(BATCH)
        .into_tuple()
        .all(connection)
        .await
}

pub(super) async fn delete_ended(tx: &Tx, before: Timestamp) -> Result<(), DbErr> {
    upload::Entity::delete_many().filter(Column::EndedAt.lt(before)).exec(tx).await?;
    Ok(())
}

/// Those that became these files.
pub(super) async fn of_files(tx: &Tx, files: &[Uuid]) -> Result<Vec<upload::Model>, DbErr> {
    upload::Entity::find().filter(Column::FileId.is_in(files.iter().copied())).order_by_asc(Column::Id).all(tx).await
}

/// Some of a person's uploads of which there is no file: not completed, or the file is gone.
pub(super) async fn lock_without_file(tx: &Tx, owner: Uuid) -> Result<Vec<upload::Model>, DbErr> {
    let files = file::Entity::find()
        .select_only()
        .column(file::Column::Id)
        .filter(file::Column::OwnerId.eq(owner))
        .into_query();
    upload::Entity::find()
        .filter(Column::OwnerId.eq(owner))
        .filter(Column::FileId.not_in_subquery(files))
        .order_by_asc(Column::Id)
        .limit(BATCH)
        .lock_exclusive()
        .all(tx)
        .await
}

/// Those being verified as new contents of these files, locked.
pub(super) async fn lock_for(tx: &Tx, files: &[Uuid]) -> Result<Vec<upload::Model>, DbErr> {
    upload::Entity::find()
        .filter(Column::TargetId.is_in(files.iter().copied()))
        .filter(Column::State.eq(State::Verifying))
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(tx)
        .await
}

pub(super) async fn delete_of_files(tx: &Tx, files: &[Uuid]) -> Result<(), DbErr> {
    upload::Entity::delete_many().filter(Column::FileId.is_in(files.iter().copied())).exec(tx).await?;
    Ok(())
}
