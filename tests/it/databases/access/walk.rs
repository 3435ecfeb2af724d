//! A walk through answers that notes of every field what it showed of whose thing.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::{
    client::Answer,
    fields::{STANDINGS, Shown},
    outcome::{Cell, Saw},
    schema::Schema,
    stage::{Asking, Caller, Owners, is_of},
};

/// What every field showed, over any number of answers.
#[derive(Default)]
pub struct Shows {
    cells: BTreeMap<Cell, Saw>,
    /// The same of an operator's and an admin's own things: there a field may show what either of two columns allows.
    staff: BTreeMap<Cell, Saw>,
}

/// One answer, and what is needed to judge it.
pub struct Walk<'a> {
    pub schema: &'a Schema,
    pub owners: &'a Owners,
    pub asking: &'a Asking,
    /// Who the answer is for, where it is not who sent the request: the person who has just come in.
    pub entered: Option<Uuid>,
    pub operation: &'a str,
}

impl Shows {
    pub fn add(&mut self, other: Self) {
        for (cell, saw) in other.cells {
            note(&mut self.cells, cell, saw);
        }
        for (cell, saw) in other.staff {
            note(&mut self.staff, cell, saw);
        }
    }

    pub fn answer(&mut self, walk: &Walk<'_>, root: &str, kind: &str, answer: &Answer) {
        let value = &answer.body["data"][walk.operation];
        let standing = if walk.viewer().is_some() { STANDINGS[1] } else { STANDINGS[0] };
        let path = vec![Value::from(walk.operation)];
        self.value(walk, (root, kind), value, &path, standing, answer);
    }

    fn value(
        &mut self,
        walk: &Walk<'_>,
        (key, kind): (&str, &str),
        value: &Value,
        path: &[Value],
        standing: &'static str,
        answer: &Answer,
    ) {
        if let Some(items) = value.as_array() {
            for (index, item) in items.iter().enumerate() {
                self.value(walk, (key, kind), item, &[path, &[index.into()]].concat(), standing, answer);
            }
            return;
        }
        let kind = value["__typename"].as_str().unwrap_or(kind);
        let (Some(fields), Some(object)) = (walk.schema.object(kind), value.as_object()) else { return };
        let standing = match value["id"].as_str() {
            Some(id) => walk.standing(id),
            None => standing,
        };
        for (name, field) in fields {
            let Some(below) = object.get(name) else { continue };
            let path = [path, &[name.as_str().into()]].concat();
            let key = format!("{kind}.{name}");
            let saw = saw(below, &path, walk.operation, answer);
            let cells = if STANDINGS.contains(&standing) { &mut self.cells } else { &mut self.staff };
            note(cells, (key.clone(), standing), saw);
            self.value(walk, (&key, &field.kind), below, &path, standing, answer);
        }
    }

    /// Every field of the schema by column; [`Shown::Hidden`] where it was never met.
    pub fn cells(&self, schema: &Schema) -> BTreeMap<Cell, Saw> {
        let mut cells = self.cells.clone();
        for key in schema.fields() {
            for standing in STANDINGS {
                let never = || Saw { outcome: format!("{:?}", Shown::Hidden), answer: "met nowhere".to_owned() };
                cells.entry((key.clone(), standing)).or_insert_with(never);
            }
        }
        cells
    }

    /// What an operator's or an admin's own things showed beyond what they show to any owner, and to that role.
    pub fn beyond(&self, expected: &BTreeMap<Cell, String>) -> Vec<String> {
        let excess = self.staff.iter().filter(|((key, standing), saw)| {
            let role = if *standing == OPERATORS { "operator" } else { "admin" };
            let allowed = ["one's own", role].map(|column| expected.get(&(key.clone(), column)));
            saw.outcome != "Null" && !allowed.into_iter().flatten().any(|allowed| *allowed == saw.outcome)
        });
        excess
            .map(|((key, standing), saw)| format!("{key} × {standing}: saw {} ({})", saw.outcome, saw.answer))
            .collect()
    }
}

const OPERATORS: &str = "an operator's own";
const ADMINS: &str = "an admin's own";

/// An error outweighs a value, a value outweighs null.
fn note(cells: &mut BTreeMap<Cell, Saw>, cell: Cell, saw: Saw) {
    let weight = |saw: &Saw| match saw.outcome.as_str() {
        "Null" => 0,
        "Seen" => 1,
        _ => 2,
    };
    match cells.get_mut(&cell) {
        Some(before) if weight(before) >= weight(&saw) => {}
        Some(before) => *before = saw,
        None => {
            cells.insert(cell, saw);
        }
    }
}

fn saw(value: &Value, path: &[Value], operation: &str, answer: &Answer) -> Saw {
    let place = path.iter().map(|step| step.to_string().replace('"', "")).collect::<Vec<_>>().join(".");
    let mut errors = answer.body["errors"].as_array().into_iter().flatten();
    let error = errors.find(|error| error["path"].as_array().is_some_and(|at| at.starts_with(path)));
    let outcome = match error {
        Some(error) if value.is_null() => format!("error {}", error["extensions"]["code"].as_str().unwrap_or("?")),
        _ if value.is_null() => format!("{:?}", Shown::Null),
        _ => format!("{:?}", Shown::Seen),
    };
    let value: String = value.to_string().chars().take(120).collect();
    Saw { outcome, answer: format!("{operation}: {value} at {place}") }
}

impl Walk<'_> {
    fn viewer(&self) -> Option<Uuid> {
        self.entered.or_else(|| self.asking.me.as_ref().map(|me| me.key))
    }

    fn own(&self) -> &'static str {
        match self.asking.caller {
            _ if self.entered.is_some() => STANDINGS[1],
            Caller::Operator => OPERATORS,
            Caller::Admin => ADMINS,
            _ => STANDINGS[1],
        }
    }

    fn standing(&self, id: &str) -> &'static str {
        let is_of_owner = is_of(self.owners, id, Some(self.asking.owner));
        match self.asking.caller {
            _ if self.viewer().is_none() => STANDINGS[0],
            _ if is_of(self.owners, id, self.viewer()) => self.own(),
            _ if self.entered.is_some() => STANDINGS[2],
            Caller::Friend if is_of_owner => STANDINGS[3],
            Caller::Pending if is_of_owner => STANDINGS[4],
            Caller::Blocked if is_of_owner => STANDINGS[5],
            Caller::Operator => STANDINGS[6],
            Caller::Admin => STANDINGS[7],
            _ => STANDINGS[2],
        }
    }
}
