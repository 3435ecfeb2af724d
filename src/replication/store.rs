//! Queries over `replica_run`, `replica_range` and `replica_finding`. Whatever a run writes carries its epoch: a process that was
//! paused while another took the run up writes nothing.

use std::collections::HashMap;

use entity::{
    Timestamp,
    replica_finding::{self, Kind, Outcome},
    replica_range,
    replica_run::{self, Mode},
    site_role,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, ExprTrait as _,
    IntoActiveModel as _, Order, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::Expr,
};
use uuid::Uuid;

use super::{Counters, FindingFilter, RunError, judge::Found, ranges::Range};
use crate::{
    adapters::objects::sha256,
    app::App,
    db::{
        Tx,
        page::{self, Page, PageRequest, Position},
    },
    ledger,
};

/// Begins of runs wait for each other.
pub(super) async fn serialise(tx: &Tx) -> Result<(), DbErr> {
    site_role::Entity::find().order_by_asc(site_role::Column::Site).lock_exclusive().all(tx).await?;
    Ok(())
}

/// A run that this process works on, as long as nobody else takes it up.
#[derive(Clone, Debug)]
pub(super) struct Claimed {
    pub run: replica_run::Model,
}

/// Takes a run up where it is not over.
pub(super) async fn claim(app: &App, run: Uuid) -> Result<Option<Claimed>, DbErr> {
    app.db
        .transaction(async |tx| {
            let Some(run) = lock(&tx, run).await?.filter(|run| run.state == replica_run::State::Running) else {
                return Ok(None);
            };
            let run = replica_run::Model { epoch: run.epoch + 1, updated_at: app.db.now(&tx).await?, ..run };
            update(&tx, run.clone()).await?;
            Ok(Some(Claimed { run }))
        })
        .await
}

/// The run's row, locked, where it is still this process's.
pub(super) async fn hold(tx: &Tx, claimed: &Claimed) -> Result<replica_run::Model, RunError> {
    let run = lock(tx, claimed.run.id).await?;
    let held = run.filter(|run| run.epoch == claimed.run.epoch && run.state == replica_run::State::Running);
    held.ok_or(RunError::Superseded)
}

async fn lock(tx: &Tx, run: Uuid) -> Result<Option<replica_run::Model>, DbErr> {
    replica_run::Entity::find_by_id(run).lock_exclusive().one(tx).await
}

