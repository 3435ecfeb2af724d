//! What a file's fields may hold.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::FilesError;
use crate::text;

/// Characters of a name, as most file systems allow bytes.
pub const MAX_NAME: usize = 255;
pub const MAX_DESCRIPTION: usize = 10_000;
pub const MAX_TAGS: usize = 50;
pub const MAX_TAG: usize = 64;
/// Bytes of the metadata as JSON.
pub const MAX_METADATA: usize = 16 * 1024;
/// Arrays and objects within each other in the metadata; databases and parsers stop soon after a hundred.
pub const MAX_METADATA_DEPTH: usize = 32;
/// Files named in one trash, restore or purge.
pub const MAX_FILES_AT_ONCE: usize = 100;
/// Characters kept of a sort key; NFKC can make a name 18 times as long.
const MAX_NAME_KEY: usize = 512;

/// A name as it is shown: NFC, with nothing that breaks a line or a header. Never part of an object key.
pub fn name(given: &str) -> Result<String, FilesError> {
    let name: String = given.nfc().collect();
    if name.trim().is_empty() {
        return Err(FilesError::InvalidName("Give the file a name."));
    }
    if name.chars().count() > MAX_NAME {
        return Err(FilesError::InvalidName("A file name has at most 255 characters."));
    }
    if name.chars().any(char::is_control) {
        return Err(FilesError::InvalidName("A file name holds no control characters such as line breaks."));
    }
    Ok(name)
}

/// What files are ordered by: NFKC, case folded, without trailing space (which some databases ignore).
#[must_use]
pub fn name_key(name: &str) -> String {
    let key: String = name.nfkc().flat_map(char::to_lowercase).nfkc().take(MAX_NAME_KEY).collect();
    key.trim_end().to_owned()
}

pub fn description(given: &str) -> Result<String, FilesError> {
    let description: String = given.nfc().collect();
    if description.chars().count() > MAX_DESCRIPTION || description.contains('\0') {
        return Err(FilesError::DescriptionTooLong { limit: MAX_DESCRIPTION });
    }
    Ok(description)
}

/// `type/subtype` in lower case, without parameters (RFC 6838, section 4.2).
pub fn content_type(given: &str) -> Result<String, FilesError> {
    let restricted = |name: &str| {
        let sign = |c: char| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c);
        name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= 127 && name.chars().all(sign)
    };
    match given.split_once('/') {
        Some((kind, subtype)) if restricted(kind) && restricted(subtype) => Ok(given.to_ascii_lowercase()),
        _ => Err(FilesError::InvalidContentType),
    }
}

/// Tags as given but trimmed, NFC, and each once.
pub fn tags(given: &[String]) -> Result<Vec<String>, FilesError> {
    let mut tags: Vec<String> = Vec::with_capacity(given.len().min(MAX_TAGS));
    for tag in given {
        let tag: String = tag.trim().nfc().collect();
        if tag.is_empty() || tag.chars().count() > MAX_TAG || tag.chars().any(char::is_control) {
            return Err(FilesError::InvalidTags("A tag has 1 to 64 characters and no control characters."));
        }
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        if tags.len() > MAX_TAGS {
            return Err(FilesError::InvalidTags("A file has at most 50 tags."));
        }
    }
    Ok(tags)
}

/// Free metadata: a JSON object of at most 16 KiB.
pub fn metadata(given: Value) -> Result<Value, FilesError> {
    if !given.is_object() {
        return Err(FilesError::InvalidMetadata("Metadata is a JSON object, such as {\"camera\": \"X100\"}."));
    }
    if is_deeper(&given, MAX_METADATA_DEPTH) {
        return Err(FilesError::InvalidMetadata("Metadata nests at most 32 levels deep."));
    }
    if given.to_string().len() > MAX_METADATA {
        return Err(FilesError::InvalidMetadata("Metadata has at most 16 KiB as JSON."));
    }
    if !text::is_storable(&given) {
        return Err(FilesError::InvalidMetadata("Metadata holds no NUL characters."));
    }
    Ok(given)
}

/// Whether more than `most` arrays and objects are within each other. Never goes further down than that.
fn is_deeper(value: &Value, most: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if most == 0 => true,
        Value::Array(items) => items.iter().any(|item| is_deeper(item, most - 1)),
        Value::Object(fields) => fields.values().any(|field| is_deeper(field, most - 1)),
        _ => false,
    }
}
