//! The audit log: who did what to what, written in the transaction that did it.

use entity::{Timestamp, audit_entry};
use sea_orm::{ActiveModelTrait as _, DbErr, EntityTrait, IntoActiveModel as _};
use serde_json::json;
use uuid::Uuid;

use crate::{db::Tx, viewer::Viewer};

/// Appends an entry in the caller's transaction; it is there exactly where the act is.
pub async fn record(
    tx: &Tx,
    viewer: &Viewer,
    action: &'static str,
    subject_id: Uuid,
    details: serde_json::Value,
    now: Timestamp,
) -> Result<(), DbErr> {
    let (id, actor_id) = (Uuid::now_v7(), viewer.user_id());
    // Object keys come out sorted, so that the same entry has the same bytes.
    let entry = json!({ "id": id, "at": now.0, "actor": actor_id, "action": action, "subject": subject_id, "details": details });
    let row = audit_entry::Model {
        id,
        created_at: now,
        actor_id,
        action: action.to_owned(),
        subject_id,
        canonical: entry.to_string().into_bytes(),
    };
    audit_entry::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx).await?;
    Ok(())
}
