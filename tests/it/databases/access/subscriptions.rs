//! The table of subscriptions: every root field with every argument of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Findings,
    outcome::{self, Outcome},
    queries::never,
    stage::{Asking, Owners, Stage},
    walk::Walk,
};

pub struct Subscription {
    /// A root field, and the argument that is given.
    pub key: &'static str,
    /// The arguments; `$` stands for the id of `target`.
    arguments: &'static str,
    /// One of the owner's things.
    target: Option<&'static str>,
    pub outcomes: [Outcome; 6],
}

use Outcome::{Forbidden as Forb, Missing as Miss, Seen, Unauthenticated as Anon};

//                                  anonymous owner token other operator admin
const ACCOUNTS: [Outcome; 6] = [Anon, Seen, Seen, Seen, Seen, Seen];
const OWNER: [Outcome; 6] = [Anon, Seen, Seen, Miss, Miss, Miss];

/// Each from the beginning of the caller's own log, so that something comes.
pub const TABLE: &[Subscription] = &[
    Subscription { key: "uploadProgress(id)", arguments: r#"id: "$""#, target: Some("upload"), outcomes: OWNER },
    Subscription { key: "snapReceived", arguments: r#"after: "MA""#, target: None, outcomes: ACCOUNTS },
    Subscription { key: "snapOpened", arguments: r#"after: "MA""#, target: None, outcomes: ACCOUNTS },
    Subscription { key: "friendshipChanged", arguments: r#"after: "MA""#, target: None, outcomes: ACCOUNTS },
    Subscription {
        key: "replicationChanged",
        arguments: "",
        target: None,
        outcomes: [Anon, Forb, Forb, Forb, Seen, Seen],
    },
    Subscription {
        key: "eventReceived(kinds)",
        arguments: r#"kinds: [UPLOAD_CHANGED], after: "MA""#,
        target: None,
        outcomes: ACCOUNTS,
    },
];

/// The keys of the table, to be held against the schema's.
pub fn keys() -> BTreeSet<String> {
    TABLE.iter().map(|row| row.key.to_owned()).collect()
}

/// Subscribes to everything as this caller, and looks at what comes first.
pub async fn run(
    stage: &Stage,
    owners: &Owners,
    targets: &BTreeMap<&'static str, String>,
    asking: &Asking,
    findings: &mut Findings,
) {
    for row in TABLE {
        let root = row.key.split('(').next().unwrap_or_default();
        let kind = &stage.schema.object("Subscription").unwrap()[root].kind;
        let everything = stage.schema.everything(kind, true);
        let send = async |id: &str| {
            let arguments = row.arguments.replace('$', id);
            let arguments = if arguments.is_empty() { arguments } else { format!("({arguments})") };
            asking.client.subscribe(&format!("subscription {{ {root}{arguments}{everything} }}")).await
        };
        let id = row.target.map_or("", |name| targets[name].as_str());
        let answer = send(id).await;
        let missing = never(stage, id);
        let twin = if id.is_empty() { None } else { Some(send(&missing).await) };
        let twin = twin.as_ref().map(|twin| (id, twin, missing.as_str()));
        let saw = outcome::outcome(&answer, root, |_| false, twin);
        findings.expect(&format!("subscription {}", row.key), asking.caller, &row.outcomes, saw);
        let walk = Walk { schema: &stage.schema, owners, asking, entered: None, operation: root };
        findings.shows.answer(&walk, root, kind, &answer);
    }
}
