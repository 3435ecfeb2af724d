//! Checking the whole log: the chain, what was signed of it, what both buckets hold of that, and what is not sealed yet.

use std::collections::{BTreeMap, HashMap};

use entity::{Timestamp, audit_checkpoint, audit_entry, audit_seal};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait as _, JoinType, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::{
    buckets,
    checkpoint::{self, Statement},
    key::PublicKey,
    walk::{self, BATCH},
};
use crate::{
    adapters::objects::Sha256,
    app::Stores,
    audit::chain::{self, Head},
    error::Fault,
};

/// What verifying found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How far the chain holds.
    pub head: Head,
    pub checkpoints: u64,
    /// What the newest checkpoint covers, and since when.
    pub signed: Option<(i64, Timestamp)>,
    /// Checkpoints read back from the first and the second bucket; `None` where those were not asked.
    pub copies: Option<[u64; 2]>,
    /// Checkpoints on their way to a bucket.
    pub awaited: u64,
    /// Entries without a seal, and the time of the oldest: nothing shows yet whether they were touched.
    pub unsealed: u64,
    pub unsealed_since: Option<Timestamp>,
    /// What is wrong, of the chain only the first. Empty: verified.
    pub findings: Vec<String>,
}

/// What somebody signed of the chain, and where that is.
pub(super) struct Claims {
    /// By number: hash and place.
    claims: BTreeMap<i64, Vec<(Sha256, String)>>,
}

impl Claims {
    pub fn add(&mut self, statement: &Statement, place: String) {
        // A hash that is none differs from every other.
        let hash = statement.hash().unwrap_or_default();
        let claims = self.claims.entry(statement.seq).or_default();
        // The copies of one checkpoint say the same.
        if claims.iter().all(|(known, _)| *known != hash) {
            claims.push((hash, place));
        }
    }

    fn hold_against(&mut self, head: &Head, findings: &mut Vec<String>) {
        for (hash, place) in self.claims.remove(&head.seq).unwrap_or_default() {
            if hash != head.hash {
                findings.push(format!("seq {}: the log was rewritten: {place} signs another hash", head.seq));
            }
        }
    }
}

/// Checks everything, in a memory that grows with the checkpoints, not with the entries. Servers may go on writing.
///
/// `stores`: the buckets, where those are to be asked too.
///
/// # Errors
/// The database or a bucket does not answer. What is wrong with the log is in the report.
pub async fn verify(
    connection: &impl ConnectionTrait,
    stores: Option<&Stores>,
    keys: &[PublicKey],
) -> Result<Report, Fault> {
    let mut report = Report::default();
    let mut claims = Claims { claims: BTreeMap::new() };
    // Before the chain is followed: it may grow meanwhile, and be signed further.
    let documents = signed(connection, keys, &mut report, &mut claims).await?;
    if let Some(stores) = stores {
        buckets::compare(connection, stores, keys, &documents, &mut report, &mut claims).await?;
    }
    let mut findings = Vec::new();
    let (head, flaw) = walk::walk(connection, Head::default(), |head| claims.hold_against(head, &mut findings)).await?;
    report.head = head;
    report.findings.append(&mut findings);
    match flaw {
        Some(flaw) => report.findings.push(flaw.to_string()),
        None => {
            if let Some((seq, claims)) = claims.claims.last_key_value() {
                let place = &claims[0].1;
                report.findings.push(format!(
                    "seq {}: the log was cut off: {place} covers {seq} entries, the log has {}",
                    head.seq + 1,
                    head.seq
                ));
            }
        }
    }
    unsealed(connection, &mut report).await?;
    Ok(report)
}

/// The rows of checkpoints, each held against its signature. Their documents, by object.
async fn signed(
    connection: &impl ConnectionTrait,
    keys: &[PublicKey],
    report: &mut Report,
    claims: &mut Claims,
) -> Result<HashMap<Uuid, Vec<u8>>, DbErr> {
    use audit_checkpoint::{Column, Entity};
    let (mut documents, mut seq) = (HashMap::new(), 0);
    loop {
        let rows = Entity::find().filter(Column::Seq.gt(seq)).order_by_asc(Column::Seq).limit(BATCH);
        let rows = rows.all(connection).await?;
        let Some(last) = rows.last() else { return Ok(documents) };
        (seq, report.signed) = (last.seq, Some((last.seq, last.signed_at)));
        for row in rows {
            report.checkpoints += 1;
            let document = checkpoint::document(&row.statement, &row.signature);
            match checkpoint::read(&document, keys) {
                Ok(statement) if says(&row, &statement) => {
                    claims.add(&statement, format!("the checkpoint of seq {}", row.seq));
                }
                Ok(_) => report.findings.push(format!("the checkpoint of seq {} was altered", row.seq)),
                Err(what) => report.findings.push(format!("the checkpoint of seq {} {what}", row.seq)),
            }
            documents.insert(row.object_id, document);
        }
    }
}

/// Whether a row's columns are what was signed.
fn says(row: &audit_checkpoint::Model, signed: &Statement) -> bool {
    let hash = signed.hash().is_some_and(|hash| hash[..] == row.hash);
    hash && signed.seq == row.seq && signed.key == row.key_id && signed.signed_at == row.signed_at.0
}

/// What has no seal: entries that wait for one, and such as had one.
async fn unsealed(connection: &impl ConnectionTrait, report: &mut Report) -> Result<(), DbErr> {
    use audit_entry::{Column, Entity};
    let waiting = Entity::find().filter(Column::Sealed.eq(false));
    let waiting: Option<(i64, Option<Timestamp>)> = waiting
        .select_only()
        .column_as(Column::Id.count(), "entries")
        .column_as(Column::CreatedAt.min(), "since")
        .into_tuple()
        .one(connection)
        .await?;
    if let Some((entries, since)) = waiting {
        (report.unsealed, report.unsealed_since) = (u64::try_from(entries).unwrap_or(0), since);
    }
    let bare = Entity::find()
        .join(JoinType::LeftJoin, chain::seal_of_entry())
        .filter(Column::Sealed.eq(true).and(audit_seal::Column::Seq.is_null()))
        .order_by_asc(Column::CreatedAt)
        .one(connection)
        .await?;
    if let Some(entry) = bare {
        report.findings.push(format!("entry {} was sealed, and its seal was removed", entry.id));
    }
    Ok(())
}
