//! What an account is made of: user names, addresses and names that hold their rules.

use precis_profiles::{UsernameCaseMapped, precis_core::profile::PrecisFastInvocation};
use unicode_normalization::UnicodeNormalization;

use super::error::Problem;
use crate::text;

const USERNAME_LENGTH: std::ops::RangeInclusive<usize> = 3..=32;
const EMAIL_MAX_BYTES: usize = 254;
const NAME_MAX: usize = 100;
pub(super) const ABOUT_MAX: usize = 2_000;

/// A user name, and the key by which it is unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    /// As typed, but in NFKC: a name made of styled letters is shown as the plain one it equals.
    pub name: String,
    /// UsernameCaseMapped (RFC 8265, section 3.3).
    pub key: String,
}

impl Username {
    pub fn parse(text: &str) -> Result<Self, Problem> {
        // Bounds the work below; NFKC makes a character of many bytes only shorter or a few longer.
        if text.len() > 1_024 {
            return Err(Problem::InvalidUsername);
        }
        let name: String = text.nfkc().collect();
        let separator = |c: char| matches!(c, '.' | '_' | '-');
        let fits = USERNAME_LENGTH.contains(&name.chars().count())
            && name.chars().next().is_some_and(char::is_alphanumeric)
            && name.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || separator(c));
        // The profile lets through letters, digits and marks of all scripts, and right-to-left names only if they read unambiguously.
        let key = UsernameCaseMapped::enforce(name.as_str()).map_err(|_| Problem::InvalidUsername)?.into_owned();
        let stable = UsernameCaseMapped::enforce(key.as_str()).is_ok_and(|again| again == key);
        if fits && stable && key.chars().count() <= 64 { Ok(Self { name, key }) } else { Err(Problem::InvalidUsername) }
    }
}

/// An e-mail address, and the key by which it is unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    pub address: String,
    /// Lower case.
    pub key: String,
}

impl Email {
    /// A check of the shape alone (RFC 5321 lengths, no quoted local parts); whether mail arrives only mail can tell.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        if text.len() > EMAIL_MAX_BYTES {
            return Err(Problem::InvalidEmail);
        }
        let address: String = text.nfc().collect();
        let key: String = address.to_lowercase().nfc().collect();
        let (local, domain) = address.rsplit_once('@').ok_or(Problem::InvalidEmail)?;
        if is_local_part(local) && is_domain(domain) && address.len().max(key.len()) <= EMAIL_MAX_BYTES {
            Ok(Self { address, key })
        } else {
            Err(Problem::InvalidEmail)
        }
    }
}

fn is_local_part(local: &str) -> bool {
    let allowed = |c: char| if c.is_ascii() { is_atext(c) } else { c.is_alphanumeric() };
    local.len() <= 64 && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(allowed))
}

/// RFC 5322, section 3.2.3.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c == '-' || c.is_alphanumeric())
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

/// A first or last name, a token's name: one line, NFC, trimmed. `required`: not empty.
pub(super) fn name(field: &'static str, text: &str, required: bool) -> Result<String, Problem> {
    let name: String = text.trim().nfc().take(NAME_MAX + 1).collect();
    let length = name.chars().count();
    if length > NAME_MAX || (required && length == 0) || name.chars().any(text::is_unprintable) {
        return Err(Problem::InvalidName { field });
    }
    Ok(name)
}

/// What a person says of themselves.
pub(super) fn about(about: &str) -> Result<String, Problem> {
    text::lines(about, ABOUT_MAX).ok_or(Problem::InvalidAbout)
}

/// Whatever somebody typed, written much as keys are. No key holds NUL, which Postgres refuses even to look for.
pub(super) fn search_key(text: &str) -> String {
    text.trim().nfkc().filter(|c| *c != '\0').take(64).flat_map(char::to_lowercase).nfc().collect()
}

/// Who wants to log in, as counters know them: the same for all spellings of one name, whether or not it has an account.
pub(super) fn log_in_key(login: &str) -> String {
    match Username::parse(login.trim()) {
        Ok(username) => username.key,
        Err(_) => Email::parse(login).map_or_else(|_| search_key(login), |email| email.key),
    }
}
