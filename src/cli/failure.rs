//! Why a command failed, for people: `error: …` lines, each with its `help: …`, and the exit code.

use std::fmt;

use crate::{config::Invalid, telemetry::TelemetryError};

/// A failed command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    messages: Vec<(String, Option<String>)>,
    code: u8,
}

impl Failure {
    /// Something went wrong while the command ran; exit code 1.
    pub fn fault(error: impl Into<String>) -> Self {
        Self { messages: vec![(error.into(), None)], code: 1 }
    }

    /// What there is to say is said already; only the exit code tells.
    #[must_use]
    pub fn told(code: u8) -> Self {
        Self { messages: Vec::new(), code }
    }

    /// The same with another exit code.
    #[must_use]
    pub fn code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// The command line or a setting is wrong; exit code 2.
    pub fn usage(error: impl Into<String>, help: impl Into<String>) -> Self {
        Self { messages: vec![(error.into(), Some(help.into()))], code: 2 }
    }

    /// Adds what to do about the last message.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        if let Some((_, slot)) = self.messages.last_mut() {
            *slot = Some(help.into());
        }
        self
    }

    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (error, help) in &self.messages {
            writeln!(f, "error: {error}")?;
            if let Some(help) = help {
                writeln!(f, "help: {help}")?;
            }
        }
        Ok(())
    }
}

impl From<Invalid> for Failure {
    fn from(Invalid(problems): Invalid) -> Self {
        Self { messages: problems.into_iter().map(|problem| (problem.what, Some(problem.fix))).collect(), code: 2 }
    }
}

impl From<TelemetryError> for Failure {
    fn from(error: TelemetryError) -> Self {
        Self::fault(error.to_string())
    }
}
