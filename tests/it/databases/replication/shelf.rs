//! A server with many objects, written straight into the ledger and both buckets.

use std::time::Duration;

use entity::{
    Timestamp, object,
    object::{Kind, State},
    object_copy::{self, Site},
};
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _};
use serde_json::{Value, json};
use snaphaven::{
    adapters::objects::{keys::ObjectKey, memory::MemoryStore},
    config::Config,
};

use crate::{
    common::{plant, rows},
    support::{Person, TestServer},
};

/// Older than any target.
const LONG: Duration = Duration::from_secs(48 * 3600);

pub struct Shelf {
    pub server: TestServer,
    pub admin: Person,
}

/// An object and what it holds.
#[derive(Clone, Debug)]
pub struct Item {
    pub row: object::Model,
    pub bytes: Vec<u8>,
}

/// What the ledger is to say of an object and its copies.
#[derive(Clone, Copy)]
pub struct Shape {
    pub kind: Kind,
    pub state: State,
    pub age: Duration,
    pub copies: [object_copy::State; 2],
}

impl Shape {
    /// At rest at both sites.
    pub const LIVE: Self = Self {
        kind: Kind::Original,
        state: State::Live,
        age: LONG,
        copies: [object_copy::State::Verified, object_copy::State::Verified],
    };

    pub fn state(self, state: State) -> Self {
        Self { state, ..self }
    }

    pub fn young(self) -> Self {
        Self { age: Duration::from_secs(5), ..self }
    }

    /// Never seen at the replica.
    pub fn awaited(self) -> Self {
        Self { copies: [object_copy::State::Verified, object_copy::State::Awaiting], ..self }
    }
}

impl Shelf {
    pub async fn new(change: impl FnOnce(&mut Config)) -> Self {
        let server = TestServer::with(|config| {
            config.replication.orphan_grace = Duration::ZERO;
            config.replication.repairs_per_second = 100_000;
            config.jobs.backoff_min = Duration::from_millis(10);
            change(config);
        })
        .await;
        let admin = server.admin().await;
        server.settle().await;
        Self { server, admin }
    }

    /// So many objects of a shape; the bytes are in the buckets where the ledger says so.
    pub async fn put(&self, count: usize, shape: Shape) -> Vec<Item> {
        let mut items = Vec::with_capacity(count);
        let (mut objects, mut copies) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (item, marks) = self.item(shape).await;
            objects.push(item.row.clone().into_active_model().reset_all());
            copies.extend(marks.into_iter().map(|mark| mark.into_active_model().reset_all()));
            items.push(item);
        }
        for some in objects.chunks(500) {
            let insert = object::Entity::insert_many(some.to_vec());
            insert.exec_without_returning(self.server.app.db.read()).await.unwrap();
        }
        for some in copies.chunks(500) {
            let insert = object_copy::Entity::insert_many(some.to_vec());
            insert.exec_without_returning(self.server.app.db.read()).await.unwrap();
        }
        items
    }

    async fn item(&self, shape: Shape) -> (Item, [object_copy::Model; 2]) {
        let key = ObjectKey::new(shape.kind);
        let bytes = key.to_string().into_bytes();
        let at: Timestamp = self.server.app.now().minus(shape.age);
        let going = matches!(shape.state, State::Deleting | State::Erased);
        let row = object::Model {
            state: shape.state,
            live_at: (shape.state != State::Pending).then_some(at),
            requested_at: going.then_some(at),
            erased_at: (shape.state == State::Erased).then_some(at),
            ..rows::live(key, &bytes, at)
        };
        let mut marks = Vec::new();
        for (site, state) in Site::ALL.into_iter().zip(shape.copies) {
            let there = state == object_copy::State::Verified && shape.state == State::Live;
            let mark = rows::proven(row.id, site, String::new(), at);
            marks.push(if there {
                object_copy::Model { etag: Some(write(self.store(site), &row.key, &bytes).await), ..mark }
            } else {
                let gone = shape.state == State::Erased;
                object_copy::Model {
                    state: if gone { object_copy::State::Gone } else { state },
                    etag: None,
                    proof: None,
                    verified_at: None,
                    arrived_at: None,
                    gone_at: gone.then_some(at),
                    ..mark
                }
            });
        }
        (Item { row, bytes }, marks.try_into().unwrap())
    }

    pub fn store(&self, site: Site) -> &MemoryStore {
        match site {
            Site::First => &self.server.first,
            Site::Second => &self.server.second,
        }
    }

    /// Verifies and waits for the end.
    pub async fn verify(&self, mode: &str) -> Value {
        self.run(json!({ "mode": mode })).await
    }

    pub async fn run(&self, input: Value) -> Value {
        let begun = self.admin.mutate("verifyReplicas", "run { id }", input).await;
        self.server.quiet().await;
        self.look(&begun["run"]["id"]).await
    }

    pub async fn look(&self, run: &Value) -> Value {
        let fields = "mode state total done agreed lagging inFlight faults repaired leftOpen bytesRead error finishedAt rate \
                      coverage { bytes checksum etag existence } requestedBy { username }";
        let query = format!("query ($id: ID!) {{ node(id: $id) {{ ... on ReplicaRun {{ {fields} }} }} }}");
        self.admin.query(&query, json!({ "id": run })).await["node"].take()
    }

    /// Every open finding, or every resolved one: kind and key, sorted.
    pub async fn findings(&self, open: bool) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut after = Value::Null;
        loop {
            let query = "query ($open: Boolean, $after: String) { replicaFindings(open: $open, first: 100, after: $after) { \
                         nodes { kind key } pageInfo { hasNextPage endCursor } } }";
            let answer = self.admin.query(query, json!({ "open": open, "after": after })).await;
            let page = &answer["replicaFindings"];
            let string = |value: &Value| value.as_str().unwrap().to_owned();
            found.extend(
                page["nodes"].as_array().unwrap().iter().map(|node| (string(&node["kind"]), string(&node["key"]))),
            );
            if page["pageInfo"]["hasNextPage"] == json!(false) {
                found.sort();
                return found;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
    }

    pub async fn state(&self) -> Value {
        let query = "{ replication { state sentence mode sites { role isReachable error } lag { p50 p95 p99 max copies } \
                     backlog { objects bytes oldest } exposure { objects files people } findings { kind findings } \
                     lastVerification { state } lastCompleteVerification { state } } }";
        self.admin.query(query, json!({})).await["replication"].take()
    }

    pub async fn repair(&self, input: Value) -> Value {
        let fields = "plan { findings size beyondRepair byKind { kind findings } } run { id }";
        self.admin.mutate("repairFindings", fields, input).await
    }
}

/// Puts bytes under a key behind the ledger's back, and says their ETag.
pub async fn write(store: &MemoryStore, key: &str, bytes: &[u8]) -> String {
    plant::put(store, key, bytes.to_vec()).await.unwrap()
}
