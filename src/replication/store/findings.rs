//! Queries over `replica_finding`.

use std::collections::HashMap;

use entity::{
    Timestamp,
    replica_finding::{self, Kind, Outcome},
    replica_run,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, ExprTrait as _,
    IntoActiveModel as _, Order, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    adapters::objects::sha256,
    app::App,
    db::{
        Tx,
        page::{self, Page, PageRequest, Position},
    },
    ledger,
    replication::{FindingFilter, RunError, canary::CANARIES, judge::Found},
};

fn open_key(kind: Kind, key: &str) -> Vec<u8> {
    sha256(format!("{}\n{key}", kind.as_str()).as_bytes()).to_vec()
}

/// All but those that were planted.
fn true_ones() -> sea_orm::Select<replica_finding::Entity> {
    replica_finding::Entity::find().filter(replica_finding::Column::Key.not_like(format!("{CANARIES}%")))
}

/// Findings of what was planted that are not over.
pub(in crate::replication) async fn of_canaries(
    connection: &impl ConnectionTrait,
) -> Result<Vec<replica_finding::Model>, DbErr> {
    use replica_finding::Column as Of;
    replica_finding::Entity::find()
        .filter(Of::Key.like(format!("{CANARIES}%")))
        .filter(Of::State.ne(replica_finding::State::Resolved))
        .all(connection)
        .await
}

