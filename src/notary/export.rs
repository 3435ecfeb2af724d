//! The sealed log for other tools, in the order of the chain.

use entity::Timestamp;
use sea_orm::DbErr;

use super::walk::BATCH;
use crate::{audit::chain, db::Db};

/// Which entries are wanted, by their own time. Empty: all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

impl Span {
    fn has(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }
}

/// Some lines of the export, and where the next ones begin.
#[derive(Clone, Debug)]
pub struct Exported {
    /// One JSON object a line: `seq`, `hash` in hex, and `entry`, whose bytes are those that the hash covers.
    pub lines: String,
    pub after: i64,
}

/// The next lines after number `after`. `None`: there are no more. Entries that were removed are left out: finding those
/// is what verifying is for.
///
/// # Errors
/// The database does not answer.
pub async fn export(db: &Db, span: &Span, after: i64) -> Result<Option<Exported>, DbErr> {
    let links = chain::links(db.read(), after, BATCH).await?;
    let Some(last) = links.last() else { return Ok(None) };
    let after = last.seal.seq;
    let mut lines = String::new();
    for link in &links {
        if let Some(entry) = link.entry.as_ref().filter(|entry| span.has(entry.created_at)) {
            let (seq, hash) = (link.seal.seq, hex::encode(&link.seal.hash));
            let entry = String::from_utf8_lossy(&entry.canonical);
            lines.push_str(&format!("{{\"seq\":{seq},\"hash\":\"{hash}\",\"entry\":{entry}}}\n"));
        }
    }
    Ok(Some(Exported { lines, after }))
}
