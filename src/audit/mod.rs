//! The audit log: who did what to what, written in the transaction that did it, and chained by a seal soon after.
//!
//! What is signed of the chain, and who checks it, is the notary's.

pub mod chain;
mod list;
mod seal;

use entity::{Timestamp, audit_entry};
use sea_orm::{ActiveModelTrait as _, DbErr, EntityTrait, IntoActiveModel as _};
use serde_json::{Value, json};
use uuid::Uuid;

pub use list::{Entry, Filter, find, list, of_subject};

use crate::{config::Config, db::Tx, jobs::Registry, viewer::Viewer};

/// Registers and schedules the module's jobs.
pub fn register(registry: &mut Registry, config: &Config) -> Result<(), serde_json::Error> {
    registry.schedule(config.audit.seal_interval, &seal::Seal {})
}

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
        sealed: false,
    };
    audit_entry::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(tx).await?;
    Ok(())
}

/// Whether the columns that are searched and shown say what the canonical bytes say.
#[must_use]
pub fn is_consistent(entry: &audit_entry::Model) -> bool {
    let Ok(Value::Object(mut sealed)) = serde_json::from_slice(&entry.canonical) else { return false };
    sealed.remove("details");
    let shown = json!({
        "id": entry.id, "at": entry.created_at.0, "actor": entry.actor_id, "action": entry.action,
        "subject": entry.subject_id,
    });
    Value::Object(sealed) == shown
}

/// What an entry tells beside its columns; null where its bytes are damaged.
#[must_use]
pub fn details(entry: &audit_entry::Model) -> Value {
    serde_json::from_slice::<Value>(&entry.canonical).map_or(Value::Null, |mut entry| entry["details"].take())
}
