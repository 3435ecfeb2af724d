//! A person's objects taken together, for the end of their account.

use entity::{
    Timestamp,
    object::{Column, Entity, Model, Reason, State},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait as _, PaginatorTrait as _, QueryFilter, QueryOrder,
    QuerySelect, Select,
};
use uuid::Uuid;

use super::doom;
use crate::{app::App, db::Tx};

/// Objects doomed in one transaction.
const BATCH: u64 = 500;

/// How far the erasure of a person's objects has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Toll {
    /// In any state but erased.
    pub left: u64,
    /// Proven gone at every site since the time that was asked for.
    pub erased: u64,
}

/// In one statement, so that what is erased meanwhile counts once.
pub async fn toll(connection: &impl ConnectionTrait, user: Uuid, since: Timestamp) -> Result<Toll, DbErr> {
    let states: Vec<(State, i64)> = Entity::find()
        .select_only()
        .column(Column::State)
        .column_as(Column::Id.count(), "objects")
        .filter(Column::UserId.eq(user))
        .filter(Column::State.ne(State::Erased).or(Column::ErasedAt.gte(since)))
        .group_by(Column::State)
        .into_tuple()
        .all(connection)
        .await?;
    let mut toll = Toll::default();
    for (state, objects) in states {
        let objects = u64::try_from(objects).unwrap_or(0);
        if state == State::Erased { toll.erased += objects } else { toll.left += objects }
    }
    Ok(toll)
}

/// The objects of these files, whatever became of them, locked in the order of their ids.
pub async fn lock_of_files(tx: &Tx, files: &[Uuid]) -> Result<Vec<Model>, DbErr> {
    let of_files = Entity::find().filter(Column::FileId.is_in(files.iter().copied()));
    of_files.order_by_asc(Column::Id).lock_exclusive().all(tx).await
}

/// Dooms objects of a person who has no files any more: those of writes that are under way. How many it were; more may
/// be left.
pub async fn doom_rest(app: &App, tx: &Tx, user: Uuid, reason: Reason) -> Result<usize, DbErr> {
    let select = standing(user).filter(Column::Holds.eq(0)).select_only().column(Column::Id).limit(BATCH);
    let ids: Vec<Uuid> = select.into_tuple().all(tx).await?;
    Ok(doom(app, tx, &ids, Some(user), reason).await?.deleting.len())
}

/// How many of a person's objects nobody has doomed.
pub async fn count_standing(connection: &impl ConnectionTrait, user: Uuid) -> Result<u64, DbErr> {
    standing(user).count(connection).await
}

/// The ones whose erasure nobody has asked for: their index stands by the time of that.
fn standing(user: Uuid) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(user)).filter(Column::RequestedAt.is_null())
}
