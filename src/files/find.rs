//! Finding files: how a filter and an order are answered from indexes.
//!
//! At most three rows are read for each file shown, whatever there is, of
//! - the files of a state, of one owner or of everyone, in every order, also within a range of what they are ordered by;
//! - those with one label (a tag, a metadata key, a key with its value, a content type or a family), by creation, also
//!   within a range of it.
//!
//! For everything else the rarest condition decides. Where it leaves few files, these are fetched and sorted; where it leaves
//! many, the order is walked and each file looked up in the others' indexes: many that match are met soon.

use std::collections::{BTreeSet, HashMap};

use entity::{file, file_label, file_term};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Order, QueryFilter, QuerySelect, QueryTrait, Select,
    sea_query::{
        Asterisk, Expr, ExprTrait as _, Query, SelectStatement,
        extension::mysql::{IndexHintScope, MySqlSelectStatementExt as _},
    },
};
use uuid::Uuid;

use super::{
    Scope,
    filter::{FileFilter, FileOrder, OrderField, Place, Range, SortValue},
    store::scoped,
    terms::Label,
};
use crate::db::page::{Page, PageRequest, Position, keyset};

/// Files that are rather fetched and sorted than looked for along the order: walking 100,000 files for a page of 100 of them
/// looks at 5,000.
const FEW: u64 = 2_000;
/// Ids in one query.
const BATCH: usize = 500;
/// Files that are counted.
pub const COUNTED: u64 = 10_000;

/// How many files there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// [`COUNTED`] at the most.
    pub files: u64,
    /// Whether there are no more.
    pub is_exact: bool,
}

