//! What every database can store as text, and text as it is compared.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

/// Characters of a reason.
pub const REASON_MAX: usize = 500;

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

/// Text as it is compared: NFKC, case folded, without the accents of Latin, Greek and Cyrillic letters and without
/// characters that only direct or join others.
#[must_use]
pub fn fold(text: &str) -> String {
    let bare = text.nfkd().filter(|c| !matches!(c, '\u{300}'..='\u{36f}') && !is_invisible(*c));
    // Upper case first: ß becomes ss, and both forms of σ one.
    bare.flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

/// Several lines that somebody wrote: NFC, trimmed. `None`: more than `max` characters, or control characters but line breaks.
#[must_use]
pub fn lines(text: &str, max: usize) -> Option<String> {
    let text: String = text.trim().nfc().take(max + 1).collect();
    let unprintable = |c: char| is_unprintable(c) && !matches!(c, '\n' | '\r' | '\t');
    (text.chars().count() <= max && !text.chars().any(unprintable)).then_some(text)
}

/// Why an admin does something: [`lines`] that are not empty, up to [`REASON_MAX`] characters.
#[must_use]
pub fn reason(text: &str) -> Option<String> {
    lines(text, REASON_MAX).filter(|reason| !reason.is_empty())
}

/// `1 finding`, `2 findings`: for nouns that take an s.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Control characters, line separators, and the marks that turn text around them about (UAX #9).
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Soft hyphens, joiners, marks and embeddings of direction.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
