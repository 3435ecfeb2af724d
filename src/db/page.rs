//! Keyset paging: a page is what lies after or before a cursor of (sort key, id).

use sea_orm::{ColumnTrait, Condition, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select, Value};
use uuid::Uuid;

/// Which part of an ordered list is wanted. Built by `graphql::connection`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest<C> {
    pub after: Option<C>,
    pub before: Option<C>,
    pub limit: u64,
    /// The last `limit` items instead of the first.
    pub from_end: bool,
}

/// A page in list order, and whether more lies on either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub has_previous: bool,
    pub has_next: bool,
}

/// A position in a list ordered by (key, id).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position<K> {
    pub key: K,
    pub id: Uuid,
}

impl<T> Default for Page<T> {
    /// Of an empty list.
    fn default() -> Self {
        Self { items: Vec::new(), has_previous: false, has_next: false }
    }
}

impl<T> Page<T> {
    #[must_use]
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(convert).collect(),
            has_previous: self.has_previous,
            has_next: self.has_next,
        }
    }
}

impl<C> PageRequest<C> {
    /// Cuts the extra row that [`keyset`] asked for and restores the list's order.
    #[must_use]
    pub fn finish<T>(&self, mut rows: Vec<T>) -> Page<T> {
        let more = u64::try_from(rows.len()).unwrap_or(u64::MAX) > self.limit;
        rows.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        if self.from_end {
            rows.reverse();
            Page { items: rows, has_previous: more, has_next: self.before.is_some() }
        } else {
            Page { items: rows, has_previous: self.after.is_some(), has_next: more }
        }
    }
}

/// Restricts `select` to the page, ordered by (`key`, `id`), with one row more than the limit.
///
/// `k >= ? AND (k > ? OR (k = ? AND id > ?))` instead of a row comparison: MariaDB reads the whole index for the latter.
pub fn keyset<E, K>(
    select: Select<E>,
    key: E::Column,
    id: E::Column,
    order: Order,
    page: &PageRequest<Position<K>>,
) -> Select<E>
where
    E: EntityTrait,
    K: Clone + Into<Value>,
{
    let ascending = matches!(order, Order::Asc);
    let mut select = select;
    if let Some(position) = &page.after {
        select = select.filter(beyond(key, id, position, ascending));
    }
    if let Some(position) = &page.before {
        select = select.filter(beyond(key, id, position, !ascending));
    }
    let order = if ascending == page.from_end { Order::Desc } else { Order::Asc };
    select.order_by(key, order.clone()).order_by(id, order).limit(page.limit + 1)
}

fn beyond<C, K>(key: C, id: C, position: &Position<K>, greater: bool) -> Condition
where
    C: ColumnTrait,
    K: Clone + Into<Value>,
{
    let value = || position.key.clone().into();
    let tie = |id_beyond| Condition::all().add(key.eq::<Value>(value())).add(id_beyond);
    if greater {
        Condition::all()
            .add(key.gte::<Value>(value()))
            .add(Condition::any().add(key.gt::<Value>(value())).add(tie(id.gt(position.id))))
    } else {
        Condition::all()
            .add(key.lte::<Value>(value()))
            .add(Condition::any().add(key.lt::<Value>(value())).add(tie(id.lt(position.id))))
    }
}
