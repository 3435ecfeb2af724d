//! Uploads that become the picture of a snap: no file, and nothing is left of them once the snap is sent.

use std::io::Write as _;

use aws_lc_rs::digest::{Context, SHA256};
use entity::{
    object::Reason,
    upload,
    upload::{Purpose, State},
};
use futures::TryStreamExt as _;
use tempfile::TempPath;
use uuid::Uuid;

use super::{
    closed,
    end::parts_missing,
    parts::{Open, Sent, missing, open, sent},
    size, store,
};
use crate::{
    adapters::objects::{Sha256, finish_sha256},
    app::App,
    db::Tx,
    error::Fault,
    files::{
        FilesError,
        content::unreadable,
        quota::{self, Amount},
    },
    ledger,
    spool::Spool,
    viewer::Viewer,
};

/// An upload whose bytes are at hand.
#[derive(Debug)]
pub struct Taken {
    pub upload: Uuid,
    pub path: TempPath,
    pub sha256: Sha256,
}

/// Joins the parts of the viewer's upload, and brings its bytes, at most `limit`, into a temporary file. The upload stays
/// open, so that it can be asked for again, until [`spend`].
pub async fn take(app: &App, viewer: &Viewer, id: Uuid, limit: u64) -> Result<Taken, FilesError> {
    let row = store::find(app.db.read(), viewer.person()?.user_id, id).await?.ok_or(FilesError::NoSuchUpload)?;
    usable(&row)?;
    if size(&row) > limit {
        return Err(FilesError::TooLarge { limit });
    }
    let Open { row, key, multipart_id } = open(app, row).await?;
    let store = app.stores.at(row.site);
    if let Sent::Parts(parts) = sent(app, &row, &multipart_id).await? {
        let missing = missing(&row, &parts);
        if !missing.is_empty() {
            return Err(parts_missing(&missing));
        }
        store.complete_upload(&key, &multipart_id, &parts).await.map_err(Fault::from)?;
    }
    // The upload may have been aborted meanwhile, and its parts with it.
    let found = store.get(&key, None).await.map_err(Fault::from)?.ok_or_else(|| closed(&row))?;
    let mut spool = app.spool().and_then(Spool::file).map_err(unreadable)?;
    let (mut body, mut hash, mut bytes) = (found.body, Context::new(&SHA256), 0);
    while let Some(chunk) = body.try_next().await.map_err(Fault::from)? {
        bytes += chunk.len() as u64;
        hash.update(&chunk);
        spool.write_all(&chunk).map_err(unreadable)?;
    }
    let announced = row.sha256.as_deref();
    let sha256 = finish_sha256(hash);
    if bytes != size(&row) || announced.is_some_and(|announced| announced != sha256) {
        return Err(FilesError::WrongState("What was sent is not what was announced. Begin a new upload."));
    }
    Ok(Taken { upload: row.id, path: spool.into_temp_path(), sha256 })
}

fn usable(row: &upload::Model) -> Result<(), FilesError> {
    match row.purpose {
        Purpose::Snap if row.state == State::Open => Ok(()),
        Purpose::Snap => Err(closed(row)),
        Purpose::File | Purpose::Content => {
            Err(FilesError::WrongState("This upload is no snap's picture: begin it with the purpose SNAP."))
        }
    }
}

/// Ends the upload in the transaction that sends its picture; its bytes are erased.
pub async fn spend(app: &App, tx: &Tx, owner: Uuid, id: Uuid) -> Result<(), FilesError> {
    let row = store::lock(tx, owner, id).await?.ok_or(FilesError::NoSuchUpload)?;
    usable(&row)?;
    let (amount, staging) = (Amount::of_upload(&row), row.staging_id);
    let ended_at = Some(app.db.now(tx).await?);
    let verified_bytes = row.bytes;
    store::update(tx, upload::Model { state: State::Completed, ended_at, verified_bytes, ..row }).await?;
    ledger::end_staging(app, tx, staging, Reason::Staged).await?;
    Ok(quota::give_back(tx, owner, amount).await?)
}
