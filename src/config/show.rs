//! The effective settings as TOML, in the order of the reference, secrets masked.

use toml::Value;

use super::{DEFAULTS, Loaded, load};

/// Stands where a secret does.
pub(super) const MASK: &str = "\"•••\"";

impl Loaded {
    /// The effective settings as TOML, each non-default with a comment that says where it came from.
    #[must_use]
    pub fn show(&self) -> String {
        let mut shown = String::new();
        let mut table = String::new();
        for line in DEFAULTS.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                table = format!("{name}.");
                shown.push_str(&format!("\n[{name}]\n"));
            } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.starts_with('#')) {
                let name = format!("{table}{key}");
                let value = load::get(&self.values, &name).map(|value| masked(&name, value)).unwrap_or_default();
                let origin = self.origins.get(&name).map(|origin| format!("  # {origin}")).unwrap_or_default();
                shown.push_str(&format!("{key} = {value}{origin}\n"));
            }
        }
        shown
    }
}

/// Whether the setting of this name is a secret as a whole. (A database URL is not: only its password is masked.)
pub(super) fn is_secret(name: &str) -> bool {
    name.ends_with("secret_access_key")
}

/// Whether an unknown name looks as if its value were one.
pub(super) fn may_be_secret(name: &str) -> bool {
    ["secret", "password", "key", "token"].iter().any(|word| name.contains(word))
}

/// The value as TOML, without what nobody should read.
pub(super) fn masked(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) if is_secret(name) && !text.is_empty() => MASK.to_owned(),
        _ => mask_url(&value.to_string()),
    }
}

/// Masks the passwords of the URLs in a text: `scheme://user:password@host` and `?password=…`.
pub(super) fn mask_url(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        masked.push_str(before);
        masked.push_str("://");
        let end = after.find(['"', '\'', ' ', ',']).unwrap_or(after.len());
        let (url, tail) = after.split_at(end);
        masked.push_str(&mask_parameters(&mask_authority(url)));
        rest = tail;
    }
    masked.push_str(rest);
    masked
}

/// The last `@` ends the user's part: an unescaped `/` or `@` in a password must not show the rest of it.
fn mask_authority(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:•••@{host}"),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}

fn mask_parameters(url: &str) -> String {
    let Some((address, query)) = url.split_once('?') else { return url.to_owned() };
    let query = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if may_be_secret(&key.to_lowercase()) => format!("{key}=•••"),
        _ => pair.to_owned(),
    });
    format!("{address}?{}", query.collect::<Vec<_>>().join("&"))
}
