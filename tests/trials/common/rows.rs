//! Rows of the ledger as tests and benches write them, for bytes that are at both sites already.

use entity::{Timestamp, object, object_copy, object_copy::Site};
use snaphaven::adapters::objects::{keys::ObjectKey, sha256};
use uuid::Uuid;

/// A live object of these bytes as the ledger has it.
pub fn live(key: ObjectKey, bytes: &[u8], at: Timestamp) -> object::Model {
    object::Model {
        id: key.id,
        key: key.to_string(),
        kind: key.kind,
        state: object::State::Live,
        bytes: i64::try_from(bytes.len()).expect("a few bytes"),
        sha256: sha256(bytes).to_vec(),
        content_type: "text/plain".to_owned(),
        holds: 0,
        due_at: None,
        user_id: None,
        file_id: None,
        created_at: at,
        keep_until: None,
        notified_at: None,
        live_at: Some(at),
        requested_by: None,
        requested_at: None,
        reason: None,
        erased_at: None,
    }
}

/// Its copy, proven by the store's checksum.
pub fn proven(object: Uuid, site: Site, etag: String, at: Timestamp) -> object_copy::Model {
    object_copy::Model {
        object_id: object,
        site,
        state: object_copy::State::Verified,
        etag: Some(etag),
        version_id: None,
        proof: Some(object_copy::Proof::Checksum),
        verified_at: Some(at),
        arrived_at: Some(at),
        gone_at: None,
    }
}
