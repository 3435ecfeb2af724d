//! The picture of a reported snap, for the admins who decide. That one looked is in the audit log before the first byte.

use entity::{object, report::Evidence};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use uuid::Uuid;

use super::store;
use crate::{
    app::App,
    audit,
    embedded::edge::{CatalogEntry, ReadError, Sources},
    ledger,
    snaps::{Picture, ViewError},
    viewer::Viewer,
};

/// The picture that is held for this report. To anybody but admins, and once it is not held any more, it is not there.
pub async fn evidence(app: &App, sources: &Sources, viewer: &Viewer, report: Uuid) -> Result<Picture, ViewError> {
    if !viewer.is_admin() {
        return Err(ViewError::NotFound);
    }
    let held = store::find(app.db.read(), report).await?.filter(|row| row.evidence == Evidence::Held);
    let report = held.ok_or(ViewError::NotFound)?;
    let object = ledger::find(app.db.read(), report.object_id).await?;
    let object = object.filter(|object| object.state == object::State::Live).ok_or(ViewError::NotFound)?;
    let entry = CatalogEntry {
        bytes: u64::try_from(object.bytes).unwrap_or(0),
        sha256: object.sha256.as_slice().try_into().map_err(|_| ReadError::NoGoodCopy)?,
        content_type: object.content_type,
        cacheable: false,
    };
    let stream = sources.download(&object.key, &entry).await?;
    app.transaction::<_, ViewError, _, _>(async |tx| {
        let now = app.db.now(&tx).await?;
        let details = json!({ "subject": report.subject_id });
        Ok(audit::record(&tx, viewer, "report.evidence_viewed", report.id, details, now).await?)
    })
    .await?;
    let stream = stream.map_err(ViewError::from).boxed();
    Ok(Picture { content_type: entry.content_type, bytes: entry.bytes, from: 0, stream })
}
