//! Quotas: what a person's files take up, and how much they may.
//!
//! A file counts from the moment that somebody may send its bytes until it is purged, in the trash too; its bytes are those
//! of all its versions. The counter moves in the transaction that moves the rows, where exactly one moved.

use entity::{
    upload::{self, Purpose},
    usage::{Column, Entity, Model},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait as _, NotSet, QueryFilter,
    sea_query::{Expr, Func, SimpleExpr},
};
use serde_json::json;
use uuid::Uuid;

use super::FilesError;
use crate::{accounts, app::App, audit, config::Quotas, db::Tx, error::Fault, viewer::Viewer};

/// What something adds to the usage of its owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub files: i64,
    pub bytes: i64,
}

impl Amount {
    pub(super) fn file(bytes: i64) -> Self {
        Self { files: 1, bytes }
    }

    pub(super) fn content(bytes: i64) -> Self {
        Self { files: 0, bytes }
    }

    /// What an upload counts before its bytes are somebody's.
    pub(super) fn of_upload(row: &upload::Model) -> Self {
        match row.purpose {
            Purpose::File => Self::file(row.bytes),
            Purpose::Content | Purpose::Snap => Self::content(row.bytes),
        }
    }
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

/// What a person's files take up, and how much they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub user_id: Uuid,
    pub files: i64,
    pub bytes: i64,
    pub max_files: i64,
    pub max_bytes: i64,
}

impl Usage {
    fn new(user_id: Uuid, row: Option<&Model>, settings: &Quotas) -> Self {
        Self {
            user_id,
            files: row.map_or(0, |row| row.files),
            bytes: row.map_or(0, |row| row.bytes),
            max_files: row.and_then(|row| row.max_files).unwrap_or(settings.files.into()),
            max_bytes: row.and_then(|row| row.max_bytes).unwrap_or_else(|| max_bytes(settings)),
        }
    }

    fn refuse(&self, amount: Amount) -> Option<FilesError> {
        if self.files + amount.files > self.max_files {
            return Some(FilesError::TooManyFiles { limit: self.max_files });
        }
        let left = self.max_bytes - self.bytes;
        (amount.bytes > left).then_some(FilesError::QuotaExceeded { left: Ord::max(left, 0), limit: self.max_bytes })
    }
}

/// A new quota for a person; `None`: as the settings say.
#[derive(Clone, Copy, Debug)]
pub struct NewQuota {
    pub user_id: Uuid,
    pub max_files: Option<i64>,
    pub max_bytes: Option<i64>,
}

fn max_bytes(settings: &Quotas) -> i64 {
    i64::try_from(settings.bytes.as_u64()).unwrap_or(i64::MAX)
}

/// One's own usage; for admins anyone's. `None`: there is no such person.
pub async fn usage(app: &App, viewer: &Viewer, user: Option<Uuid>) -> Result<Option<Usage>, Fault> {
    let me = viewer.person()?.user_id;
    let user = user.unwrap_or(me);
    if user != me {
        viewer.admin()?;
        if accounts::find(app, viewer, user).await?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(of(app, app.db.read(), user).await?))
}

/// Sets a person's quota. What is there already stays, whatever the quota. A repeat changes nothing. Admins.
pub async fn set(app: &App, viewer: &Viewer, quota: NewQuota) -> Result<Usage, FilesError> {
    viewer.admin()?;
    if quota.max_files.is_some_and(|files| files < 0) || quota.max_bytes.is_some_and(|bytes| bytes < 0) {
        return Err(FilesError::InvalidQuota);
    }
    let user = accounts::find(app, viewer, quota.user_id).await?.ok_or(FilesError::NoSuchUser)?;
    let usage = app
        .transaction::<_, DbErr, _, _>(async |tx| {
            begin(&tx, user.id).await?;
            let before = Entity::find_by_id(user.id).one(&tx).await?.ok_or(DbErr::RecordNotUpdated)?;
            if (before.max_files, before.max_bytes) == (quota.max_files, quota.max_bytes) {
                return of(app, &tx, user.id).await;
            }
            let update = Entity::update_many()
                .col_expr(Column::MaxFiles, Expr::value(quota.max_files))
                .col_expr(Column::MaxBytes, Expr::value(quota.max_bytes))
                .filter(Column::UserId.eq(user.id));
            update.exec(&tx).await?;
            let details = json!({ "maxFiles": quota.max_files, "maxBytes": quota.max_bytes });
            audit::record(&tx, viewer, "user.quota_changed", user.id, details, app.db.now(&tx).await?).await?;
            of(app, &tx, user.id).await
        })
        .await?;
    Ok(usage)
}

