//! Blocking a content: nobody may store it again, and the file that it was found in is removed.

use entity::{alert, blocked_content, object, object::State};
use uuid::Uuid;

use super::ReportsError;
use crate::{
    app::App,
    block_list::{self, NewEntry},
    error::Fault,
    files,
    images::{self, ImageError},
    ledger, text,
    viewer::Viewer,
};

/// What is to be blocked.
#[derive(Debug)]
pub enum Subject {
    /// The current content of a file.
    File(Uuid),
    /// Bytes that nobody has shown here.
    Sha256(Vec<u8>),
}

/// A blocked content, and the alert of the removal, where a file was removed by that.
#[derive(Debug)]
pub struct Blocked {
    pub entry: blocked_content::Model,
    pub alert: Option<alert::Model>,
}

/// Blocks a content, and removes the file that has it. A repeat changes nothing. Admins.
pub async fn block(app: &App, viewer: &Viewer, subject: Subject, reason: &str) -> Result<Blocked, ReportsError> {
    viewer.admin()?;
    let reason = text::reason(reason).ok_or(ReportsError::InvalidReason)?;
    let id = match subject {
        Subject::File(id) => id,
        Subject::Sha256(sha256) => {
            let new =
                NewEntry { sha256, fingerprints: Vec::new(), thumbhash: None, content_type: None, name: String::new() };
            let entry = app.transaction::<_, ReportsError, _, _>(async |tx| {
                Ok(block_list::add(app, &tx, viewer, new.clone(), &reason).await?)
            });
            return Ok(Blocked { entry: entry.await?, alert: None });
        }
    };
    let file = files::find(app, viewer, id).await?.ok_or(ReportsError::NothingThere)?;
    if file.sha256.is_empty() {
        return Err(ReportsError::WrongState("The file has no content yet. Remove it, or wait.".to_owned()));
    }
    let object = ledger::find(app.db.read(), file.object_id).await?.ok_or(ReportsError::NothingThere)?;
    let new = entry_of(app, &object, file.name.clone()).await?;
    app.transaction(async |tx| {
        let removed = files::remove_in(app, &tx, viewer, &[id], &reason).await?;
        if removed.files.iter().any(|file| file.object_id != object.id) {
            let error = "The file was given another content meanwhile. Look at it, and decide again.";
            return Err(ReportsError::WrongState(error.to_owned()));
        }
        let entry = block_list::add(app, &tx, viewer, new.clone(), &reason).await?;
        Ok(Blocked { entry, alert: removed.alert })
    })
    .await
}

/// What an object's content is known by: its bytes, and where it is a picture that is still there, its looks.
pub(super) async fn entry_of(app: &App, object: &object::Model, name: String) -> Result<NewEntry, Fault> {
    let mut entry = NewEntry {
        sha256: object.sha256.clone(),
        fingerprints: Vec::new(),
        thumbhash: None,
        content_type: Some(object.content_type.clone()),
        name,
    };
    if object.state == State::Live && images::is_raster(&object.content_type) {
        let path = ledger::spool(app, object.id).await?;
        let seen = async {
            let thumbhash = app.images.probe(path.to_path_buf()).await?.thumbhash;
            Ok((thumbhash, app.images.fingerprints(path.to_path_buf()).await?))
        };
        match seen.await {
            Ok((thumbhash, fingerprints)) => (entry.thumbhash, entry.fingerprints) = (thumbhash, fingerprints),
            Err(ImageError::Io(error)) => return Err(Fault::internal(error)),
            // Of a picture that cannot be read nobody sees more than its bytes.
            Err(error) => tracing::info!(%error, object = %object.id, "a picture is blocked by its bytes alone"),
        }
    }
    Ok(entry)
}
