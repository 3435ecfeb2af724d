//! `Content-Disposition` (RFC 6266) with any file name, made harmless.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Whether a browser may show the content or has to save it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    Attachment,
    Inline,
}

impl Disposition {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attachment => "attachment",
            Self::Inline => "inline",
        }
    }
}

/// All but RFC 5987's `attr-char`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The longest name most file systems take, in bytes.
const MAX_NAME: usize = 255;
/// The longest extension kept when a name is cut, in bytes with its dot.
const MAX_EXTENSION: usize = 20;

/// The header's value: printable ASCII whatever the name holds. The plain `filename` is the fallback of old clients;
/// `filename*` (RFC 5987, UTF-8) carries the name itself.
#[must_use]
pub fn content_disposition(disposition: Disposition, name: &str) -> String {
    let name = harmless(name);
    let fallback: String = name
        .chars()
        .map(|c| match c {
            // RFC 6266, appendix D: clients disagree on escapes and on percent signs in the plain form.
            '"' | '%' => '_',
            ' '..='~' => c,
            _ => '_',
        })
        .collect();
    let name = utf8_percent_encode(&name, ENCODED);
    format!("{}; filename=\"{fallback}\"; filename*=UTF-8''{name}", disposition.as_str())
}

/// A name that is one path segment everywhere, shows as it is, and fits a file system.
fn harmless(name: &str) -> String {
    let shown: String = name
        .chars()
        .filter(|c| !reorders(*c))
        .map(|c| if c.is_control() || matches!(c, '/' | '\\' | '\u{2028}' | '\u{2029}') { '_' } else { c })
        .collect();
    // A leading dot hides a file, trailing dots and spaces vanish on Windows.
    let shown = shown.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']);
    if shown.is_empty() { "download".to_owned() } else { shorten(shown) }
}

/// Marks and overrides of writing direction (and the byte order mark), with which `gpj.exe` shows as `exe.jpg`.
fn reorders(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// Cuts the stem, so that the extension stays.
fn shorten(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let extension = name.rfind('.').map(|dot| &name[dot..]).filter(|ext| ext.len() <= MAX_EXTENSION).unwrap_or("");
    let stem = &name[..name.len() - extension.len()];
    let end = stem.floor_char_boundary(MAX_NAME - extension.len());
    format!("{}{extension}", &stem[..end])
}
