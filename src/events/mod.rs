//! Events: what happened, in commit order per recipient. A reader that has seen `seq` misses nothing after it.

mod feed;
pub mod graphql;
mod hub;
mod jobs;
mod reading;

use entity::{Timestamp, event, event_counter};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    QuerySelect, Statement, sea_query::Expr,
};
use uuid::Uuid;

pub use feed::stream;
pub use hub::run;
pub use jobs::register;
pub use reading::{EventsError, MOST_COUNTED, latest, list, mark_read, unread};

use crate::db::Tx;

/// A friendship of the recipient's began, ended or was asked for: `{"friendship": id}`.
pub const FRIENDSHIP_CHANGED: &str = "friendship.changed";
/// The recipient was sent a snap: `{"snap": id}`.
pub const SNAP_RECEIVED: &str = "snap.received";
/// A snap that the recipient had sent was opened, replayed or ended for one person: `{"snap": id, "recipient": user}`.
pub const SNAP_CHANGED: &str = "snap.changed";
/// The state of a direct upload of the recipient's changed: `{"upload": id}`.
pub const UPLOAD_CHANGED: &str = "upload.changed";

/// The recipient of what concerns no single person: the server's own log, which `snaphaven events` shows.
pub const SERVER_LOG: Uuid = Uuid::nil();

/// Appends one event in the caller's transaction and returns its `seq`; after the commit the recipient's readers are woken.
///
/// Takes the recipient's counter row until the commit, so call it late. With several recipients go in sorted order.
pub async fn append(
    tx: &Tx,
    recipient: Uuid,
    kind: &str,
    payload: serde_json::Value,
    now: Timestamp,
) -> Result<i64, DbErr> {
    if !advance(tx, recipient).await? {
        let row = event_counter::ActiveModel { recipient: Set(recipient), seq: Set(0), read_seq: Set(0) };
        event_counter::Entity::insert(row)
            .on_conflict_do_nothing_on([event_counter::Column::Recipient])
            .exec_without_returning(tx)
            .await?;
        advance(tx, recipient).await?;
    }
    let counter = event_counter::Entity::find_by_id(recipient).one(tx).await?;
    let seq = counter.ok_or_else(|| DbErr::RecordNotFound("event counter".to_owned()))?.seq;
    let row = event::ActiveModel {
        recipient: Set(recipient),
        seq: Set(seq),
        kind: Set(kind.to_owned()),
        payload: Set(payload),
        created_at: Set(now),
    };
    event::Entity::insert(row).exec_without_returning(tx).await?;
    if recipient != SERVER_LOG {
        tell(tx, recipient).await?;
    }
    Ok(seq)
}

/// Wakes the recipient's readers at the commit: those in this process, and on Postgres in every other.
async fn tell(tx: &Tx, recipient: Uuid) -> Result<(), DbErr> {
    tx.ring(recipient);
    if tx.get_database_backend() == DbBackend::Postgres {
        let values = [hub::CHANNEL.into(), recipient.to_string().into()];
        tx.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, "SELECT pg_notify($1, $2)", values)).await?;
    }
    Ok(())
}

async fn advance(tx: &Tx, recipient: Uuid) -> Result<bool, DbErr> {
    let outcome = event_counter::Entity::update_many()
        .col_expr(event_counter::Column::Seq, Expr::col(event_counter::Column::Seq).add(1))
        .filter(event_counter::Column::Recipient.eq(recipient))
        .exec(tx)
        .await?;
    Ok(outcome.rows_affected == 1)
}

/// Up to `limit` events after `seq`, oldest first.
pub async fn after(
    connection: &impl ConnectionTrait,
    recipient: Uuid,
    seq: i64,
    limit: u64,
) -> Result<Vec<event::Model>, DbErr> {
    event::Entity::find()
        .filter(event::Column::Recipient.eq(recipient))
        .filter(event::Column::Seq.gt(seq))
        .order_by_asc(event::Column::Seq)
        .limit(limit)
        .all(connection)
        .await
}

/// The newest `seq`, 0 where there is none.
pub async fn last_seq(connection: &impl ConnectionTrait, recipient: Uuid) -> Result<i64, DbErr> {
    Ok(event_counter::Entity::find_by_id(recipient).one(connection).await?.map_or(0, |counter| counter.seq))
}

/// Forgets a person's events, and where they stood.
pub async fn forget(tx: &Tx, recipient: Uuid) -> Result<(), DbErr> {
    event::Entity::delete_many().filter(event::Column::Recipient.eq(recipient)).exec(tx).await?;
    event_counter::Entity::delete_by_id(recipient).exec(tx).await?;
    Ok(())
}