/// Opens a finding for each fault, or counts one more sighting of the one that is open.
pub(in crate::replication) async fn open(
    app: &App,
    tx: &Tx,
    run: &replica_run::Model,
    faults: &[Found],
) -> Result<(), RunError> {
    use replica_finding::Column as Of;
    let now = app.db.now(tx).await?;
    for fault in faults {
        if let Some(object) = &fault.object
            && !fault.seen.is_empty()
        {
            ledger::note(app, tx, object.id, &fault.seen).await?;
        }
    }
    let keys: Vec<Vec<u8>> = faults.iter().map(|fault| open_key(fault.kind, &fault.key)).collect();
    let known = replica_finding::Entity::find()
        .filter(Of::OpenKey.is_in(keys.iter().cloned()))
        .lock_exclusive()
        .all(tx)
        .await?;
    let mut known: HashMap<Vec<u8>, replica_finding::Model> =
        known.into_iter().filter_map(|row| Some((row.open_key.clone()?, row))).collect();
    let mut new = Vec::new();
    for (fault, open_key) in faults.iter().zip(keys) {
        match known.remove(&open_key) {
            Some(row) => {
                let again = i32::from(row.run_id != run.id);
                replica_finding::Entity::update_many()
                    .col_expr(Of::LastSeenAt, Expr::value(now))
                    .col_expr(Of::Sightings, Expr::value(row.sightings + again))
                    .col_expr(Of::RunId, Expr::value(run.id))
                    .col_expr(Of::Detail, Expr::value(fault.detail.as_str()))
                    .col_expr(Of::Bytes, Expr::value(fault.bytes))
                    .filter(Of::Id.eq(row.id))
                    .exec(tx)
                    .await?;
            }
            None => new.push(replica_finding::Model {
                id: Uuid::now_v7(),
                kind: fault.kind,
                state: replica_finding::State::Open,
                key: fault.key.clone(),
                open_key: Some(open_key),
                object_id: fault.object.as_ref().map(|object| object.id),
                bytes: fault.bytes,
                detail: fault.detail.clone(),
                first_seen_at: now,
                last_seen_at: now,
                sightings: 1,
                run_id: run.id,
                repair_id: None,
                attempts: 0,
                last_error: None,
                resolved_at: None,
                outcome: None,
            }),
        }
    }
    if !new.is_empty() {
        let rows = new.into_iter().map(|row| row.into_active_model().reset_all());
        replica_finding::Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Open findings that this run has not seen, behind `after`: what it judges at its end.
pub(in crate::replication) async fn unseen(
    connection: &impl ConnectionTrait,
    run: Uuid,
    after: Uuid,
    limit: u64,
) -> Result<Vec<replica_finding::Model>, DbErr> {
    use replica_finding::Column as Of;
    true_ones()
        .filter(Of::State.eq(replica_finding::State::Open))
        .filter(Of::RunId.ne(run))
        .filter(Of::Id.gt(after))
        .order_by_asc(Of::Id)
        .limit(limit)
        .all(connection)
        .await
}

/// Ends a finding that is not over. Whether it was not.
pub(in crate::replication) async fn resolve(
    tx: &Tx,
    finding: Uuid,
    outcome: Outcome,
    now: Timestamp,
) -> Result<bool, DbErr> {
    use replica_finding::Column as Of;
    let ended = replica_finding::Entity::update_many()
        .col_expr(Of::State, Expr::value(replica_finding::State::Resolved))
        .col_expr(Of::OpenKey, Expr::value(None::<Vec<u8>>))
        .col_expr(Of::ResolvedAt, Expr::value(now))
        .col_expr(Of::Outcome, Expr::value(outcome))
        .filter(Of::Id.eq(finding))
        .filter(Of::State.ne(replica_finding::State::Resolved))
        .exec(tx)
        .await?;
    Ok(ended.rows_affected == 1)
}

/// Back to the open ones, with what went wrong.
pub(in crate::replication) async fn reopen(tx: &Tx, finding: Uuid, error: &str) -> Result<(), DbErr> {
    use replica_finding::Column as Of;
    replica_finding::Entity::update_many()
        .col_expr(Of::State, Expr::value(replica_finding::State::Open))
        .col_expr(Of::Attempts, Expr::col(Of::Attempts).add(1))
        .col_expr(Of::LastError, Expr::value(error))
        .filter(Of::Id.eq(finding))
        .filter(Of::State.eq(replica_finding::State::Repairing))
        .exec(tx)
        .await?;
    Ok(())
}

fn open_ones(filter: &FindingFilter) -> sea_orm::Select<replica_finding::Entity> {
    use replica_finding::Column as Of;
    let mut select = true_ones().filter(Of::State.eq(replica_finding::State::Open));
    if let Some(ids) = &filter.ids {
        select = select.filter(Of::Id.is_in(ids.iter().copied()));
    }
    if let Some(kinds) = &filter.kinds {
        select = select.filter(Of::Kind.is_in(kinds.iter().copied()));
    }
    select
}

/// The open findings that a filter names, up to `most`.
pub(in crate::replication) async fn matching(
    connection: &impl ConnectionTrait,
    filter: &FindingFilter,
    most: u64,
) -> Result<Vec<replica_finding::Model>, DbErr> {
    let order = replica_finding::Column::Id;
    open_ones(filter).order_by_asc(order).limit(most).all(connection).await
}

/// Gives them to a repair. How many they were.
pub(in crate::replication) async fn take(tx: &Tx, ids: &[Uuid], repair: Uuid) -> Result<u64, DbErr> {
    use replica_finding::Column as Of;
    let mut taken = 0;
    for some in ids.chunks(500) {
        let outcome = replica_finding::Entity::update_many()
            .col_expr(Of::State, Expr::value(replica_finding::State::Repairing))
            .col_expr(Of::RepairId, Expr::value(repair))
            .filter(Of::Id.is_in(some.iter().copied()))
            .filter(Of::State.eq(replica_finding::State::Open))
            .exec(tx)
            .await?;
        taken += outcome.rows_affected;
    }
    Ok(taken)
}

/// What a repair has still to do.
pub(in crate::replication) async fn in_repair(
    connection: &impl ConnectionTrait,
    repair: Uuid,
    after: Uuid,
    limit: u64,
) -> Result<Vec<replica_finding::Model>, DbErr> {
    use replica_finding::Column as Of;
    replica_finding::Entity::find()
        .filter(Of::RepairId.eq(repair))
        .filter(Of::State.eq(replica_finding::State::Repairing))
        .filter(Of::Id.gt(after))
        .order_by_asc(Of::Id)
        .limit(limit)
        .all(connection)
        .await
}

pub(in crate::replication) async fn findings(
    connection: &impl ConnectionTrait,
    open: Option<bool>,
    kind: Option<Kind>,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<replica_finding::Model>, DbErr> {
    use replica_finding::Column as Of;
    let mut select = true_ones();
    if let Some(open) = open {
        let resolved = replica_finding::State::Resolved;
        select = select.filter(if open { Of::State.ne(resolved) } else { Of::State.eq(resolved) });
    }
    if let Some(kind) = kind {
        select = select.filter(Of::Kind.eq(kind));
    }
    let rows = page::keyset(select, Of::FirstSeenAt, Of::Id, Order::Desc, page).all(connection).await?;
    Ok(page.finish(rows))
}

pub(in crate::replication) async fn finding(
    connection: &impl ConnectionTrait,
    id: Uuid,
) -> Result<Option<replica_finding::Model>, DbErr> {
    replica_finding::Entity::find_by_id(id).one(connection).await
}

/// How many findings of each kind are not resolved.
pub(in crate::replication) async fn open_by_kind(connection: &impl ConnectionTrait) -> Result<Vec<(Kind, u64)>, DbErr> {
    use replica_finding::Column as Of;
    let rows: Vec<(Kind, i64)> = true_ones()
        .select_only()
        .column(Of::Kind)
        .column_as(Of::Id.count(), "findings")
        .filter(Of::State.is_in([replica_finding::State::Open, replica_finding::State::Repairing]))
        .group_by(Of::Kind)
        .into_tuple()
        .all(connection)
        .await?;
    let mut counts: Vec<(Kind, u64)> =
        rows.into_iter().map(|(kind, count)| (kind, u64::try_from(count).unwrap_or(0))).collect();
    counts.sort_unstable();
    Ok(counts)
}

/// The findings that a repair gave back, with why.
pub(in crate::replication) async fn given_back(
    connection: &impl ConnectionTrait,
    repair: Uuid,
    limit: u64,
) -> Result<Vec<replica_finding::Model>, DbErr> {
    use replica_finding::Column as Of;
    replica_finding::Entity::find()
        .filter(Of::RepairId.eq(repair))
        .filter(Of::State.eq(replica_finding::State::Open))
        .order_by_asc(Of::Id)
        .limit(limit)
        .all(connection)
        .await
}

/// How many findings a repair has ended, and how many it gave back.
pub(in crate::replication) async fn repaired(
    connection: &impl ConnectionTrait,
    repair: Uuid,
) -> Result<(u64, u64), DbErr> {
    use replica_finding::Column as Of;
    let of = |state| {
        let found = replica_finding::Entity::find().filter(Of::RepairId.eq(repair));
        found.filter(Of::State.eq(state))
    };
    let ended = of(replica_finding::State::Resolved).count(connection).await?;
    Ok((ended, of(replica_finding::State::Open).count(connection).await?))
}
