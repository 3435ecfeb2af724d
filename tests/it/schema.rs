//! The schema as a whole: the committed text, names that must not collide, ids, and limits through the public door.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::{
    EmptySubscription, ObjectType, Schema,
    parser::{
        parse_schema,
        types::{TypeKind, TypeSystemDefinition},
    },
};
use serde_json::{Value, json};
use snaphaven::{
    accounts::graphql::{AccountsMutation, AccountsQuery, FriendsMutation, FriendsQuery, ModerationMutation},
    alerts::graphql::AlertsQuery,
    closing::graphql::{ClosingMutation, ClosingQuery},
    compose::{
        self,
        audit::AuditQuery,
        events::{EventsMutation, EventsQuery},
    },
    files::graphql::{
        BulkQuery, FilesMutation, FilesQuery, HoldsMutation, HoldsQuery, SharesMutation, UploadsMutation, UploadsQuery,
        UsageMutation, UsageQuery, VersionsMutation,
    },
    ledger::graphql::LedgerQuery,
    manifest::graphql::ManifestMutation,
    operations::graphql::{OperationsMutation, OperationsQuery},
    proof::graphql::ProofQuery,
    replication::graphql::{ReplicationMutation, ReplicationQuery},
    reports::graphql::{BlockListMutation, BlockListQuery, ReportsMutation, ReportsQuery},
    snaps::graphql::{SnapsMutation, SnapsQuery},
    timeline::graphql::TimelineQuery,
};

use crate::support::TestServer;

/// Types of a schema text: their fields, each with its type.
fn types(sdl: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let definitions = parse_schema(sdl).unwrap().definitions.into_iter();
    definitions
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => Some(definition.node),
            _ => None,
        })
        .filter_map(|definition| match definition.kind {
            TypeKind::Object(object) => {
                let fields = object.fields.into_iter().map(|field| field.node);
                let fields = fields.map(|field| (field.name.node.to_string(), field.ty.node.to_string()));
                Some((definition.name.node.to_string(), fields.collect()))
            }
            _ => None,
        })
        .collect()
}

/// The fields of one module's root.
fn fields<T: ObjectType + Default + 'static>() -> Vec<String> {
    let sdl = Schema::build(T::default(), async_graphql::EmptyMutation, EmptySubscription).finish().sdl();
    types(&sdl).remove(&*T::type_name()).unwrap().into_keys().collect()
}

#[test]
fn the_committed_schema_is_the_served_one() {
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql")).unwrap_or_default();
    assert!(committed == compose::sdl(), "schema.graphql is out of date: run `make schema` and commit it");
}

/// async-graphql merges roots without a word where a name occurs twice (async-graphql#1316).
#[test]
fn no_two_modules_name_a_root_field_alike() {
    let merged = types(&compose::sdl());
    for (root, own, parts) in [
        (
            "Query",
            ["node", "limits"].as_slice(),
            vec![
                fields::<AccountsQuery>(),
                fields::<FriendsQuery>(),
                fields::<FilesQuery>(),
                fields::<BulkQuery>(),
                fields::<UploadsQuery>(),
                fields::<UsageQuery>(),
                fields::<HoldsQuery>(),
                fields::<ReportsQuery>(),
                fields::<BlockListQuery>(),
                fields::<LedgerQuery>(),
                fields::<ReplicationQuery>(),
                fields::<TimelineQuery>(),
                fields::<ProofQuery>(),
                fields::<AlertsQuery>(),
                fields::<OperationsQuery>(),
                fields::<AuditQuery>(),
                fields::<ClosingQuery>(),
                fields::<EventsQuery>(),
                fields::<SnapsQuery>(),
            ],
        ),
        (
            "Mutation",
            &[],
            vec![
                fields::<AccountsMutation>(),
                fields::<ModerationMutation>(),
                fields::<FriendsMutation>(),
                fields::<FilesMutation>(),
                fields::<UploadsMutation>(),
                fields::<VersionsMutation>(),
                fields::<SharesMutation>(),
                fields::<UsageMutation>(),
                fields::<HoldsMutation>(),
                fields::<ReportsMutation>(),
                fields::<BlockListMutation>(),
                fields::<ClosingMutation>(),
                fields::<ReplicationMutation>(),
                fields::<ManifestMutation>(),
                fields::<OperationsMutation>(),
                fields::<EventsMutation>(),
                fields::<SnapsMutation>(),
            ],
        ),
    ] {
        let all: Vec<String> = parts.into_iter().flatten().chain(own.iter().map(|name| (*name).to_owned())).collect();
        let distinct: BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "a name occurs twice: {all:?}");
        assert_eq!(distinct, merged[root].keys().collect(), "and the list of roots here is complete");
    }
}

