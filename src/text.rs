//! What every database can store as text.

use serde_json::Value;

/// Whether no text or key in it holds NUL, which Postgres refuses in `text` and in `jsonb`.
#[must_use]
pub fn is_storable(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains('\0'),
        Value::Array(items) => items.iter().all(is_storable),
        Value::Object(fields) => fields.iter().all(|(key, value)| !key.contains('\0') && is_storable(value)),
        _ => true,
    }
}
