//! The judge of the files: what the server shows and serves, against what it acknowledged.

use std::collections::HashMap;

use super::{
    client::{Client, Shown},
    work::{Record, State},
};

pub struct Verdict {
    pub downloaded: usize,
    pub violations: Vec<String>,
}

/// Holds every file to its record, and downloads each that is not in the trash.
pub async fn judge(client: &Client, records: &[Record], files: &[Shown]) -> Verdict {
    let mut violations = compare(records, files);
    let mut downloaded = 0;
    for file in files.iter().filter(|file| file.state == "ACTIVE") {
        let Some(url) = &file.url else {
            violations.push(format!("{} has no URL", file.name));
            continue;
        };
        match client.download(url).await {
            Ok(sha256) if sha256 == file.sha256 => downloaded += 1,
            other => violations.push(format!("{} was downloaded as {other:?}, expected {}", file.name, file.sha256)),
        }
    }
    Verdict { downloaded, violations }
}

/// Every acknowledged file is there once, every purged one is not, every unknown one is in a state that it may have.
pub fn compare(records: &[Record], files: &[Shown]) -> Vec<String> {
    let mut violations = Vec::new();
    let mut shown: HashMap<&str, &Shown> = HashMap::new();
    for file in files {
        if shown.insert(&file.name, file).is_some() {
            violations.push(format!("{} is there twice", file.name));
        }
    }
    for record in records {
        let state = State::of(shown.remove(record.name.as_str()));
        if !record.allowed.contains(&state) {
            violations.push(format!("{} is {state:?}, expected {:?}", record.name, record.allowed));
        }
    }
    violations.extend(shown.keys().map(|name| format!("{name} was never uploaded")));
    violations
}