pub(super) async fn update(tx: &Tx, run: replica_run::Model) -> Result<(), DbErr> {
    let id = run.id;
    replica_run::Entity::update_many()
        .set(run.into_active_model().reset_all())
        .filter(replica_run::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn insert(tx: &Tx, run: replica_run::Model, ranges: Vec<Range>) -> Result<(), DbErr> {
    let id = run.id;
    replica_run::Entity::insert(run.into_active_model().reset_all()).exec_without_returning(tx).await?;
    let rows = ranges.into_iter().zip(0..).map(|(range, number)| {
        let row = replica_range::Model {
            run_id: id,
            number,
            after: range.after,
            upto: range.upto,
            state: replica_range::State::Open,
            counters: Counters::default().write(),
            error: None,
        };
        row.into_active_model().reset_all()
    });
    let rows: Vec<_> = rows.collect();
    for some in rows.chunks(500) {
        replica_range::Entity::insert_many(some.to_vec()).exec_without_returning(tx).await?;
    }
    Ok(())
}

pub(super) async fn find(connection: &impl ConnectionTrait, run: Uuid) -> Result<Option<replica_run::Model>, DbErr> {
    replica_run::Entity::find_by_id(run).one(connection).await
}

/// The runs of this kind that are under way, the oldest first.
pub(super) async fn running(connection: &impl ConnectionTrait, mode: Mode) -> Result<Vec<replica_run::Model>, DbErr> {
    replica_run::Entity::find()
        .filter(replica_run::Column::Mode.eq(mode))
        .filter(replica_run::Column::State.eq(replica_run::State::Running))
        .order_by_asc(replica_run::Column::CreatedAt)
        .all(connection)
        .await
}

/// Every run under way, the newest first.
pub(super) async fn all_running(connection: &impl ConnectionTrait) -> Result<Vec<replica_run::Model>, DbErr> {
    let mut running = Vec::new();
    for mode in [Mode::Sweep, Mode::Scrub, Mode::Repair] {
        running.extend(self::running(connection, mode).await?);
    }
    running.sort_by_key(|run| std::cmp::Reverse((run.created_at, run.id)));
    Ok(running)
}

/// The newest run of this kind that ended, or that ended so.
pub(super) async fn latest(
    connection: &impl ConnectionTrait,
    mode: Mode,
    state: Option<replica_run::State>,
) -> Result<Option<replica_run::Model>, DbErr> {
    let states =
        state.map_or_else(|| vec![replica_run::State::Complete, replica_run::State::Inconclusive], |one| vec![one]);
    replica_run::Entity::find()
        .filter(replica_run::Column::Mode.eq(mode))
        .filter(replica_run::Column::State.is_in(states))
        .order_by_desc(replica_run::Column::CreatedAt)
        .order_by_desc(replica_run::Column::Id)
        .one(connection)
        .await
}

pub(super) async fn runs(
    connection: &impl ConnectionTrait,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<replica_run::Model>, DbErr> {
    use replica_run::Column as Of;
    let select = replica_run::Entity::find();
    let rows = page::keyset(select, Of::CreatedAt, Of::Id, Order::Desc, page).all(connection).await?;
    Ok(page.finish(rows))
}

pub(super) async fn open_ranges(
    connection: &impl ConnectionTrait,
    run: Uuid,
) -> Result<Vec<replica_range::Model>, DbErr> {
    replica_range::Entity::find()
        .filter(replica_range::Column::RunId.eq(run))
        .filter(replica_range::Column::State.eq(replica_range::State::Open))
        .order_by_asc(replica_range::Column::Number)
        .all(connection)
        .await
}

/// Every range of a run.
pub(super) async fn ranges(connection: &impl ConnectionTrait, run: Uuid) -> Result<Vec<replica_range::Model>, DbErr> {
    replica_range::Entity::find()
        .filter(replica_range::Column::RunId.eq(run))
        .order_by_asc(replica_range::Column::Number)
        .all(connection)
        .await
}

/// Writes how far a range is, and the faults that were found up to there.
pub(super) async fn checkpoint(
    app: &App,
    claimed: &Claimed,
    range: &replica_range::Model,
    faults: &[Found],
) -> Result<(), RunError> {
    use replica_range::Column as Of;
    // The many first, apart, so that no transaction grows with the number of faults.
    for some in faults.chunks(FAULTS_AT_ONCE) {
        app.transaction::<_, RunError, _, _>(async |tx| {
            let run = hold(&tx, claimed).await?;
            open(app, &tx, &run, some).await
        })
        .await?;
    }
    app.db
        .transaction::<_, RunError, _, _>(async |tx| {
            let run = hold(&tx, claimed).await?;
            let row = range.clone().into_active_model().reset_all();
            replica_range::Entity::update_many()
                .set(row)
                .filter(Of::RunId.eq(range.run_id))
                .filter(Of::Number.eq(range.number))
                .exec(&tx)
                .await?;
            let counters = sum(&ranges(&tx, run.id).await?);
            let done = i64::try_from(counters.objects).unwrap_or(i64::MAX);
            let updated_at = app.db.now(&tx).await?;
            Ok(update(&tx, replica_run::Model { counters: counters.write(), done, updated_at, ..run }).await?)
        })
        .await
}

/// Rows of one transaction.
const FAULTS_AT_ONCE: usize = 100;

pub(super) fn sum(ranges: &[replica_range::Model]) -> Counters {
    ranges.iter().fold(Counters::default(), |sum, range| sum.plus(Counters::read(&range.counters)))
}

fn open_key(kind: Kind, key: &str) -> Vec<u8> {
    sha256(format!("{}\n{key}", kind.as_str()).as_bytes()).to_vec()
}

/// Opens a finding for each fault, or counts one more sighting of the one that is open.
pub(super) async fn open(app: &App, tx: &Tx, run: &replica_run::Model, faults: &[Found]) -> Result<(), RunError> {
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
pub(super) async fn unseen(
    connection: &impl ConnectionTrait,
    run: Uuid,
    after: Uuid,
    limit: u64,
) -> Result<Vec<replica_finding::Model>, DbErr> {
    use replica_finding::Column as Of;
    replica_finding::Entity::find()
        .filter(Of::State.eq(replica_finding::State::Open))
        .filter(Of::RunId.ne(run))
        .filter(Of::Id.gt(after))
        .order_by_asc(Of::Id)
        .limit(limit)
        .all(connection)
        .await
}

/// Ends a finding that is not over. Whether it was not.
pub(super) async fn resolve(tx: &Tx, finding: Uuid, outcome: Outcome, now: Timestamp) -> Result<bool, DbErr> {
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
pub(super) async fn reopen(tx: &Tx, finding: Uuid, error: &str) -> Result<(), DbErr> {
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
    let mut select = replica_finding::Entity::find().filter(Of::State.eq(replica_finding::State::Open));
    if let Some(ids) = &filter.ids {
        select = select.filter(Of::Id.is_in(ids.iter().copied()));
    }
    if let Some(kinds) = &filter.kinds {
        select = select.filter(Of::Kind.is_in(kinds.iter().copied()));
    }
    select
}

/// The open findings that a filter names, up to `most`.
pub(super) async fn matching(
    connection: &impl ConnectionTrait,
    filter: &FindingFilter,
    most: u64,
) -> Result<Vec<replica_finding::Model>, DbErr> {
    let order = replica_finding::Column::Id;
    open_ones(filter).order_by_asc(order).limit(most).all(connection).await
}

/// Gives them to a repair. How many they were.
pub(super) async fn take(tx: &Tx, ids: &[Uuid], repair: Uuid) -> Result<u64, DbErr> {
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
pub(super) async fn in_repair(
    connection: &impl ConnectionTrait,
    repair: Uuid,
    limit: u64,
) -> Result<Vec<replica_finding::Model>, DbErr> {
    use replica_finding::Column as Of;
    replica_finding::Entity::find()
        .filter(Of::RepairId.eq(repair))
        .filter(Of::State.eq(replica_finding::State::Repairing))
        .order_by_asc(Of::Id)
        .limit(limit)
        .all(connection)
        .await
}

pub(super) async fn findings(
    connection: &impl ConnectionTrait,
    open: Option<bool>,
    kind: Option<Kind>,
    page: &PageRequest<Position<Timestamp>>,
) -> Result<Page<replica_finding::Model>, DbErr> {
    use replica_finding::Column as Of;
    let mut select = replica_finding::Entity::find();
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

pub(super) async fn finding(
    connection: &impl ConnectionTrait,
    id: Uuid,
) -> Result<Option<replica_finding::Model>, DbErr> {
    replica_finding::Entity::find_by_id(id).one(connection).await
}

/// How many findings of each kind are not resolved.
pub(super) async fn open_by_kind(connection: &impl ConnectionTrait) -> Result<Vec<(Kind, u64)>, DbErr> {
    use replica_finding::Column as Of;
    let rows: Vec<(Kind, i64)> = replica_finding::Entity::find()
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

/// How many findings a repair has ended, and how many it gave back.
pub(super) async fn repaired(connection: &impl ConnectionTrait, repair: Uuid) -> Result<(u64, u64), DbErr> {
    use replica_finding::Column as Of;
    let of = |state| {
        let found = replica_finding::Entity::find().filter(Of::RepairId.eq(repair));
        found.filter(Of::State.eq(state))
    };
    let ended = of(replica_finding::State::Resolved).count(connection).await?;
    Ok((ended, of(replica_finding::State::Open).count(connection).await?))
}
