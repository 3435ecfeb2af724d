//! Reading one's own events: from where, by pages, and how many are new.

use std::time::Duration;

use entity::{event, event_counter};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr};
use tokio::time::sleep;
use uuid::Uuid;

use super::{after, last_seq};
use crate::{
    app::App,
    db::page::{Page, PageRequest},
    error::Fault,
    module_error,
    viewer::Viewer,
};

/// The highest count of unread events.
pub const MOST_COUNTED: u64 = 1000;

/// Why events cannot be read from there on.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    #[error("events this old are not kept any more")]
    Expired,
    #[error("there was no such event")]
    UnknownCursor,
    #[error(transparent)]
    Fault(Fault),
}

module_error!(EventsError);

impl From<Fault> for EventsError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// How long a database may show an event and not yet the one before it: both are committed then.
const SETTLES: Duration = Duration::from_millis(100);

/// Up to `limit` events that come right after `seq`. Nothing but the sweeper leaves a gap that stays.
pub(super) async fn next_to(
    app: &App,
    recipient: Uuid,
    seq: i64,
    limit: u64,
) -> Result<Vec<event::Model>, EventsError> {
    let is_next = |events: &[event::Model]| events.iter().zip(seq + 1..).all(|(event, seq)| event.seq == seq);
    let mut events = after(app.db.read(), recipient, seq, limit).await?;
    if !is_next(&events) {
        sleep(SETTLES).await;
        events = after(app.db.read(), recipient, seq, limit).await?;
    }
    if is_next(&events) { Ok(events) } else { Err(EventsError::Expired) }
}

/// Where to read on: after the event `after`, all of whose successors are there, or after the newest one.
pub(super) async fn position(app: &App, recipient: Uuid, from: Option<i64>) -> Result<i64, EventsError> {
    let last = last_seq(app.db.read(), recipient).await?;
    let Some(from) = from else { return Ok(last) };
    if !(0..=last).contains(&from) {
        return Err(EventsError::UnknownCursor);
    }
    let next = next_to(app, recipient, from, 1).await?;
    if from < last && next.is_empty() { Err(EventsError::Expired) } else { Ok(from) }
}

/// The viewer's events, oldest first; without a cursor from the oldest that is kept.
pub async fn list(app: &App, viewer: &Viewer, page: &PageRequest<i64>) -> Result<Page<event::Model>, EventsError> {
    let recipient = viewer.person()?.user_id;
    let from = match page.after {
        Some(from) => position(app, recipient, Some(from)).await?,
        None => 0,
    };
    Ok(page.finish(after(app.db.read(), recipient, from, page.limit + 1).await?))
}

/// The newest event of the viewer's, 0 where there was none.
pub async fn latest(app: &App, viewer: &Viewer) -> Result<i64, Fault> {
    Ok(last_seq(app.db.read(), viewer.person()?.user_id).await?)
}

/// How many events of the viewer's are not read yet, of these kinds where any are given; counted up to [`MOST_COUNTED`].
pub async fn unread(app: &App, viewer: &Viewer, kinds: Option<&[&str]>) -> Result<u64, Fault> {
    let recipient = viewer.person()?.user_id;
    let counter = event_counter::Entity::find_by_id(recipient).one(app.db.read()).await?;
    let Some(counter) = counter else { return Ok(0) };
    let mut select = event::Entity::find()
        .select_only()
        .column(event::Column::Seq)
        .filter(event::Column::Recipient.eq(recipient))
        .filter(event::Column::Seq.gt(counter.read_seq));
    if let Some(kinds) = kinds {
        select = select.filter(event::Column::Kind.is_in(kinds.iter().copied()));
    }
    let unread: Vec<i64> = select.limit(MOST_COUNTED).into_tuple().all(app.db.read()).await?;
    Ok(unread.len() as u64)
}

/// Marks the viewer's events up to `seq` as read; those that are read stay so.
pub async fn mark_read(app: &App, viewer: &Viewer, seq: i64) -> Result<(), EventsError> {
    use event_counter::Column;
    let recipient = viewer.person()?.user_id;
    app.db
        .transaction(async |tx| {
            let outcome = event_counter::Entity::update_many()
                .col_expr(Column::ReadSeq, Expr::value(seq))
                .filter(Column::Recipient.eq(recipient))
                .filter(Column::ReadSeq.lt(seq))
                .filter(Column::Seq.gte(seq))
                .exec(&tx)
                .await?;
            if outcome.rows_affected == 0 && !(0..=last_seq(&tx, recipient).await?).contains(&seq) {
                return Err(EventsError::UnknownCursor);
            }
            Ok(())
        })
        .await
}
