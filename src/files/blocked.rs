//! What is blocked becomes no file's content, by whichever way it comes.

use entity::file_version;
use uuid::Uuid;

use super::{FilesError, content::Facts, store};
use crate::{app::App, block_list, db::Tx, images::Fingerprint, viewer::Viewer, wanted::Marks};

impl Facts {
    pub(super) fn marks(&self) -> Marks<'_> {
        let fingerprint = self.picture.as_ref().and_then(|picture| picture.fingerprint.as_ref());
        Marks { sha256: &self.sha256, fingerprint }
    }
}

/// Refuses a content that is blocked. The caller makes it visible in the same transaction.
pub(super) async fn admit(app: &App, tx: &Tx, marks: Marks<'_>) -> Result<(), FilesError> {
    refuse(block_list::check(app, tx, &[marks]).await?)
}

pub(super) async fn admit_version(app: &App, tx: &Tx, version: &file_version::Model) -> Result<(), FilesError> {
    let fingerprint = version.fingerprint.as_deref().and_then(Fingerprint::from_bytes);
    admit(app, tx, Marks { sha256: &version.sha256, fingerprint: fingerprint.as_ref() }).await
}

/// For a file that is to be shown again with its version.
pub(super) async fn admit_again(app: &App, tx: &Tx, version: Uuid) -> Result<(), FilesError> {
    match store::version(tx, version).await? {
        Some(version) => admit_version(app, tx, &version).await,
        None => Ok(()),
    }
}

/// Refuses a content before it is stored, and writes that down. [`admit`] decides.
pub(super) async fn foresee(app: &App, viewer: &Viewer, marks: Marks<'_>) -> Result<(), FilesError> {
    noted(app, viewer, refuse(block_list::foresee(app, &[marks]).await?)).await
}

fn refuse(entry: Option<Uuid>) -> Result<(), FilesError> {
    entry.map_or(Ok(()), |entry| Err(FilesError::ContentBlocked(entry)))
}

/// Writes it down where the viewer was refused a content because it is blocked.
pub(super) async fn noted<T>(app: &App, viewer: &Viewer, outcome: Result<T, FilesError>) -> Result<T, FilesError> {
    if let Err(FilesError::ContentBlocked(entry)) = &outcome {
        block_list::refused(app, viewer, viewer.user_id(), *entry).await;
    }
    outcome
}
