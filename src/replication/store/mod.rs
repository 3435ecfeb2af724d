//! Queries over `replica_run` and `replica_range`. Whatever a run writes carries its epoch: a process that was
//! paused while another took the run up writes nothing.

mod findings;

use entity::{
    Timestamp, replica_finding, replica_range,
    replica_run::{self, Mode},
    site_role,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, EntityTrait as _, IntoActiveModel as _, Order,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
};
use uuid::Uuid;

pub(super) use self::findings::{
    finding, findings, given_back, in_repair, matching, of_canaries, open, open_by_kind, reopen, repaired, resolve,
    take, unseen,
};
use super::{Counters, RunError, judge::Found, ranges::Range};
use crate::{
    app::App,
    db::{
        Tx,
        page::{self, Page, PageRequest, Position},
    },
};

/// Begins of runs wait for each other: by the replica's row, since every upload shares the primary's.
pub(super) async fn serialise(tx: &Tx) -> Result<(), DbErr> {
    let role = site_role::Column::Role.eq(site_role::Role::Replica);
    site_role::Entity::find().filter(role).lock_exclusive().all(tx).await?;
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

pub(super) async fn lock(tx: &Tx, run: Uuid) -> Result<Option<replica_run::Model>, DbErr> {
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
    lay_ranges(tx, id, ranges).await
}

/// What a run has to walk.
pub(super) async fn lay_ranges(tx: &Tx, id: Uuid, ranges: Vec<Range>) -> Result<(), DbErr> {
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
    for mode in [Mode::Sweep, Mode::Scrub, Mode::Repair, Mode::Canary, Mode::Restore, Mode::Drill] {
        running.extend(self::running(connection, mode).await?);
    }
    running.sort_by_key(|run| std::cmp::Reverse((run.created_at, run.id)));
    Ok(running)
}

/// Checkpoints of a run that is over.
pub(super) async fn forget_ranges(tx: &Tx, run: Uuid) -> Result<(), DbErr> {
    replica_range::Entity::delete_many().filter(replica_range::Column::RunId.eq(run)).exec(tx).await?;
    Ok(())
}

/// Runs that the schedule began before `time`, that are over, and that no finding names.
pub(super) async fn forget_runs(app: &App, time: Timestamp) -> Result<(), DbErr> {
    use replica_finding::Column as Finding;
    let named = |column: Finding| {
        let findings = replica_finding::Entity::find().select_only().column(column);
        findings.filter(column.is_not_null()).into_query()
    };
    let old = || {
        replica_run::Entity::delete_many()
            .filter(replica_run::Column::CreatedAt.lt(time))
            .filter(replica_run::Column::State.ne(replica_run::State::Running))
            .filter(replica_run::Column::RequestedBy.is_null())
            .filter(replica_run::Column::Id.not_in_subquery(named(Finding::RunId)))
            .filter(replica_run::Column::Id.not_in_subquery(named(Finding::RepairId)))
    };
    app.db.transaction::<_, DbErr, _, _>(async |tx| old().exec(&tx).await.map(drop)).await
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

/// When the first sweep began that is still remembered.
pub(super) async fn first_sweep(connection: &impl ConnectionTrait) -> Result<Option<Timestamp>, DbErr> {
    let run = replica_run::Entity::find()
        .filter(replica_run::Column::Mode.eq(Mode::Sweep))
        .order_by_asc(replica_run::Column::CreatedAt)
        .one(connection)
        .await?;
    Ok(run.map(|run| run.created_at))
}

/// The newest run that rebuilt the server, or still does.
pub(super) async fn newest_restore(connection: &impl ConnectionTrait) -> Result<Option<replica_run::Model>, DbErr> {
    replica_run::Entity::find()
        .filter(replica_run::Column::Mode.eq(Mode::Restore))
        .order_by_desc(replica_run::Column::CreatedAt)
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