#[test]
fn every_type_with_an_id_has_a_prefix_of_its_own() {
    let with_id: BTreeSet<String> = types(&compose::sdl())
        .into_iter()
        .filter(|(_, fields)| fields.get("id").is_some_and(|kind| kind == "ID!"))
        .map(|(name, _)| name)
        .collect();
    let kinds: BTreeSet<String> = snaphaven::id::NodeKind::ALL.iter().map(|kind| format!("{kind:?}")).collect();
    assert_eq!(with_id, kinds);
}

#[tokio::test]
async fn queries_beyond_the_limits_are_refused() {
    let server = TestServer::start().await;
    let ada = server.person("ada").await;
    let aliases = |count: usize| (0..count).map(|n| format!("a{n}: __typename ")).collect::<String>();
    let pages = "{ files(first: 100) { nodes { versions(first: 100) { nodes { id } } } } }";
    let directives = format!("{{ __typename {} }}", "@include(if: true) ".repeat(60));
    for (what, query) in [
        ("aliases", format!("{{ {} }}", aliases(20_000))),
        ("a few aliases too many", format!("{{ {} }}", aliases(51))),
        ("depth", nested(30)),
        ("complexity", pages.to_owned()),
        ("directives", directives),
    ] {
        let answer = ada.send(&query, json!({})).await;
        assert!(answer["errors"][0]["message"].is_string() && answer["data"].is_null(), "{what}: {answer}");
    }
    let variables = json!({ "n": 100 });
    let by_variable = "query ($n: Int) { files(first: $n) { nodes { versions(first: $n) { nodes { id } } } } }";
    assert!(ada.send(by_variable, variables).await["errors"].is_array(), "variables count like literals");
    for fits in [
        format!("{{ {} }}", aliases(50)),
        nested(8),
        "{ files(first: 20) { nodes { versions(first: 20) { nodes { id } } } } }".to_owned(),
        "query ($n: Int) { files(first: $n) { totalCount } }".to_owned(),
    ] {
        ada.query(&fits, json!({})).await;
    }
    server.finish().await;
}

/// A selection this many levels deep: introspection is the one place where types refer to themselves.
fn nested(levels: usize) -> String {
    let inner = (0..levels).fold("name".to_owned(), |inner, _| format!("ofType {{ {inner} }}"));
    format!("{{ __type(name: \"File\") {{ {inner} }} }}")
}

#[tokio::test]
async fn introspection_works() {
    let server = TestServer::start().await;
    let query = "{ __schema { queryType { name } mutationType { name } types { kind name fields(includeDeprecated: true) { \
         name args { name type { ...T } } type { ...T } } inputFields { name type { ...T } } enumValues { name } \
         possibleTypes { name } } directives { name locations } } } \
         fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }";
    let schema = server.stranger().query(query, json!({})).await["__schema"].clone();
    assert_eq!(schema["queryType"]["name"], "Query");
    let types: Vec<&Value> = schema["types"].as_array().unwrap().iter().collect();
    let node = types.iter().find(|kind| kind["name"] == "Node").unwrap();
    let possible: Vec<_> =
        node["possibleTypes"].as_array().unwrap().iter().map(|kind| kind["name"].as_str().unwrap()).collect();
    assert_eq!(
        possible,
        [
            "User",
            "Friendship",
            "File",
            "FileVersion",
            "ShareLink",
            "Erasure",
            "Alert",
            "UploadSession",
            "Snap",
            "Job",
            "AuditEntry",
            "LegalHold",
            "BlockedContent",
            "Report",
            "BulkAction",
            "ReplicaRun",
            "ReplicaFinding"
        ]
    );
    server.finish().await;
}
