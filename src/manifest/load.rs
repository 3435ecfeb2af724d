//! Filling an empty database from a manifest, on whichever database.

use entity::{audit_entry, object, user};
use migration::{Migrator, MigratorTrait as _};
use sea_orm::{
    ConnectionTrait as _, DbErr, EntityTrait as _, PaginatorTrait as _,
    sea_query::{Alias, Query},
};
use tokio::sync::mpsc::channel;

use super::{
    CONTENT_TYPE, ManifestError,
    find::Brought,
    format::{self, Batch, Verified},
    tables::TABLES,
};
use crate::{
    db::{Db, Tx},
    error::Fault,
    jobs, ledger, replication,
    viewer::Viewer,
};

/// Batches that wait for the database.
const WAITING: usize = 2;

/// Makes the schema what it was, writes every row in one transaction, and brings the schema up to date; only into a database without
/// people, objects and audit entries. What the rows say of copies and of processes counts no longer. With `stored` the manifest itself
/// is in the ledger; `restored_by` orders the run that stands for the restoration.
pub async fn load(
    db: &Db,
    manifest: &Verified,
    stored: Option<&Brought>,
    restored_by: Option<&Viewer>,
) -> Result<(), ManifestError> {
    let known: Vec<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let wanted = &manifest.head.migrations;
    if !known.starts_with(wanted) {
        let last = wanted.last().map(String::as_str).unwrap_or_default();
        return Err(ManifestError::Newer(format!("its schema goes up to {last}")));
    }
    let mut newer = false;
    db.migrating(async |connection| {
        let applied = Migrator::get_applied_migrations(connection).await?.len();
        newer = applied > wanted.len();
        let missing = wanted.len().saturating_sub(applied);
        if missing > 0 { Migrator::up(connection, u32::try_from(missing).ok()).await } else { Ok(()) }
    })
    .await?;
    if newer {
        return Err(ManifestError::NewerDatabase(wanted.last().cloned().unwrap_or_default()));
    }
    db.transaction(async |tx| {
        if !is_empty(&tx).await? {
            return Err(ManifestError::NotEmpty);
        }
        fill(&tx, manifest).await?;
        ledger::forget_evidence(&tx).await?;
        jobs::forget_leases(&tx).await?;
        let now = db.now(&tx).await?;
        if let Some(Brought { key, bytes, sha256, .. }) = stored {
            ledger::adopt(&tx, *key, *bytes, sha256, CONTENT_TYPE, now).await?;
        }
        if let Some(viewer) = restored_by {
            replication::begin_restore(&tx, viewer, now).await?;
        }
        Ok(())
    })
    .await?;
    db.migrate().await?;
    Ok(())
}

async fn is_empty(tx: &Tx) -> Result<bool, DbErr> {
    let rows = user::Entity::find().count(tx).await?
        + object::Entity::find().count(tx).await?
        + audit_entry::Entity::find().count(tx).await?;
    Ok(rows == 0)
}

async fn fill(tx: &Tx, manifest: &Verified) -> Result<(), ManifestError> {
    let backend = tx.get_database_backend();
    // What migrations have put there, and a server that was started on the empty database.
    for table in TABLES.iter().rev() {
        tx.execute_raw(backend.build(Query::delete().from_table(Alias::new(*table)))).await?;
    }
    let (batches, mut waiting) = channel::<Batch>(WAITING);
    let path = manifest.path.clone();
    let reading =
        tokio::task::spawn_blocking(move || format::read(&path, |batch| batches.blocking_send(batch).is_ok()));
    while let Some(batch) = waiting.recv().await {
        let named =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !TABLES.contains(&batch.table.as_str()) || !batch.columns.iter().all(|column| named(column)) {
            return Err(ManifestError::Damaged(format!("there is no table {:?}", batch.table)));
        }
        let mut insert = Query::insert();
        insert.into_table(Alias::new(batch.table)).columns(batch.columns.into_iter().map(Alias::new));
        for row in batch.rows {
            insert.values(row.into_iter().map(Into::into)).map_err(Fault::internal)?;
        }
        tx.execute_raw(backend.build(&insert)).await?;
    }
    reading.await.map_err(Fault::internal)?
}
