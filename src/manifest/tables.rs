//! The tables of a manifest, those first that others refer to, and how their rows are taken.

use std::time::Duration;

use futures::TryStreamExt as _;
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IdenStatic as _, Iterable, ModelTrait};
use serde_json::Value as Json;
use tokio::{sync::mpsc::Sender, time::timeout};

use super::format::{Kind, Table, encode};
use crate::error::Fault;

/// What the writer's thread is told.
pub(super) enum Piece {
    Table(Table),
    Rows(&'static str, Vec<Vec<Json>>),
    /// All was sent.
    End,
}

const ROWS: usize = 500;

macro_rules! tables {
    ($($table:ident),* $(,)?) => {
        /// Every table but `lease`, which says which process leads at this moment.
        pub(super) const TABLES: &[&str] = &[$(stringify!($table)),*];

        /// Sends all rows of all tables, as the transaction sees them.
        pub(super) async fn send_all(
            transaction: &DatabaseTransaction,
            patience: Duration,
            to: &Sender<Piece>,
        ) -> Result<(), Fault> {
            $(send::<entity::$table::Entity>(transaction, stringify!($table), patience, to).await?;)*
            Ok(())
        }
    };
}

tables!(
    user,
    user_term,
    session,
    throttle,
    idempotency,
    account_closure,
    usage,
    friendship,
    block,
    object,
    object_copy,
    write_intent,
    file,
    file_term,
    file_label,
    file_version,
    rendition,
    legal_hold,
    upload,
    share_link,
    share_download,
    snap,
    snap_recipient,
    report,
    block_list,
    blocked_content,
    action,
    bulk_item,
    event,
    event_counter,
    audit_entry,
    audit_seal,
    audit_checkpoint,
    alert,
    alert_storm,
    job,
    site_role,
    replica_run,
    replica_range,
    replica_finding,
    replica_watch,
);

async fn send<E>(
    transaction: &DatabaseTransaction,
    table: &'static str,
    patience: Duration,
    to: &Sender<Piece>,
) -> Result<(), Fault>
where
    E: EntityTrait,
    E::Column: Iterable,
{
    let unknown = |column: &E::Column| Fault::Internal(format!("{table}.{} is of no known type", column.as_str()));
    let columns: Vec<E::Column> = E::Column::iter().collect();
    let named = columns.iter().map(|column| {
        let kind = Kind::of(column.def().get_column_type()).ok_or_else(|| unknown(column))?;
        Ok((column.as_str().to_owned(), kind))
    });
    let named = named.collect::<Result<_, Fault>>()?;
    pass(to, Piece::Table(Table { table: table.to_owned(), columns: named })).await?;
    let late = |_| Fault::Database(DbErr::Conn(sea_orm::RuntimeErr::Internal("no row came in time".to_owned())));
    let mut rows = timeout(patience, E::find().stream(transaction)).await.map_err(late)??;
    let mut some = Vec::with_capacity(ROWS);
    while let Some(row) = timeout(patience, rows.try_next()).await.map_err(late)?? {
        let values = columns.iter().map(|column| encode(row.get(*column)).ok_or_else(|| unknown(column)));
        some.push(values.collect::<Result<Vec<_>, _>>()?);
        if some.len() == ROWS {
            pass(to, Piece::Rows(table, std::mem::replace(&mut some, Vec::with_capacity(ROWS)))).await?;
        }
    }
    pass(to, Piece::Rows(table, some)).await
}

async fn pass(to: &Sender<Piece>, piece: Piece) -> Result<(), Fault> {
    to.send(piece).await.map_err(|_| Fault::Internal("the manifest cannot be written".to_owned()))
}
