//! What a file is found by: the words of its name and description, and its labels.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use entity::file;
use serde::Serialize;
use serde_json::Value;
use unicode_normalization::char::is_combining_mark;

use crate::text::fold;

/// Distinct words kept of a file, those of its name first.
const MAX_TERMS: usize = 500;
/// Characters kept of a word: a longer one is found by its beginning.
const MAX_TERM: usize = 64;
/// The same in scripts that put no space between words.
const MAX_UNSPACED: usize = 8;
/// Metadata keys, in the order of the alphabet, that a file is found by.
const MAX_KEYS: usize = 100;
/// Bytes kept of a label's hash.
const LABEL_LEN: usize = 16;

/// The words that a file is found by: see [`words`].
pub(super) fn terms(row: &file::Model) -> BTreeSet<String> {
    let mut terms = BTreeSet::new();
    let words = [&row.name, &row.description].into_iter().flat_map(|text| words(text));
    for term in words.flat_map(|word| word.indexed()) {
        terms.insert(term);
        if terms.len() == MAX_TERMS {
            break;
        }
    }
    terms
}

/// The words that somebody looks for, each a prefix of [`terms`].
pub(super) fn prefixes(text: &str) -> BTreeSet<String> {
    words(text).into_iter().map(|word| word.cut(0)).collect()
}

/// The labels that a file is found by.
pub(super) fn labels(row: &file::Model) -> BTreeSet<Label> {
    let content_type = row.content_type.split(';').next().unwrap_or_default();
    let mut labels = BTreeSet::from([Label::content_type(content_type)]);
    labels.extend(content_type.split_once('/').map(|(family, _)| Label::family(family)));
    labels.extend(row.tags.as_array().into_iter().flatten().filter_map(Value::as_str).map(Label::tag));
    for (key, value) in row.metadata.as_object().into_iter().flatten().take(MAX_KEYS) {
        labels.insert(Label::key(key));
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Array(_) | Value::Object(_) => continue,
            scalar => scalar.to_string(),
        };
        labels.insert(Label::pair(key, &value));
    }
    labels
}

/// A tag, a metadata key, a key with its value, a content type or a family of them, as a hash: all are looked for whole,
/// and any length fits one index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Label(pub Vec<u8>);

impl Label {
    /// Tags are compared as words are: whatever their case and accents.
    pub(super) fn tag(tag: &str) -> Self {
        Self::of(&["tag", &fold(tag)])
    }

    pub(super) fn key(key: &str) -> Self {
        Self::of(&["key", key])
    }

    pub(super) fn pair(key: &str, value: &str) -> Self {
        Self::of(&["pair", key, value])
    }

    pub(super) fn content_type(content_type: &str) -> Self {
        Self::of(&["type", &content_type.to_ascii_lowercase()])
    }

    /// All content types that begin alike: the `image` of `image/png`.
    pub(super) fn family(family: &str) -> Self {
        Self::of(&["family", &family.to_ascii_lowercase()])
    }

    fn of(parts: &[&str]) -> Self {
        // As JSON the parts cannot run into each other.
        let hash = digest(&SHA256, serde_json::json!(parts).to_string().as_bytes());
        Self(hash.as_ref()[..LABEL_LEN].to_vec())
    }
}

/// Letters that are written without spaces between words: Chinese, Japanese, Thai, Lao, Burmese, Khmer.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{312f}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// Letters and digits in a row, folded.
struct Word {
    text: Vec<char>,
    unspaced: bool,
}

impl Word {
    /// What is written to the index. Without spaces nobody knows where a word begins, so it may begin at each character.
    fn indexed(&self) -> Vec<String> {
        if !self.unspaced {
            return vec![self.cut(0)];
        }
        (0..self.text.len()).filter(|at| !is_combining_mark(self.text[*at])).map(|at| self.cut(at)).collect()
    }

    fn cut(&self, from: usize) -> String {
        let most = if self.unspaced { MAX_UNSPACED } else { MAX_TERM };
        self.text[from..].iter().take(most).collect()
    }
}

/// The words of a text. They end at everything that is neither letter nor digit, so that `IMG_2034.jpeg`, `l'été` and
/// `ada@example.org` are found by each of their parts, and where scripts with and without spaces meet.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut within = false;
    for c in fold(text).chars() {
        let joins = within && is_combining_mark(c);
        if !joins && !c.is_alphanumeric() {
            within = false;
            continue;
        }
        match words.last_mut() {
            Some(word) if within && (joins || word.unspaced == is_unspaced(c)) => word.text.push(c),
            _ => words.push(Word { text: vec![c], unspaced: is_unspaced(c) }),
        }
        within = true;
    }
    words
}
