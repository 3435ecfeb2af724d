//! Legal holds: as long as a file has one, nothing of it is deleted, whoever asks. What was asked for meanwhile is done when
//! the last one ends.

use entity::{
    Timestamp,
    file::{self, State},
    legal_hold::{Column, Entity, Model},
    object::Kind,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, DbErr, EntityTrait as _, IntoActiveModel as _, Order, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use serde_json::json;
use uuid::Uuid;

use super::{FilesError, Scope, purge, store, trash, versions};
use crate::{
    app::App,
    audit,
    db::{
        Tx,
        idempotency::IdempotencyKey,
        page::{self, Page, PageRequest, Position},
    },
    error::Fault,
    ledger, text,
    viewer::Viewer,
};

/// Holds every content that the file has, and those that it will have. Admins.
pub async fn place(
    app: &App,
    viewer: &Viewer,
    file: Uuid,
    reason: &str,
    idempotency_key: Option<&str>,
) -> Result<Model, FilesError> {
    viewer.admin()?;
    let me = viewer.person()?.user_id;
    let reason = text::reason(reason).ok_or(FilesError::InvalidReason)?;
    let key = idempotency_key.map(|key| IdempotencyKey::new(me, key, "placeLegalHold", &(file, &reason)));
    app.transaction(async |tx| {
        let found = store::lock(&tx, Scope::Everyone, &[file]).await?.pop();
        // Under the lock of the file, so that of two with the same key the second finds what the first has made.
        if let Some(first) = IdempotencyKey::recall(key.as_ref(), &tx).await? {
            return Entity::find_by_id(first).one(&tx).await?.ok_or(FilesError::NoSuchHold);
        }
        let Some(current) = found else {
            let is_deleting = !ledger::of_file(&tx, file).await?.is_empty();
            return Err(if is_deleting { FilesError::Deleted } else { FilesError::NotFound });
        };
        if matches!(current.state, State::Processing | State::Rejected) {
            return Err(FilesError::WrongState("The file has no verified content that could be held."));
        }
        let now = app.db.now(&tx).await?;
        if !ledger::hold(&tx, &contents(&tx, file).await?, 1).await? {
            return Err(FilesError::Deleted);
        }
        count(&tx, &current, 1, now).await?;
        let row = Model {
            id: Uuid::now_v7(),
            file_id: file,
            file_name: current.name.clone(),
            reason: reason.clone(),
            placed_by: Some(me),
            placed_at: now,
            released_by: None,
            released_at: None,
        };
        Entity::insert(row.clone().into_active_model().reset_all()).exec_without_returning(&tx).await?;
        if let Some(key) = &key {
            key.remember(&tx, row.id, now).await?;
        }
        note(&tx, viewer, "file.hold_placed", &row, now).await?;
        Ok(row)
    })
    .await
}

/// Ends a hold. With the last one of a file what waited for that is done. A repeat changes nothing. Admins.
pub async fn release(app: &App, viewer: &Viewer, hold: Uuid) -> Result<Model, FilesError> {
    viewer.admin()?;
    let found = Entity::find_by_id(hold).one(app.db.read()).await?.ok_or(FilesError::NoSuchHold)?;
    app.transaction(async |tx| {
        let current = store::lock(&tx, Scope::Everyone, &[found.file_id]).await?.pop();
        let row = Entity::find_by_id(hold).lock_exclusive().one(&tx).await?.ok_or(FilesError::NoSuchHold)?;
        if row.released_at.is_some() {
            return Ok(row);
        }
        let current = current.ok_or_else(|| Fault::Internal("a held file is not there".to_owned()))?;
        let now = app.db.now(&tx).await?;
        let row = Model { released_by: viewer.user_id(), released_at: Some(now), ..row };
        Entity::update_many()
            .col_expr(Column::ReleasedBy, Expr::value(row.released_by))
            .col_expr(Column::ReleasedAt, Expr::value(now))
            .filter(Column::Id.eq(hold))
            .exec(&tx)
            .await?;
        let current = count(&tx, &current, -1, now).await?;
        ledger::release(app, &tx, &contents(&tx, current.id).await?).await?;
        if current.holds == 0 {
            versions::drop_surplus(app, &tx, &current).await?;
            purge::look_again(app, &tx, &current, now).await?;
        }
        note(&tx, viewer, "file.hold_released", &row, now).await?;
        Ok(row)
    })
    .await
}

/// Holds a new content of a locked file as often as the file is held.
pub(super) async fn extend(tx: &Tx, file: &file::Model, object: Uuid) -> Result<(), FilesError> {
    if file.holds > 0 && !ledger::hold(tx, &[object], file.holds).await? {
        return Err(Fault::Internal("a content that has just become live is not there".to_owned()).into());
    }
    Ok(())
}

/// Everything that the file is or was.
async fn contents(tx: &Tx, file: Uuid) -> Result<Vec<Uuid>, DbErr> {
    let objects = ledger::of_file(tx, file).await?.into_iter();
    let contents = objects.filter(|object| object.kind == Kind::Original && object.requested_at.is_none());
    Ok(contents.filter(|object| object.live_at.is_some()).map(|object| object.id).collect())
}

/// Counts a hold at its locked file. A new revision, so that nobody writes the old count back.
async fn count(tx: &Tx, current: &file::Model, change: i32, now: Timestamp) -> Result<file::Model, FilesError> {
    let row = file::Model {
        holds: current.holds + change,
        revision: current.revision + 1,
        updated_at: now,
        ..current.clone()
    };
    trash::save(tx, current, &row).await?;
    Ok(row)
}

async fn note(tx: &Tx, viewer: &Viewer, action: &'static str, hold: &Model, now: Timestamp) -> Result<(), DbErr> {
    let details = json!({ "hold": hold.id, "name": hold.file_name, "reason": hold.reason });
    audit::record(tx, viewer, action, hold.file_id, details, now).await
}

/// Holds, newest first; `active`: those that stand, or those that were released. Admins.
pub async fn list(
    app: &App,
    viewer: &Viewer,
    active: Option<bool>,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<Model>, Fault> {
    viewer.admin()?;
    let select = match active {
        Some(true) => Entity::find().filter(Column::ReleasedAt.is_null()),
        Some(false) => Entity::find().filter(Column::ReleasedAt.is_not_null()),
        None => Entity::find(),
    };
    let rows = page::keyset(select, Column::PlacedAt, Column::Id, Order::Desc, page).all(app.db.read()).await?;
    Ok(page.finish(rows))
}

/// One hold. To anybody but admins it is not there.
pub async fn find(app: &App, viewer: &Viewer, id: Uuid) -> Result<Option<Model>, Fault> {
    if !viewer.is_admin() {
        return Ok(None);
    }
    Ok(Entity::find_by_id(id).one(app.db.read()).await?)
}

/// The holds of a file that stand, oldest first. Admins.
pub async fn of_file(app: &App, viewer: &Viewer, file: Uuid) -> Result<Vec<Model>, Fault> {
    viewer.admin()?;
    let standing = Entity::find().filter(Column::FileId.eq(file)).filter(Column::ReleasedAt.is_null());
    Ok(standing.order_by_asc(Column::Id).all(app.db.read()).await?)
}
