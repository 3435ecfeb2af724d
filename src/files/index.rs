//! Writing what files are found by, in the transaction of the file's row: `file_term`, `file_label`.

use async_trait::async_trait;
use entity::{file, file_label, file_term};
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Scope, store,
    terms::{labels, terms},
};
use crate::{
    app::App,
    db::Tx,
    jobs::{self, Job, JobError, Lane},
};

/// Files of one transaction of [`Reindex`].
const BATCH: u64 = 100;

pub(super) async fn insert(tx: &Tx, row: &file::Model) -> Result<(), DbErr> {
    let terms = terms(row).into_iter().map(|term| file_term::ActiveModel {
        file_id: Set(row.id),
        term: Set(term),
        owner_id: Set(row.owner_id),
        state: Set(row.state),
    });
    file_term::Entity::insert_many(terms).exec_without_returning(tx).await?;
    let labels = labels(row).into_iter().map(|label| file_label::ActiveModel {
        file_id: Set(row.id),
        label: Set(label.0),
        owner_id: Set(row.owner_id),
        state: Set(row.state),
        created_at: Set(row.created_at),
    });
    file_label::Entity::insert_many(labels).exec_without_returning(tx).await?;
    Ok(())
}

/// Writes what has changed from one row to the next.
pub(super) async fn update(tx: &Tx, before: &file::Model, after: &file::Model) -> Result<(), DbErr> {
    if terms(before) != terms(after) || labels(before) != labels(after) {
        delete(tx, &[after.id]).await?;
        return insert(tx, after).await;
    }
    if before.state != after.state {
        file_term::Entity::update_many()
            .set(file_term::ActiveModel { state: Set(after.state), ..Default::default() })
            .filter(file_term::Column::FileId.eq(after.id))
            .exec(tx)
            .await?;
        file_label::Entity::update_many()
            .set(file_label::ActiveModel { state: Set(after.state), ..Default::default() })
            .filter(file_label::Column::FileId.eq(after.id))
            .exec(tx)
            .await?;
    }
    Ok(())
}

pub(super) async fn delete(tx: &Tx, files: &[Uuid]) -> Result<(), DbErr> {
    let files = || files.iter().copied();
    file_term::Entity::delete_many().filter(file_term::Column::FileId.is_in(files())).exec(tx).await?;
    file_label::Entity::delete_many().filter(file_label::Column::FileId.is_in(files())).exec(tx).await?;
    Ok(())
}

/// Makes files findable that were there before they could be searched, in the order of their ids. The migration enqueues
/// it; each run does some and enqueues the next.
#[derive(Serialize, Deserialize)]
pub(super) struct Reindex {
    /// The last file that is done.
    pub after: Option<Uuid>,
}

#[async_trait]
impl Job for Reindex {
    const KIND: &'static str = "files.reindex";
    const LANE: Lane = Lane::Upkeep;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        app.transaction::<_, DbErr, _, _>(async |tx| {
            let ids = store::ids_after(&tx, self.after, BATCH).await?;
            for row in store::lock(&tx, Scope::Everyone, &ids).await? {
                delete(&tx, &[row.id]).await?;
                insert(&tx, &row).await?;
            }
            match ids.last() {
                Some(last) => jobs::enqueue(app, &tx, &Self { after: Some(*last) }).await,
                None => Ok(()),
            }
        })
        .await?;
        Ok(())
    }
}
