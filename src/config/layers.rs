//! Where settings come from: each layer is a list of named values, with the origin of each.

use std::{fmt, path::PathBuf};

use toml::{Table, Value};

/// The prefix of every variable that is a setting.
const PREFIX: &str = "SNAPHAVEN_";
/// Variables of the test suite, which are no settings.
const TEST_PREFIX: &str = "SNAPHAVEN_TEST_";
/// Names the TOML file, as `--config` does.
pub const FILE_VARIABLE: &str = "SNAPHAVEN_CONFIG";

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    Variable(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Variable(name) => write!(f, "from the variable {name}"),
            Self::Flag(flag) => write!(f, "from the flag {flag}"),
        }
    }
}

impl Origin {
    /// The setting's name as it is written at this origin.
    pub fn spell(&self, name: &str) -> String {
        match self {
            Self::Default | Self::File(_) => name.to_owned(),
            Self::Variable(_) => variable(name),
            Self::Flag(_) => format!("--set {name}=…"),
        }
    }
}

/// `server.listen` → `SNAPHAVEN_SERVER__LISTEN`.
pub fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "__").to_uppercase())
}

/// One value on its way in, under its dotted name.
pub struct Given {
    pub name: String,
    pub value: Raw,
    pub origin: Origin,
}

/// A value of a TOML file has a type; that of a variable or flag is text, which takes the type of its setting.
pub enum Raw {
    Typed(Value),
    Text(String),
}

impl Raw {
    /// As it was written, for messages.
    pub fn shown(&self) -> String {
        match self {
            Self::Typed(value) => value.to_string(),
            Self::Text(text) => Value::String(text.clone()).to_string(),
        }
    }
}

/// The leaves of a table under their dotted names. An array is a leaf, and so is an empty table, which may be a misspelt one.
pub fn leaves(table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    collect(table, "", &mut found);
    found
}

fn collect(table: &Table, prefix: &str, found: &mut Vec<(String, Value)>) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) if !inner.is_empty() => collect(inner, &name, found),
            _ => found.push((name, value.clone())),
        }
    }
}

/// The settings among the process's variables.
pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Vec<Given> {
    let mut given: Vec<Given> = variables
        .into_iter()
        .filter(|(key, _)| key.starts_with(PREFIX) && !key.starts_with(TEST_PREFIX) && key != FILE_VARIABLE)
        .map(|(key, value)| Given {
            name: key[PREFIX.len()..].to_lowercase().replace("__", "."),
            value: Raw::Text(value),
            origin: Origin::Variable(key),
        })
        .collect();
    given.sort_by(|a, b| a.name.cmp(&b.name));
    given
}

/// Text to a value of the same type as `like`, or what was expected.
pub fn parse_like(text: &str, like: &Value) -> Result<Value, &'static str> {
    match like {
        Value::Integer(_) => text.trim().parse().map(Value::Integer).map_err(|_| "it is not a whole number"),
        Value::Boolean(_) => text.trim().parse().map(Value::Boolean).map_err(|_| "it is neither true nor false"),
        Value::Array(_) => parse_list(text).ok_or("it is not a list"),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// `["a", "b"]` or `a, b`.
fn parse_list(text: &str) -> Option<Value> {
    let text = text.trim();
    if text.starts_with('[') {
        return toml::from_str::<Table>(&format!("list = {text}")).ok()?.remove("list").filter(Value::is_array);
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    Some(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
}
