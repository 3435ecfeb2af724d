//! The sealer: chains the entries that have no seal yet.

use async_trait::async_trait;
use entity::{audit_entry, audit_seal};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use serde::{Deserialize, Serialize};

use super::chain;
use crate::{
    app::App,
    db::is_unique_violation,
    jobs::{Job, JobError},
};

/// Entries sealed in one transaction.
const BATCH: u64 = 500;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Seal {}

#[async_trait]
impl Job for Seal {
    const KIND: &'static str = "audit.seal";

    async fn run(&self, app: &App) -> Result<(), JobError> {
        loop {
            match seal(app).await {
                Ok(0) => return Ok(()),
                Ok(count) => tracing::debug!(count, "audit entries sealed"),
                // Another process took the next number, and these entries perhaps with it.
                Err(error) if is_unique_violation(&error) => tracing::debug!("another process seals too"),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Seals a batch in the order of their times, as far as they are committed: one that comes later is sealed later, and the
/// chain is the order. How many it were.
async fn seal(app: &App) -> Result<usize, DbErr> {
    use audit_entry::Column;
    app.db
        .transaction::<_, DbErr, _, _>(async |tx| {
            let mut head = chain::head(&tx).await?;
            let entries = audit_entry::Entity::find()
                .filter(Column::Sealed.eq(false))
                // Whatever the mark says: nothing is sealed twice.
                .join(JoinType::LeftJoin, chain::seal_of_entry())
                .filter(audit_seal::Column::Seq.is_null())
                .order_by_asc(Column::CreatedAt)
                .order_by_asc(Column::Id)
                .limit(BATCH)
                .all(&tx)
                .await?;
            if entries.is_empty() {
                return Ok(0);
            }
            let now = app.db.now(&tx).await?;
            let mut seals = Vec::with_capacity(entries.len());
            for entry in &entries {
                head = head.followed_by(&entry.canonical);
                seals.push(audit_seal::ActiveModel {
                    seq: Set(head.seq),
                    entry_id: Set(entry.id),
                    hash: Set(head.hash.to_vec()),
                    sealed_at: Set(now),
                });
            }
            // Of two that follow the same head, the second finds the numbers taken.
            audit_seal::Entity::insert_many(seals).exec_without_returning(&tx).await?;
            audit_entry::Entity::update_many()
                .col_expr(Column::Sealed, Expr::value(true))
                .filter(Column::Id.is_in(entries.iter().map(|entry| entry.id)))
                .exec(&tx)
                .await?;
            Ok(entries.len())
        })
        .await
}