/// Something that the files of a list have in common.
#[derive(Clone, Copy, PartialEq)]
enum Condition<'a> {
    /// Begins a word of theirs.
    Word(&'a str),
    Label(&'a Label),
    Range(&'a Range),
}

/// How a page is found.
enum Plan<'a> {
    /// Along the order.
    Walk,
    /// Along the creation of the files with this label.
    Label(&'a Label),
    /// Among the files that meet this rare condition.
    Few(Condition<'a>),
}

/// A filter within a scope.
struct Search<'a> {
    scope: Scope,
    filter: &'a FileFilter,
}

pub(super) async fn list(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &FileFilter,
    order: FileOrder,
    page: &PageRequest<Position<Place>>,
) -> Result<Page<file::Model>, DbErr> {
    let search = Search { scope, filter };
    let rows = match search.plan(connection, order.field).await? {
        Plan::Walk => search.walk(connection, order, page).await?,
        Plan::Label(label) => search.walk_label(connection, label, order, page).await?,
        Plan::Few(condition) => search.sort(connection, condition, order, page).await?,
    };
    Ok(page.finish(rows))
}

/// Up to [`COUNTED`].
pub(super) async fn count(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &FileFilter,
) -> Result<Count, DbErr> {
    let found = number(connection, matching(connection, scope, filter).await?, COUNTED + 1).await?;
    Ok(Count { files: Ord::min(found, COUNTED), is_exact: found <= COUNTED })
}

/// The ids of all files that meet the filter, each once, as one column.
pub(super) async fn matching(
    connection: &impl ConnectionTrait,
    scope: Scope,
    filter: &FileFilter,
) -> Result<SelectStatement, DbErr> {
    let search = Search { scope, filter };
    let conditions = search.conditions();
    let indexed: Vec<_> =
        conditions.iter().copied().filter(|condition| !matches!(condition, Condition::Range(_))).collect();
    let driver = match indexed.as_slice() {
        [] => None,
        [only] => Some(*only),
        several => search.rarest(connection, several).await?.map(|(condition, _)| condition),
    };
    Ok(match driver {
        Some(driver) => {
            let mut select = search.ids(driver);
            let id = match driver {
                Condition::Word(_) => file_term::Column::FileId.into_expr(),
                _ => file_label::Column::FileId.into_expr(),
            };
            // A label's entries are of the range of creation already.
            let is_met = |condition: &Condition<'_>| match condition {
                Condition::Range(range) => {
                    matches!(driver, Condition::Label(_)) && range.field == OrderField::CreatedAt
                }
                other => *other == driver,
            };
            for condition in conditions.into_iter().filter(|condition| !is_met(condition)) {
                select.and_where(has(condition, id.clone()));
            }
            select.distinct().take()
        }
        None => {
            let field = filter.ranges.first().map_or(OrderField::CreatedAt, |range| range.field);
            let files = filter.ranges.iter().fold(search.ordered(field), |files, range| {
                files.filter(within(range, range.field.column().into_expr()))
            });
            files.select_only().column(file::Column::Id).into_query()
        }
    })
}

/// How many rows there are, up to `most`.
async fn number(connection: &impl ConnectionTrait, mut select: SelectStatement, most: u64) -> Result<u64, DbErr> {
    let counting =
        Query::select().expr(Expr::col(Asterisk).count()).from_subquery(select.limit(most).take(), "found").take();
    let row = connection.query_one(&counting).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

impl<'a> Search<'a> {
    fn conditions(&self) -> Vec<Condition<'a>> {
        let words = self.filter.words.iter().map(|word| Condition::Word(word));
        let labels = self.filter.labels.iter().map(Condition::Label);
        let ranges = self.filter.ranges.iter().map(Condition::Range);
        labels.chain(words).chain(ranges).collect()
    }

    fn range_of(&self, field: OrderField) -> Option<&'a Range> {
        self.filter.ranges.iter().find(|range| range.field == field)
    }

    async fn plan(&self, connection: &impl ConnectionTrait, order: OrderField) -> Result<Plan<'a>, DbErr> {
        let mut conditions = self.conditions();
        // The order's own index has this one.
        conditions.retain(|condition| !matches!(condition, Condition::Range(range) if range.field == order));
        let by_creation = order == OrderField::CreatedAt;
        let others = conditions.iter().any(|condition| matches!(condition, Condition::Range(_)));
        let label = self.filter.labels.first().filter(|_| by_creation && !others);
        let walk = label.map_or(Plan::Walk, Plan::Label);
        if conditions.is_empty() || (label.is_some() && conditions.len() == 1) {
            return Ok(walk);
        }
        Ok(match self.rarest(connection, &conditions).await? {
            Some((condition, files)) if files <= FEW => Plan::Few(condition),
            _ => walk,
        })
    }

    /// The condition that the fewest files meet, and how many entries it has in its index, up to one more than [`FEW`].
    async fn rarest(
        &self,
        connection: &impl ConnectionTrait,
        conditions: &[Condition<'a>],
    ) -> Result<Option<(Condition<'a>, u64)>, DbErr> {
        let mut rarest: Option<(Condition<'a>, u64)> = None;
        for condition in conditions {
            let most = rarest.map_or(FEW + 1, |(_, files)| files);
            let mut ids = self.ids(*condition);
            // In the index's order: Postgres else reads the table from its beginning until it has met enough.
            match condition {
                Condition::Word(_) => ids.order_by(file_term::Column::Term, Order::Asc),
                Condition::Label(_) => ids.order_by(file_label::Column::CreatedAt, Order::Asc),
                Condition::Range(range) => ids.order_by(range.field.column(), Order::Asc),
            };
            let files = number(connection, ids, most).await?;
            if rarest.is_none() || files < most {
                rarest = Some((*condition, files));
            }
        }
        Ok(rarest)
    }

    fn files(&self) -> Select<file::Entity> {
        scoped(self.scope).filter(file::Column::State.eq(self.filter.state))
    }

    fn labelled(&self, label: &Label) -> Select<file_label::Entity> {
        use file_label::Column;
        let mut select = file_label::Entity::find().filter(Column::State.eq(self.filter.state));
        if let Scope::Owner(owner) = self.scope {
            select = select.filter(Column::OwnerId.eq(owner));
        }
        if let Some(range) = self.range_of(OrderField::CreatedAt) {
            select = select.filter(within(range, Column::CreatedAt.into_expr()));
        }
        let select = select.filter(Column::Label.eq(label.0.clone()));
        self.by_index(select, "file_label_owner", "file_label_everyone")
    }

    fn worded(&self, prefix: &str) -> Select<file_term::Entity> {
        use file_term::Column;
        let mut select = file_term::Entity::find().filter(Column::State.eq(self.filter.state));
        if let Scope::Owner(owner) = self.scope {
            select = select.filter(Column::OwnerId.eq(owner));
        }
        let select = select.filter(begins(prefix, Column::Term.into_expr()));
        self.by_index(select, "file_term_owner", "file_term_everyone")
    }

    /// The files along the index of an order.
    fn ordered(&self, field: OrderField) -> Select<file::Entity> {
        let (owner, everyone) = match field {
            OrderField::CreatedAt => ("file_owner_created", "file_created"),
            OrderField::UpdatedAt => ("file_owner_updated", "file_updated"),
            OrderField::Name => ("file_owner_name", "file_name"),
            OrderField::Size => ("file_owner_size", "file_size"),
        };
        self.by_index(self.files(), owner, everyone)
    }

    /// Names the index. MySQL and MariaDB else take any that begins alike, and read past what lies outside a range.
    fn by_index<E: EntityTrait>(
        &self,
        mut select: Select<E>,
        owner: &'static str,
        everyone: &'static str,
    ) -> Select<E> {
        let index = if self.scope == Scope::Everyone { everyone } else { owner };
        QueryTrait::query(&mut select).force_index(index, IndexHintScope::All);
        select
    }

    /// The ids of the files that meet a condition, from its index alone. A word may have one several times.
    fn ids(&self, condition: Condition<'_>) -> SelectStatement {
        match condition {
            Condition::Word(prefix) => self.worded(prefix).select_only().column(file_term::Column::FileId).into_query(),
            Condition::Label(label) => {
                self.labelled(label).select_only().column(file_label::Column::FileId).into_query()
            }
            Condition::Range(range) => {
                let files = self.ordered(range.field).filter(within(range, range.field.column().into_expr()));
                files.select_only().column(file::Column::Id).into_query()
            }
        }
    }

    /// Along the order's index.
    async fn walk(
        &self,
        connection: &impl ConnectionTrait,
        order: FileOrder,
        page: &PageRequest<Position<Place>>,
    ) -> Result<Vec<file::Model>, DbErr> {
        let select =
            self.conditions().into_iter().fold(self.ordered(order.field), |files, condition| match condition {
                Condition::Range(range) if range.field == order.field => {
                    files.filter(within(range, range.field.column().into_expr()))
                }
                other => files.filter(meets(other)),
            });
        keyset(select, order.field.column(), file::Column::Id, order.direction(), page).all(connection).await
    }

    /// Along the label's index, and then the files that it names.
    async fn walk_label(
        &self,
        connection: &impl ConnectionTrait,
        label: &Label,
        order: FileOrder,
        page: &PageRequest<Position<Place>>,
    ) -> Result<Vec<file::Model>, DbErr> {
        use file_label::Column;
        let others = self.conditions().into_iter().filter(|condition| match condition {
            Condition::Label(other) => *other != label,
            Condition::Word(_) => true,
            Condition::Range(_) => false,
        });
        let select = others
            .fold(self.labelled(label), |labels, condition| labels.filter(has(condition, Column::FileId.into_expr())));
        let found = keyset(select, Column::CreatedAt, Column::FileId, order.direction(), page).all(connection).await?;
        self.load(connection, &found.into_iter().map(|entry| entry.file_id).collect::<Vec<_>>()).await
    }

    /// The page among the files that meet a rare condition.
    async fn sort(
        &self,
        connection: &impl ConnectionTrait,
        rare: Condition<'_>,
        order: FileOrder,
        page: &PageRequest<Position<Place>>,
    ) -> Result<Vec<file::Model>, DbErr> {
        let ids: Result<BTreeSet<Uuid>, DbErr> =
            connection.query_all(&self.ids(rare)).await?.iter().map(|row| row.try_get_by_index(0)).collect();
        let ids: Vec<Uuid> = ids?.into_iter().collect();
        let mut found: Vec<(SortValue, Uuid)> = Vec::with_capacity(ids.len());
        for ids in ids.chunks(BATCH) {
            let files = self.files().filter(file::Column::Id.is_in(ids.iter().copied()));
            let others = self.conditions().into_iter().filter(|condition| *condition != rare);
            let files = others.fold(files, |files, condition| files.filter(meets(condition)));
            let keys = files.select_only().column(order.field.column()).column(file::Column::Id);
            if order.field == OrderField::Name {
                let keys: Vec<(String, Uuid)> = keys.into_tuple().all(connection).await?;
                found.extend(keys.into_iter().map(|(name, id)| (SortValue::Text(name), id)));
            } else {
                let keys: Vec<(i64, Uuid)> = keys.into_tuple().all(connection).await?;
                found.extend(keys.into_iter().map(|(number, id)| (SortValue::Number(number), id)));
            }
        }
        self.load(connection, &cut(found, order, page)).await
    }

    /// These files, in this order.
    async fn load(&self, connection: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<file::Model>, DbErr> {
        let rows = self.files().filter(file::Column::Id.is_in(ids.iter().copied())).all(connection).await?;
        let mut rows: HashMap<Uuid, file::Model> = rows.into_iter().map(|row| (row.id, row)).collect();
        Ok(ids.iter().filter_map(|id| rows.remove(id)).collect())
    }
}

/// What [`keyset`] would find: the page, with one more, from the end that is asked for.
fn cut(mut found: Vec<(SortValue, Uuid)>, order: FileOrder, page: &PageRequest<Position<Place>>) -> Vec<Uuid> {
    let beyond = |place: &(SortValue, Uuid), position: &Position<Place>, greater: bool| {
        let compared = (&place.0, place.1).cmp(&(&position.key.value, position.id));
        if greater { compared.is_gt() } else { compared.is_lt() }
    };
    found.retain(|place| {
        page.after.as_ref().is_none_or(|position| beyond(place, position, order.ascending))
            && page.before.as_ref().is_none_or(|position| beyond(place, position, !order.ascending))
    });
    found.sort_unstable();
    if order.ascending == page.from_end {
        found.reverse();
    }
    found.into_iter().take(usize::try_from(page.limit + 1).unwrap_or(usize::MAX)).map(|(_, id)| id).collect()
}

/// That a row of `file` meets a condition. Written so that no index but the order's, or the ids', can answer it, and that no
/// planner takes it for rare, which would make it read and sort everything.
fn meets(condition: Condition<'_>) -> Expr {
    match condition {
        Condition::Range(range) => {
            let case: Expr = Expr::case(within(range, range.field.column().into_expr()), Expr::cust("1")).into();
            case.is_not_null()
        }
        other => has(other, file::Column::Id.into_expr()),
    }
}

/// That the file of this id meets a condition. A subquery for one value, which no planner turns into a join.
fn has(condition: Condition<'_>, id: Expr) -> Expr {
    let mut probe = Query::select();
    probe.expr(Expr::cust("1")).limit(1);
    match condition {
        Condition::Word(prefix) => probe
            .from_as(file_term::Entity, "probe")
            .and_where(Expr::col(("probe", file_term::Column::FileId)).eq(id))
            .and_where(begins(prefix, Expr::col(("probe", file_term::Column::Term)))),
        Condition::Label(label) => probe
            .from_as(file_label::Entity, "probe")
            .and_where(Expr::col(("probe", file_label::Column::FileId)).eq(id))
            .and_where(Expr::col(("probe", file_label::Column::Label)).eq(label.0.clone())),
        Condition::Range(range) => probe
            .from_as(file::Entity, "probe")
            .and_where(Expr::col(("probe", file::Column::Id)).eq(id))
            .and_where(within(range, Expr::col(("probe", range.field.column())))),
    };
    Expr::SubQuery(None, Box::new(probe.into())).is_not_null()
}

/// A range instead of LIKE: it needs no escaping, and every database answers it from the index.
fn begins(prefix: &str, term: Expr) -> Expr {
    term.clone().gte(prefix).and(term.lt(format!("{prefix}{}", char::MAX)))
}

fn within(range: &Range, value: Expr) -> Expr {
    value.clone().gte(range.from).and(value.lt(range.to))
}
