//! What is wrong with the settings, in words that name the setting, where it came from, and the fix.

use std::fmt;

use super::Origin;

/// One wrong setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, with the setting's name, its value (secrets masked) and where it came from.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

/// Everything that is wrong with the settings, at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", display(.0))]
pub struct Invalid(pub Vec<Problem>);

impl Invalid {
    pub(super) fn one(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self(vec![Problem { what: what.into(), fix: fix.into() }])
    }
}

fn display(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{} ({})", problem.what, problem.fix)).collect::<Vec<_>>().join("; ")
}

/// `server.listen = "x" (from --listen)`: how every message names a setting.
pub(super) struct Setting<'a> {
    pub name: &'a str,
    pub value: &'a str,
    pub origin: &'a Origin,
}

impl fmt::Display for Setting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} ({})", self.name, self.value, self.origin)
    }
}
