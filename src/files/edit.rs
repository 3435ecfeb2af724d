//! Changing what is said about a file.

use entity::file;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{FilesError, Scope, model, store};
use crate::{app::App, viewer::Viewer};

/// Changes to a file that was at `revision`; what is `None` stays.
#[derive(Clone, Debug)]
pub struct Edit {
    pub id: Uuid,
    pub revision: i32,
    pub name: Option<String>,
    pub description: Option<String>,
    pub tags: Option<Vec<String>>,
    pub metadata: Option<Value>,
}

/// Edits one's own file.
///
/// Safe to repeat: where the file already says all this at the next revision, the repeat succeeds and changes nothing.
pub async fn edit(app: &App, viewer: &Viewer, edit: Edit) -> Result<file::Model, FilesError> {
    let owner = viewer.person()?.user_id;
    let name = edit.name.as_deref().map(model::name).transpose()?;
    let description = edit.description.as_deref().map(model::description).transpose()?;
    let tags = edit.tags.as_deref().map(model::tags).transpose()?;
    let metadata = edit.metadata.map(model::metadata).transpose()?;
    app.transaction(async |tx| {
        let current = store::lock(&tx, Scope::Owner(owner), &[edit.id]).await?.pop().ok_or(FilesError::NotFound)?;
        if current.state != file::State::Active {
            return Err(FilesError::WrongState("Only an active file can be edited. Restore it first."));
        }
        let mut row = current.clone();
        if let Some(name) = &name {
            row.name_key = model::name_key(name);
            row.name.clone_from(name);
        }
        if let Some(description) = &description {
            row.description.clone_from(description);
        }
        if let Some(tags) = &tags {
            row.tags = json!(tags);
        }
        if let Some(metadata) = &metadata {
            row.metadata.clone_from(metadata);
        }
        if current.revision == edit.revision + 1 && row == current {
            return Ok(current);
        }
        if current.revision != edit.revision {
            return Err(FilesError::Stale(Box::new(current)));
        }
        row.revision += 1;
        row.updated_at = app.now();
        if !store::update(&tx, &current, &row).await? {
            return Err(FilesError::Stale(Box::new(current)));
        }
        Ok(row)
    })
    .await
}
