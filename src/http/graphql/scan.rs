//! A look at a request's text before it is parsed: parsing costs a hundred times the text's memory, and recurses.

use std::borrow::Cow;

/// Brackets within brackets; the parser takes no more levels of selection sets.
const MAX_NESTING: usize = 64;

/// A longer name is no name of the schema; to find out which one it was to be takes time that grows with its length.
pub const MAX_NAME: usize = 200;

/// Whether a JSON text has at most so many values and names, those of objects and lists included.
pub fn is_json_within(text: &[u8], max_tokens: usize) -> bool {
    let (mut at, mut tokens) = (0, 0);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => at += json_string(&text[at..]),
            b',' | b':' | b'{' | b'[' => {
                tokens += 1;
                at += 1;
            }
            _ => at += 1,
        }
    }
    tokens <= max_tokens
}

/// The length of a JSON string, quotes included; it may be unfinished.
fn json_string(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

/// The document to parse, where it has at most so many tokens (GraphQL specification, section 2.1.6).
///
/// Its surrogate pairs (`"\uD83D\uDE00"`, section 2.9.4) are replaced by the characters they stand for: the parser
/// panics at them.
///
/// # Errors
///
/// Says to the client what is too much, or which escape is no character.
pub fn scan(text: &str, max_tokens: usize) -> Result<Cow<'_, str>, String> {
    let bytes = text.as_bytes();
    let (mut at, mut tokens, mut nesting, mut replaced) = (0, 0, 0_usize, Replaced::default());
    while let Some(&byte) = bytes.get(at) {
        let length = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at += span(&bytes[at..], |byte| !matches!(byte, b'\r' | b'\n'));
                continue;
            }
            b'"' if bytes[at..].starts_with(br#"""""#) => block_string(&bytes[at..]),
            b'"' => string(text, at, &mut replaced)?,
            b'.' if bytes[at..].starts_with(b"...") => 3,
            b'{' | b'[' | b'(' => {
                nesting += 1;
                if nesting > MAX_NESTING {
                    return Err(format!("The document has more than {MAX_NESTING} brackets within brackets."));
                }
                1
            }
            b'}' | b']' | b')' => {
                nesting = nesting.saturating_sub(1);
                1
            }
            _ => match span(&bytes[at..], is_of_name) {
                length if length > MAX_NAME => {
                    return Err(format!("The document has a name of more than {MAX_NAME} characters."));
                }
                length => length.max(1),
            },
        };
        at += length;
        tokens += 1;
        if tokens > max_tokens {
            return Err(format!("The document has more than {max_tokens} tokens."));
        }
    }
    Ok(replaced.finish(text))
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn span(bytes: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| holds(**byte)).count()
}

/// The length of a block string, quotes included; it may be unfinished.
fn block_string(bytes: &[u8]) -> usize {
    let mut at = 3;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'\\', b'"', b'"', b'"', ..] => at += 4,
            [b'"', b'"', b'"', ..] => return at + 3,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The length of a string, quotes included; it may be unfinished.
fn string(text: &str, start: usize, replaced: &mut Replaced) -> Result<usize, String> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        at += match byte {
            b'"' => return Ok(at + 1 - start),
            b'\r' | b'\n' => break,
            b'\\' => match unit(&bytes[at..]) {
                Some(high @ 0xD800..=0xDFFF) => {
                    let low = unit(bytes.get(at + 6..).unwrap_or_default());
                    let pair = char::decode_utf16([high].into_iter().chain(low)).next();
                    let character = pair
                        .and_then(Result::ok)
                        .ok_or_else(|| format!("The escape \\u{high:04X} is half a character."))?;
                    replaced.push(text, at..at + 12, character);
                    12
                }
                _ => 2,
            },
            _ => 1,
        };
    }
    Ok(at.min(bytes.len()) - start)
}

/// The UTF-16 code unit of an escape such as `\u00E9`.
fn unit(escape: &[u8]) -> Option<u16> {
    let digits = escape.strip_prefix(b"\\u")?.get(..4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The text up to a point, with what was replaced in it.
#[derive(Default)]
struct Replaced {
    text: String,
    done: usize,
}

impl Replaced {
    fn push(&mut self, text: &str, range: std::ops::Range<usize>, character: char) {
        self.text.push_str(text.get(self.done..range.start).unwrap_or_default());
        self.text.push(character);
        self.done = range.end;
    }

    fn finish(mut self, text: &str) -> Cow<'_, str> {
        if self.done == 0 {
            return Cow::Borrowed(text);
        }
        self.text.push_str(text.get(self.done..).unwrap_or_default());
        Cow::Owned(self.text)
    }
}
