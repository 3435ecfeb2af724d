//! Following the chain link by link, in batches, to its end or to the first link that does not hold.

use std::fmt;

use entity::audit_entry::{Column, Entity};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::audit::{
    self,
    chain::{self, Head, Link},
};

/// Links in memory at once.
pub(super) const BATCH: u64 = 500;

/// The first place where the chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    pub seq: i64,
    /// The entry that the seal names; none where the seal is gone with it.
    pub entry: Option<Uuid>,
    pub fault: Defect,
}

/// What was done to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    Removed,
    /// Also where an earlier one was removed and the later ones were numbered anew.
    Altered,
    /// The columns that are shown, not the bytes that are sealed.
    ColumnsAltered,
    /// This one was sealed here.
    Reordered(Uuid),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seq {}: ", self.seq)?;
        match self.entry {
            Some(entry) => write!(f, "entry {entry} was "),
            None => write!(f, "an entry was "),
        }?;
        match self.fault {
            Defect::Removed if self.entry.is_none() => f.write_str("removed with its seal"),
            Defect::Removed => f.write_str("removed"),
            Defect::Altered => f.write_str("altered, or the one before it was removed and the rest numbered anew"),
            Defect::ColumnsAltered => f.write_str("altered: its columns differ from its sealed bytes"),
            Defect::Reordered(sealed) => write!(f, "reordered: entry {sealed} was sealed here"),
        }
    }
}

/// Follows the chain after `start` and shows every head on the way to `visit`. How far it holds, and why no further where
/// it does not hold to its end.
pub async fn walk(
    connection: &impl ConnectionTrait,
    start: Head,
    mut visit: impl FnMut(&Head),
) -> Result<(Head, Option<Flaw>), DbErr> {
    let mut head = start;
    loop {
        let links = chain::links(connection, head.seq, BATCH).await?;
        if links.is_empty() {
            return Ok((head, None));
        }
        for link in links {
            match check(connection, &head, &link).await? {
                Ok(next) => head = next,
                Err(flaw) => return Ok((head, Some(flaw))),
            }
            visit(&head);
        }
    }
}

async fn check(connection: &impl ConnectionTrait, head: &Head, link: &Link) -> Result<Result<Head, Flaw>, DbErr> {
    let Link { seal, entry } = link;
    let flaw = |entry, fault| Ok(Err(Flaw { seq: head.seq + 1, entry, fault }));
    if seal.seq != head.seq + 1 {
        return flaw(None, Defect::Removed);
    }
    let Some(entry) = entry else { return flaw(Some(seal.entry_id), Defect::Removed) };
    let next = head.followed_by(&entry.canonical);
    if seal.hash != next.hash {
        let sealed = sealed_here(connection, head, &seal.hash).await?;
        return flaw(Some(entry.id), sealed.map_or(Defect::Altered, Defect::Reordered));
    }
    if !audit::is_consistent(entry) {
        return flaw(Some(entry.id), Defect::ColumnsAltered);
    }
    Ok(Ok(next))
}

/// The entry of the whole log that gives this hash after `head`.
async fn sealed_here(connection: &impl ConnectionTrait, head: &Head, hash: &[u8]) -> Result<Option<Uuid>, DbErr> {
    let mut after = Uuid::nil();
    loop {
        let entries = Entity::find().filter(Column::Id.gt(after)).order_by_asc(Column::Id).limit(BATCH);
        let entries = entries.all(connection).await?;
        let Some(last) = entries.last() else { return Ok(None) };
        after = last.id;
        if let Some(found) = entries.iter().find(|entry| head.followed_by(&entry.canonical).hash == hash) {
            return Ok(Some(found.id));
        }
    }
}
