//! Who may do what: every role against every query, mutation, subscription, argument, field and node of the schema.
//!
//! The tables in [`queries`], [`mutations`], [`subscriptions`] and [`fields`] say what each caller gets. What there is comes from the
//! running server's introspection, so that anything new fails here until it has an entry. `docs/access.md` is printed
//! from the tables.

mod client;
mod doors;
mod fields;
mod mutations;
mod outcome;
mod print;
mod queries;
mod schema;
mod stage;
mod subscriptions;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use futures::{
    FutureExt as _,
    stream::{self, StreamExt as _},
};

use self::{
    outcome::{Cell, Outcome, Saw, compare, uncovered},
    schema::Schema,
    stage::Caller,
    walk::Shows,
};
use crate::support::TestServer;

/// What was seen, and what is wrong whatever the tables say.
#[derive(Default)]
pub struct Findings {
    expected: BTreeMap<Cell, String>,
    saw: BTreeMap<Cell, Saw>,
    shows: Shows,
    failures: Vec<String>,
}

impl Findings {
    /// One row of a table against one caller.
    fn expect(&mut self, operation: &str, caller: Caller, outcomes: &[Outcome; 6], saw: Saw) {
        let cell = (operation.to_owned(), caller.name());
        self.expected.insert(cell.clone(), caller.expected(outcomes).to_string());
        assert!(self.saw.insert(cell, saw).is_none(), "two rows are called {operation}");
    }

    fn add(&mut self, other: Self) {
        self.expected.extend(other.expected);
        self.saw.extend(other.saw);
        self.shows.add(other.shows);
        self.failures.extend(other.failures);
    }
}

/// Parts of the matrix.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_gets_of_every_operation_and_field_what_the_tables_say() {
    // A few at a time: each compares the whole of its database.
    let mutations = [
        mutations::ACCOUNT_MUTATIONS,
        mutations::FRIEND_MUTATIONS,
        mutations::FILE_MUTATIONS,
        mutations::UPLOAD_MUTATIONS,
        mutations::VERSION_MUTATIONS,
        mutations::SHARE_MUTATIONS,
        mutations::CLOSING_MUTATIONS,
        mutations::SNAP_MUTATIONS,
        mutations::REPORT_MUTATIONS,
        mutations::EVENT_MUTATIONS,
    ];
    let mutations = mutations.into_iter().flat_map(|all| all.chunks(3));
    let mut parts = vec![queries::run().boxed()];
    parts.extend(mutations.map(|few| mutations::run(few).boxed()));
    // More servers at once than this wait for each other's database.
    let mut parts = stream::iter(parts).map(tokio::spawn).buffer_unordered(AT_ONCE);
    let server = TestServer::start().await;
    let schema = Schema::of(&client::Client::new(&server.url)).await;
    server.finish().await;
    let mut findings = Findings::default();
    while let Some(part) = parts.next().await {
        findings.add(part.unwrap());
    }
    let expected = fields::expected();
    let mut failures = compare(&findings.expected, &findings.saw);
    failures.extend(compare(&expected, &findings.shows.cells(&schema)));
    failures.extend(findings.shows.beyond(&expected));
    failures.append(&mut findings.failures);
    assert!(failures.is_empty(), "{} differences:\n{}\n", failures.len(), failures.join("\n"));
}

#[tokio::test]
async fn everything_in_the_schema_has_an_entry_and_nothing_else_has() {
    let server = TestServer::start().await;
    let schema = Schema::of(&client::Client::new(&server.url)).await;
    server.finish().await;
    let cells: BTreeSet<String> = fields::expected().into_keys().map(|(key, _)| key).collect();
    let kinds = snaphaven::id::NodeKind::ALL.iter().map(|kind| format!("{kind:?}")).collect();
    let mut failures = uncovered(&schema.fields(), &cells);
    failures.extend(uncovered(&schema.field_arguments(), &fields::sampled()));
    failures.extend(uncovered(&schema.queries(), &queries::keys()));
    failures.extend(uncovered(&kinds, &queries::nodes()));
    failures.extend(uncovered(&schema.mutations(), &mutations::names()));
    failures.extend(uncovered(&schema.subscriptions(), &subscriptions::keys()));
    failures.extend(mutations::inputs_left_out(&schema));
    assert!(schema.nodes().is_subset(&kinds), "{:?}", schema.nodes());
    assert!(failures.is_empty(), "{} differences:\n{}\n", failures.len(), failures.join("\n"));
}
