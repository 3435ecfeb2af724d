//! Merging defaults, file, variables and flags, and refusing what is unknown or wrong, all at once.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use super::{
    Config, DEFAULTS, Invalid, Origin, Problem, check,
    layers::{self, Given, Raw},
    problem::Setting,
    show,
};

/// Where to read settings from; each layer replaces single values of those before it.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The TOML file, which must exist.
    pub file: Option<PathBuf>,
    /// The process's variables; only those that begin with `SNAPHAVEN_` count.
    pub variables: Vec<(String, String)>,
    /// `(flag, setting, value)`, the last one wins.
    pub flags: Vec<(String, String, String)>,
}

/// The effective settings, and where each one came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    pub(super) values: Table,
    pub(super) origins: BTreeMap<String, Origin>,
}

impl Loaded {
    /// Whether the setting of this name was given, rather than left at its default.
    #[must_use]
    pub fn is_given(&self, name: &str) -> bool {
        self.origins.contains_key(name)
    }
}

impl Sources {
    /// Sets one value as `--set name=value` does.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.flags.push(("--set".to_owned(), name.into(), value.into()));
        self
    }

    /// Reads and checks every layer.
    ///
    /// # Errors
    ///
    /// Names every unknown and wrong setting with its value, its origin and the fix.
    pub fn load(self) -> Result<Loaded, Invalid> {
        let file = self.file.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let variables = layers::from_variables(self.variables);
        let flags = self.flags.into_iter().map(|(flag, name, value)| Given {
            name,
            value: Raw::Text(value),
            origin: Origin::Flag(flag),
        });
        merge(file.into_iter().chain(variables).chain(flags))
    }
}

fn read_file(path: &Path) -> Result<Vec<Given>, Invalid> {
    let text = fs::read_to_string(path).map_err(|error| {
        Invalid::one(
            format!("cannot read the settings file {}: {error}", path.display()),
            "check the path after --config",
        )
    })?;
    let table: Table = toml::from_str(&text).map_err(|error| {
        Invalid::one(
            format!("the settings file {} is not valid TOML: {}", path.display(), error.to_string().trim_end()),
            "mend that line; config.default.toml in the repository shows every setting",
        )
    })?;
    let given = layers::leaves(&table).into_iter();
    Ok(given
        .map(|(name, value)| Given { name, value: Raw::Typed(value), origin: Origin::File(path.to_owned()) })
        .collect())
}

fn merge(given: impl Iterator<Item = Given>) -> Result<Loaded, Invalid> {
    let defaults = defaults()?;
    let known: BTreeMap<String, Value> = layers::leaves(&defaults).into_iter().collect();
    let mut values = defaults.clone();
    let mut origins = BTreeMap::new();
    let mut problems = Vec::new();
    for Given { name, value, origin } in given {
        match accept(&defaults, &known, &name, &value, &origin) {
            Ok(value) => {
                put(&mut values, &name, value);
                origins.insert(name, origin);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let config =
        typed(&values).map_err(|error| Invalid::one(error, "report this: the defaults contradict the types"))?;
    problems.extend(check::violations(&config).into_iter().map(|violation| {
        let origin = origins.get(violation.setting).unwrap_or(&Origin::Default);
        let value =
            get(&values, violation.setting).map(|value| show::masked(violation.setting, value)).unwrap_or_default();
        let setting = Setting { name: violation.setting, value: &value, origin };
        Problem { what: format!("{setting}: {}", violation.what), fix: violation.fix }
    }));
    if problems.is_empty() { Ok(Loaded { config, values, origins }) } else { Err(Invalid(problems)) }
}

/// The value in its setting's type, tried alone over the defaults so that one mistake hides no other.
fn accept(
    defaults: &Table,
    known: &BTreeMap<String, Value>,
    name: &str,
    raw: &Raw,
    origin: &Origin,
) -> Result<Value, Problem> {
    let Some(default) = known.get(name) else { return Err(unknown(known, name, raw, origin)) };
    let secret = show::is_secret(name);
    let wrong = |what: &str| {
        let value = if secret { show::MASK.to_owned() } else { show::mask_url(&raw.shown()) };
        Problem { what: format!("{}: {what}", Setting { name, value: &value, origin }), fix: expected_form(default) }
    };
    let value = match raw {
        Raw::Typed(value) => value.clone(),
        Raw::Text(text) => layers::parse_like(text, default).map_err(wrong)?,
    };
    let mut alone = defaults.clone();
    put(&mut alone, name, value.clone());
    // A secret's own text can stand in serde's message.
    typed(&alone).map_err(|error| match (secret, error.split_once("expected ")) {
        (true, _) => wrong("it is not text"),
        (false, Some((start, choices))) if start.starts_with("unknown variant") => {
            Problem { fix: format!("write {choices}"), ..wrong("there is no such choice") }
        }
        _ => wrong(&show::mask_url(&error)),
    })?;
    Ok(value)
}

fn unknown(known: &BTreeMap<String, Value>, name: &str, raw: &Raw, origin: &Origin) -> Problem {
    let nearest = nearest(known, name);
    let masked = show::may_be_secret(name) || nearest.is_some_and(show::is_secret);
    let value = if masked { show::MASK.to_owned() } else { show::mask_url(&raw.shown()) };
    let within = format!("{name}.");
    let fix = if let Some(inner) = known.keys().find(|key| key.starts_with(&within)) {
        format!("{name} is a table of settings, such as {}", origin.spell(inner))
    } else if let Some(nearest) = nearest {
        format!("did you mean {}?", origin.spell(nearest))
    } else {
        "`snaphaven config show` lists every setting".to_owned()
    };
    Problem { what: format!("{}: there is no such setting", Setting { name, value: &value, origin }), fix }
}

/// The known name most like this one.
fn nearest<'a>(known: &'a BTreeMap<String, Value>, name: &str) -> Option<&'a str> {
    // The same path with one underscore where two belong: SNAPHAVEN_SERVER_LISTEN.
    let flat = name.replace('.', "_");
    if let Some(same) = known.keys().find(|key| key.replace('.', "_") == flat) {
        return Some(same);
    }
    known
        .keys()
        .map(|key| (key.as_str(), strsim::jaro_winkler(key, name)))
        .filter(|(_, likeness)| *likeness > 0.85)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(key, _)| key)
}

fn expected_form(default: &Value) -> String {
    match default {
        Value::Integer(example) => format!("write a whole number, for example {example}"),
        Value::Boolean(_) => "write true or false".to_owned(),
        Value::Array(_) => r#"write a list, for example ["https://app.example.org"]"#.to_owned(),
        Value::String(example) if example.is_empty() => "write it in quotes".to_owned(),
        _ => format!("write it as the default is, {default}"),
    }
}

fn defaults() -> Result<Table, Invalid> {
    toml::from_str(DEFAULTS).map_err(|error| Invalid::one(format!("the defaults do not parse: {error}"), "report this"))
}

fn typed(values: &Table) -> Result<Config, String> {
    Value::Table(values.clone()).try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

pub(super) fn get<'a>(table: &'a Table, name: &str) -> Option<&'a Value> {
    match name.split_once('.') {
        Some((head, rest)) => table.get(head)?.as_table().and_then(|inner| get(inner, rest)),
        None => table.get(name),
    }
}

fn put(table: &mut Table, name: &str, value: Value) {
    match name.split_once('.') {
        Some((head, rest)) => {
            if let Value::Table(inner) = table.entry(head).or_insert_with(|| Value::Table(Table::new())) {
                put(inner, rest, value);
            }
        }
        None => {
            table.insert(name.to_owned(), value);
        }
    }
}
