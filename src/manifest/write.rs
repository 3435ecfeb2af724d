//! Writing a manifest: the database at one moment, into a file, and that to the buckets like every object: in the ledger first, then
//! at the primary, and a job brings it to the other site.

use std::{fs::File, time::Duration};

use async_trait::async_trait;
use entity::object::{Kind, Model as Object, Reason};
use migration::{Migrator, MigratorTrait as _};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::channel;

use super::{
    CONTENT_TYPE,
    format::{Head, Writer, Written},
    tables::{Piece, send_all},
};
use crate::{
    accounts,
    adapters::objects::Body,
    app::App,
    config::Config,
    db::Db,
    error::Fault,
    jobs::{Job, JobError, Lane},
    ledger::{self, NewObject},
    notary,
    spool::Spool,
    viewer::Viewer,
};

/// Between two looks whether a manifest is due, at the least.
pub(super) const LOOK: Duration = Duration::from_secs(60);
/// Pieces that wait for the disk.
const WAITING: usize = 4;

/// Writes a manifest where the last one is old enough, and has those erased that are too many.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Write {}

#[async_trait]
impl Job for Write {
    const KIND: &'static str = "manifest.write";
    const LANE: Lane = Lane::Upkeep;

    async fn run(&self, app: &App) -> Result<(), JobError> {
        let connection = app.db.read();
        let now = app.db.now(connection).await?;
        let newest = ledger::of_kind(connection, Kind::Manifest).await?.into_iter().next();
        let since = match newest {
            Some(newest) => Some(newest.created_at),
            // Without people there is nothing to rebuild.
            None => accounts::first_sign_up(connection).await?,
        };
        if since.is_some_and(|since| now.since(since) >= app.config.manifest.interval) {
            write(app, &Viewer::System(Self::KIND)).await?;
        }
        Ok(prune(app).await?)
    }
}

/// Those beyond `manifest.keep` are erased: what people had deleted would stand in them for ever.
async fn prune(app: &App) -> Result<(), DbErr> {
    let old: Vec<_> = ledger::of_kind(app.db.read(), Kind::Manifest)
        .await?
        .into_iter()
        .skip(app.config.manifest.keep)
        .map(|old| old.id)
        .collect();
    if old.is_empty() {
        return Ok(());
    }
    app.transaction::<_, DbErr, _, _>(async |tx| ledger::doom(app, &tx, &old, None, Reason::Superseded).await.map(drop))
        .await
}

/// Writes a manifest now. Admins.
pub async fn write(app: &App, viewer: &Viewer) -> Result<Object, Fault> {
    viewer.admin()?;
    let (file, path) = app.spool().and_then(Spool::file).map_err(Fault::internal)?.into_parts();
    let written = write_to(&app.config, &app.db, file).await?;
    let new = NewObject {
        kind: Kind::Manifest,
        bytes: written.bytes,
        sha256: written.sha256,
        content_type: CONTENT_TYPE.to_owned(),
        user_id: None,
        file_id: None,
    };
    let stored = ledger::write(app, new, Body::File(path.to_path_buf())).await?;
    let outcome = app
        .transaction::<_, Fault, _, _>(async |tx| {
            if ledger::make_live(app, &tx, &stored).await? {
                Ok(())
            } else {
                Err(Fault::Busy("the primary changed while a manifest was written".to_owned()))
            }
        })
        .await;
    if let Err(error) = outcome {
        ledger::give_up(app, &stored).await;
        return Err(error);
    }
    tracing::info!(key = stored.object.key, bytes = written.bytes, rows = written.rows, "manifest written");
    Ok(stored.object)
}

/// Writes a manifest of this database into a file, signed by the server's key.
pub async fn write_to(config: &Config, db: &Db, file: File) -> Result<Written, Fault> {
    let settings = config.clone();
    let key = tokio::task::spawn_blocking(move || notary::signing_key(&settings)).await;
    let key = key.map_err(Fault::internal)?.map_err(Fault::internal)?;
    let names = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let head = Head::new(db.now(db.read()).await?.0, names);
    let (pieces, mut waiting) = channel(WAITING);
    let writing = tokio::task::spawn_blocking(move || {
        let (mut writer, mut whole) = (Writer::begin(file, &head)?, false);
        while let Some(piece) = waiting.blocking_recv() {
            match piece {
                Piece::Table(table) => writer.line(&table)?,
                Piece::Rows(table, rows) => writer.rows(table, &rows)?,
                Piece::End => whole = true,
            }
        }
        if whole { writer.finish(&key).map(Some) } else { Ok(None) }
    });
    let transaction = db.snapshot().await?;
    let sent = send_all(&transaction, config.database.statement_timeout, &pieces).await;
    transaction.rollback().await?;
    if sent.is_ok() {
        _ = pieces.send(Piece::End).await;
    }
    drop(pieces);
    // The disk's own error first: it is why the other side could not go on.
    let written = writing.await.map_err(Fault::internal)?.map_err(Fault::internal)?;
    sent?;
    written.ok_or_else(|| Fault::Internal("the manifest was not finished".to_owned()))
}
