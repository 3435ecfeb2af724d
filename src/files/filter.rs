//! Which files a list shows and in which order. What cannot be looked for is refused while a filter is built.

use std::collections::BTreeSet;

use entity::{Timestamp, file, file::State};
use sea_orm::{Order, Value};
use serde::{Deserialize, Serialize};

use super::terms::{Label, prefixes};

/// Characters of a search.
const MAX_SEARCH: usize = 256;
/// Words of a search.
const MAX_WORDS: usize = 8;
/// Tags, metadata and content types looked for at once.
const MAX_LABELS: usize = 8;
/// Characters of a tag, a metadata key or value, or a content type that is looked for.
const MAX_TEXT: usize = 1_000;

/// What is wrong with a filter, in words for its author.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidFilter(String);

fn invalid<T>(reason: impl Into<String>) -> Result<T, InvalidFilter> {
    Err(InvalidFilter(reason.into()))
}

/// Which files a list shows: those that meet all of it.
#[derive(Clone, Debug, Serialize)]
pub struct FileFilter {
    pub(super) state: State,
    pub(super) words: BTreeSet<String>,
    pub(super) labels: BTreeSet<Label>,
    pub(super) ranges: Vec<Range>,
}

/// A half-open range of one of a file's values: microseconds, or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Range {
    pub field: OrderField,
    pub from: i64,
    /// Without it.
    pub to: i64,
}

impl FileFilter {
    #[must_use]
    pub fn new(state: State) -> Self {
        Self { state, words: BTreeSet::new(), labels: BTreeSet::new(), ranges: Vec::new() }
    }

    /// Every word of `text` begins a word of the name or the description.
    pub fn search(&mut self, text: &str) -> Result<(), InvalidFilter> {
        if text.chars().count() > MAX_SEARCH {
            return invalid(format!("a search has at most {MAX_SEARCH} characters."));
        }
        let words = prefixes(text);
        if words.is_empty() || words.len() > MAX_WORDS {
            return invalid(format!("a search has 1 to {MAX_WORDS} words of letters or digits, not {}.", words.len()));
        }
        self.words = words;
        Ok(())
    }

    pub fn tag(&mut self, tag: &str) -> Result<(), InvalidFilter> {
        let tag = tag.trim();
        text("a tag", tag)?;
        self.label(Label::tag(tag))
    }

    /// The metadata have this key at their top, and where a value is given as text, this text, number, truth or null.
    pub fn metadata(&mut self, key: &str, value: Option<&str>) -> Result<(), InvalidFilter> {
        text("a key", key)?;
        match value {
            None => self.label(Label::key(key)),
            Some(value) if value.chars().count() > MAX_TEXT => {
                invalid(format!("a value has at most {MAX_TEXT} characters."))
            }
            Some(value) => self.label(Label::pair(key, value)),
        }
    }

    /// A whole type such as `image/png`, or a family such as `image/*`.
    pub fn content_type(&mut self, pattern: &str) -> Result<(), InvalidFilter> {
        text("a content type", pattern)?;
        let is_token = |part: &str| !part.is_empty() && !part.contains(['*', '/', ';', ' ']);
        match pattern.split_once('/') {
            Some((family, "*")) if is_token(family) => self.label(Label::family(family)),
            Some((family, kind)) if is_token(family) && is_token(kind) => self.label(Label::content_type(pattern)),
            _ => invalid("a content type is whole, such as `image/png`, or a family, such as `image/*`."),
        }
    }

    /// From `from` on, before `to`.
    pub fn times(
        &mut self,
        field: OrderField,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<(), InvalidFilter> {
        self.range(field, from.map(|time| time.0), to.map(|time| time.0))
    }

    /// At least `from` bytes, fewer than `to`.
    pub fn sizes(&mut self, from: Option<i64>, to: Option<i64>) -> Result<(), InvalidFilter> {
        if from.is_some_and(|bytes| bytes < 0) {
            return invalid("a size is 0 or more bytes.");
        }
        self.range(OrderField::Size, from, to)
    }

    fn range(&mut self, field: OrderField, from: Option<i64>, to: Option<i64>) -> Result<(), InvalidFilter> {
        if from.is_none() && to.is_none() {
            return Ok(());
        }
        let (from, to) = (from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX));
        if from >= to {
            return invalid("the beginning has to be less than the end.");
        }
        self.ranges.push(Range { field, from, to });
        Ok(())
    }

    fn label(&mut self, label: Label) -> Result<(), InvalidFilter> {
        self.labels.insert(label);
        if self.labels.len() > MAX_LABELS {
            return invalid(format!("look for at most {MAX_LABELS} tags, metadata and content types at once."));
        }
        Ok(())
    }
}

fn text(what: &str, text: &str) -> Result<(), InvalidFilter> {
    if text.is_empty() || text.chars().count() > MAX_TEXT {
        return invalid(format!("{what} has 1 to {MAX_TEXT} characters."));
    }
    Ok(())
}

/// What a list is ordered by; ties by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderField {
    CreatedAt,
    UpdatedAt,
    Name,
    Size,
}

impl OrderField {
    pub(super) fn column(self) -> file::Column {
        match self {
            Self::CreatedAt => file::Column::CreatedAt,
            Self::UpdatedAt => file::Column::UpdatedAt,
            Self::Name => file::Column::NameKey,
            Self::Size => file::Column::Bytes,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOrder {
    pub field: OrderField,
    pub ascending: bool,
}

impl FileOrder {
    pub(super) fn direction(self) -> Order {
        if self.ascending { Order::Asc } else { Order::Desc }
    }
}

/// Where a file stands in an order: with its id, a cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    order: FileOrder,
    pub(super) value: SortValue,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum SortValue {
    Number(i64),
    Text(String),
}

impl Place {
    #[must_use]
    pub fn of(file: &file::Model, order: FileOrder) -> Self {
        let value = match order.field {
            OrderField::CreatedAt => SortValue::Number(file.created_at.0),
            OrderField::UpdatedAt => SortValue::Number(file.updated_at.0),
            OrderField::Name => SortValue::Text(file.name_key.clone()),
            OrderField::Size => SortValue::Number(file.bytes),
        };
        Self { order, value }
    }

    /// Whether it is of a list in this order.
    #[must_use]
    pub fn is_of(&self, order: FileOrder) -> bool {
        self.order == order && matches!(self.value, SortValue::Text(_)) == (order.field == OrderField::Name)
    }
}

impl From<Place> for Value {
    fn from(place: Place) -> Self {
        match place.value {
            SortValue::Number(number) => number.into(),
            SortValue::Text(text) => text.into(),
        }
    }
}
