//! The chain: every seal's hash covers its entry and the hash before it, so that no entry can be altered, taken out or
//! moved without every later hash changing.

use std::collections::HashMap;

use aws_lc_rs::digest::{Context, SHA256};
use entity::{audit_entry, audit_seal};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, RelationDef};
use uuid::Uuid;

use crate::adapters::objects::{Sha256, finish_sha256};

/// How far a chain goes, and the hash of its last seal. The default is the start of every chain: no seal, and zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub seq: i64,
    pub hash: Sha256,
}

impl Head {
    /// The head once an entry of these bytes is sealed.
    #[must_use]
    pub fn followed_by(&self, canonical: &[u8]) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(&self.hash);
        hash.update(canonical);
        Self { seq: self.seq + 1, hash: finish_sha256(hash) }
    }

    fn of(seal: &audit_seal::Model) -> Result<Self, DbErr> {
        let hash = seal.hash.as_slice().try_into();
        let hash = hash.map_err(|_| DbErr::Custom(format!("the audit log's seal {} has no SHA-256", seal.seq)))?;
        Ok(Self { seq: seal.seq, hash })
    }
}

/// A seal, and its entry where that is there.
#[derive(Clone, Debug)]
pub struct Link {
    pub seal: audit_seal::Model,
    pub entry: Option<audit_entry::Model>,
}

/// Where the chain ends.
pub async fn head(connection: &impl ConnectionTrait) -> Result<Head, DbErr> {
    let last = audit_seal::Entity::find().order_by_desc(audit_seal::Column::Seq).one(connection).await?;
    last.as_ref().map_or(Ok(Head::default()), Head::of)
}

/// Up to `limit` links after `seq`, in order.
pub async fn links(connection: &impl ConnectionTrait, seq: i64, limit: u64) -> Result<Vec<Link>, DbErr> {
    let seals = audit_seal::Entity::find().filter(audit_seal::Column::Seq.gt(seq));
    let seals = seals.order_by_asc(audit_seal::Column::Seq).limit(limit).all(connection).await?;
    let ids = seals.iter().map(|seal| seal.entry_id);
    let entries = audit_entry::Entity::find().filter(audit_entry::Column::Id.is_in(ids)).all(connection).await?;
    let mut entries: HashMap<Uuid, audit_entry::Model> = entries.into_iter().map(|entry| (entry.id, entry)).collect();
    Ok(seals.into_iter().map(|seal| Link { entry: entries.remove(&seal.entry_id), seal }).collect())
}

/// Entries with their seals.
#[must_use]
pub fn seal_of_entry() -> RelationDef {
    audit_entry::Entity::belongs_to(audit_seal::Entity)
        .from(audit_entry::Column::Id)
        .to(audit_seal::Column::EntryId)
        .into()
}

/// The head at this number; that of number 0 is there before the first seal.
pub async fn find(connection: &impl ConnectionTrait, seq: i64) -> Result<Option<Head>, DbErr> {
    if seq == 0 {
        return Ok(Some(Head::default()));
    }
    audit_seal::Entity::find_by_id(seq).one(connection).await?.as_ref().map(Head::of).transpose()
}
