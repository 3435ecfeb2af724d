//! What a request asks for: preconditions and ranges (RFC 9110, sections 13 and 14).

use http::{HeaderMap, Method, header};

/// Bytes of an object: `start` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub start: u64,
    pub end: u64,
    /// Length of the whole object.
    pub of: u64,
    /// Whether a range was asked for, which makes the answer a 206.
    pub partial: bool,
}

impl Span {
    pub fn whole(bytes: u64) -> Self {
        Self { start: 0, end: bytes, of: bytes, partial: false }
    }

    pub fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Whether these are all bytes, also where a range asked for them.
    pub fn covers_all(&self) -> bool {
        self.len() == self.of
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Whole,
    Part(Span),
    NotModified,
    PreconditionFailed,
    Unsatisfiable,
}

/// Evaluates in the order of RFC 9110, section 13.2.2. Dates are never sent, so conditions on them do not hold.
pub(super) fn evaluate(method: &Method, headers: &HeaderMap, etag: &str, bytes: u64) -> Outcome {
    if headers.contains_key(header::IF_MATCH) && !any_tag(headers, header::IF_MATCH, |tag| tag == etag) {
        return Outcome::PreconditionFailed;
    }
    // Weak comparison: W/"x" is "x".
    if any_tag(headers, header::IF_NONE_MATCH, |tag| tag.strip_prefix("W/").unwrap_or(tag) == etag) {
        return Outcome::NotModified;
    }
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let same = headers.get(header::IF_RANGE).is_none_or(|value| value.as_bytes() == etag.as_bytes());
    match range {
        Some(range) if same && method == Method::GET => parse_range(range, bytes),
        _ => Outcome::Whole,
    }
}

/// Whether `*` or a matching entity tag stands in any line of this header. Our tags hold no comma.
fn any_tag(headers: &HeaderMap, name: header::HeaderName, matches: impl Fn(&str) -> bool) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || matches(tag))
}

/// One range of bytes. Several ranges, other units and wrong syntax are ignored, as section 14.2 allows: the answer is
/// then the whole.
fn parse_range(text: &str, bytes: u64) -> Outcome {
    let parsed = text.split_once('=').filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = parsed.and_then(|(_, set)| set.trim().split_once('-')) else { return Outcome::Whole };
    let (first, last) = (digits(first), digits(last));
    let part = |start, end| Outcome::Part(Span { start, end, of: bytes, partial: true });
    match (first, last) {
        (Digits::Number(first), Digits::Number(last)) if first > last => Outcome::Whole,
        (Digits::Number(first), Digits::Number(_) | Digits::None) if first >= bytes => Outcome::Unsatisfiable,
        (Digits::Number(first), Digits::Number(last)) => part(first, last.saturating_add(1).min(bytes)),
        (Digits::Number(first), Digits::None) => part(first, bytes),
        (Digits::None, Digits::Number(0)) => Outcome::Unsatisfiable,
        // The last bytes of nothing are nothing, which a Content-Range cannot say.
        (Digits::None, Digits::Number(_)) if bytes == 0 => Outcome::Whole,
        (Digits::None, Digits::Number(last)) => part(bytes.saturating_sub(last), bytes),
        _ => Outcome::Whole,
    }
}

#[derive(Clone, Copy)]
enum Digits {
    None,
    Number(u64),
    Wrong,
}

/// A number too large for us is beyond every object.
fn digits(text: &str) -> Digits {
    match text {
        "" => Digits::None,
        _ if !text.bytes().all(|byte| byte.is_ascii_digit()) => Digits::Wrong,
        _ => Digits::Number(text.parse().unwrap_or(u64::MAX)),
    }
}
