//! The tables as `docs/access.md`, for people.

use super::{
    fields::{self, STANDINGS, Shown},
    mutations,
    outcome::Outcome,
    queries, subscriptions,
};

const COLUMNS: [&str; 6] = ["anonymous", "owner", "owner's API token", "other user", "operator", "admin"];

const HEAD: &str = "# Who may do what

Printed from the tables in `tests/it/databases/access/`, which a test holds against the running server: every role tries
everything that the schema has. Change a table there, then `UPDATE=1 cargo test --test it access`.

- **✓** is answered, or done. **own** is a list of the caller's own, **all** a list of everyone's.
- **missing** is the very answer that an id which never existed gets; nothing is written and nobody is told.
- **log in** and **forbidden** are the top-level errors `UNAUTHENTICATED` and `FORBIDDEN`; `CODES` are `userErrors`.
- A friend of the owner's, whoever has asked them and waits, and whoever they have blocked get of every query and mutation what
  any other user gets. To the blocked even that says nothing of the block ([friends.md](friends.md)).
- A session or API token that is unknown, expired, revoked or of a suspended account is refused whatever it asks for (401),
  from the next request on. A browser cannot drop a dead cookie by itself, so it counts as anonymous.
- An admin or operator who is one no more is a user from the next request on. No mutation changes a role.
- `first`, `after`, `last` and `before` move within the list that the caller may see.
- A WebSocket of a log-in that has ended, or whose person has another role by now, is closed within seconds (4403). Over it
  queries and mutations are what they are over plain HTTP.
- A signed URL is good for whoever has it until it expires, or until its file is deleted for good.
- A share link is good for whoever has it until it expires, is used up or revoked, while its file is active with the content
  that was shared and its owner may log in; anything else answers as a link that never was.
- Who has closed the account is gone for everybody but admins from then on, and for them once it is erased. Its receipt is good
  for whoever has it.
";

fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Seen => "✓".to_owned(),
        Outcome::Own => "own".to_owned(),
        Outcome::Everyones => "all".to_owned(),
        Outcome::Missing => "missing".to_owned(),
        Outcome::Null => "null".to_owned(),
        Outcome::Forbidden => "forbidden".to_owned(),
        Outcome::Unauthenticated => "log in".to_owned(),
        Outcome::UserError(code) => format!("`{code}`"),
    }
}

fn shown(shown: Shown) -> String {
    match shown {
        Shown::Seen => "✓",
        Shown::Null => "null",
        Shown::Hidden => "",
    }
    .to_owned()
}

fn line(cells: impl IntoIterator<Item = String>) -> String {
    format!("| {} |\n", cells.into_iter().collect::<Vec<_>>().join(" | "))
}

fn header(first: &str, columns: &[&str]) -> String {
    let names = [&[first], columns].concat();
    line(names.iter().map(|name| (*name).to_owned())) + &line(names.iter().map(|_| "---".to_owned()))
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## Queries\n\n");
    text.push_str(&header("", &COLUMNS));
    let operation = |name: &str, case: &str| format!("`{name}` {case}").trim_end().to_owned();
    for row in queries::TABLE {
        text.push_str(&line([operation(row.key, row.case)].into_iter().chain(row.outcomes.map(outcome))));
    }
    text.push_str("\n## Mutations\n\n");
    text.push_str(&header("", &COLUMNS));
    for row in mutations::all() {
        text.push_str(&line([operation(row.name, row.case)].into_iter().chain(row.outcomes.map(outcome))));
    }
    text.push_str("\n## Subscriptions\n\n");
    text.push_str(&header("", &COLUMNS));
    for row in subscriptions::TABLE {
        text.push_str(&line([operation(row.key, "")].into_iter().chain(row.outcomes.map(outcome))));
    }
    text.push_str(
        "\n## Fields\n\nWherever an object is met. Empty: it is never met. A page counts as the caller's own.\n\n",
    );
    text.push_str(&header("", &[&["fields"], STANDINGS.as_slice()].concat()));
    for (kind, names, columns) in fields::rows() {
        text.push_str(&line([format!("`{kind}`"), names].into_iter().chain(columns.map(shown))));
    }
    text
}

#[test]
fn the_committed_page_is_printed_from_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/access.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, document()).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == document(),
        "docs/access.md is out of date: run `UPDATE=1 cargo test --test it access`, commit it"
    );
}
