//! What an operation came to, and the comparison of a table's expectations with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

use super::client::Answer;

/// The answer to one operation of one caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered, or done.
    Seen,
    /// A list of the caller's own things alone.
    Own,
    /// A list with other people's things.
    Everyones,
    /// The very answer that an id which never existed gets.
    Missing,
    Null,
    /// Refused for the role.
    Forbidden,
    /// Refused for want of a log-in.
    Unauthenticated,
    /// Refused with this code as data.
    UserError(&'static str),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserError(code) => f.write_str(code),
            other => write!(f, "{other:?}"),
        }
    }
}

/// What was seen of one operation, and an answer that shows it.
#[derive(Clone, Debug)]
pub struct Saw {
    pub outcome: String,
    pub answer: String,
}

/// An operation and who asks.
pub type Cell = (String, &'static str);

/// Every difference between a table and what was seen, one line each.
pub fn compare(expected: &BTreeMap<Cell, String>, saw: &BTreeMap<Cell, Saw>) -> Vec<String> {
    let cells: BTreeSet<&Cell> = expected.keys().chain(saw.keys()).collect();
    let line = |cell: &Cell| {
        let (operation, role) = cell;
        match (expected.get(cell), saw.get(cell)) {
            (Some(expected), Some(saw)) if *expected == saw.outcome => None,
            (Some(expected), Some(Saw { outcome, answer })) => {
                Some(format!("{operation} × {role}: expected {expected}, saw {outcome} ({})", shortened(answer)))
            }
            (Some(expected), None) => {
                Some(format!("{operation} × {role}: expected {expected}, but there is no such thing"))
            }
            (None, saw) => {
                let saw = saw.map_or("nothing", |saw| saw.outcome.as_str());
                Some(format!("{operation} × {role}: no entry, saw {saw}"))
            }
        }
    };
    cells.into_iter().filter_map(line).collect()
}

/// What the schema has and the table lacks, and the other way round.
pub fn uncovered(schema: &BTreeSet<String>, table: &BTreeSet<String>) -> Vec<String> {
    let lacking = schema.difference(table).map(|key| format!("{key}: no entry"));
    lacking.chain(table.difference(schema).map(|key| format!("{key}: an entry for what the schema lacks"))).collect()
}

fn shortened(text: &str) -> String {
    if text.chars().count() > 300 { text.chars().take(300).chain(['…']).collect() } else { text.to_owned() }
}

/// The outcome by the answer alone. `is_own`: whether a list's item of this id is the caller's.
fn plain(answer: &Answer, operation: &str, is_own: impl Fn(&str) -> bool) -> String {
    match answer.error() {
        Some("UNAUTHENTICATED") => return Outcome::Unauthenticated.to_string(),
        Some("FORBIDDEN") => return Outcome::Forbidden.to_string(),
        Some("NOT_FOUND") => return "NOT_FOUND".to_owned(),
        Some(code) => return format!("error {code}"),
        None => {}
    }
    let value = &answer.body["data"][operation];
    if let Some(code) = value["userErrors"][0]["code"].as_str() {
        return code.to_owned();
    }
    let Some(nodes) = value["nodes"].as_array() else {
        return if value.is_null() { Outcome::Null.to_string() } else { Outcome::Seen.to_string() };
    };
    match nodes.iter().filter_map(item).collect::<Vec<_>>().as_slice() {
        [] => "Empty".to_owned(),
        ids if ids.iter().all(|id| is_own(id)) => Outcome::Own.to_string(),
        _ => Outcome::Everyones.to_string(),
    }
}

/// The id of an item of a list; of an event that of what it is about.
fn item(node: &Value) -> Option<&str> {
    node["id"].as_str().or_else(|| node["subject"]["id"].as_str())
}

/// The outcome of asking about a thing: `twin` is the same request about an id that never existed.
pub fn outcome(
    answer: &Answer,
    operation: &str,
    is_own: impl Fn(&str) -> bool,
    twin: Option<(&str, &Answer, &str)>,
) -> Saw {
    let outcome = plain(answer, operation, is_own);
    let shown = answer.body.to_string();
    let Some((id, missing_answer, missing_id)) = twin else { return Saw { outcome, answer: shown } };
    let same = answer.about(id) == missing_answer.about(missing_id);
    match (outcome.as_str(), same) {
        ("Null" | "Empty" | "NOT_FOUND", true) => Saw { outcome: Outcome::Missing.to_string(), answer: shown },
        ("Null" | "Empty" | "NOT_FOUND" | "Forbidden" | "Unauthenticated", false) => Saw {
            outcome: format!("{outcome}, which tells it from a missing one"),
            answer: format!("{shown} against {}", missing_answer.body),
        },
        _ => Saw { outcome, answer: shown },
    }
}

/// The ids of a page's items.
pub fn page_ids(answer: &Answer, operation: &str) -> Vec<String> {
    let nodes = answer.body["data"][operation]["nodes"].as_array().into_iter().flatten();
    nodes.filter_map(|node| node["id"].as_str().map(str::to_owned)).collect()
}

/// The lines that only one of two texts has.
pub fn difference(before: &[String], after: &[String]) -> String {
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(new).collect::<Vec<_>>().join("; ")
}

/// The payload's user, whom the rest of the answer is for.
pub fn entered(answer: &Answer, operation: &str) -> Option<String> {
    let user: &Value = &answer.body["data"][operation]["user"]["id"];
    user.as_str().map(str::to_owned)
}

/// A checker is worth something only if it fails on what is wrong.
mod controls {
    use serde_json::json;

    use super::*;

    fn cell(outcome: &str) -> BTreeMap<Cell, Saw> {
        let saw = Saw { outcome: outcome.to_owned(), answer: "{}".to_owned() };
        BTreeMap::from([(("editFile".to_owned(), "other"), saw)])
    }

    fn expected() -> BTreeMap<Cell, String> {
        BTreeMap::from([(("editFile".to_owned(), "other"), Outcome::Missing.to_string())])
    }

    #[test]
    fn a_wrong_outcome_is_told_with_its_answer() {
        assert_eq!(compare(&expected(), &cell("Missing")), [""; 0]);
        assert_eq!(compare(&expected(), &cell("Seen")), ["editFile × other: expected Missing, saw Seen ({})"]);
    }

    #[test]
    fn a_missing_entry_and_one_too_many_are_told() {
        assert_eq!(compare(&BTreeMap::new(), &cell("Seen")), ["editFile × other: no entry, saw Seen"]);
        let stale = compare(&expected(), &BTreeMap::new());
        assert_eq!(stale, ["editFile × other: expected Missing, but there is no such thing"]);
        let set = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(
            uncovered(&set(&["User.email", "User.new"]), &set(&["User.email", "User.old"])),
            ["User.new: no entry", "User.old: an entry for what the schema lacks"]
        );
    }

    #[test]
    fn an_answer_that_tells_anothers_id_from_a_missing_one_is_not_missing() {
        let answer = |message: &str| Answer {
            status: 200,
            body: json!({ "data": { "editFile": { "userErrors": [{ "code": "NOT_FOUND", "message": message }] } } }),
        };
        let about = |real: &str, missing: &str| {
            outcome(&answer(real), "editFile", |_| false, Some(("file_1", &answer(missing), "file_2"))).outcome
        };
        assert_eq!(about("No file_1.", "No file_2."), "Missing");
        assert_eq!(about("Not yours.", "No file_2."), "NOT_FOUND, which tells it from a missing one");
    }

    #[test]
    fn a_list_with_one_thing_of_another_is_not_ones_own() {
        let page =
            Answer { status: 200, body: json!({ "data": { "files": { "nodes": [{ "id": "a" }, { "id": "b" }] } } }) };
        assert_eq!(outcome(&page, "files", |_| true, None).outcome, "Own");
        assert_eq!(outcome(&page, "files", |id| id == "a", None).outcome, "Everyones");
    }
}
