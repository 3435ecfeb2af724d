//! The content type told from the bytes; the client's word never counts, and a name only refines plain text.

use super::Format;

/// How many of a file's first bytes [`sniff`] wants to see.
pub const SNIFF_LEN: usize = 8192;

/// The content type when nothing better is known.
const UNKNOWN: &str = "application/octet-stream";

/// What `infer` may call a file that reads as text; its other signatures ("BM", "MZ", …) also start sentences.
const TEXT_SIGNATURES: [&str; 4] =
    ["application/pdf", "application/postscript", "application/rtf", "text/x-shellscript"];

/// Tags with which a page starts (WHATWG MIME Sniffing, section 7.1), and the ones that run script.
const HTML_TAGS: [&str; 21] = [
    "!doctype html",
    "html",
    "head",
    "body",
    "script",
    "iframe",
    "title",
    "meta",
    "link",
    "style",
    "base",
    "table",
    "div",
    "font",
    "img",
    "form",
    "object",
    "embed",
    "a",
    "p",
    "h1",
];

/// The content type of a file that starts with `head` (the first [`SNIFF_LEN`] bytes, or all there are).
///
/// Of `name` only the extension is read, and only to tell kinds of harmless text apart.
#[must_use]
pub fn sniff(head: &[u8], name: &str) -> &'static str {
    let head = head.get(..SNIFF_LEN).unwrap_or(head);
    if head.is_empty() {
        return UNKNOWN;
    }
    if let Some(format) = Format::of(head) {
        return format.content_type();
    }
    // `infer` takes the first few bytes of the four formats above for the whole signature.
    let inferred = infer::get(head).map(|kind| kind.mime_type()).filter(|kind| !is_raster(kind));
    match text(head) {
        Some(text) => inferred.filter(|kind| TEXT_SIGNATURES.contains(kind)).unwrap_or_else(|| markup(text, name)),
        None => inferred.filter(|kind| !kind.starts_with("text/")).unwrap_or(UNKNOWN),
    }
}

/// Whether a picture of this type may be shown inline and gets renditions.
#[must_use]
pub fn is_raster(content_type: &str) -> bool {
    Format::ALL.iter().any(|format| format.content_type() == content_type)
}

/// The types that [`is_raster`] accepts.
#[must_use]
pub fn raster_types() -> Vec<&'static str> {
    Format::ALL.iter().map(|format| format.content_type()).collect()
}

/// `head` as UTF-8 without control characters; a character cut off at the end of a full head is forgiven.
fn text(head: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() && head.len() == SNIFF_LEN => {
            std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let printable = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\x0c' | '\x1b' | '\u{85}');
    text.chars().all(printable).then_some(text)
}

/// Tells pages and drawings, which could run script, from text that cannot.
fn markup(text: &str, name: &str) -> &'static str {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    let mut xml = false;
    loop {
        rest = rest.trim_start();
        let end = if rest.starts_with("<?") {
            xml |= starts_with_ignoring_case(rest, "<?xml");
            "?>"
        } else if rest.starts_with("<!--") {
            "-->"
        } else if starts_with_ignoring_case(rest, "<!doctype svg") {
            // An internal subset has angle brackets of its own; entities are how drawings smuggle.
            return "image/svg+xml";
        } else {
            break;
        };
        let Some(at) = rest.find(end) else { break };
        rest = &rest[at + end.len()..];
    }
    let Some(tag) = rest.strip_prefix('<') else { return plain(rest, name) };
    // The namespace prefix of an element does not change what it is.
    let local = tag.split(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).next().unwrap_or(tag);
    if local.rsplit(':').next().is_some_and(|tag| tag.eq_ignore_ascii_case("svg")) {
        return "image/svg+xml";
    }
    let html = |known: &str| {
        starts_with_ignoring_case(tag, known)
            && tag[known.len()..].chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, '>' | '/'))
    };
    match HTML_TAGS.iter().any(|known| html(known)) {
        true => "text/html",
        false if xml => "text/xml",
        false => plain(rest, name),
    }
}

fn plain(text: &str, name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("csv") => "text/csv",
        Some("tsv") => "text/tab-separated-values",
        Some("md" | "markdown") => "text/markdown",
        Some("json") if text.starts_with(['{', '[']) => "application/json",
        _ => "text/plain",
    }
}

fn starts_with_ignoring_case(text: &str, prefix: &str) -> bool {
    text.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}