async fn of(app: &App, connection: &impl ConnectionTrait, user: Uuid) -> Result<Usage, DbErr> {
    let row = Entity::find_by_id(user).one(connection).await?;
    Ok(Usage::new(user, row.as_ref(), &app.config.quotas))
}

/// Refuses what does not fit even now, before its bytes are stored.
pub(super) async fn check(app: &App, user: Uuid, amount: Amount) -> Result<(), FilesError> {
    of(app, app.db.read(), user).await?.refuse(amount).map_or(Ok(()), Err)
}

/// Counts the amount where it fits. Takes the person's counter until the commit, so call it late.
pub(super) async fn take(app: &App, tx: &Tx, user: Uuid, amount: Amount) -> Result<(), FilesError> {
    if add(app, tx, user, amount).await? {
        return Ok(());
    }
    begin(tx, user).await?;
    if add(app, tx, user, amount).await? {
        return Ok(());
    }
    let refused = of(app, tx, user).await?.refuse(amount);
    Err(refused.unwrap_or_else(|| Fault::Busy("the quota has changed meanwhile".to_owned()).into()))
}

async fn add(app: &App, tx: &Tx, user: Uuid, amount: Amount) -> Result<bool, DbErr> {
    let settings = &app.config.quotas;
    let limit = |column: Column, or: i64| -> SimpleExpr { Func::coalesce([Expr::col(column), Expr::value(or)]).into() };
    let update = moved(amount)
        .filter(Column::UserId.eq(user))
        .filter(Expr::col(Column::Files).add(amount.files).lte(limit(Column::MaxFiles, settings.files.into())))
        .filter(Expr::col(Column::Bytes).add(amount.bytes).lte(limit(Column::MaxBytes, max_bytes(settings))));
    Ok(update.exec(tx).await?.rows_affected == 1)
}

/// Counts the amount no longer.
pub(super) async fn give_back(tx: &Tx, user: Uuid, amount: Amount) -> Result<(), DbErr> {
    if amount == Amount::default() {
        return Ok(());
    }
    let less = Amount { files: -amount.files, bytes: -amount.bytes };
    match moved(less).filter(Column::UserId.eq(user)).exec(tx).await?.rows_affected {
        1 => Ok(()),
        _ => Err(DbErr::RecordNotUpdated),
    }
}

fn moved(amount: Amount) -> sea_orm::UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::Files, Expr::col(Column::Files).add(amount.files))
        .col_expr(Column::Bytes, Expr::col(Column::Bytes).add(amount.bytes))
}

pub(super) async fn forget(tx: &Tx, user: Uuid) -> Result<(), DbErr> {
    Entity::delete_by_id(user).exec(tx).await?;
    Ok(())
}

/// A counter for who has none yet.
async fn begin(tx: &Tx, user: Uuid) -> Result<(), DbErr> {
    let row = entity::usage::ActiveModel {
        user_id: Set(user),
        files: Set(0),
        bytes: Set(0),
        max_files: NotSet,
        max_bytes: NotSet,
    };
    Entity::insert(row).on_conflict_do_nothing_on([Column::UserId]).exec_without_returning(tx).await?;
    Ok(())
}
